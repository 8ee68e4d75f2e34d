"""The pre-flight: who will be called, who not and why, and what forbids a start right now.

``check`` picks the audience, judges it and stores counts and proof with the launch.
``brakes`` says what stands against dialling at a moment; ``refusals`` asks for single
numbers again at the last moment.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q
from django.forms.models import model_to_dict
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from bot_campaigns import plan as forms
from bot_campaigns import rules as arithmetic
from bot_campaigns.models import (
    BotConnection,
    BotStreamState,
    CallingRules,
    Gateway,
    Launch,
    LaunchNumber,
    Suppression,
    SurveyTemplate,
)
from bot_campaigns.plan import Plan
from bot_campaigns.services import audience, suppression
from bot_campaigns.services.sets import chunks, texts
from bot_campaigns.services.verdicts import (
    Busy,
    Judge,
    Verdict,
    consenting,
    contact_verdicts,
    last_called,
    since_words,
)
from crm_bridge.models import Connection, StreamState

GOOD_FOR = timedelta(minutes=10)
"""A check older than this is made again before a launch."""

DNC_STREAMS = "dnc"
"""Every stream of the bot whose name begins so feeds the suppressions."""

REASONS = (
    Verdict.TRASHED, Verdict.MERGED, Verdict.MISSING, Verdict.NO_NUMBER, Verdict.DUPLICATE,
    Verdict.SUPPRESSED, Verdict.NO_CONSENT, Verdict.CALLED, Verdict.RUNNING, Verdict.ZONE,
)  # fmt: skip
"""The order in which reasons are looked for and shown."""

_FORM = (
    "audience", "audience_spec", "name", "description", "callerid", "template_id", "gateway_id", "frequency",
    "starts_at", "expires_at", "daily_start", "daily_stop", "not_called_days", "connection_id",
)  # fmt: skip


@dataclass(frozen=True)
class Brake:
    """One thing that forbids a start."""

    code: str
    words: str
    can_override: bool = False
    """A person may go on all the same, with a reason that is logged."""
    field: str = ""


# --- the check ---------------------------------------------------------------------------


def check(launch: Launch, *, by: Any) -> dict[str, int]:
    """Pick the audience, judge every row, store counts and proof. Returns the counts.

    ``picked`` is ``to_dial`` plus every reason. Raises ``audience.Unusable`` with words for
    the manager; the launch is then an unchecked draft.
    """
    with audience.drafting(launch) as token:
        launch.refresh_from_db()
        at = timezone.now()
        rules = rules_of(launch.connection)
        plan = plan_of(launch)
        windows = list(plan.windows(rules, at))
        audience.freeze(launch, Judge(launch, rules, at, windows))
        counts = count(launch)
        proof = _proof(launch, plan, rules, at, counts["to_dial"], by)
        with transaction.atomic():
            stored = Launch.objects.filter(pk=launch.pk, lease_token=token).update(
                status=Launch.Status.CHECKED, counts=counts, proof=proof, checked_at=at
            )
            if not stored:
                raise audience.Frozen(_("The check took too long and was given up. Try again."))
            audit.record("launch.check", launch, by=by, summary=launch.name, **counts)
    return counts


def count(launch: Launch) -> dict[str, int]:
    """Counts of the rows as they are: each opens the rows with that verdict."""
    rows = LaunchNumber.objects.filter(launch=launch).order_by().values_list("verdict")
    found = dict(rows.annotate(n=Count("pk")))
    reasons = {str(reason): found.pop(reason, 0) for reason in REASONS}
    to_dial = found.pop(Verdict.DIAL, 0)
    return {"picked": to_dial + sum(reasons.values()), **reasons, "to_dial": to_dial}


def rules_of(connection: BotConnection) -> CallingRules:
    """The rules of a connection; the strict profile, not stored, where nobody has made any."""
    return CallingRules.objects.filter(connection=connection).first() or CallingRules(connection=connection)


def plan_of(launch: Launch) -> Plan:
    """The launch's form as the calling rules look at it."""
    connection = launch.connection
    return Plan(
        starts_at=launch.starts_at,
        expires_at=launch.expires_at,
        daily_start=launch.daily_start,
        daily_stop=launch.daily_stop,
        frequency=launch.frequency,
        gateway_active=None if launch.gateway is None else _usable(launch.gateway, connection),
        sections=None if launch.template is None else _sections(launch.template, connection),
        vendor_zone=connection.vendor_zone if connection.zone_confirmed_at else "",
    )


def _usable(gateway: Gateway, connection: BotConnection) -> bool:
    return gateway.is_enabled and gateway.gone_at is None and gateway.connection_id == connection.pk


def _sections(template: SurveyTemplate, connection: BotConnection) -> int:
    if template.gone_at is not None or template.connection_id != connection.pk:
        return 0
    return template.sections.filter(gone_at__isnull=True).count()


def form_errors(launch: Launch, at: datetime | None = None) -> dict[str, str]:
    """What is wrong with the launch's form, by field."""
    return forms.form_errors(plan_of(launch), rules_of(launch.connection), at or timezone.now())


def stale(launch: Launch, at: datetime) -> str:
    """Why the pre-flight has to be made again before a launch; "" when it is good."""
    if launch.confirmed_at is not None:
        return ""
    if launch.status != Launch.Status.CHECKED or launch.checked_at is None:
        return _("The audience has not been checked yet.")
    if launch.proof.get("form") != fingerprint(launch):
        return _("The form was changed after the check.")
    if launch.proof.get("rules") != _snapshot(rules_of(launch.connection)):
        return _("The calling rules were changed after the check.")
    if at - launch.checked_at > GOOD_FOR:
        return _("The check is older than %d minutes.") % (GOOD_FOR.total_seconds() // 60)
    return ""


def _proof(
    launch: Launch, plan: Plan, rules: CallingRules, at: datetime, to_dial: int, by: Any
) -> dict[str, Any]:
    dialling = arithmetic.dialling_time(to_dial, max(1, launch.frequency), plan.windows(rules, at))
    mirror, dnc = mirror_read(launch), dnc_read(launch.connection)
    return {
        "checked_at": at.isoformat(),
        "checked_by": by.get_username() if by is not None else "",
        "form": fingerprint(launch),
        "rules": _snapshot(rules),
        "mirror_at": mirror and mirror.isoformat(),
        "dnc_at": dnc and dnc.isoformat(),
        "vendor_zone": plan.vendor_zone,
        "minutes": int(dialling.duration.total_seconds() // 60),
        "ends_at": dialling.ends_at and dialling.ends_at.isoformat(),
        "fits": dialling.fits,
        "errors": forms.form_errors(plan, rules, at),
    }


def fingerprint(launch: Launch) -> str:
    """What a check holds for: it changes with every field of the form."""
    values = [getattr(launch, name) for name in _FORM]
    return hashlib.blake2b(orjson.dumps(values, default=str), digest_size=12).hexdigest()


def _snapshot(rules: CallingRules) -> dict[str, Any]:
    values = model_to_dict(rules, exclude=["id", "connection"])
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in values.items()
    }


# --- ages --------------------------------------------------------------------------------


def mirror_read(launch: Launch) -> datetime | None:
    """When the oldest contact list that matters was last read to its end; None: never."""
    rows = LaunchNumber.objects.filter(launch=launch, contact__isnull=False).order_by()
    involved = set(rows.values_list("contact__connection", flat=True).distinct())
    matters = Q(pk__in=involved) if involved else Q(is_active=True)
    states = StreamState.objects.values_list("connection_id", "stream", "last_ok_at")
    read = {(connection, stream): at for connection, stream, at in states}
    return _oldest(
        read.get((connection.pk, str(stream)))
        for connection in Connection.objects.filter(matters)
        for stream in connection.capabilities.streams
    )


def dnc_read(connection: BotConnection) -> datetime | None:
    """When the oldest do-not-call list was last read to its end; None: never."""
    states = BotStreamState.objects.filter(connection=connection, stream__startswith=DNC_STREAMS)
    return _oldest(states.values_list("last_ok_at", flat=True))


def _oldest(moments: Iterable[datetime | None]) -> datetime | None:
    """None where one is missing, or nothing is known at all."""
    known = list(moments)
    return None if None in known else min((moment for moment in known if moment), default=None)


def _age_words(read: datetime | None, at: datetime, most: int) -> str:
    """Empty while the reading is young enough."""
    if read is None:
        return _("never read to the end")
    minutes = int((at - read).total_seconds() // 60)
    if at - read <= timedelta(minutes=most):
        return ""
    return _("%(age)d minutes old, at most %(most)d are allowed") % {"age": minutes, "most": most}


# --- brakes ------------------------------------------------------------------------------


def brakes(launch: Launch, at: datetime) -> list[Brake]:
    """Everything that forbids dialling for this launch at this moment, worst first."""
    rules, connection = rules_of(launch.connection), launch.connection
    found: list[Brake] = []
    if words := stale(launch, at):
        found.append(Brake("check", words))
    elif not launch.counts.get("to_dial"):
        found.append(Brake("nobody", _("Nobody is left to dial.")))
    if not connection.is_active:
        found.append(Brake("connection", _("The connection is switched off.")))
    if not connection.vendor_zone or connection.zone_confirmed_at is None:
        found.append(Brake("zone", _("The zone of the vendor's daily window is not confirmed.")))
    for name, words in forms.form_errors(plan_of(launch), rules, at).items():
        found.append(Brake("form", words, field=name))
    if not arithmetic.window_now(rules, [rules.zone], at):
        found.append(Brake("window", _closed_words(rules, at)))
    if rules.dnc_required and (words := _age_words(dnc_read(connection), at, rules.dnc_max_age_minutes)):
        found.append(Brake("dnc", _("Do-not-call lists: %s.") % words))
    if number := _suppressed_since(launch):
        found.append(Brake("suppressed", _("%d handed-over numbers must not be called any more.") % number))
    if words := _age_words(mirror_read(launch), at, rules.mirror_max_age_minutes):
        found.append(Brake("mirror", _("Contacts: %s.") % words, can_override=True))
    return found


def _closed_words(rules: CallingRules, at: datetime) -> str:
    opens = arithmetic.next_opening(rules, [rules.zone], at)
    if opens is None:
        return _("The calling rules allow no call at any time soon.")
    local = timezone.localtime(opens, arithmetic.zone(rules.zone))
    return _("No calls at this hour; the next window opens %s.") % f"{local:%d.%m. %H:%M}"


def _suppressed_since(launch: Launch) -> int:
    """Numbers to dial that were suppressed after the check, and are not withdrawn yet."""
    standing = Suppression.objects.standing().filter(e164=OuterRef("e164"))
    rows = LaunchNumber.objects.filter(launch=launch, verdict=Verdict.DIAL)
    settled = (LaunchNumber.Withdrawal.DONE, LaunchNumber.Withdrawal.TOO_LATE)
    return rows.exclude(withdrawal__in=settled).filter(Exists(standing)).count()


# --- the last moment ---------------------------------------------------------------------


def refusals(
    e164s: Collection[str],
    connection: BotConnection,
    at: datetime,
    *,
    launch: Launch | None = None,
    calls: bool = True,
) -> dict[str, tuple[str, str]]:
    """Numbers that must not be called (any more), each with verdict and reason.

    With ``launch`` the contacts of its rows are looked at too. ``calls`` False leaves out
    what the launch's own dialling brings about: recent calls and running campaigns.
    """
    rules = rules_of(connection)
    found: dict[str, tuple[str, str]] = {}
    for chunk in chunks(set(e164s)):
        if calls:
            for e164, name in Busy(at, but=launch).among(chunk).items():
                found[e164] = (Verdict.RUNNING, _("in “%s”") % name)
            if rules.hours_between_calls:
                since = at - timedelta(hours=rules.hours_between_calls)
                for e164 in last_called(chunk, since):
                    hours = rules.hours_between_calls
                    found[e164] = (Verdict.CALLED, _("called in the last %d hours") % hours)
        if launch is not None:
            found |= _refused_contacts(chunk, launch, rules)
        for e164, row in suppression.suppressed(chunk).items():
            found[e164] = (Verdict.SUPPRESSED, since_words(row))
    for e164 in e164s:
        if not e164 or suppression.canonical(e164) != e164:
            found[e164] = (Verdict.NO_NUMBER, _("not a valid number"))
    return found


def still_allowed(
    e164s: Collection[str], connection: BotConnection, at: datetime, *, launch: Launch | None = None
) -> set[str]:
    """Which of these numbers may be called at this moment, as far as numbers go."""
    return set(e164s) - refusals(e164s, connection, at, launch=launch).keys()


def _refused_contacts(
    e164s: Collection[str], launch: Launch, rules: CallingRules
) -> dict[str, tuple[str, str]]:
    rows = LaunchNumber.objects.filter(launch=launch, e164__in=texts(e164s), verdict=Verdict.DIAL)
    contacts = dict(rows.order_by().values_list("e164", "contact_id"))
    ids = {contact for contact in contacts.values() if contact is not None}
    not_live = contact_verdicts(ids)
    found = {e164: not_live[contact] for e164, contact in contacts.items() if contact in not_live}
    if rules.consent_required:
        consent = consenting(ids, rules)
        for e164, contact in contacts.items():
            if contact not in consent:
                found.setdefault(e164, (Verdict.NO_CONSENT, _("no tag “%s”") % rules.consent_tag))
    return found
