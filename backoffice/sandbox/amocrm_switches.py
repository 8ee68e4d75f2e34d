"""amoCRM's undocumented behaviour as switches; defaults follow our facts page, open questions."""

from .switches import Switch

TOKEN = "sandbox-amocrm-token"  # noqa: S105  opens the sandbox only
CLIENT_ID, CLIENT_SECRET = "sandbox-amocrm-client", "sandbox-amocrm-secret"
REFRESH_TOKEN, REDIRECT_URI = "sandbox-amocrm-refresh", "https://backoffice.example.com/amocrm"
NO_YES = ("no", "yes")

SWITCHES = {
    # access
    "token": Switch(TOKEN, (), "the long-lived token; change it to revoke"),
    "client_id": Switch(CLIENT_ID, (), "of the integration"),
    "client_secret": Switch(CLIENT_SECRET, (), "of the integration"),
    "redirect_uri": Switch(REDIRECT_URI, (), "of the integration"),
    "refresh_token": Switch(REFRESH_TOKEN, (), "the first refresh token; each use brings the next"),
    "access_lifetime_s": Switch(86_400, (), "seconds an access token works"),
    "refresh_lifetime_s": Switch(7_776_000, (), "seconds an unused refresh token works"),
    "rate_limit": Switch(0, (), "requests answered per second, refused ones count too; 0 is no limit"),
    "rate_retry_after": Switch(0, (), "retry_after in the body of a 429; 0: not said"),
    "block_after": Switch(0, (), "429 answers after which the address is blocked (403, HTML); 0 is never"),
    # lists
    "default_limit": Switch(50, (), "page size when none is asked for"),
    "most_per_page": Switch(250, (), "a larger page is cut to this without a word, up to the documented 250"),
    "order": Switch("honour", ("honour", "ignore"), "the order parameter"),
    "updated_filter": Switch("honour", ("honour", "ignore"), "filter[updated_at], opt-in on some accounts"),
    "id_filter": Switch("honour", ("honour", "ignore"), "filter[id], opt-in on some accounts"),
    "next_on_last": Switch("no", NO_YES, "the last page has a next link, which leads to a 204"),
    "search": Switch("digits", ("digits", "text", "ignore"), "how query compares with phone numbers"),
    "clock_skew_s": Switch(0, (), "seconds the account's clock is ahead"),
    # shapes
    "enum_key": Switch("both", ("both", "enum", "enum_code"), "what names the kind of a phone in answers"),
    "empty_fields": Switch("null", ("null", "list"), "custom_fields_values of a contact without values"),
    "zone_hours": Switch(3, (), "the account's zone, in which dates begin, hours east of UTC"),
    "deleted_by_id": Switch(
        "204", ("204", "flag", "listed"),
        "a deleted contact: gone; shown with is_deleted; 204 by id but still shown by the id filter",
    ),
    # writes
    "name_split": Switch("keep", ("keep", "split"), "a name written alone: first and last name"),
    "enum_missing": Switch("WORK", ("WORK", "OTHER"), "kind of a phone or e-mail written without one"),
    "empty_tags": Switch("keeps", ("keeps", "clears"), "an empty list of tags; null clears in any case"),
    "patch_unknown": Switch("400", ("400", "404"), "an update of a contact that does not exist"),
    "patch_answer": Switch("bare", ("bare", "wrapped"), "the answer to an update by id in the path"),
    "batch": Switch(
        "none",
        ("none", "short", "long", "shuffled", "no_request_ids", "errors", "reject_after_some"),
        "answers: one item missing, one too many, out of order, without request_id, with errors beside"
        " the contacts, half stored and then refused",
    ),
    # beyond the vendor's page
    "definitions": Switch("on", ("on", "off"), "/contacts/custom_fields"),
    "events": Switch("on", ("on", "off", "oldest_first"), "/events"),
    "links": Switch("on", ("on", "off"), "/contacts/{id}/links, link, unlink"),
    "webhooks": Switch("on", ("on", "unpaid"), "/webhooks; unpaid answers 402"),
    "chats": Switch("on", ("on", "forbidden"), "forbidden: the token is no administrator's"),
}  # fmt: skip
