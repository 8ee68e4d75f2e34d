"""Concord's undocumented behaviour as switches; defaults follow our facts page, open questions."""

from .switches import Switch

DEFAULT_TOKEN = "sandbox-concord-token"  # noqa: S105  the demo's, known to everybody
NO_YES = ("no", "yes")

SWITCHES = {
    "token": Switch(DEFAULT_TOKEN, (), "the bearer token; change it to revoke"),
    "rate_per_minute": Switch(0, (), "requests a minute, told in X-RateLimit headers; 0 is no limit"),
    "headers": Switch("strict", ("strict", "lenient"), "Content-Type is required on every call, or not"),
    # lists
    "paging": Switch(
        "meta",
        ("meta", "flat", "simple", "bare"),
        "links and meta, both at the top level, without totals, or a bare array",
    ),
    "per_page": Switch("honour", ("honour", "ignore"), "whether the list takes a page size (at most 100)"),
    "order": Switch(
        "honour",
        ("honour", "created_only", "refuse", "ignore"),
        "the list is sorted by any field; by id and created_at only, others ignored or refused; by none",
    ),
    "usual_order": Switch("id", ("id", "created_desc"), "order of a list that is not asked for one"),
    "search_fields": Switch("honour", ("honour", "ignore"), "an ignored one searches all fields, by like"),
    "search_as": Switch("bare", ("bare", "data"), "shape of the search's answer"),
    "search_items": Switch("full", ("full", "brief"), "brief ones have little more than a name"),
    # shapes of a contact
    "one_as": Switch("bare", ("bare", "data"), "one contact: the object itself, or under data"),
    "timestamps": Switch("micro", ("micro", "second", "space"), "how times are written"),
    "updated_at": Switch("shown", ("shown", "absent"), "whether contacts tell when they were updated"),
    "numbers": Switch("int", ("int", "text"), "ids"),
    "nested": Switch("yes", NO_YES, "owner, source and country also come as objects"),
    "blanks": Switch("null", ("null", "text"), 'an empty text is stored as null, or as ""'),
    "associations": Switch(
        "objects", ("objects", "ids", "absent"), "companies, deals and activities of one contact"
    ),
    "list_associations": Switch("no", NO_YES, "whether lists show them too"),
    "missing_message": Switch("named", ("named", "blank"), "the message of a 404"),
    # writes
    "put_lists": Switch("replace", ("replace", "merge"), "phones and tags on an update"),
    "put_omitted": Switch("keep", ("keep", "clear"), "fields that an update does not name"),
    "body_associations": Switch(
        "replace", ("replace", "add", "ignore"), "companies and deals in the body of a contact"
    ),
    "unique_email": Switch("no", NO_YES, "an e-mail address belongs to one live contact"),
    "phone_types": Switch("any", ("any", "three"), "types of phones besides mobile, work and other"),
    "delete_answer": Switch("empty", ("empty", "object"), "204 without a body, or 200 with one"),
    "associate_answer": Switch("object", ("object", "empty"), "the contact, or 204"),
    "detach_body": Switch("honour", ("honour", "dropped"), "a proxy may drop the body of a DELETE"),
    "trash_routes": Switch(
        "none",
        ("none", "trashed_contacts", "contacts_trashed"),
        "GET and POST /trashed/contacts, or GET /contacts/trashed and POST /contacts/{id}/restore",
    ),
    "clock_skew_s": Switch(0, (), "seconds the account's clock is ahead"),
}
