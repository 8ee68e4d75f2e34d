"""Parts that other apps add to the contact page: notices, buttons, tabs, events.

Contacts do not know campaigns. An app registers what it shows about a contact when it is
ready; the page asks each part and puts what it gets into its place.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crm_bridge.models import Contact

if TYPE_CHECKING:
    from crm_bridge.timeline import Event


@dataclass(frozen=True, slots=True)
class Fragment:
    """A template and what it needs."""

    template: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tab:
    """One more tab; ``label`` may count, ``show`` reads what the tab shows."""

    key: str
    permission: str
    label: Callable[[Contact], Any]
    show: Callable[[Contact, Any], Fragment]


@dataclass(frozen=True, slots=True)
class Part:
    """What one app adds. Each callable gets the contact and the request; "nothing" is fine."""

    tabs: tuple[Tab, ...] = ()
    notices: Callable[[Contact, Any], Fragment | None] | None = None
    """Above the tabs: what one has to know before doing anything."""
    buttons: Callable[[Contact, Any], Fragment | None] | None = None
    """Beside "Call" and "Edit"."""
    events: "Callable[[Contact, Any, int], Iterable[Event]] | None" = None
    """For the timeline: the newest so many."""


_parts: list[Part] = []


def register(part: Part) -> None:
    """Called once, when the app is ready."""
    _parts.append(part)


def tabs(request: Any) -> list[Tab]:
    """The tabs this person may open."""
    return [tab for part in _parts for tab in part.tabs if request.user.has_perm(tab.permission)]


def notices(contact: Contact, request: Any) -> list[Fragment]:
    found = [part.notices(contact, request) for part in _parts if part.notices]
    return [each for each in found if each is not None]


def buttons(contact: Contact, request: Any) -> list[Fragment]:
    found = [part.buttons(contact, request) for part in _parts if part.buttons]
    return [each for each in found if each is not None]


def events(contact: Contact, request: Any, limit: int) -> "list[Event]":
    return [event for part in _parts if part.events for event in part.events(contact, request, limit)]
