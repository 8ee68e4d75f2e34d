"""AntCRM's undocumented behaviour as switches; defaults follow our facts page, open questions."""

from .switches import Switch

DEFAULT_KEY = "sandbox-antcrm-key"
NO_YES = ("no", "yes")

SWITCHES = {
    "apikey": Switch(DEFAULT_KEY, (), "the key the header must carry; change it to revoke"),
    "rate_limit": Switch(0, (), "requests answered per second, refused ones count too; 0 is no limit"),
    "rate_status": Switch(429, (429, 503), "the refusal; the vendor's sister API documents 503"),
    # lists
    "list_as": Switch("array", ("array", "envelope", "object-if-one"), "shape of GET /contacts"),
    "limit_above_20": Switch("cap", ("cap", "honour"), "a limit above the documented page size"),
    "sort": Switch(
        "id",
        ("id", "created", "updated_desc", "random"),
        "lists by insertion, newest first, last changed first, or dealt anew at each page 1",
    ),
    "order_shifts": Switch("no", NO_YES, "an edited record moves to the end of the `id` order"),
    "phone_match": Switch("exact", ("exact", "digits", "contains"), "how the phone filter compares"),
    "date_zone_hours": Switch(7, (), "zone of the date filters, hours east of UTC"),
    "date_end": Switch("inclusive", ("inclusive", "exclusive"), "whether a filter's last day counts"),
    "merged_in_deleted": Switch("no", NO_YES, "merged losers are also in list-deleted"),
    "clock_skew_s": Switch(0, (), "seconds the account's clock is ahead"),
    # shapes on the main list
    "timestamps": Switch("ms", ("ms", "text_ms", "iso", "iso_naive"), "createdAt and updatedAt"),
    "birth_date": Switch("text", ("text", "iso"), 'dateOfBirth: "March 15, 2000" or 2000-03-15'),
    "numbers": Switch("int", ("int", "text"), "ids, type and gender"),
    "list_id": Switch("no", NO_YES, "whether _id is shown"),
    "list_other_id": Switch("absent", ("absent", "empty"), "customerId of a lead, leadId of a customer"),
    "list_staff": Switch("email", ("email", "id"), "responsibleStaff"),
    "list_custom_fields": Switch("both", ("both", "name_value", "id_value"), "cusFields"),
    "source_lead": Switch("lead", ("lead", "source"), "sourceLead names the lead, or the lead's source"),
    "echo_code": Switch("no", NO_YES, "whether customerIdApiRing is shown"),
    # writes
    "put_unknown": Switch(
        "error", ("error", "success0", "noop", "upsert"), "PUT or DELETE whose selector matches nobody"
    ),
    "put_gone": Switch("unknown", ("unknown", "applies"), "PUT of a trashed or merged record"),
    "put_arrays": Switch("replace", ("replace", "merge"), "arrays on PUT"),
    "put_omitted": Switch("keep", ("keep", "clear"), "fields a PUT does not name"),
    "duplicate_code": Switch("duplicate", ("duplicate", "reject", "upsert"), "create with a code in use"),
    "bulk": Switch(
        "none",
        ("none", "short", "long", "shuffled", "reject_all_after_some"),
        "one item not stored, one id too many, ids out of order, half stored then refused",
    ),
    "unknown_staff": Switch("reject", ("reject", "ignore"), "responsibleStaff with an unknown e-mail"),
    "cut_name": Switch(0, (), "names are silently cut after so many characters; 0 never"),
}
