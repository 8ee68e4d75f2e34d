"""The daily window of a campaign on the company's clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.utils.translation import gettext as _

from bot_campaigns.models import CallingRules, Campaign
from bot_campaigns.plan import DailyHours
from bot_campaigns.rules import windows_between, zone


@dataclass(frozen=True, slots=True)
class Today:
    """What today's window is, and where in it we are."""

    words: str
    detail: str = ""
    is_open: bool = False


def today(campaign: Campaign, rules: CallingRules, now: datetime) -> Today:
    """Today's window of a campaign in the company's zone."""
    if campaign.daily_start is None or campaign.daily_stop is None:
        return Today("–")
    if campaign.expires_at is not None and campaign.expires_at <= now:
        return Today("–", _("its dates are over"))
    ours = zone(rules.zone) or UTC
    name = campaign.connection.vendor_zone or rules.zone
    local = now.astimezone(ours)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    first = max(midnight, campaign.starts_at) if campaign.starts_at else midnight
    last = midnight + timedelta(days=1)
    if campaign.expires_at is not None:
        last = min(last, campaign.expires_at)
    if first >= last:
        starts = campaign.starts_at.astimezone(ours) if campaign.starts_at else None
        return Today("–", _("begins %s") % f"{starts:%d.%m. %H:%M}" if starts else "")
    hours = DailyHours(campaign.daily_start, _end(campaign.daily_stop))
    spans = list(windows_between(hours, [name], first, last))
    if not spans:
        return Today("–", _("no window today"))
    words = ", ".join(f"{_clock(each.start, ours)}–{_clock(each.end, ours)}" for each in spans)
    for span in spans:
        if now < span.start:
            return Today(words, _("opens %s") % _clock(span.start, ours))
        if now < span.end:
            return Today(words, _("open until %s") % _clock(span.end, ours), is_open=True)
    return Today(words, _("over for today"))


def _end(stop: time) -> time:
    """The vendor takes its end as still allowed; what we sent as one second before shows as the hour."""
    whole = datetime.combine(datetime(2000, 1, 1, tzinfo=UTC), stop) + timedelta(seconds=1)
    return whole.time() if whole.time() > stop else stop


def _clock(moment: datetime, info: object) -> str:
    local = moment.astimezone(info)  # type: ignore[arg-type]
    if local.second >= 59:
        local += timedelta(seconds=1)
    return f"{local:%H:%M}"
