"""AntBOT's endpoints as methods; the only place that knows its paths and parameters.

Every path ends with one slash, whatever the vendor's page prints: a server that adds it by a
redirect would turn a write into a read. Lists come back as bytes, page by page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backoffice.remote.session import Answer, RemoteSession

BASE_URL = "https://alice.antbuddy.com/rest-api"
LOGIN_PATH = "/get-token/"
BULK_SIZE = 100
#: The record does not exist, or not for this account.
GONE = frozenset({404})

Body = Mapping[str, Any]


def build_moment(moment: datetime) -> str:
    """`2020-02-11T02:36:39.045000Z`: always UTC, always microseconds. Raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("A time sent to AntBOT needs a zone.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _query(named: Mapping[str, object]) -> dict[str, object]:
    """The vendor's query: empty filters left out, times and booleans as it writes them."""
    query: dict[str, object] = {}
    for key, value in named.items():
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, datetime):
            value = build_moment(value)
        elif isinstance(value, int):
            value = int(value)
        query[key] = value
    return query


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFilters:
    """`status` is a number of `ReportedStatus`."""

    name: str = ""
    phonebook: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFilters:
    search: str = ""
    description: str = ""
    is_onboarding: bool | None = None
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurveyFilters:
    search: str = ""
    tts_language: str = ""
    description: str = ""
    campaign: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilters:
    """`search` is a phone number or a name."""

    phonebook: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilters:
    """All filters of the call report; `from_date` and `to_date` are on the call's start."""

    callid: str = ""
    callerid: str = ""
    phone_number: str = ""
    from_date: datetime | None = None
    to_date: datetime | None = None
    duration: int | None = None
    billsec: int | None = None
    disposition: str = ""
    hangup_cause: str = ""
    sip_term_status: str = ""
    sip_term_cause: str = ""
    endpoint_disposition: str = ""
    campaign: str = ""
    alarm: bool | None = None
    otp: bool | None = None

    def __post_init__(self) -> None:
        if self.from_date and self.to_date and self.from_date > self.to_date:
            raise ValueError("The calls asked for would end before they begin.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriberFilters:
    """`contact` is a phone number, not an id."""

    campaign: str = ""
    contact: str = ""
    status: int | None = None
    duration: int | None = None
    billsec: int | None = None


Filters = CampaignFilters | TemplateFilters | SurveyFilters | ContactFilters | CallFilters | SubscriberFilters


def query_of(filters: Filters) -> dict[str, object]:
    """The query of one set of filters; its fields bear the vendor's names."""
    return _query({name: getattr(filters, name) for name in filters.__slots__})


class AntBotClient:
    """Raw access; raises only the errors of `backoffice.remote.errors`."""

    def __init__(self, session: RemoteSession) -> None:
        self.session = session

    # Campaigns

    def campaigns(self, filters: CampaignFilters, page: int = 1) -> bytes:
        """One page of campaigns."""
        return self._page("/campaigns/", query_of(filters), page, "list campaigns")

    def campaign(self, remote_id: str) -> Answer:
        """One campaign; not on the vendor's page, but very likely there."""
        return self.session.get_json(_item("/campaigns/", remote_id), operation="read campaign", gone=GONE)

    def create_campaign(self, body: Body) -> Answer:
        """A new campaign; it does not dial before it is started."""
        return self._post("/campaigns/", body, "create campaign")

    def update_campaign(self, remote_id: str, body: Body) -> Answer:
        """Change a campaign."""
        return self._put(_item("/campaigns/", remote_id), body, "change campaign")

    def command_campaign(self, remote_id: str, body: Body, operation: str) -> Answer:
        """Start, pause, abort or end a campaign."""
        path = _item("/campaigns/", remote_id) + "status/"
        return self.session.send_json("POST", path, body, operation=operation, gone=GONE)

    def delete_campaign(self, remote_id: str) -> Answer:
        """Delete a campaign; its call records may go with it."""
        path = _item("/campaigns/", remote_id)
        return self.session.send_json("DELETE", path, operation="delete campaign", gone=GONE)

    # Call flows

    def templates(self, filters: TemplateFilters, page: int = 1) -> bytes:
        """One page of survey templates."""
        return self._page("/survey-template/", query_of(filters), page, "list survey templates")

    def create_template(self, body: Body) -> Answer:
        """A new survey template."""
        return self._post("/survey-template/", body, "create survey template")

    def sections(self, template_id: str, page: int = 1) -> bytes:
        """One page of sections; not on the vendor's page, so it may not be there."""
        return self._page("/section-template/", _query({"survey": template_id}), page, "list sections")

    def create_section(self, body: Body) -> Answer:
        """A new section of a survey template."""
        return self._post("/section-template/", body, "create section")

    def update_section(self, remote_id: str, body: Body) -> Answer:
        """Change a section."""
        return self._put(_item("/section-template/", remote_id), body, "change section")

    def surveys(self, filters: SurveyFilters, page: int = 1) -> bytes:
        """One page of sealed surveys."""
        return self._page("/survey-list/", query_of(filters), page, "list surveys")

    # Phonebooks and their contacts

    def phonebooks(self, search: str = "", page: int = 1) -> bytes:
        """One page of phonebooks; `search` is for the name."""
        return self._page("/phonebook/", _query({"search": search}), page, "list phonebooks")

    def phonebook(self, remote_id: str) -> Answer:
        """One phonebook."""
        return self.session.get_json(_item("/phonebook/", remote_id), operation="read phonebook", gone=GONE)

    def create_phonebook(self, body: Body) -> Answer:
        """A new phonebook."""
        return self._post("/phonebook/", body, "create phonebook")

    def update_phonebook(self, remote_id: str, body: Body) -> Answer:
        """Change name and description of a phonebook."""
        return self._put(_item("/phonebook/", remote_id), body, "change phonebook")

    def contacts(self, filters: ContactFilters, page: int = 1) -> bytes:
        """One page of contacts."""
        return self._page("/contact/", query_of(filters), page, "list contacts")

    def contact(self, remote_id: str) -> Answer:
        """One contact."""
        return self.session.get_json(_item("/contact/", remote_id), operation="read contact", gone=GONE)

    def create_contact(self, body: Body) -> Answer:
        """A new contact in a phonebook."""
        return self._post("/contact/", body, "create contact")

    def update_contact(self, remote_id: str, body: Body) -> Answer:
        """Change a contact."""
        return self._put(_item("/contact/", remote_id), body, "change contact")

    def create_contacts(self, body: Body) -> Answer:
        """Up to BULK_SIZE contacts at once; not all or nothing."""
        return self._post("/bulkcontact/", body, "create contacts")

    # Gateways, numbers not to be called, reports

    def gateways(self, page: int = 1) -> bytes:
        """One page of gateways."""
        return self._page("/gateway/", {}, page, "list gateways")

    def dnc_lists(self, page: int = 1) -> bytes:
        """One page of do-not-call lists."""
        return self._page("/dnc-list/", {}, page, "list do-not-call lists")

    def create_dnc_list(self, body: Body) -> Answer:
        """A new do-not-call list."""
        return self._post("/dnc-list/", body, "create do-not-call list")

    def dnc_entries(self, page: int = 1) -> bytes:
        """One page of the numbers on all do-not-call lists."""
        return self._page("/dnc-contact/", {}, page, "list do-not-call numbers")

    def create_dnc_entry(self, body: Body) -> Answer:
        """One more number on a do-not-call list; there is no way to take it off."""
        return self._post("/dnc-contact/", body, "add do-not-call number")

    def calls(self, filters: CallFilters, page: int = 1) -> bytes:
        """One page of call records (CDR)."""
        return self._page("/cdr/", query_of(filters), page, "list calls")

    def subscribers(self, filters: SubscriberFilters, page: int = 1) -> bytes:
        """One page of a campaign's subscribers."""
        return self._page("/subscriber-list/", query_of(filters), page, "list subscribers")

    # Reminder calls

    def calendar_settings(self, page: int = 1) -> bytes:
        """One page of calendar settings."""
        return self._page("/calendar-setting/", {}, page, "list calendar settings")

    def create_calendar_setting(self, body: Body) -> Answer:
        """A new calendar setting."""
        return self._post("/calendar-setting/", body, "create calendar setting")

    def calendar_users(self, page: int = 1) -> bytes:
        """The calendar users; the answer holds password hashes and is not to be kept."""
        return self._page("/calendar-user/", {}, page, "list calendar users")

    def create_calendar_user(self, body: Body) -> Answer:
        """A new calendar user."""
        return self._post("/calendar-user/", body, "create calendar user")

    def calendars(self, page: int = 1) -> bytes:
        """One page of calendars."""
        return self._page("/calendar/", {}, page, "list calendars")

    def create_calendar(self, body: Body) -> Answer:
        """A new calendar."""
        return self._post("/calendar/", body, "create calendar")

    def events(self, page: int = 1) -> bytes:
        """One page of events."""
        return self._page("/event/", {}, page, "list events")

    def create_event(self, body: Body) -> Answer:
        """A new event in a calendar."""
        return self._post("/event/", body, "create event")

    def alarms(self, page: int = 1) -> bytes:
        """One page of alarms."""
        return self._page("/alarm/", {}, page, "list alarms")

    def create_alarm(self, body: Body) -> Answer:
        """A new alarm: this places a call."""
        return self._post("/alarm/", body, "create alarm")

    def _page(self, path: str, query: Mapping[str, object], page: int, operation: str) -> bytes:
        params = dict(query) if page == 1 else {**query, "page": page}
        return self.session.fetch(path, params, operation=operation)

    def _post(self, path: str, body: Body, operation: str) -> Answer:
        return self.session.send_json("POST", path, body, operation=operation)

    def _put(self, path: str, body: Body, operation: str) -> Answer:
        return self.session.send_json("PUT", path, body, operation=operation, gone=GONE)


def _item(path: str, remote_id: str) -> str:
    """The path of one record; an empty or odd id would reach another address."""
    if not (remote_id.isascii() and remote_id.isdigit() and len(remote_id) <= 20):
        raise ValueError(f"{remote_id!r} is none of AntBOT's ids.")
    return f"{path}{remote_id}/"
