"""Launches on their way to a check: begun, changed, copied. Nothing here sends anything.

A draft may be incomplete: the pre-flight says what is missing. Once it is confirmed it
is frozen, and whoever still has its form open is told so.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from backoffice import audit
from bot_campaigns import rules as arithmetic
from bot_campaigns.models import (
    BotConnection,
    CallingRules,
    Campaign,
    Gateway,
    Launch,
    LaunchNumber,
    Phonebook,
    SurveyTemplate,
)
from bot_campaigns.services import audience, launching, preflight
from bot_campaigns.services.audience import Frozen, Unusable, Upload
from bot_campaigns.services.sets import chunks

USUAL_DAYS = 7
USUAL_FREQUENCY = 10
MOST_CHOSEN = 10_000
"""Contacts picked one by one; more are meant by a filter."""

_FIELDS = frozenset(
    {
        "name", "description", "callerid", "template", "gateway", "frequency", "starts_at", "expires_at",
        "daily_start", "daily_stop", "not_called_days", "connection", "audience", "audience_spec",
        "audience_words",
    }
)  # fmt: skip


class Changed(ValueError):
    """Somebody else changed the draft since the form was opened; nothing was written."""


# --- beginning ---------------------------------------------------------------------------


def begin(
    *,
    connection: BotConnection,
    by: Any,
    nonce: uuid.UUID | None = None,
    file: tuple[BinaryIO, str] | None = None,
    **values: Any,
) -> Launch:
    """A new draft with sensible hours. A second press with the same ``nonce`` finds the first.

    Raises ``Unreadable`` for a file that is none of numbers, and then keeps nothing.
    """
    if nonce is not None and (known := Launch.objects.filter(nonce=nonce).first()):
        return known
    with transaction.atomic():
        launch = Launch.objects.create(
            **{**usual(connection), **_wanted(values)},
            connection=connection,
            code=launching.new_code(),
            nonce=nonce or uuid.uuid4(),
            created_by=by,
        )
        if file is not None:
            _take(launch, file)
        audit.record("launch.create", launch, by=by, summary=launch.name, audience=launch.audience)
    return launch


def usual(connection: BotConnection) -> dict[str, Any]:
    """Hours and speed that the calling rules allow, and what there is only one of."""
    rules, now = preflight.rules_of(connection), timezone.now()
    gateways = Gateway.objects.filter(connection=connection, is_enabled=True, gone_at__isnull=True)[:2]
    info = arithmetic.zone(rules.zone) or timezone.get_current_timezone()
    first, last = _days(rules, now.astimezone(info).date())
    opens = datetime.combine(first, rules.window_start, info)
    return {
        "starts_at": max(now.replace(second=0, microsecond=0), opens),
        "expires_at": datetime.combine(last, rules.window_end, info),
        "daily_start": rules.window_start,
        "daily_stop": rules.window_end,
        "frequency": min(USUAL_FREQUENCY, rules.frequency_cap),
        "gateway": gateways[0] if len(gateways) == 1 else None,
    }


def _days(rules: CallingRules, today: date) -> tuple[date, date]:
    """The next run of days on which may be called, at most a week: the bot knows no weekdays."""
    days = [today + timedelta(days=ahead) for ahead in range(2 * USUAL_DAYS)]
    allowed = [str(day.isoweekday()) in rules.weekdays for day in days]
    if not any(allowed):
        return today, today
    first = allowed.index(True)
    last = first
    while last + 1 < first + USUAL_DAYS and last + 1 < len(days) and allowed[last + 1]:
        last += 1
    return days[first], days[last]


# --- changing ----------------------------------------------------------------------------


def version(launch: Launch) -> str:
    """What a form was filled in on: another value means that somebody else saved since."""
    return preflight.fingerprint(launch)


def change(
    launch: Launch, *, by: Any, seen: str = "", file: tuple[BinaryIO, str] | None = None, **values: Any
) -> Launch:
    """Write what a form says. Raises ``Frozen``, ``Changed``, and ``Unreadable`` for a bad file."""
    with transaction.atomic():
        row = Launch.objects.select_for_update(of=("self",)).get(pk=launch.pk)
        if row.confirmed_at is not None or row.status == Launch.Status.CANCELLED:
            raise Frozen(
                _("This launch was cancelled.")
                if row.confirmed_at is None
                else _("This launch was confirmed: its audience is frozen.")
            )
        if seen and seen != version(row):
            raise Changed(_("Somebody else changed this draft meanwhile. Look at it, then save again."))
        wanted = {
            name: value for name, value in _wanted(values).items() if _plain(row, name) != _as_plain(value)
        }
        if wanted:
            for name, value in wanted.items():
                setattr(row, name, value)
            row.save(update_fields=[*wanted])
        if file is not None:
            _take(row, file)
        if wanted or file is not None:
            audit.record(
                "launch.change", row, by=by, summary=row.name, fields=sorted(wanted), file=file is not None
            )
    launch.refresh_from_db()
    return launch


def _wanted(values: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := values.keys() - _FIELDS:
        raise ValueError(f"no fields of a draft: {', '.join(sorted(unknown))}")
    return dict(values)


def _plain(row: Launch, name: str) -> Any:
    return _as_plain(getattr(row, name))


def _as_plain(value: Any) -> Any:
    return getattr(value, "pk", value)


def _take(launch: Launch, file: tuple[BinaryIO, str]) -> Upload:
    """The rows of a file become the audience, with words about what they are."""
    upload, name = audience.take_file(launch, file=file[0], name=file[1]), file[1]
    rows = ngettext("%(file)s: %(n)s row", "%(file)s: %(n)s rows", upload.rows) % {
        "file": name[-200:],
        "n": f"{upload.rows:,}",
    }
    Launch.objects.filter(pk=launch.pk).update(
        audience=Launch.Audience.UPLOAD, audience_spec={"file": name[-200:]}, audience_words=rows[:300]
    )
    launch.refresh_from_db()
    return upload


# --- whom --------------------------------------------------------------------------------


def of_contacts(ids: Iterable[int]) -> dict[str, Any]:
    """The audience of contacts chosen one by one."""
    chosen = list(dict.fromkeys(ids))
    if not chosen:
        raise Unusable(_("No contact was chosen."))
    if len(chosen) > MOST_CHOSEN:
        raise Unusable(_("At most %d contacts can be chosen one by one. Use a filter.") % MOST_CHOSEN)
    words = ngettext("%s chosen contact", "%s chosen contacts", len(chosen)) % f"{len(chosen):,}"
    return _audience(Launch.Audience.CONTACTS, {"ids": chosen}, words)


def of_filter(query: str, words: str) -> dict[str, Any]:
    """The audience of a contact list: its query, and its filters in words.

    A list without any filter is refused: that would be everybody.
    """
    audience.filtered(query)  # says what cannot be used
    if not words:
        raise Unusable(_("This address filters nothing: it would call every contact. Set a filter first."))
    return _audience(Launch.Audience.FILTER, {"query": query}, words)


def of_phonebook(book: Phonebook) -> dict[str, Any]:
    return _audience(Launch.Audience.PHONEBOOK, {"phonebook": book.pk}, book.name)


def of_unreached(campaign: Campaign) -> dict[str, Any]:
    return _audience(Launch.Audience.UNREACHED, {"campaign": campaign.pk}, campaign.name)


def _audience(kind: str, spec: dict[str, Any], words: str) -> dict[str, Any]:
    return {"audience": kind, "audience_spec": spec, "audience_words": words[:300]}


def add_contacts(launch: Launch, ids: Iterable[int], *, by: Any) -> int:
    """Add chosen contacts to a draft of chosen contacts. Returns how many were new."""
    with transaction.atomic():
        row = Launch.objects.select_for_update(of=("self",)).get(pk=launch.pk)
        if row.audience != Launch.Audience.CONTACTS:
            raise Unusable(_("This audience is not one of chosen contacts."))
        before = [int(each) for each in row.audience_spec.get("ids", [])]
        values = of_contacts([*before, *ids])
        change(row, by=by, **values)
    launch.refresh_from_db()
    return len(launch.audience_spec["ids"]) - len(before)


# --- again -------------------------------------------------------------------------------


def clone(campaign: Campaign, *, by: Any, nonce: uuid.UUID | None = None) -> Launch:
    """A draft like the launch of a campaign; of one made inside the bot, as far as is known."""
    if nonce is not None and (known := Launch.objects.filter(nonce=nonce).first()):
        return known
    source = launch_of(campaign)
    values = _like(campaign, source)
    if source is None:
        book = campaign.phonebooks.order_by("pk").first()
        if book is None:
            raise Unusable(_("Nobody knows which phonebook this campaign called."))
        values |= of_phonebook(book)
    else:
        values |= _audience(source.audience, source.audience_spec, source.audience_words)
    with transaction.atomic():
        launch = begin(connection=campaign.connection, by=by, nonce=nonce, **values)
        if source is not None and source.audience == Launch.Audience.UPLOAD:
            _copy_rows(source, launch)
    return launch


def unreached(campaign: Campaign, *, by: Any, nonce: uuid.UUID | None = None) -> Launch:
    """A draft for whom the campaign did not reach; the hours between two calls still hold."""
    source = launch_of(campaign)
    values = _like(campaign, source) | of_unreached(campaign)
    return begin(connection=campaign.connection, by=by, nonce=nonce, **{**values, "not_called_days": 0})


def launch_of(campaign: Campaign) -> Launch | None:
    rows = campaign.launches.filter(confirmed_at__isnull=False).select_related("template", "gateway")
    return rows.order_by("pk").first()


def _like(campaign: Campaign, source: Launch | None) -> dict[str, Any]:
    """Message, means and speed; the dates start anew."""
    if source is not None:
        return {
            "name": _again(source.name),
            **{
                name: getattr(source, name)
                for name in (
                    "description", "callerid", "template", "gateway", "frequency", "daily_start",
                    "daily_stop", "not_called_days",
                )
            },
        }  # fmt: skip
    templates = SurveyTemplate.objects.filter(connection=campaign.connection, gone_at__isnull=True)
    found: dict[str, Any] = {
        "name": _again(campaign.name),
        "description": campaign.description[:300],
        "callerid": campaign.callerid[:80],
        "template": templates.filter(remote_id=campaign.survey_id or None).first(),
    }
    if campaign.gateway is not None:
        found["gateway"] = campaign.gateway
    if campaign.frequency:
        found["frequency"] = campaign.frequency
    return found


def _again(name: str) -> str:
    return _("%s (again)") % name[:70]


def _copy_rows(source: Launch, launch: Launch) -> None:
    """The rows of an uploaded file, which is not kept itself; unchecked like those just uploaded."""
    rows = LaunchNumber.objects.filter(launch=source).order_by("pk")
    values = rows.values_list("number", "e164", "name", "email")
    for chunk in chunks(values.iterator(), audience.CHUNK):
        LaunchNumber.objects.bulk_create(
            [
                LaunchNumber(
                    launch=launch, number=number, e164=e164, name=name, email=email,
                    verdict=LaunchNumber.Verdict.NO_NUMBER,
                )
                for number, e164, name, email in chunk
            ]
        )  # fmt: skip
