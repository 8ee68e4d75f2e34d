"""What a launch says of itself: the sum of its pre-flight, its ages, its plan, its proof."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.pages import link
from bot_campaigns import rules as arithmetic
from bot_campaigns.models import CallingRules, Launch, LaunchNumber
from bot_campaigns.services import preflight
from bot_campaigns.services.preflight import REASONS

Verdict = LaunchNumber.Verdict

RULES = {
    "zone": gettext_lazy("company's zone"),
    "window_start": gettext_lazy("not before"),
    "window_end": gettext_lazy("not at or after"),
    "weekdays": gettext_lazy("weekdays"),
    "hours_between_calls": gettext_lazy("hours between two calls to one number"),
    "dnc_required": gettext_lazy("do-not-call lists are checked"),
    "dnc_max_age_minutes": gettext_lazy("do-not-call lists at most (minutes old)"),
    "mirror_max_age_minutes": gettext_lazy("contacts at most (minutes old)"),
    "consent_required": gettext_lazy("consent is required"),
    "consent_tag": gettext_lazy("tag that states consent"),
    "frequency_cap": gettext_lazy("calls a minute at most"),
    "type_above": gettext_lazy("confirmation is typed above (numbers)"),
}


def sum_of(launch: Launch) -> dict[str, Any]:
    """picked − each reason = to dial, each number with the address of its rows."""
    counts = launch.counts
    if not counts:
        return {}

    def line(verdict: str) -> dict[str, Any]:
        return {
            "value": counts.get(verdict, 0),
            "label": _called_words(launch) if verdict == Verdict.CALLED else Verdict(verdict).label,
            "url": link("bot:launch_numbers", launch.pk, verdict=verdict),
        }

    return {
        "picked": {"value": counts.get("picked", 0), "url": link("bot:launch_numbers", launch.pk)},
        "minus": [line(reason) for reason in REASONS if counts.get(reason)],
        "clean": [Verdict(reason).label for reason in REASONS if not counts.get(reason)],
        "to_dial": {
            "value": counts.get("to_dial", 0),
            "url": link("bot:launch_numbers", launch.pk, verdict=Verdict.DIAL),
        },
    }


def _called_words(launch: Launch) -> str:
    hours = int(launch.proof.get("rules", {}).get("hours_between_calls") or 0)
    longest = max(launch.not_called_days * 24, hours)
    if longest % 24:
        return _("called in the last %d hours") % longest
    return (
        _("called in the last %d days") % (longest // 24)
        if longest > 24
        else _("called in the last 24 hours")
    )


def plan_words(launch: Launch, zone: str) -> dict[str, str]:
    """How long the dialling takes and when it ends, as the check found it."""
    proof = launch.proof
    minutes = proof.get("minutes")
    if minutes is None or not launch.counts.get("to_dial"):
        return {}
    ends = parse_datetime(proof.get("ends_at") or "")
    return {
        "pace": _("at %(pace)d a minute within %(start)s–%(stop)s")
        % {"pace": launch.frequency, "start": clock(launch.daily_start), "stop": clock(launch.daily_stop)},
        "long": hours_words(timedelta(minutes=minutes)),
        "ends": moment(ends, zone) if ends else "",
        "fits": f"{proof.get('fits', 0):,}",
    }


def clock(value: Any) -> str:
    return f"{value:%H:%M}" if value else "–"


def hours_words(span: timedelta) -> str:
    """ "12 h 53 min"."""
    minutes = round(span.total_seconds() / 60)
    if minutes < 60:
        return _("%d min") % minutes
    return _("%(hours)d h %(minutes)02d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def moment(value: datetime | None, zone: str) -> str:
    """ "Mon 23 Nov 2026, 11:55" in the company's zone."""
    if value is None:
        return "–"
    return date_format(timezone.localtime(value, arithmetic.zone(zone)), "D j M Y, H:i")


def proof_context(launch: Launch) -> dict[str, Any]:
    """The stored proof in words."""
    proof = launch.proof
    stored: Mapping[str, Any] = proof.get("rules", {})
    zone = stored.get("zone") or CallingRules._meta.get_field("zone").get_default()
    return {
        "sum": sum_of(launch),
        "plan": plan_words(launch, zone),
        "zone": zone,
        "checked_at": parse_datetime(proof.get("checked_at") or ""),
        "checked_by": proof.get("checked_by", ""),
        "mirror_at": parse_datetime(proof.get("mirror_at") or ""),
        "dnc_at": parse_datetime(proof.get("dnc_at") or ""),
        "vendor_zone": proof.get("vendor_zone", ""),
        "confirmed_by": proof.get("confirmed_by", ""),
        "typed": proof.get("typed", False),
        "started_at_once": proof.get("start", False),
        "overrides": list(proof.get("overrides", {}).values()),
        "rules": [(label, stored.get(name)) for name, label in RULES.items() if name in stored],
    }


def ages(launch: Launch, at: datetime) -> list[dict[str, Any]]:
    """How old what the check relies on is now, and whether that is young enough."""
    rules = preflight.rules_of(launch.connection)
    mirror, dnc = preflight.mirror_read(launch), preflight.dnc_read(launch.connection)
    connection = launch.connection
    found = [
        {
            "label": _("Contacts read"),
            "at": mirror,
            "fine": mirror is not None and at - mirror <= timedelta(minutes=rules.mirror_max_age_minutes),
            "most": _("at most %d min old") % rules.mirror_max_age_minutes,
        },
        {
            "label": _("Do-not-call lists read"),
            "at": dnc,
            "fine": not rules.dnc_required
            or (dnc is not None and at - dnc <= timedelta(minutes=rules.dnc_max_age_minutes)),
            "most": _("at most %d min old") % rules.dnc_max_age_minutes
            if rules.dnc_required
            else _("not required"),
        },
    ]
    confirmed = bool(connection.vendor_zone and connection.zone_confirmed_at)
    found.append(
        {
            "label": _("AntBOT's clock"),
            "words": _("confirmed: %s") % connection.vendor_zone if confirmed else _("not confirmed"),
            "fine": confirmed,
            "most": "",
        }
    )
    return found
