"""The guided check of one account: what works there, what is refused, limits seen.

Asked for by an admin, made by a worker, step by step, with each finding stored as soon as it is
known. Looking changes nothing; what has to be written goes to a disposable record, after a typed
confirmation, and is deleted again. What was found is kept with who asked and when.
"""

import logging
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice import audit
from backoffice.remote.errors import ConnectionBroken, RemoteError
from backoffice.sync import bell
from crm_bridge.connectors.base import Feature, Finding
from crm_bridge.models import AccountCheck, Connection
from crm_bridge.models.account_check import QUIET
from crm_bridge.services import connecting, probe_feature, probe_reads, probe_writes, schedule
from crm_bridge.services.health import remember_measured
from crm_bridge.services.probe_steps import Probe, Step
from crm_bridge.services.refusals import NotWritable

logger = logging.getLogger(__name__)

UNTAKEN = timedelta(seconds=20)
TASK = "crm_bridge.tasks.pull_check"
Kind, Status = AccountCheck.Kind, AccountCheck.Status


def start(connection: Connection, kind: str, *, by: Any, feature: str = "") -> AccountCheck:
    """Ask a worker for a check. Raises ``NotWritable`` while another one is under way."""
    if kind == Kind.FEATURE:
        feature_of(connection, feature)
    if not connection.is_active:
        raise NotWritable(_("%s is switched off.") % connection.name)
    quiet = AccountCheck.objects.filter(
        connection=connection, status__in=AccountCheck.OPEN, heartbeat_at__lt=timezone.now() - QUIET
    )
    quiet.update(status=Status.INTERRUPTED, finished_at=timezone.now(), error="The worker was stopped.")
    try:
        with transaction.atomic():
            check = AccountCheck.objects.create(
                connection=connection, kind=kind, feature=feature, asked_by=by
            )
            audit.record("connection.probe", connection, by=by, summary=f"{kind} {feature}".strip())
    except IntegrityError:
        raise NotWritable(_("A check of %s is under way already.") % connection.name) from None
    bell.ring(TASK, check.pk, on="pull")
    return check


def waiting() -> list[int]:
    """Checks that no worker took: their ring was lost."""
    old = timezone.now() - UNTAKEN
    rows = AccountCheck.objects.filter(status=Status.WAITING, asked_at__lt=old)
    return list(rows.values_list("pk", flat=True)[:20])


def run(pk: int) -> AccountCheck | None:
    """Make one check now; None when it is not waiting (any more)."""
    now = timezone.now()
    if not AccountCheck.objects.filter(pk=pk, status=Status.WAITING).update(
        status=Status.RUNNING, started_at=now, heartbeat_at=now
    ):
        return None
    check = AccountCheck.objects.select_related("connection", "asked_by").get(pk=pk)
    try:
        connector = connecting.connect_to(check.connection)
        try:
            probe = Probe(check.connection, connector)
            _go(check, probe, _steps(check, probe))
        finally:
            connector.close()
        _finish(check, Status.DONE)
    except RemoteError as error:
        connecting.note_trouble(check.connection, error)
        _finish(check, Status.FAILED, str(error))
    except Exception as error:
        _finish(check, Status.FAILED, f"an error of our own: {type(error).__name__}")
        raise
    return check


def _steps(check: AccountCheck, probe: Probe) -> list[Step]:
    if check.kind == Kind.WRITE:
        return probe_writes.steps(probe)
    if check.kind == Kind.FEATURE:
        return [probe_feature.step(feature_of(check.connection, check.feature), by=check.asked_by)]
    return probe_reads.steps(probe)


def _go(check: AccountCheck, probe: Probe, steps: list[Step]) -> None:
    """Each step by itself: one that fails is a finding, not the end; lost credentials are."""
    check.all_steps = len(steps)
    try:
        for step in steps:
            _save(check, step=step.label)
            try:
                found = step.make(probe)
            except ConnectionBroken:
                raise
            except RemoteError as error:
                found = [Finding(step.key, step.label, False, str(error))]
            check.done_steps += 1
            check.findings += [_as_json(finding) for finding in found]
            _save(check)
    finally:
        left = probe_writes.clean_up(probe)
        if left:
            check.findings += [_as_json(finding) for finding in left]
            _save(check)


def _as_json(finding: Finding) -> dict[str, Any]:
    return {
        "key": finding.key, "label": str(finding.label), "ok": finding.ok, "words": str(finding.words),
    }  # fmt: skip


def _save(check: AccountCheck, step: str | None = None) -> None:
    if step is not None:
        check.step = step[:120]
    check.heartbeat_at = timezone.now()
    check.save(update_fields=["step", "all_steps", "done_steps", "findings", "heartbeat_at"])


def _finish(check: AccountCheck, status: AccountCheck.Status, error: str = "") -> None:
    check.status, check.error, check.finished_at = status, error[:500], timezone.now()
    check.save(update_fields=["status", "error", "finished_at"])
    if check.kind == Kind.FEATURE:
        if status == Status.DONE:
            schedule.ensure_streams(check.connection)
        return
    report = {
        "at": check.finished_at.isoformat(timespec="seconds"),
        "by": check.asked_by.get_username() if check.asked_by else "",
        "findings": check.findings,
        "error": check.error,
    }
    if status == Status.DONE:
        connecting.note_working(check.connection)
    remember_measured(check.connection, **{f"report_{check.kind}": report})


def feature_of(connection: Connection, key: str) -> Feature:
    """The declared feature of this key. Raises ``NotWritable``."""
    for feature in connection.capabilities.features:
        if feature.key == key:
            return feature
    raise NotWritable(_("%s has no such feature.") % connection.vendor_label)


def switch_off(connection: Connection, key: str, *, by: Any) -> None:
    """Use a proven feature no more."""
    feature_of(connection, key)
    proven = {name: told for name, told in (connection.measured.get("features") or {}).items() if name != key}
    with transaction.atomic():
        audit.record("connection.feature", connection, by=by, summary=f"{key}: off")
        remember_measured(connection, features=proven)
