"""Calling rules ready made. Pointers for counsel, not legal advice.

Vietnam: Decree 91/2020. United States: the telemarketing sales rule (hours where the phone
rings, do-not-call lists at most 31 days old); calls by a machine need consent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FIELDS = (
    "zone", "window_start", "window_end", "weekdays", "hours_between_calls", "dnc_required",
    "dnc_max_age_minutes", "mirror_max_age_minutes", "consent_required", "consent_tag", "frequency_cap",
    "type_above",
)  # fmt: skip
"""Every rule, in the order in which the page shows them."""

_STRICT: dict[str, Any] = {
    "zone": "Asia/Ho_Chi_Minh",
    "window_start": time(8),
    "window_end": time(17),
    "weekdays": "1234567",
    "hours_between_calls": 24,
    "dnc_required": True,
    "dnc_max_age_minutes": 60,
    "mirror_max_age_minutes": 30,
    "consent_required": False,
    "consent_tag": "",
    "frequency_cap": 60,
    "type_above": 20,
}


@dataclass(frozen=True)
class Profile:
    """One set of rules with what it is for."""

    label: str | Promise
    words: str | Promise
    values: Mapping[str, Any]


PROFILES: dict[str, Profile] = {
    "vn": Profile(
        _("Vietnam, strict"),
        _("08:00–17:00, one call per number in 24 hours, do-not-call lists checked. Holds until changed."),
        _STRICT,
    ),
    "us": Profile(
        _("United States"),
        _(
            "08:00–21:00 where the phone rings, do-not-call lists at most 31 days old, consent required:"
            " name the tag that states it."
        ),
        {
            **_STRICT,
            "zone": "America/New_York",
            "window_end": time(21),
            "dnc_max_age_minutes": 31 * 24 * 60,
            "consent_required": True,
        },
    ),
}
DEFAULT = "vn"
