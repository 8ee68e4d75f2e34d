"""How each kind of row is made, found again, read and changed at the bot.

The bot knows no key of ours. A create whose answer was lost is found by what names it: the
code in its name, a number within its phonebook or list, the text of a section.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot_campaigns.antbot.connector import AntBotConnector
from bot_campaigns.antbot.walks import NotOffered
from bot_campaigns.models import BotChange, Section
from bot_campaigns.records import BotContactDraft
from bot_campaigns.services.handover import as_dialled

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """``row`` is always the local row with its parent."""

    make: Callable[[AntBotConnector, Any, Values], Any]
    find: Callable[[AntBotConnector, Any, Values], list[Any]]
    """The records at the bot that may be this row. Raises ``NotOffered`` where no list says."""
    change: Callable[[AntBotConnector, str, Values, Values], Any] | None = None
    """``(bot, remote_id, shown, new)``."""
    read: Callable[[AntBotConnector, Any], dict[str, Any] | None] | None = None
    """What the bot holds now, in our columns; None when that cannot be read."""
    look_first: bool = False
    """It may be there already, made by somebody else."""


# --- phonebooks and their contacts -------------------------------------------------------


def _read_phonebook(bot: AntBotConnector, row: Any) -> dict[str, Any] | None:
    there = bot.phonebook(row.remote_id)
    return {"name": there.name, "description": there.description} if there else None


def _change_phonebook(bot: AntBotConnector, remote_id: str, shown: Values, new: Values) -> Any:
    values = {**shown, **new}
    return bot.update_phonebook(remote_id, name=values["name"], description=values["description"])


_CONTACT = {
    "number": "number", "first_name": "first_name", "last_name": "last_name", "email": "email",
    "description": "description", "is_enabled": "active",
}  # fmt: skip
"""Our column → the record's field."""


def _make_contact(bot: AntBotConnector, row: Any, new: Values) -> Any:
    named = {_CONTACT[name]: value for name, value in new.items() if name in _CONTACT}
    return bot.create_contact(row.phonebook.remote_id, BotContactDraft(**named))


def _find_contact(bot: AntBotConnector, row: Any, new: Values) -> list[Any]:
    book = row.phonebook.remote_id
    # however the number is written there, these digits are part of it
    scrap = as_dialled(row.e164).lstrip("0+")
    found = bot.contacts(phonebook_id=book, search=scrap).read_all()
    return [each for each in found if each.e164 == row.e164 and each.phonebook_id in ("", book)]


def _read_contact(bot: AntBotConnector, row: Any) -> dict[str, Any] | None:
    there = bot.contact(row.remote_id)
    if there is None:
        return None
    return {
        **{name: getattr(there, field) for name, field in _CONTACT.items()},
        "is_enabled": there.active is not False,
    }


def _change_contact(bot: AntBotConnector, remote_id: str, shown: Values, new: Values) -> Any:
    return bot.update_contact(remote_id, **{_CONTACT[name]: value for name, value in new.items()})


# --- call flows --------------------------------------------------------------------------


def _find_section(bot: AntBotConnector, row: Any, new: Values) -> list[Any]:
    """Sections with this text that are not already one of ours."""
    template = row.template
    known = Section.objects.filter(template=template, remote_id__isnull=False).exclude(
        pk__in=_unclear_twins(row)
    )
    taken = set(known.values_list("remote_id", flat=True))
    return [
        each
        for each in bot.sections(template_id=template.remote_id).read_all()
        if each.template_id == template.remote_id
        and (each.name, each.script) == (row.question, row.script)
        and each.remote_id not in taken
    ]


def _unclear_twins(row: Any) -> list[int]:
    """Rows that a pull made since this create left: one of them may be its result."""
    sent = BotChange.objects.filter(subject=f"sections {row.pk}", operation="create").first()
    if sent is None or sent.sent_at is None:
        return []
    pulled = Section.objects.filter(template=row.template, question=row.question, script=row.script)
    ours = BotChange.objects.filter(operation="create", subject__startswith="sections ")
    made_here = {int(subject.split()[1]) for subject in ours.values_list("subject", flat=True)}
    newer = pulled.filter(pk__gt=row.pk)
    return [pk for pk in newer.values_list("pk", flat=True) if pk not in made_here]


def _read_section(bot: AntBotConnector, row: Any) -> dict[str, Any] | None:
    try:
        listed = bot.sections(template_id=row.template.remote_id).read_all()
    except NotOffered:
        return None
    there = next((each for each in listed if each.remote_id == row.remote_id), None)
    return {"question": there.name, "script": there.script, "type": there.type} if there else None


def _change_section(bot: AntBotConnector, remote_id: str, shown: Values, new: Values) -> Any:
    names = {"question": "name", "script": "script", "type": "type"}
    return bot.update_section(remote_id, **{names[name]: value for name, value in new.items()})


# --- do-not-call, reminders --------------------------------------------------------------


def _find_entry(bot: AntBotConnector, row: Any, new: Values) -> list[Any]:
    found = [
        each
        for each in bot.dnc_entries().read_all()
        if each.list_id == row.dnc_list.remote_id and each.e164 == row.e164
    ]
    return found[:1]  # one entry is as good as several


def _make_setting(bot: AntBotConnector, row: Any, new: Values) -> Any:
    return bot.create_calendar_setting(
        label=new["name"],
        survey_id=new["survey_id"],
        gateway_id=row.gateway.remote_id if row.gateway else "",
        call_timeout=new["call_timeout"],
        caller_id=new["callerid"],
        caller_name=new["caller_name"],
    )


KINDS: dict[str, Kind] = {
    "phonebooks": Kind(
        lambda bot, row, new: bot.create_phonebook(name=new["name"], description=new["description"]),
        lambda bot, row, new: [each for each in bot.find_phonebooks(new["code"]) if each.name == new["name"]],
        _change_phonebook,
        _read_phonebook,
    ),
    "contacts": Kind(_make_contact, _find_contact, _change_contact, _read_contact, look_first=True),
    "templates": Kind(
        lambda bot, row, new: bot.create_template(
            name=new["name"], language=new["language"], description=new["description"]
        ),
        lambda bot, row, new: [
            each for each in bot.templates(search=new["code"]).read_all() if each.name == new["name"]
        ],
    ),
    "sections": Kind(
        lambda bot, row, new: bot.create_section(
            template_id=row.template.remote_id, name=new["question"], script=new["script"], type=new["type"]
        ),
        _find_section,
        _change_section,
        _read_section,
    ),
    "dnc_lists": Kind(
        lambda bot, row, new: bot.create_dnc_list(name=new["name"], description=new["description"]),
        lambda bot, row, new: [each for each in bot.dnc_lists().read_all() if each.name == new["name"]],
    ),
    "dnc_entries": Kind(
        lambda bot, row, new: bot.create_dnc_entry(row.dnc_list.remote_id, new["number"]),
        _find_entry,
        look_first=True,
    ),
    "calendar_settings": Kind(
        _make_setting,
        lambda bot, row, new: [
            each for each in bot.calendar_settings().read_all() if each.label == new["name"]
        ],
    ),
}
