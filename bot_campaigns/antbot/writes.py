"""Everything that can be written to AntBOT. A clear yes returns, everything else raises.

Nothing here is sent twice: an unclear end is OutcomeUnknown, and whoever asked looks first.
What the vendor does not echo is taken from what was sent, so a record comes back whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from backoffice.remote.errors import Gone, OutcomeUnknown, Rejected
from backoffice.remote.session import Answer
from backoffice.remote.walk import RawItem, Unreadable
from bot_campaigns.antbot import bodies, mapping, payloads
from bot_campaigns.antbot.bodies import build_id, without_empty
from bot_campaigns.antbot.client import BULK_SIZE, build_moment
from bot_campaigns.antbot.reads import Reading
from bot_campaigns.records import (
    Alarm,
    BotContact,
    BotContactDraft,
    Calendar,
    CalendarSetting,
    CalendarUser,
    Campaign,
    CampaignDraft,
    Command,
    DncEntry,
    DncList,
    Event,
    Phonebook,
    Section,
    SurveyTemplate,
)
from crm_bridge.phones import digits

R = TypeVar("R")

#: Counts and lists by which an answer to a bulk call may tell that it did not do all of it.
_BULK_COUNTS = ("created", "count", "imported", "added", "total", "contacts", "results")
_BULK_FAILURES = ("failed", "failures", "invalid", "duplicates", "duplicated", "skipped", "rejected")
_LOOK_AGAIN = "list the phonebook's contacts again before sending any of them once more"


class Writing(Reading):
    """Creates, changes and commands; each sends one request."""

    # Campaigns

    def create_campaign(self, draft: CampaignDraft) -> Campaign:
        """A new campaign. It does not dial before it is started."""
        with self._expressible("create campaign"):
            body = bodies.new_campaign(draft)
        answer = self._client.create_campaign(body)
        return self._created(answer, body, "campaigns", mapping.to_campaign, "create campaign")

    def update_campaign(self, remote_id: str, **changes: Any) -> Campaign:
        """Change fields of CampaignDraft; sends the whole campaign as it is read just before.

        The call flow is sent only when it is among the changes, or when the account insists
        on it and the campaign was never started: later its number means a sealed copy.
        """
        operation = "change campaign"
        item = self._campaign_item(remote_id)
        if item is None:
            raise Gone("the campaign does not exist there", connection=self._label, operation=operation)
        with self._expressible(operation):
            shown = self._mapped(item, mapping.to_campaign, operation)
            draft = replace(bodies.to_draft(shown), **changes)
            body = bodies.changed_campaign(draft, item.raw, changes)
        try:
            answer = self._client.update_campaign(remote_id, body)
        except Rejected as error:
            if error.status != 400 or "object_id" not in error.words or "object_id" in body:
                raise
            body["object_id"] = self._template_of(shown, error)
            answer = self._client.update_campaign(remote_id, body)
        return self._changed(answer, item.raw | body, item, mapping.to_campaign, operation)

    def _template_of(self, campaign: Campaign, refusal: Rejected) -> int:
        """The template a campaign shows, if it is certain that it shows a template."""
        if not campaign.survey_id or self.surveys(campaign_id=campaign.remote_id).read_all():
            raise Rejected(
                "it wants the call flow named with every change, and this campaign's is sealed already",
                connection=self._label,
                operation="change campaign",
                status=refusal.status,
                words=refusal.words,
            ) from refusal
        return build_id(campaign.survey_id, "survey template")

    def command(self, remote_id: str, command: Command) -> None:
        """Tell a campaign to start, pause, abort or end: once. Read it again for what came of it.

        The number in an answer may echo the command and is no status, so nothing is returned.
        """
        operation = f"{command.name.lower()} campaign"
        with self._expressible(operation):
            answer = self._client.command_campaign(remote_id, {"status": int(command)}, operation)
        self._require_success(answer, operation)

    def delete_campaign(self, remote_id: str) -> None:
        """Delete a campaign for good; mirror its calls first, for they may go with it."""
        with self._expressible("delete campaign"):
            answer = self._client.delete_campaign(remote_id)
        self._require_success(answer, "delete campaign")

    # Call flows

    def create_template(self, *, name: str, language: str = "vi", description: str = "") -> SurveyTemplate:
        """A new survey template; `language` is `vi` or `en`."""
        body = {"name": name, "tts_language": language, "description": description}
        answer = self._client.create_template(body)
        return self._created(answer, body, "templates", mapping.to_template, "create survey template")

    def create_section(self, *, template_id: str, name: str, script: str, type: int = 1) -> Section:
        """A new section; `type` is a number of SectionType."""
        with self._expressible("create section"):
            survey = build_id(template_id, "survey template")
        body = {"type": int(type), "survey": survey, "question": name, "script": script}
        answer = self._client.create_section(body)
        return self._created(answer, body, "sections", mapping.to_section, "create section")

    def update_section(
        self, remote_id: str, *, script: str | None = None, name: str | None = None, type: int | None = None
    ) -> Section:
        """Change what is given of a section, as in the vendor's sample; the rest is not sent."""
        given = {"script": script, "question": name, "type": None if type is None else int(type)}
        body = {key: value for key, value in given.items() if value is not None}
        item = RawItem("sections", remote_id, {"id": remote_id})
        with self._expressible("change section"):
            answer = self._client.update_section(remote_id, body)
        return self._changed(answer, item.raw | body, item, mapping.to_section, "change section")

    # Phonebooks and their contacts

    def create_phonebook(self, *, name: str, description: str = "") -> Phonebook:
        """A new phonebook."""
        body = without_empty({"name": name, "description": description})
        answer = self._client.create_phonebook(body)
        return self._created(answer, body, "phonebooks", mapping.to_phonebook, "create phonebook")

    def update_phonebook(self, remote_id: str, *, name: str, description: str) -> Phonebook:
        """Change name and description, always both."""
        body = {"name": name, "description": description}
        item = RawItem("phonebooks", remote_id, {"id": remote_id})
        with self._expressible("change phonebook"):
            answer = self._client.update_phonebook(remote_id, body)
        return self._changed(answer, item.raw | body, item, mapping.to_phonebook, "change phonebook")

    def create_contact(self, phonebook_id: str, draft: BotContactDraft) -> BotContact:
        """A new contact in a phonebook."""
        with self._expressible("create contact"):
            body = {"phonebook": build_id(phonebook_id, "phonebook"), **bodies.new_contact(draft)}
        answer = self._client.create_contact(body)
        return self._created(answer, body, "contacts", mapping.to_contact, "create contact")

    def update_contact(self, remote_id: str, **changes: Any) -> BotContact:
        """Change fields of BotContactDraft; sends the whole contact as it is read just before."""
        operation = "change contact"
        item = self._present(lambda: self._client.contact(remote_id), "contacts", remote_id)
        if item is None:
            raise Gone("the contact does not exist there", connection=self._label, operation=operation)
        with self._expressible(operation):
            shown = self._mapped(item, mapping.to_contact, operation)
            draft = replace(bodies.contact_draft(shown), **changes)
            body = bodies.changed_contact(draft, item.raw, changes)
        answer = self._client.update_contact(remote_id, body)
        return self._changed(answer, item.raw | body, item, mapping.to_contact, operation)

    def withdraw_contact(self, remote_id: str) -> BotContact:
        """Make a contact inactive, so that it is not dialled if it was not yet imported."""
        return self.update_contact(remote_id, active=False)

    def create_contacts(self, phonebook_id: str, drafts: Sequence[BotContactDraft]) -> None:
        """Up to BULK_SIZE contacts at once; returns on a clear yes to all of them.

        The vendor stops at the first number it does not want, after having created those
        before it, and may still answer 200: a refusal too leaves open what is there.
        """
        operation = "create contacts"
        if not 1 <= len(drafts) <= BULK_SIZE:
            raise ValueError(f"One bulk call takes 1 to {BULK_SIZE} contacts.")
        with self._expressible(operation):
            if any(draft.variables or draft.description or draft.country for draft in drafts):
                raise ValueError("Description, country and variables need contacts created one by one.")
            if len({digits(draft.number) for draft in drafts}) != len(drafts):
                raise ValueError("The same number is twice in one bulk call.")
            body = {
                "phonebook": build_id(phonebook_id, "phonebook"),
                "contacts": [bodies.new_contact(draft) for draft in drafts],
            }
        try:
            answer = self._client.create_contacts(body)
            self._require_success(answer, operation)
        except Rejected as error:
            raise OutcomeUnknown(
                f"it refused the batch, of which a part may be there; {_LOOK_AGAIN}",
                connection=self._label,
                operation=operation,
                status=error.status,
                words=error.words,
            ) from error
        except OutcomeUnknown as error:
            error.reason = f"{error.reason}; {_LOOK_AGAIN}"
            raise
        if doubt := _bulk_doubt(answer.data, len(drafts)):
            raise self._unclear(answer, operation, f"{doubt}; {_LOOK_AGAIN}")

    # Numbers that must not be called

    def create_dnc_list(self, *, name: str, description: str = "") -> DncList:
        """A new do-not-call list."""
        body = without_empty({"name": name, "description": description})
        answer = self._client.create_dnc_list(body)
        return self._created(answer, body, "dnc_lists", mapping.to_dnc_list, "create do-not-call list")

    def create_dnc_entry(self, list_id: str, number: str) -> DncEntry:
        """One more number on a list, written as it is to be compared; it cannot be taken off."""
        with self._expressible("add do-not-call number"):
            if not digits(number):
                raise ValueError("A number is needed.")
            body = {"phone_number": number, "dnc": str(build_id(list_id, "do-not-call list"))}
        answer = self._client.create_dnc_entry(body)
        return self._created(answer, body, "dnc_entries", mapping.to_dnc_entry, "add do-not-call number")

    # Reminder calls

    def create_calendar_setting(
        self,
        *,
        label: str,
        survey_id: str,
        gateway_id: str,
        call_timeout: int = 60,
        caller_id: str = "",
        caller_name: str = "",
    ) -> CalendarSetting:
        """How reminder calls are made; `survey_id` is that of a sealed survey."""
        with self._expressible("create calendar setting"):
            body = {
                "label": label,
                "callerid": caller_id,
                "caller_name": caller_name,
                "call_timeout": call_timeout,
                "survey": build_id(survey_id, "survey"),
                "aleg_gateway": build_id(gateway_id, "gateway"),
            }
        answer = self._client.create_calendar_setting(body)
        return self._created(
            answer, body, "calendar_settings", mapping.to_calendar_setting, "create calendar setting"
        )

    def create_calendar_user(self, *, username: str, password: str, setting_id: str) -> CalendarUser:
        """Whose calendars they are. The password is sent once and kept nowhere."""
        with self._expressible("create calendar user"):
            setting = build_id(setting_id, "calendar setting")
        known = {"username": username, "calendar_setting": setting}
        answer = self._client.create_calendar_user({**known, "password": password})
        return self._created(
            answer, known, "calendar_users", mapping.to_calendar_user, "create calendar user"
        )

    def create_calendar(self, *, name: str, user_id: str) -> Calendar:
        """A new calendar of a calendar user."""
        with self._expressible("create calendar"):
            body = {"name": name, "user": build_id(user_id, "calendar user")}
        answer = self._client.create_calendar(body)
        return self._created(answer, body, "calendars", mapping.to_calendar, "create calendar")

    def create_event(
        self,
        *,
        title: str,
        starts_at: datetime,
        ends_at: datetime,
        creator_id: str,
        calendar_id: str,
        description: str = "",
    ) -> Event:
        """What is reminded of; `creator_id` is a calendar user."""
        with self._expressible("create event"):
            if ends_at <= starts_at:
                raise ValueError("The event would end before it begins.")
            body = {
                "title": title,
                "description": description,
                "start": build_moment(starts_at),
                "end": build_moment(ends_at),
                "creator": build_id(creator_id, "calendar user"),
                "calendar": build_id(calendar_id, "calendar"),
            }
        answer = self._client.create_event(body)
        return self._created(answer, body, "events", mapping.to_event, "create event")

    def create_alarm(
        self, *, number: str, event_id: str, due_at: datetime | None, transfer_number: str = ""
    ) -> Alarm:
        """Place a reminder call: at `due_at`, or at once when that is None. It cannot be taken back.

        The vendor never makes a call that was due more than an hour ago.
        """
        with self._expressible("create alarm"):
            if not digits(number):
                raise ValueError("A number is needed.")
            body: dict[str, Any] = {
                "alarm_phonenumber": number,
                "phonenumber_transfer": transfer_number,
                "event": build_id(event_id, "event"),
            }
            if due_at is not None:
                body["date_start_notice"] = build_moment(due_at)
        answer = self._client.create_alarm(body)
        return self._created(answer, body, "alarms", mapping.to_alarm, "create alarm")

    # Answers

    @property
    def _label(self) -> str:
        return self._session.label

    @contextmanager
    def _expressible(self, operation: str) -> Iterator[None]:
        """What cannot be said to the vendor at all is refused here, before anything is sent."""
        try:
            yield
        except ValueError as error:
            raise Rejected(str(error), connection=self._label, operation=operation) from error

    def _require_success(self, answer: Answer, operation: str) -> None:
        try:
            payloads.require_success(answer.data)
        except payloads.Refused as error:
            raise Rejected(
                "it refused this",
                connection=self._label,
                operation=operation,
                status=answer.status,
                words=str(error),
            ) from error
        if answer.data is not None and not isinstance(answer.data, dict):
            raise self._unclear(answer, operation, "it is not an object")

    def _created(
        self,
        answer: Answer,
        sent: Mapping[str, Any],
        family: str,
        map: Callable[[RawItem], R],
        operation: str,
    ) -> R:
        """The new record; a yes without an id is no yes, for a list may have answered instead."""
        self._require_success(answer, operation)
        remote_id = payloads.usable_id(answer.data.get("id")) if answer.data else ""
        if not remote_id:
            raise self._unclear(answer, operation, "it names no id")
        return self._told(answer, RawItem(family, remote_id, sent), map, operation)

    def _changed(
        self,
        answer: Answer,
        sent: Mapping[str, Any],
        item: RawItem,
        map: Callable[[RawItem], R],
        operation: str,
    ) -> R:
        """The record as it should be now; another id or a 201 is another record."""
        self._require_success(answer, operation)
        named = payloads.usable_id(answer.data.get("id")) if answer.data else ""
        if answer.status == 201 or named not in {"", item.remote_id}:
            raise self._unclear(answer, operation, "it is about another record than the one asked for")
        return self._told(answer, RawItem(item.family, item.remote_id, sent), map, operation)

    def _told(self, answer: Answer, sent: RawItem, map: Callable[[RawItem], R], operation: str) -> R:
        raw = payloads.without_secrets({**sent.raw, **(answer.data or {})})
        try:
            return map(RawItem(sent.family, sent.remote_id, raw))
        except Unreadable as error:
            raise self._unclear(answer, operation, f"it cannot be read ({error})") from error

    def _unclear(self, answer: Answer, operation: str, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"its answer is unclear: {reason}; so this may or may not be applied",
            connection=self._label,
            operation=operation,
            status=answer.status,
        )


def _bulk_doubt(data: Any, sent: int) -> str:
    """Why an answer to a bulk call is no clear yes to all of it; "" when it is one."""
    if not isinstance(data, dict) or not data:
        return "it says nothing about the batch"
    for key in _BULK_FAILURES:
        if data.get(key):
            return f"it lists contacts under “{key}”"
    for key in _BULK_COUNTS:
        value = data.get(key)
        count = len(value) if isinstance(value, list) else value
        if type(count) is int and count != sent:
            return f"{sent} were sent and “{key}” says {count}"
    return ""
