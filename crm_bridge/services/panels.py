"""Extras of a contact that only its CRM keeps, read when somebody looks and kept for a moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.core.cache import cache
from django.utils import timezone
from django.utils.translation import gettext as _

from backoffice.remote.errors import Gone, RemoteError
from crm_bridge.connectors.base import HasPanels, PanelSpec
from crm_bridge.models import Contact
from crm_bridge.records import Identity, Panel
from crm_bridge.services import connecting

KEEP_SECONDS = 60
DEADLINE_SECONDS = 8.0
"""A person looks at the page: what takes longer is told as such."""
MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Reading:
    """A panel as it was read, or why it could not be."""

    spec: PanelSpec
    panel: Panel | None
    read_at: datetime
    problem: str = ""


def read(contact: Contact, spec: PanelSpec, page: int = 1, *, fresh: bool = False) -> Reading:
    """One page of a panel: as the CRM holds it now, or as it was less than a minute ago."""
    if not contact.remote_id:
        return Reading(spec, None, timezone.now(), _("The CRM has not taken this contact yet."))
    key = _key(contact, spec.key, page)
    if not fresh and (kept := cache.get(key)) is not None:
        panel, read_at = kept
        return Reading(spec, panel, read_at)
    read_at = timezone.now()
    try:
        panel = _ask(contact, spec.key, page)
    except RemoteError as error:
        return Reading(spec, None, read_at, _words(contact, error))
    cache.set(key, (panel, read_at), KEEP_SECONDS)
    return Reading(spec, panel, read_at)


def read_pages(contact: Contact, specs: Sequence[PanelSpec], pages: int) -> list[Reading]:
    """The first pages of each, as far as there are some; one that cannot be read ends its panel."""
    readings = []
    for spec in specs:
        page: int | None = 1
        while page is not None and page <= min(pages, MOST_PAGES):
            reading = read(contact, spec, page)
            readings.append(reading)
            page = reading.panel.next_page if reading.panel else None
    return readings


def forget(contact: Contact, key: str) -> None:
    """What was read of this panel is not true any more."""
    cache.delete_many([_key(contact, key, page) for page in range(1, MOST_PAGES + 1)])


def _ask(contact: Contact, key: str, page: int) -> Panel:
    connector = connecting.connect_to(contact.connection, deadline=DEADLINE_SECONDS)
    try:
        identity = Identity(contact.family, contact.remote_id or "")
        return cast(HasPanels, connector).panel(identity, key, page)
    finally:
        connector.close()


def _words(contact: Contact, error: RemoteError) -> str:
    if isinstance(error, Gone):
        return _("%s does not hold this contact any more.") % contact.connection.vendor_label
    return str(error)


def _key(contact: Any, panel: str, page: int) -> str:
    return f"panel:{contact.pk}:{panel}:{page}"
