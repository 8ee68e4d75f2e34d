"""Udesk's undocumented behaviour as switches; defaults follow our facts page, open questions."""

from .switches import Switch

ADMIN_EMAIL = "admin+api@sandbox.example.com"
TOKEN = "sandbox-udesk-token"  # noqa: S105  a sandbox's
NO_YES = ("no", "yes")

SWITCHES = {
    "email": Switch(ADMIN_EMAIL, (), "the administrator who signs"),
    "token": Switch(TOKEN, (), "the open API token that signs; change it to revoke"),
    "subdomain": Switch("known", ("known", "unknown"), "unknown: everything answers 2002"),
    "plan": Switch("full", ("full", "basic"), "basic: feeds, filters, definitions, imports, merges are 2058"),
    "clock_skew_s": Switch(0, (), "seconds the server's clock is ahead of ours"),
    "rate_per_minute": Switch(0, (), "calls a minute of one interface; 0 is no limit, public sources say 60"),
    "throttle_as": Switch("code", ("code", "http"), "too many: code 429 under HTTP 200, or HTTP 429"),
    "error_status": Switch("200", ("200", "matching"), "HTTP status of an error envelope"),
    "error_text": Switch("message", ("message", "code_message"), "where the text of an error stands"),
    "exception": Switch("object", ("object", "text", "none"), "how the detail of an error is told"),
    "not_found": Switch(2005, (2005, 2000), "the code when nobody is found; the page prints both"),
    # lists and export
    "order": Switch("newest", ("newest", "oldest", "shuffled"), "of list and export"),
    "list_reach": Switch(10_000, (), "records the list reaches at most"),
    "export_batch": Switch(1000, (), "customers per answer of the export"),
    "export_total": Switch("honest", ("honest", "absent"), "whether the export tells a total"),
    "scroll_life_s": Switch(60.0, (), "seconds after which a cursor is dead"),
    "scroll_ids": Switch("fresh", ("fresh", "constant"), "a new cursor with each batch, or always the same"),
    "scroll_again": Switch(
        "advance", ("advance", "repeat", "refuse"), "an older cursor of a living export asked once more"
    ),
    "wrong_filter": Switch("everybody", ("everybody", "refuse"), "export with an unknown filter_id"),
    # shapes
    "ids": Switch("int", ("int", "text"), "ids in answers"),
    "tags": Switch("objects", ("objects", "texts"), "tags when read"),
    "feed_name": Switch("Alteration", ("Alteration", "Alternation"), "feed_type of a change"),
    "create_answer": Switch("stored", ("stored", "sample"), "sample: right id, otherwise not what was sent"),
    "definitions": Switch("served", ("served", "gone"), "the deprecated list of custom fields"),
    # writes
    "put_arrays": Switch("replace", ("replace", "merge"), "phones and other e-mails on update"),
    "put_custom_fields": Switch("merge", ("merge", "replace"), "keys that an update leaves out"),
    "put_tags": Switch("replace", ("replace", "add"), "tags on update"),
    "clear_scalars": Switch("ignore", ("ignore", "clear", "refuse"), "null or an empty text on update"),
    "phone_match": Switch("exact", ("exact", "digits"), "how phones are compared, look-ups and uniqueness"),
    "unique_token": Switch("no", NO_YES, "whether open_api_token is refused when in use"),
    "merge_params": Switch("body", ("body", "query", "either"), "the sample says body, the table query"),
    "import_delay_s": Switch(0.5, (), "seconds until a received import is applied"),
    "import_every_s": Switch(60.0, (), "an import earlier than this after the last one is refused"),
    "import_fails": Switch("none", ("none", "all"), "all: received, and never applied"),
}
