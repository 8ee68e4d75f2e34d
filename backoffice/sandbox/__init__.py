"""Demo vendors over real HTTP, in their own process, standard library only.

    python -m backoffice.sandbox --port 8901 --seed 1 --contacts 3000 --latency-ms 0

Prints `sandbox listening on http://127.0.0.1:PORT` when ready (`--port 0` picks a free port) and
ends on SIGTERM or SIGINT. `--warm` serialises everything before listening, for benches; `--today`
pins the day the data ends. The sandbox is our second, independent reading of the vendors' pages:
it imports no app and no app imports it.

Vendors live under a prefix. AntCRM is `http://127.0.0.1:PORT/antcrm`, header
`apikey: sandbox-antcrm-key`; `--contacts` counts its live records, trashed (1.5 %), merged (0.8 %)
and converted ones (2 %) come on top.

Control, JSON, no key, below `/_control/`:

    GET    health                   {"ok": true}
    POST   reset                    {seed?, contacts?}: fresh records, defaults everywhere, log cleared
    GET    faults                   rules with their counts
    POST   faults                   {"vendor", "faults": [rule, …], "seed"?}: replaces; DELETE clears
    GET    switches                 {vendor: {name: {value, default, choices, help}}}
    POST   switches                 {"vendor", name: value, …}
    GET    writes?since=&by=        applied writes; by=api (default), staff or all
    GET    stats                    {vendor: {requests, routes, statuses, faults, max_per_second, …}}
    POST   stats/reset
    POST   latency                  {"ms": n}
    POST   late                     apply what `apply_late` faults hold back, now
    GET    antcrm/contacts          the truth; ?state=&kind=&id=&code=, and brief=1 for ids only
    GET    antcrm/counts            records per state
    POST   antcrm/contacts          a record made by remote staff (only the name is required)
    PATCH  antcrm/contacts          {leadId | customerId | _id, changes…}; also createdAt, updatedAt,
                                    raw (fields stored as they are) and extra (keys shown as they are)
    POST   antcrm/trash restore purge convert        {leadId | customerId | _id}
    POST   antcrm/merge             {"loser": {…}, "survivor": {…}}
    POST   antcrm/mutate            {edits, creates, trash, merges, seed}
    GET    antcrm/staff             employees with id and e-mail

A fault rule: `kind`; which requests: `method`, `path` (glob below the prefix), `match` (text in the
query or body); how often: `probability`, `after` (skip so many), `times` (at most). Kinds and their
parameters stand in `faults.py`, switches in `<vendor>_switches.py`.

A further vendor is one module with the members of `server.Vendor` and one line in `build_vendors`.
"""
