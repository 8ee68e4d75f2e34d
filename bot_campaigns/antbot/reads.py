"""Everything that can be read from AntBOT, as walks over lists and as single records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from xxhash import xxh3_64_hexdigest

from backoffice.remote.errors import BadResponse, Gone, Rejected
from backoffice.remote.session import Answer, RemoteSession
from backoffice.remote.walk import RawItem, Unreadable
from bot_campaigns.antbot import mapping, payloads
from bot_campaigns.antbot.client import (
    AntBotClient,
    CallFilters,
    CampaignFilters,
    ContactFilters,
    SubscriberFilters,
    SurveyFilters,
    TemplateFilters,
    query_of,
)
from bot_campaigns.antbot.mapping import PrefixRule
from bot_campaigns.antbot.walks import ListWalk
from bot_campaigns.records import (
    Alarm,
    BotContact,
    Calendar,
    CalendarSetting,
    CalendarUser,
    Call,
    Campaign,
    DncEntry,
    DncList,
    Event,
    Gateway,
    Phonebook,
    ReportedStatus,
    SealedSurvey,
    Section,
    Subscriber,
    SurveyTemplate,
)

R = TypeVar("R")


class Reading:
    """Lists are walks: give them to the pull engine, or call `read_all` on short ones."""

    _session: RemoteSession
    _client: AntBotClient
    _whole_lists: bool

    # Lists

    def campaigns(
        self, *, name: str = "", phonebook_id: str = "", status: ReportedStatus | None = None
    ) -> ListWalk[Campaign]:
        """Campaigns; `name` searches, `status` is what is reported, never a command."""
        filters = CampaignFilters(name=name, phonebook=phonebook_id, status=status)
        return self._walk(
            "campaigns",
            lambda page: self._client.campaigns(filters, page),
            mapping.to_campaign,
            query=query_of(filters),
        )

    def phonebooks(self, *, search: str = "") -> ListWalk[Phonebook]:
        """Phonebooks; `search` is for the name."""
        return self._walk(
            "phonebooks",
            lambda page: self._client.phonebooks(search, page),
            mapping.to_phonebook,
            query={"search": search} if search else None,
        )

    def contacts(self, *, phonebook_id: str = "", search: str = "") -> ListWalk[BotContact]:
        """Contacts of all phonebooks or of one; `search` is for number or name."""
        filters = ContactFilters(phonebook=phonebook_id, search=search)
        return self._walk(
            "contacts",
            lambda page: self._client.contacts(filters, page),
            mapping.to_contact,
            query=query_of(filters),
        )

    def subscribers(
        self,
        *,
        campaign_id: str = "",
        number: str = "",
        status: int | None = None,
        duration: int | None = None,
        talk_seconds: int | None = None,
    ) -> ListWalk[Subscriber]:
        """Subscribers; `number` is a phone number as it stands in the phonebook."""
        filters = SubscriberFilters(
            campaign=campaign_id, contact=number, status=status, duration=duration, billsec=talk_seconds
        )
        return self._walk(
            "subscribers",
            lambda page: self._client.subscribers(filters, page),
            mapping.to_subscriber,
            query=query_of(filters),
            identify=mapping.identify_subscriber,
        )

    def calls(
        self,
        filters: CallFilters | None = None,
        *,
        rules: Sequence[PrefixRule] = (),
        by_gateway: Mapping[str, PrefixRule] | None = None,
    ) -> ListWalk[Call]:
        """Call records; give the gateways' rules, for numbers are as they were dialled."""
        chosen = filters or CallFilters()
        return self._walk(
            "calls",
            lambda page: self._client.calls(chosen, page),
            lambda item: mapping.to_call(item, rules, by_gateway),
            query=query_of(chosen),
            identify=mapping.identify_call,
        )

    def calls_between(
        self, since: datetime | None, until: datetime | None, *, by_gateway: Mapping[str, PrefixRule]
    ) -> ListWalk[Call]:
        """Calls that started in a span of time, which should overlap the one before."""
        filters = CallFilters(from_date=since, to_date=until)
        return self.calls(filters, rules=list(by_gateway.values()), by_gateway=by_gateway)

    def gateways(self) -> ListWalk[Gateway]:
        """Gateways."""
        return self._walk("gateways", self._client.gateways, mapping.to_gateway)

    def templates(
        self,
        *,
        search: str = "",
        description: str = "",
        is_onboarding: bool | None = None,
        user_id: str = "",
    ) -> ListWalk[SurveyTemplate]:
        """Survey templates."""
        filters = TemplateFilters(
            search=search, description=description, is_onboarding=is_onboarding, user=user_id
        )
        return self._walk(
            "templates",
            lambda page: self._client.templates(filters, page),
            mapping.to_template,
            query=query_of(filters),
        )

    def sections(self, *, template_id: str = "") -> ListWalk[Section]:
        """Sections, where the account offers them; else NotOffered."""
        return self._walk(
            "sections",
            lambda page: self._client.sections(template_id, page),
            mapping.to_section,
            query={"survey": template_id} if template_id else None,
            documented=False,
        )

    def surveys(
        self, *, search: str = "", language: str = "", description: str = "", campaign_id: str = ""
    ) -> ListWalk[SealedSurvey]:
        """Sealed surveys."""
        filters = SurveyFilters(
            search=search, tts_language=language, description=description, campaign=campaign_id
        )
        return self._walk(
            "surveys",
            lambda page: self._client.surveys(filters, page),
            mapping.to_survey,
            query=query_of(filters),
        )

    def dnc_lists(self) -> ListWalk[DncList]:
        """Do-not-call lists."""
        return self._walk("dnc_lists", self._client.dnc_lists, mapping.to_dnc_list)

    def dnc_entries(self) -> ListWalk[DncEntry]:
        """The numbers on all do-not-call lists."""
        return self._walk("dnc_entries", self._client.dnc_entries, mapping.to_dnc_entry)

    def calendar_settings(self) -> ListWalk[CalendarSetting]:
        """Calendar settings, where the account lists them."""
        return self._walk(
            "calendar_settings", self._client.calendar_settings, mapping.to_calendar_setting, documented=False
        )

    def calendar_users(self) -> ListWalk[CalendarUser]:
        """Calendar users; the vendor's list has three odd shapes and shows password hashes."""
        return self._walk(
            "calendar_users",
            self._client.calendar_users,
            mapping.to_calendar_user,
            documented=False,
            whole=True,
            lone=True,
        )

    def calendars(self) -> ListWalk[Calendar]:
        """Calendars, where the account lists them."""
        return self._walk("calendars", self._client.calendars, mapping.to_calendar, documented=False)

    def events(self) -> ListWalk[Event]:
        """Events."""
        return self._walk("events", self._client.events, mapping.to_event, documented=False)

    def alarms(self) -> ListWalk[Alarm]:
        """Reminder calls, where the account lists them."""
        return self._walk("alarms", self._client.alarms, mapping.to_alarm, documented=False)

    def _walk(
        self,
        family: str,
        load: Callable[[int], bytes],
        map: Callable[[RawItem], R],
        *,
        query: Mapping[str, object] | None = None,
        whole: bool = False,
        **shape: Any,
    ) -> ListWalk[R]:
        key = f"{family} {xxh3_64_hexdigest(repr(sorted(query.items())).encode())}" if query else family
        return ListWalk(key, family, load, map, self._session, whole=whole or self._whole_lists, **shape)

    # Single records

    def campaign(self, remote_id: str) -> Campaign | None:
        """One campaign as it is now; None when the account certainly has none with this id."""
        item = self._campaign_item(remote_id)
        return self._mapped(item, mapping.to_campaign, "read campaign") if item else None

    def _campaign_item(self, remote_id: str) -> RawItem | None:
        """By its own address, which the vendor's page does not print, else from the list."""
        try:
            return self._item(lambda: self._client.campaign(remote_id), "campaigns", remote_id)
        except Rejected as error:
            if error.status not in {404, 405}:
                raise
        walk = self._walk("campaigns", lambda page: self._client.campaigns(CampaignFilters(), page), _itself)
        return next((item for item in walk.read_all() if item.remote_id == remote_id), None)

    def phonebook(self, remote_id: str) -> Phonebook | None:
        """One phonebook; None when there is none with this id."""
        item = self._present(lambda: self._client.phonebook(remote_id), "phonebooks", remote_id)
        return self._mapped(item, mapping.to_phonebook, "read phonebook") if item else None

    def contact(self, remote_id: str) -> BotContact | None:
        """One contact; None when there is none with this id."""
        item = self._present(lambda: self._client.contact(remote_id), "contacts", remote_id)
        return self._mapped(item, mapping.to_contact, "read contact") if item else None

    def find_campaigns(self, part_of_name: str) -> list[Campaign]:
        """Campaigns with this text in their name; the look-up before anything is sent again."""
        wanted = _searched(part_of_name)
        return [each for each in self.campaigns(name=wanted).read_all() if wanted in each.name]

    def find_phonebooks(self, part_of_name: str) -> list[Phonebook]:
        """Phonebooks with this text in their name; the look-up before anything is sent again."""
        wanted = _searched(part_of_name)
        return [each for each in self.phonebooks(search=wanted).read_all() if wanted in each.name]

    def _present(self, get: Callable[[], Answer], family: str, remote_id: str) -> RawItem | None:
        try:
            return self._item(get, family, remote_id)
        except Gone:
            return None

    def _item(self, get: Callable[[], Answer], family: str, remote_id: str) -> RawItem:
        """The record an address answered with; it has to be the one asked for."""
        operation = f"read one of {family}"
        try:
            page = payloads.split_page(get().data, family, lone=True)
        except payloads.Refused as error:
            raise Rejected(
                "it refused this", connection=self._session.label, operation=operation, words=str(error)
            ) from error
        except ValueError as error:
            raise BadResponse(str(error), connection=self._session.label, operation=operation) from error
        found = next((item for item in page.items if item.remote_id == remote_id), None)
        if found is None:
            reason = "its answer is not the record that was asked for"
            raise BadResponse(reason, connection=self._session.label, operation=operation)
        return found

    def _mapped(self, item: RawItem, map: Callable[[RawItem], R], operation: str) -> R:
        try:
            return map(item)
        except Unreadable as error:
            reason = f"its answer cannot be read: {error}"
            raise BadResponse(reason, connection=self._session.label, operation=operation) from error


def _itself(item: RawItem) -> RawItem:
    return item


def _searched(text: str) -> str:
    if not text.strip():
        raise ValueError("A look-up needs a part of the name.")
    return text
