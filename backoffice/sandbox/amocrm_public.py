"""Routes only public sources tell of: field definitions, events, links, webhooks. Each can be off."""

from typing import Any

from . import amocrm_words as words
from .amocrm_book import DELETED, LIVE, Book
from .amocrm_lists import many, numbers, one, paging, query_text
from .amocrm_shapes import Refused, Shapes, encode, hal, invalid, nothing, problem
from .switches import Switches
from .wire import Answer, Request

LINKABLE = {"leads": "leads", "customers": "customers", "companies": "company"}
WEBHOOKS = ("add_contact", "update_contact", "delete_contact", "restore_contact", "responsible_contact",
            "note_contact")  # fmt: skip


class PublicRoutes:
    """Everything beyond the vendor's page of contacts."""

    def __init__(self, book: Book, switches: Switches, shapes: Shapes) -> None:
        self._book, self._switches, self._shapes = book, switches, shapes
        self.events: list[dict[str, Any]] = []
        self.webhooks: dict[str, list[str]] = {}
        for position, state in enumerate(book.states):
            if state == DELETED:
                self.note("contact_deleted", position, at=book.updated[position])
        self.events.sort(key=lambda event: (event["created_at"], event["id"]))

    def note(self, kind: str, position: int, *, at: int | None = None, by: int = 504141) -> None:
        """Something happened to a contact."""
        number = len(self.events) + 1
        self.events.append(
            {
                "id": f"01{number:024d}",
                "type": kind,
                "entity_id": self._book.numbers[position],
                "entity_type": "contact",
                "created_by": by,
                "created_at": self._book.now() if at is None else at,
                "value_after": [],
                "value_before": [],
                "account_id": words.ACCOUNT_ID,
            }
        )

    def _needs(self, switch: str) -> None:
        if self._switches[switch] == "off":
            raise Refused(problem(404, "Not found"))

    def definitions(self, request: Request) -> Answer:
        """`GET /api/v4/contacts/custom_fields`."""
        self._needs("definitions")
        page, limit = paging(request.query, 50, 250, 50)
        found = [words.definition(number) for number in words.NAMES]
        chosen = found[(page - 1) * limit : page * limit]
        if not chosen:
            return nothing()
        return hal(
            {
                "_total_items": len(found),
                "_page": page,
                "_page_count": -(-len(found) // limit),
                "_links": {
                    "self": {"href": f"{self._shapes.base}/api/v4/contacts/custom_fields?page={page}"}
                },
                "_embedded": {"custom_fields": chosen},
            }
        )

    def list_events(self, request: Request) -> Answer:
        """`GET /api/v4/events`: newest first, though no page says so."""
        self._needs("events")
        query = request.query
        page, limit = paging(query, 100, 100, 100)
        types = {each for text in many(query, "filter[type]") for each in text.split(",")}
        entities, ids = many(query, "filter[entity]"), numbers(query, "filter[entity_id]")
        if len(ids) > 10:
            raise Refused(invalid([("0", "TooMany", "filter.entity_id", "At most 10 entities.")]))
        first, last = (one(query, f"filter[created_at][{end}]") for end in ("from", "to"))
        found = [
            event
            for event in self.events
            if (not types or event["type"] in types)
            and (not entities or event["entity_type"] in entities)
            and (not ids or event["entity_id"] in ids)
            and (first is None or event["created_at"] >= first)
            and (last is None or event["created_at"] <= last)
        ]
        found.sort(key=lambda event: event["created_at"], reverse=self._switches["events"] != "oldest_first")
        chosen = found[(page - 1) * limit : page * limit]
        if not chosen:
            return nothing()
        return self._shapes.page(
            "events",
            [encode(event).encode() for event in chosen],
            path="/api/v4/events",
            page=page,
            query=query_text(query),
            more=len(found) > page * limit,
        )

    # ------------------------------------------------------------------ links

    def links(self, position: int) -> Answer:
        """`GET /api/v4/contacts/{id}/links`."""
        self._needs("links")
        return self._linked(position)

    def _linked(self, position: int) -> Answer:
        fields = self._book.get(position)
        companies = [fields["company"]] if fields["company"] else []
        found = [
            {"to_entity_id": number, "to_entity_type": kind, "metadata": None}
            for kind, ids in (
                ("leads", fields["leads"]),
                ("customers", fields["customers"]),
                ("companies", companies),
            )
            for number in ids
        ]
        base = f"{self._shapes.base}/api/v4/contacts/{self._book.numbers[position]}/links"
        return hal(
            {"_total_items": len(found), "_links": {"self": {"href": base}}, "_embedded": {"links": found}}
        )

    def change_links(self, position: int, request: Request, *, add: bool) -> Answer:
        """`POST …/link` and `…/unlink`; a contact has one company."""
        self._needs("links")
        items = request.json()
        if not isinstance(items, list) or not items:
            raise Refused(problem(400, "The request body must be an array that is not empty."))
        fields = self._book.get(position)
        changes = {key: list(fields[key]) for key in ("leads", "customers")} | {"company": fields["company"]}
        for index, item in enumerate(items):
            kind = item.get("to_entity_type") if isinstance(item, dict) else None
            number = item.get("to_entity_id") if isinstance(item, dict) else None
            if kind not in LINKABLE or not isinstance(number, int) or not 0 < number < 10**9:
                raise Refused(
                    invalid([(str(index), "NotFound", "to_entity_id", "The entity was not found.")])
                )
            key = LINKABLE[kind]
            if key == "company":
                if add or changes[key] == number:
                    changes[key] = number if add else None
            elif add and number not in changes[key]:
                changes[key].append(number)
            elif not add and number in changes[key]:
                changes[key].remove(number)
        self._book.edit(position, changes, updated=self._book.updated[position])
        self.note("contact_linked" if add else "contact_unlinked", position)
        return self._linked(position) if add else nothing()

    # ------------------------------------------------------------------ webhooks

    def change_webhooks(self, request: Request) -> Answer:
        """`GET`, `POST` and `DELETE /api/v4/webhooks`: kept, but nothing is ever delivered."""
        if self._switches["webhooks"] == "unpaid":
            raise Refused(problem(402, "Webhooks are not available on your plan."))
        body = request.json()
        destination = body.get("destination") if isinstance(body, dict) else None
        if request.method == "POST":
            settings = body.get("settings") if isinstance(body, dict) else None
            if not destination or not isinstance(settings, list) or not set(settings) <= set(WEBHOOKS):
                raise Refused(invalid([("0", "NotSupportedChoice", "settings", "Unknown event.")]))
            self.webhooks[destination] = settings
            return hal({"id": 839656, "destination": destination, "settings": settings, "disabled": False})
        if request.method == "DELETE":
            if self.webhooks.pop(str(destination), None) is None:
                raise Refused(problem(404, "The webhook was not found."))
            return nothing()
        listed = [{"destination": key, "settings": value} for key, value in self.webhooks.items()]
        return hal({"_total_items": len(listed), "_embedded": {"webhooks": listed}})

    def is_live(self, position: int | None) -> bool:
        """Whether a contact can be linked."""
        return position is not None and self._book.states[position] == LIVE
