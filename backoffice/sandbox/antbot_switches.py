"""AntBOT's undocumented behaviour as switches; defaults follow our facts page, sections 2 and 3."""

from .switches import Switch

USERNAME, PASSWORD = "sandbox", "sandbox-antbot-password"
NO_YES = ("no", "yes")

SWITCHES = {
    # access
    "username": Switch(USERNAME, (), "the login get-token takes"),
    "password": Switch(PASSWORD, (), "its password; change it to revoke"),
    "token_path": Switch(
        "/rest-api/get-token/",
        ("/rest-api/get-token/", "/get-token/"),
        "the page prints /get-token/, every other path carries /rest-api",
    ),
    "token_key": Switch(
        "access_token", ("access_token", "access", "token"), "where the answer has the token"
    ),
    "token_lifetime_s": Switch(86_400, (), "real seconds until a token answers 401; 0 is for ever"),
    "single_login": Switch("no", NO_YES, "a new login ends the earlier tokens"),
    "login_refusal": Switch(401, (401, 400), "status for a wrong login"),
    "auth_status": Switch(401, (401, 403), "status for a missing or dead token"),
    "trial": Switch("active", ("active", "none"), "without a started trial every call answers 403"),
    "rate_limit": Switch(0, (), "requests answered per second, refused ones count too; 0 is no limit"),
    "rate_status": Switch(429, (429, 503), "the refusal"),
    # paths and pages
    "slashless": Switch("redirect", ("redirect", "404", "500"), "a URL without its trailing slash"),
    "undocumented_reads": Switch("yes", NO_YES, "reads the page does not print: items, sections, calendars"),
    "envelope": Switch(
        "page",
        ("page", "results", "list_pages", "list"),
        "whole envelope, only results, bare pages, all rows",
    ),
    "page_size": Switch(10, (), "rows on a page; the client cannot choose"),
    "next_host": Switch("real", ("real", "wrong"), "host and scheme in `next` and `previous`"),
    "sort": Switch("id", ("id", "id_desc", "random"), "no order is promised; random deals anew at page 1"),
    "calendar_users": Switch("odd", ("odd", "page"), "one object, a list or a note; or an ordinary page"),
    # campaigns
    "reading": Switch("A", ("A", "B", "C"), "campaign status: one column, two enumerations, or computed"),
    "odd_status": Switch(0, (), "a number shown for every paused campaign; 0 none"),
    "status_answer": Switch("campaign", ("campaign", "echo", "empty", "message"), "answer to a command"),
    "campaign_fields": Switch("all", ("all", "core"), "what a campaign shows"),
    "extra_campaign_fields": Switch("ignore", ("ignore", "accept"), "dnc, retries, weekdays in a body"),
    "new_campaign_dnc": Switch("none", ("none", "first"), "the DNC list of a campaign made without one"),
    "put": Switch("partial", ("partial", "full"), "a PUT without the fields a create requires"),
    "window_zone": Switch("UTC", ("UTC", "Asia/Ho_Chi_Minh"), "zone of the daily times"),
    "bulk_joins": Switch("yes", NO_YES, "bulk contacts join a running campaign as single ones do"),
    "inactive_contact": Switch("skipped", ("skipped", "dialled"), "a contact set to 0 after it was imported"),
    "max_frequency": Switch(100, (), "account cap, calls per minute"),
    "max_campaigns": Switch(100, (), "account cap"),
    "max_subscribers": Switch(100_000, (), "per campaign, the rest is silently left out; 0 is no cap"),
    "max_contacts": Switch(1_000_000, (), "account cap; bulk looks at it before the batch only"),
    # contacts
    "bulk_duplicates": Switch("stop", ("stop", "accept"), "stop at a known number with 200 and an error"),
    "bulk_limit": Switch(0, (), "contacts in one bulk call; 0 is no limit"),
    "additional_vars": Switch("text", ("text", "object"), "how a contact shows them"),
    # reports
    "subscriber_contact": Switch("id", ("id", "number", "object"), "the contact of a subscriber"),
    "cdr_id": Switch("yes", NO_YES, "whether call records carry an id"),
    "late_cdr_s": Switch(0, (), "seconds a call record appears after the call ended"),
    "late_cdr_percent": Switch(100, (), "share of call records that are late"),
    "raw_dispositions": Switch("no", NO_YES, "call records show the raw cause as disposition"),
    "b_leg_percent": Switch(8, (), "share of answered calls with a second leg"),
    "opt_out_percent": Switch(4, (), "share of answered calls that opt out, where the survey has type 9"),
}
