"""Proving one feature that only public sources tell of; it is used from then on, or not."""

from collections.abc import Sequence
from typing import Any, cast

from django.utils import timezone

from backoffice import audit
from backoffice.remote.errors import BadResponse, Rejected
from crm_bridge.connectors.base import Feature, Finding, HasFeatures
from crm_bridge.services.health import remember_measured
from crm_bridge.services.probe_steps import Probe, Step


def step(feature: Feature, *, by: Any) -> Step:
    """The one step of such a check."""

    def make(probe: Probe) -> Sequence[Finding]:
        connection = probe.connection
        proven = dict(connection.measured.get("features") or {})
        try:
            words = cast(HasFeatures, probe.connector).prove(feature.key)
        except (Rejected, BadResponse) as refused:
            if proven.pop(feature.key, None) is not None:
                remember_measured(connection, features=proven)
            return [Finding(feature.key, str(feature.label), False, str(refused))]
        proven[feature.key] = {
            "at": timezone.now().isoformat(timespec="seconds"),
            "by": by.get_username() if by else "",
            "words": words[:300],
        }
        remember_measured(connection, features=proven)
        audit.record("connection.feature", connection, by=by, summary=f"{feature.key}: proven")
        return [Finding(feature.key, str(feature.label), True, words)]

    return Step(feature.key, str(feature.label), make)
