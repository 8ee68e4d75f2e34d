"""The form of a launch: when, how fast and by which means, held against the calling rules.

Pure: no row is read here. Errors are messages by field.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from bot_campaigns.rules import Hours, Window, windows_between, zone

LONGEST_CAMPAIGN = timedelta(days=366)
DIALS_ON = timedelta(minutes=1)
"""A minute's calls are planned at its beginning: dialling goes on that long after the vendor's end."""

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


class Profile(Hours, Protocol):
    """The calling rules that a form is held against; ``CallingRules`` is one."""

    @property
    def zone(self) -> str: ...
    @property
    def frequency_cap(self) -> int: ...
    @property
    def consent_required(self) -> bool: ...
    @property
    def consent_tag(self) -> str: ...


@dataclass(frozen=True)
class DailyHours:
    """The hours of one campaign."""

    window_start: time
    window_end: time
    weekdays: str = "1234567"


# --- the vendor's clock ------------------------------------------------------------------


class Unclear(ValueError):
    """The daily hours cannot be told to the vendor unambiguously; the message says why."""


def vendor_hours(
    start: time, end: time, *, rules: Profile, vendor_zone: str, first: date, last: date
) -> tuple[time, time]:
    """The company's daily hours on the vendor's clock, the same on every day of the campaign.

    The vendor takes its end as still allowed and dials on for a minute after it, so what is
    sent lies before the end, and that minute before the end of the rules' window.
    """
    ours, theirs = zone(rules.zone), zone(vendor_zone)
    if ours is None or theirs is None:
        raise Unclear(
            _("The time zone “%s” is not known here.") % (rules.zone if ours is None else vendor_zone)
        )
    stop = min(_before(end, _SECOND), _before(rules.window_end, DIALS_ON + _SECOND))
    if stop <= start:
        raise Unclear(_("Too short: dialling goes on for a minute after its end."))
    if rules.zone == vendor_zone:
        return start, stop
    seen: tuple[time, time] | None = None
    for day in _days(first, last):
        opens = _instant(day, start, ours).astimezone(theirs)
        closes = _instant(day, stop, ours).astimezone(theirs)
        shown = date_format(day, "D j M Y")
        if opens.date() != closes.date() or opens.time() >= closes.time():
            raise Unclear(
                _("On %(day)s these hours cross midnight on the vendor's clock (%(zone)s).")
                % {"day": shown, "zone": vendor_zone}
            )
        if _changed_at(opens) or _changed_at(closes):
            raise Unclear(_("On %s the vendor's clock is changed at that time.") % shown)
        if seen and seen != (opens.time(), closes.time()):
            raise Unclear(
                _("From %s the clocks differ by another number of hours: end the campaign before.") % shown
            )
        seen = (opens.time(), closes.time())
    if seen is None:
        raise Unclear(_("There is no day between the dates."))
    return seen


def _before(moment: time, span: timedelta) -> time:
    whole = datetime.combine(date(2000, 1, 2), moment)
    return max(whole - span, datetime(2000, 1, 2)).time()  # noqa: DTZ001  a time of day has no zone


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += _DAY


def _instant(day: date, at: time, info: ZoneInfo) -> datetime:
    """That local time as a moment; refused where the clock skips or repeats it."""
    first = datetime.combine(day, at, info)
    if _changed_at(first):
        raise Unclear(_("On %s the clock is changed at that time.") % date_format(day, "D j M Y"))
    return first.astimezone(UTC)


def _changed_at(local: datetime) -> bool:
    """The clock skips or repeats this local time."""
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


# --- the form ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """When and how fast, as a manager filled it in; daily hours in the company's zone."""

    starts_at: datetime | None
    expires_at: datetime | None
    daily_start: time | None
    daily_stop: time | None
    frequency: int
    gateway_active: bool | None
    """None: no gateway chosen."""
    sections: int | None
    """Of the survey template; None: none chosen."""
    vendor_zone: str = ""
    """Empty until confirmed."""

    def hours(self, rules: Hours) -> DailyHours | None:
        if self.daily_start is None or self.daily_stop is None:
            return None
        return DailyHours(self.daily_start, self.daily_stop, rules.weekdays)

    def windows(self, rules: Profile, now: datetime) -> Iterator[Window]:
        """When it dials, from now on."""
        hours = self.hours(rules)
        if hours is None or self.starts_at is None or self.expires_at is None:
            return iter(())
        return windows_between(hours, [rules.zone], max(now, self.starts_at), self.expires_at)


def form_errors(plan: Plan, rules: Profile, now: datetime) -> dict[str, str]:
    """What keeps this form from being launched, by field; empty when nothing does."""
    errors = {**_wrong_dates(plan, now), **_wrong_hours(plan, rules)}
    if plan.frequency < 1:
        errors["frequency"] = _("Calls a minute must be at least 1.")
    elif plan.frequency > rules.frequency_cap:
        errors["frequency"] = _("The calling rules allow at most %d calls a minute.") % rules.frequency_cap
    if plan.gateway_active is None:
        errors["gateway"] = _("Choose a gateway.")
    elif not plan.gateway_active:
        errors["gateway"] = _("This gateway is not active.")
    if plan.sections is None:
        errors["template"] = _("Choose a survey template.")
    elif plan.sections < 1:
        errors["template"] = _("This survey template has no section: there is nothing to say.")
    if rules.consent_required and not rules.consent_tag:
        errors["consent_tag"] = _("The calling rules require consent but name no tag that states it.")
    if not errors:
        errors = _wrong_days(plan, rules, now)
    return errors


def _wrong_dates(plan: Plan, now: datetime) -> dict[str, str]:
    if plan.starts_at is None or plan.expires_at is None:
        missing = "starts_at" if plan.starts_at is None else "expires_at"
        return {missing: _("Give the dates between which may be called.")}
    if plan.expires_at <= plan.starts_at:
        return {"expires_at": _("The end must come after the start.")}
    if plan.expires_at <= now:
        return {"expires_at": _("The end has passed.")}
    if plan.expires_at - max(now, plan.starts_at) > LONGEST_CAMPAIGN:
        return {"expires_at": _("A campaign may last at most %d days.") % LONGEST_CAMPAIGN.days}
    if plan.starts_at - now > LONGEST_CAMPAIGN:
        return {"starts_at": _("The start may be at most %d days away.") % LONGEST_CAMPAIGN.days}
    return {}


def _wrong_hours(plan: Plan, rules: Profile) -> dict[str, str]:
    if plan.daily_start is None or plan.daily_stop is None:
        missing = "daily_start" if plan.daily_start is None else "daily_stop"
        return {missing: _("Give the hours of the day between which may be called.")}
    if plan.daily_start >= plan.daily_stop:
        return {"daily_stop": _("The daily end must come after the daily start, within one day.")}
    if plan.daily_start < rules.window_start:
        return {
            "daily_start": _("The calling rules allow no call before %s.") % f"{rules.window_start:%H:%M}"
        }
    if plan.daily_stop > rules.window_end:
        return {"daily_stop": _("The calling rules allow no call from %s on.") % f"{rules.window_end:%H:%M}"}
    return {}


def _wrong_days(plan: Plan, rules: Profile, now: datetime) -> dict[str, str]:
    """What only shows when the form's days are looked at one by one."""
    info = zone(rules.zone)
    if info is None:
        return {"daily_start": _("The time zone “%s” is not known here.") % rules.zone}
    if next(plan.windows(rules, now), None) is None:
        return {"expires_at": _("No hour in which may be called lies between these dates.")}
    first, last = dialling_days(plan, rules, now)
    every_day = DailyHours(*_given(plan))
    for window in windows_between(every_day, [rules.zone], *_span(plan, now)):
        day = window.start.astimezone(info)
        if str(day.isoweekday()) not in rules.weekdays:
            return {
                "expires_at": _(
                    "No calls on %s by the calling rules, and the bot cannot be told weekdays:"
                    " let the campaign end before, or start after."
                )
                % date_format(day, "l j M Y")
            }
    if plan.vendor_zone:
        try:
            start, end = _given(plan)
            vendor_hours(start, end, rules=rules, vendor_zone=plan.vendor_zone, first=first, last=last)
        except Unclear as unclear:
            return {"daily_start": str(unclear)}
    return {}


def dialling_days(plan: Plan, rules: Profile, now: datetime) -> tuple[date, date]:
    """First and last day of the campaign, in the company's zone."""
    start, end = _span(plan, now)
    info = zone(rules.zone) or UTC
    return start.astimezone(info).date(), (end - _SECOND).astimezone(info).date()


def _span(plan: Plan, now: datetime) -> tuple[datetime, datetime]:
    if plan.starts_at is None or plan.expires_at is None:
        raise Unclear(_("Give the dates between which may be called."))
    return max(now, plan.starts_at), plan.expires_at


def _given(plan: Plan) -> tuple[time, time]:
    if plan.daily_start is None or plan.daily_stop is None:
        raise Unclear(_("Give the hours of the day between which may be called."))
    return plan.daily_start, plan.daily_stop


_WEEKDAYS = re.compile(r"[1-7]{1,7}")


def profile_errors(rules: Profile) -> dict[str, str]:
    """What is wrong with calling rules themselves, by field."""
    errors = {}
    if zone(rules.zone) is None:
        errors["zone"] = _("The time zone “%s” is not known here.") % rules.zone
    if rules.window_start >= rules.window_end:
        errors["window_end"] = _("The end must come after the start: hours may not cross midnight.")
    if not _WEEKDAYS.fullmatch(rules.weekdays) or len(set(rules.weekdays)) != len(rules.weekdays):
        errors["weekdays"] = _("Give each allowed day once, Monday as 1 to Sunday as 7.")
    if rules.frequency_cap < 1:
        errors["frequency_cap"] = _("Calls a minute must be at least 1.")
    if rules.consent_required and not rules.consent_tag.strip():
        errors["consent_tag"] = _("Name the tag that states consent.")
    return errors
