"""Words and addresses that several pages of the campaigns show."""

from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from backoffice.templatetags.backoffice import badge
from bot_campaigns import outcomes
from bot_campaigns.models import BotChange, Call
from crm_bridge.phones import display

CONTACT = "admin:crm_bridge_contact_change"


def number_text(row: Any) -> str:
    """A number as people read it."""
    return display(row.number, row.e164) if hasattr(row, "number") else display(row.e164, row.e164)


def outcome_badge(call: Call) -> SafeString:
    """The outcome as one of five words; the vendor's own on hover."""
    group = outcomes.group_of(call.disposition)
    return badge(outcomes.TONES[group], outcomes.GROUPS[group], title=call.disposition)


def kind_words(call: Call) -> str:
    if call.is_alarm:
        return _("reminder")
    return _("OTP") if call.is_otp else _("campaign") if call.campaign_id else "–"


def link_or_text(address: str, text: Any) -> Any:
    return format_html('<a href="{}">{}</a>', address, text) if address else text


def row_state(row: Any, change: BotChange | None) -> tuple[str, str]:
    """(state, its word) of a row that staff can change: what is on its way, else what the bot lists."""
    if change is not None:
        return change.status, str(change.get_status_display())
    if row.gone_at is not None:
        return "missing", _("not listed any more")
    return "in_sync", _("in AntBOT")


def seconds(value: int | None) -> str:
    """ "34 s", "2:05 min", "–" for nothing."""
    if not value:
        return "–"
    return _("%d s") % value if value < 60 else _("%s min") % f"{value // 60}:{value % 60:02d}"
