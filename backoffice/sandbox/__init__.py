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

Concord is `http://127.0.0.1:PORT/concord/api`, token `sandbox-concord-token`. Two of five contacts are people
that AntCRM knows too; 1.5 % are deleted.

    GET    concord/contacts         the truth; ?state=&id=
    GET    concord/counts           contacts per state, and how many of the live ones the token sees
    GET    concord/words            users, sources, countries, custom fields, sizes of the association pools
    POST   concord/contacts         a contact made by remote staff (only first_name is required)
    PATCH  concord/contacts         {id, changes…}; also custom (by key), extra (keys shown as they are),
                                    created_at, updated_at (ISO 8601)
    POST   concord/trash restore purge       {id}
    POST   concord/hide             {id, hidden?}: whether the token's user may see it
    POST   concord/merge            {"loser": {"id"}, "survivor": {"id"}}: the loser is purged
    POST   concord/mutate           {edits, creates, trash, merges, seed}

amoCRM is `http://127.0.0.1:PORT/amocrm`, token `sandbox-amocrm-token`; or OAuth with client id
`sandbox-amocrm-client`, secret `sandbox-amocrm-secret`, redirect URI
`https://backoffice.example.com/amocrm` and refresh token `sandbox-amocrm-refresh`, which each use replaces.
Every second contact is a person that AntCRM knows too; 2 % are deleted.

    GET    amocrm/contacts          the truth; ?state=&id=, and brief=1
    GET    amocrm/counts            contacts per state
    POST   amocrm/contacts          a contact made by remote staff, in the API's own shape
    PATCH  amocrm/contacts          {id, changes…}; also updated_at, raw (stored) and extra (shown as it is)
    POST   amocrm/trash restore     {id}
    POST   amocrm/merge             {"loser": id, "survivor": id}
    POST   amocrm/mutate            {edits, creates, trash, merges, seed}
    GET    amocrm/users chats events access        staff, chat → contact, events, counts of logins
    POST   amocrm/chat              {chat_id, contact_id}
    POST   amocrm/access            {access?, refresh?, unblock?}: end tokens, lift a block

AntBOT is `http://127.0.0.1:PORT/antbot/rest-api`, login `sandbox` / `sandbox-antbot-password`. It runs
in vendor time: the present × `--bot-speed`, until set. A started campaign dials at once and then each
minute; outcomes depend on the seed only. Whatever is due is done before each request and control call.

    GET    antbot/clock             {now, speed, zone}
    POST   antbot/clock             {speed?, now?}: speed 0 stands still; `now` jumps, nothing happens in
                                    between and calls under way move along
    POST   antbot/advance           {minutes, seconds?}: time passes with everything due in it
    GET    antbot/state             clock, campaigns with counts, rows per table, logins, live tokens
    GET    antbot/ledger?since=     every number dialled since the start; also ?campaign=
    GET    antbot/rows?table=       all rows of a table; other parameters compare fields
    POST   antbot/outcomes          {number: {disposition | cause, ring?, talk?, opt_out?, …} or null}
    POST   antbot/dial              {number, campaign?, at?, disposition?, alarm?, otp?, running?}: a call
                                    outside the rules, at once a record
    POST   antbot/edit_campaign     {campaign, changes…}; status 1-5 acts, another number is only shown
    POST   antbot/delete_campaign   {campaign}
    POST   antbot/edit_contact      {contact_id, changes…}
    POST   antbot/import            {phonebook, numbers}: contacts no running campaign sees
    POST   antbot/dnc               {number, dnc?}
    POST   antbot/expire_tokens     all tokens answer 401 from now on
    POST   antbot/mutate            {edits, creates, trash, seed} on contacts

Udesk is `http://127.0.0.1:PORT/udesk/open_api_v1`, signed by `admin+api@sandbox.example.com` with
`sandbox-udesk-token`; half of its customers are people AntCRM knows too.

    GET    udesk/customers          the truth; ?state=&id=&token=, and brief=1 for ids and names only
    GET    udesk/counts agents      customers per state; agents with their groups
    GET    udesk/rates              the busiest minute of each interface; signatures seen, how many distinct
    POST   udesk/customers          a customer made by remote staff: a create's body without its `customer`
    PATCH  udesk/customers          {id, changes…}; also raw (stored as is) and extra (keys shown as they are)
    POST   udesk/delete             {id}
    POST   udesk/merge              {loser, survivor}: ids
    POST   udesk/mutate             {edits, creates, trash, merges, seed}
    POST   udesk/imports            received imports are applied now
    POST   udesk/end_scrolls        all cursors of exports die

A fault rule: `kind`; which requests: `method`, `path` (glob below the prefix), `match` (text in the
query or body); how often: `probability`, `after` (skip so many), `times` (at most). Kinds and their
parameters stand in `faults.py`, switches in `<vendor>_switches.py`.

A further vendor is one module with the members of `server.Vendor` and one line in `build_vendors`.
"""
