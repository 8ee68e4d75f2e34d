"""What only public sources tell of: how each is declared, and proven on an account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backoffice.remote.errors import BadResponse, ConnectionBroken, RateLimited, Rejected, RemoteError
from backoffice.remote.walk import RawPage
from crm_bridge.connectors.amocrm import mapping, payloads
from crm_bridge.connectors.amocrm.client import PAGE_SIZE, AmoCrmClient
from crm_bridge.connectors.amocrm.walks import DeletionsWalk, split_page
from crm_bridge.connectors.base import Changes, Feature, Finding, PanelSpec, Stream
from crm_bridge.records import FieldDefinition, RelationAction

DEFINITIONS, UPDATED_FILTER, DELETION_EVENTS, LINKS = (
    "field_definitions", "updated_filter", "deletion_events", "links",
)  # fmt: skip
CHATS = "chats"
#: Panels by the name they have in a contact's payload.
LINKED = {"companies": "Companies", "leads": "Leads", "customers": "Customers"}
_REF_LABELS = {"companies": "Company number", "leads": "Lead number", "customers": "Customer number"}
_FIXED = "Links are shown here; prove “Links of contacts” on this account to change them from here."
_MOST_DEFINITION_PAGES = 100

PANELS: tuple[PanelSpec, ...] = (
    *(PanelSpec(key, label, why_not=_FIXED) for key, label in LINKED.items()),
    PanelSpec(
        "catalog_elements", "List elements", why_not="amoCRM's page of contacts tells no way to change these."
    ),
    PanelSpec(
        CHATS,
        "Chats",
        actions=frozenset({RelationAction.ATTACH}),
        ref_label="Chat id",
        why_not="amoCRM can link a chat with a contact, but not take it away.",
    ),
)
_LINKABLE = tuple(
    replace(
        panel,
        actions=frozenset({RelationAction.ATTACH, RelationAction.DETACH}),
        ref_label=_REF_LABELS[panel.key],
        why_not="",
    )
    if panel.key in LINKED
    else panel
    for panel in PANELS
)

FEATURES: tuple[Feature, ...] = (
    Feature(
        DEFINITIONS,
        "Definitions of custom fields",
        help="Names, types and choices of custom fields, so that each gets a fitting input.",
        brings={"custom_field_definitions": True},
    ),
    Feature(
        UPDATED_FILTER,
        "Filter by last update",
        help="Changes are asked for by the second. Some accounts ignore this filter.",
        brings={"changes": Changes.BY_SECOND},
    ),
    Feature(
        DELETION_EVENTS,
        "Events of deletions",
        help="Who deleted a contact and when, instead of only noticing that it is gone.",
        streams=(Stream.DELETED,),
    ),
    Feature(
        LINKS,
        "Links of contacts",
        help="Companies, leads and customers of a contact are linked and unlinked from here.",
        brings={"panels": _LINKABLE},
    ),
)


class Proofs:
    """Tries each feature on one account, reading only."""

    def __init__(self, client: AmoCrmClient) -> None:
        self._client = client

    def prove(self, feature: str) -> str:
        """What was seen, in a sentence. Raises Rejected or BadResponse where it does not hold."""
        proofs: dict[str, Callable[[], str]] = {
            DEFINITIONS: self._definitions,
            UPDATED_FILTER: self._updated_filter,
            DELETION_EVENTS: self._deletion_events,
            LINKS: self._links,
        }
        if feature not in proofs:
            raise self._no(f"there is no feature “{feature}”")
        return proofs[feature]()

    def probe(self) -> list[Finding]:
        """Looks at everything without changing anything; a block or a limit ends it."""
        looks: tuple[tuple[str, str, Callable[[], str]], ...] = (
            ("page_size", f"Pages of {PAGE_SIZE} contacts", self._page_size),
            ("order", "Order by last update", self._order),
            ("id_filter", "Filter by id, the second proof that a contact is gone", self._id_filter),
            *((feature.key, feature.label, lambda key=feature.key: self.prove(key)) for feature in FEATURES),
            ("merge_events", "Events of merges (which contact won is not documented)", self._merge_events),
            (CHATS, "Chats (administrators only)", self._chats),
            ("webhooks", "Webhooks", self._webhooks),
        )
        return [self._looked(key, label, look) for key, label, look in looks]

    @staticmethod
    def _looked(key: str, label: str, look: Callable[[], str]) -> Finding:
        try:
            return Finding(key, label, True, look())
        except RateLimited:
            raise
        except ConnectionBroken as error:
            if error.status != 403 or not error.words:
                raise  # the account or the address is blocked: not one call more
            return Finding(key, label, False, str(error))
        except (Rejected, BadResponse) as error:
            return Finding(key, label, False, str(error))
        except RemoteError as error:
            return Finding(key, label, None, str(error))

    # --- one by one ------------------------------------------------------------------------

    def field_definitions(self) -> list[FieldDefinition]:
        """Every custom field of contacts, in the vendor's order."""
        found: dict[str, FieldDefinition] = {}
        for page in range(1, _MOST_DEFINITION_PAGES):
            data = self._client.custom_fields(page).data
            if data is None:
                break
            try:
                items, _links = payloads.collection(data, "custom_fields")
                definitions = [mapping.to_definition(item) for item in items]
            except ValueError as error:
                raise self._bad(f"its answer is no list of custom fields: {error}") from error
            fresh = [each for each in definitions if each is not None and each.key not in found]
            found.update((each.key, each) for each in fresh)
            last = payloads.seconds(data.get("_page_count"))
            if not items or (last is not None and page >= last):
                break
        return list(found.values())

    def _definitions(self) -> str:
        found = self.field_definitions()
        writable = sum(definition.editable for definition in found)
        return f"It defines {len(found)} custom fields of contacts, {writable} of them writable."

    def _newest(self, **params: Any) -> RawPage:
        order = ("updated_at", "desc")
        return split_page(self._client.session, self._client.contacts(limit=PAGE_SIZE, order=order, **params))

    def _moments(self, page: RawPage) -> list[int]:
        found = [payloads.seconds(item.raw.get("updated_at")) for item in page.items if not item.problem]
        return [moment for moment in found if moment is not None]

    def _page_size(self) -> str:
        page = self._newest()
        if len(page.items) < PAGE_SIZE and not page.ended:
            return f"It gives {len(page.items)} contacts on a page; pages are read to their end all the same."
        return f"It gave {len(page.items)} contacts on the first page."

    def _order(self) -> str:
        moments = self._moments(self._newest())
        if moments != sorted(moments, reverse=True):
            raise self._bad("contacts do not come sorted by their last update, so all are read each time")
        if len(set(moments)) < 2:
            raise self._unclear("there are too few contacts to see an order")
        return "Contacts come sorted by their last update, newest first."

    def _id_filter(self) -> str:
        page = self._newest()
        if len(page.items) < 2:
            raise self._unclear("there are too few contacts to see a filter work")
        wanted = page.items[-1].remote_id
        found = split_page(self._client.session, self._client.contacts(ids=[int(wanted)], limit=2))
        if [item.remote_id for item in found.items] != [wanted]:
            raise self._bad("it ignores the filter by id; a missing contact is asked for twice instead")
        return "Asked for one contact by its id, the list showed that one only."

    def _updated_filter(self) -> str:
        """A window in the middle must show what lies in it and nothing else."""
        moments = sorted(set(self._moments(self._newest())))
        if len(moments) < 3:
            raise self._unclear("there are too few contacts to see the filter work")
        first, last = moments[len(moments) // 3], moments[len(moments) // 3 * 2]
        shown = self._moments(self._newest(updated_from=first, updated_to=last))
        if not shown or any(not first <= moment <= last for moment in shown):
            raise self._bad("it ignores the filter by last update: contacts outside of it were shown")
        span = (
            f"{datetime.fromtimestamp(first, UTC):%Y-%m-%d} to {datetime.fromtimestamp(last, UTC):%Y-%m-%d}"
        )
        return f"Asked for updates from {span}, it showed {len(shown)} contacts, all of them within."

    def _deletion_events(self) -> str:
        walk = DeletionsWalk(self._client)
        page = walk.split(walk.fetch(walk.first))
        self._id_filter()
        for item in page.items:
            mapping.to_deletion(item)
        return f"It tells of deletions; {len(page.items)} on the first page are of contacts that are gone."

    def _links(self) -> str:
        page = self._newest()
        if not page.items:
            raise self._unclear("there is no contact to look at")
        data = self._client.links(int(page.items[0].remote_id)).data
        embedded = data.get("_embedded") if isinstance(data, dict) else None
        if data is not None and not isinstance((embedded or {}).get("links"), list):
            raise self._bad("its answer is no list of links")
        return "It lists the links of a contact."

    def _merge_events(self) -> str:
        body = self._client.events("entity_merged", limit=1)
        return "It tells that contacts were merged." if body.strip() else "It has none to show at present."

    def _chats(self) -> str:
        page = self._newest()
        if not page.items:
            raise self._unclear("there is no contact to look at")
        found = mapping.chats_of(self._client.chats(contacts=[int(page.items[0].remote_id)]).data)
        return f"It shows chats to us; the contact changed last has {len(found)}."

    def _webhooks(self) -> str:
        data = self._client.webhooks().data
        listed = count_of(data, "webhooks")
        return f"The account has webhooks; {listed} are set up. This product does not use them."

    # --- errors ----------------------------------------------------------------------------

    def _bad(self, reason: str) -> BadResponse:
        return BadResponse(reason, connection=self._client.session.label, operation="check account")

    def _no(self, reason: str) -> Rejected:
        return Rejected(reason, connection=self._client.session.label, operation="check account")

    def _unclear(self, reason: str) -> Rejected:
        return self._no(reason)


def count_of(data: Any, key: str) -> int:
    """How many items a collection shows; None (204) is none."""
    embedded = data.get("_embedded") if isinstance(data, dict) else None
    items = embedded.get(key) if isinstance(embedded, dict) else None
    return len(items) if isinstance(items, list) else 0
