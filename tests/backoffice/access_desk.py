"""Who may do what on the desk's pages of the campaigns; read by ``test_access``."""

from typing import Any

from bot_campaigns.models import (
    Alarm,
    BotChange,
    BotContact,
    Call,
    DncList,
    Phonebook,
    Section,
    Suppression,
    SurveyTemplate,
)
from tests.bot_campaigns.services import rows

EVERYBODY = frozenset({"Sales", "Managers", "Admins"})
SENIOR = EVERYBODY - {"Sales"}
ONLY_ADMINS = frozenset({"Admins"})

#: Address → who may GET and who may POST; None: the method does not exist there.
DESK: dict[str, tuple[frozenset[str] | None, frozenset[str] | None]] = {
    "bot:calls": (EVERYBODY, None),
    "bot:calls_export": (None, SENIOR),
    "bot:call": (EVERYBODY, None),
    "bot:phonebooks": (SENIOR, None),
    "bot:phonebook_new": (SENIOR, SENIOR),
    "bot:phonebook": (SENIOR, None),
    "bot:phonebook_rename": (SENIOR, SENIOR),
    "bot:bot_contact_new": (SENIOR, SENIOR),
    "bot:bot_contact": (SENIOR, None),
    "bot:bot_contact_edit": (SENIOR, SENIOR),
    "bot:templates": (SENIOR, None),
    "bot:template_new": (SENIOR, SENIOR),
    "bot:template": (SENIOR, None),
    "bot:section_new": (SENIOR, SENIOR),
    "bot:section_edit": (SENIOR, SENIOR),
    "bot:gateways": (SENIOR, None),
    "bot:suppressions": (EVERYBODY, None),
    "bot:suppression_add": (EVERYBODY, EVERYBODY),
    "bot:suppression_import": (EVERYBODY, EVERYBODY),
    "bot:suppression_import_confirm": (None, EVERYBODY),
    "bot:suppression": (EVERYBODY, None),
    "bot:suppression_lift": (ONLY_ADMINS, ONLY_ADMINS),
    "bot:dnc": (SENIOR, None),
    "bot:dnc_new": (SENIOR, SENIOR),
    "bot:dnc_list": (SENIOR, None),
    "bot:dnc_entry_new": (SENIOR, SENIOR),
    "bot:reminders": (EVERYBODY, None),
    "bot:reminder": (EVERYBODY, None),
    "bot:reminder_state": (EVERYBODY, None),
    "bot:reminder_drop": (None, SENIOR),
    "bot:reminder_new": (SENIOR, SENIOR),
    "bot:reminder_setting": (ONLY_ADMINS, ONLY_ADMINS),
    "bot:change_receipt": (SENIOR, None),
    "bot:change_retry": (None, SENIOR),
    "bot:change_drop": (None, SENIOR),
}
FRAGMENTS = {"bot:reminder_state", "bot:change_receipt"}
"""Parts of a page that only htmx asks for."""


def things(contact: Any) -> dict[str, Any]:
    """One of everything, by the address that shows it."""
    bot = rows.bot(name="Bot of the desk")
    book = Phonebook.objects.create(connection=bot, remote_id="1", name="Khách")
    number = BotContact.objects.create(
        connection=bot, remote_id="1", phonebook=book, number="0915000001", e164="+84915000001"
    )
    template = SurveyTemplate.objects.create(connection=bot, remote_id="1", name="Chào")
    section = Section.objects.create(connection=bot, remote_id="1", template=template, question="Chào")
    listed = DncList.objects.create(connection=bot, remote_id="1", name="Không gọi")
    change = BotChange.objects.create(
        connection=bot,
        subject=f"phonebooks {book.pk}",
        operation="edit",
        new={"name": "x"},
        base={"name": "y"},
    )
    alarm = Alarm.objects.create(
        connection=bot, number="0915000001", e164="+84915000001", contact=contact, progress="waiting"
    )
    suppression = Suppression.objects.create(e164="+84915000009", source="staff", reason="asked")
    call = Call.objects.create(connection=bot, remote_id="1", number="0915000001", e164="+84915000001")
    of = {
        "phonebook": book, "phonebook_rename": book, "bot_contact_new": book, "bot_contact": number,
        "bot_contact_edit": number, "template": template, "section_new": template, "section_edit": section,
        "suppression": suppression, "suppression_lift": suppression, "dnc_list": listed,
        "dnc_entry_new": listed, "reminder": alarm, "reminder_state": alarm, "reminder_drop": alarm,
        "reminder_new": contact, "reminder_setting": bot, "change_receipt": change, "change_retry": change,
        "change_drop": change, "call": call,
    }  # fmt: skip
    return {f"bot:{name}": row for name, row in of.items()}
