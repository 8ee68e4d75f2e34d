"""Chats linked with contacts: `POST` and `GET /api/v4/contacts/chats`, administrators only."""

import uuid
from typing import Any

from .amocrm_book import LIVE, Book
from .amocrm_lists import many, numbers
from .amocrm_shapes import Refused, hal, invalid, nothing, problem
from .switches import Switches
from .wire import Answer, Request

SPACE = uuid.UUID("6cbab3d5-c4c1-46ff-b710-ad59ad10805f")


class Chats:
    """The chats of the channels this integration has access to."""

    def __init__(self, book: Book, switches: Switches) -> None:
        self._book, self._switches = book, switches
        self.contacts: dict[str, int | None] = {}  # chat → contact id
        self._links: dict[str, int] = {}  # chat → id of the link
        self._next = 26_219
        for number in range(40):
            chat = str(uuid.uuid5(SPACE, f"{book.seed}-{number}"))
            position = number * 3
            linked = number < 30 and position < len(book) and book.states[position] == LIVE
            self.link(chat, book.numbers[position] if linked else None)

    def link(self, chat: str, contact: int | None) -> int:
        """Link a chat; a chat has one contact, so an earlier link is replaced by a new one."""
        self.contacts[chat] = contact
        self._links[chat] = self._next
        self._next += 1
        return self._links[chat]

    def _check(self, request: Request) -> None:
        if "cookie" in request.headers:
            raise Refused(problem(403, "Session cookies must not be passed"))
        if self._switches["chats"] == "forbidden":
            raise Refused(problem(403, "The method is available for administrator users only"))

    def listed(self, request: Request) -> Answer:
        """The links, of some chats or contacts, or all."""
        self._check(request)
        chats, contacts = many(request.query, "chat_id"), numbers(request.query, "contact_id")
        found = [
            self._shown(chat)
            for chat, contact in self.contacts.items()
            if contact is not None and (not chats or chat in chats) and (not contacts or contact in contacts)
        ]
        return hal({"_total_items": len(found), "_embedded": {"chats": found}}) if found else nothing()

    def _shown(self, chat: str) -> dict[str, Any]:
        return {"chat_id": chat, "contact_id": self.contacts[chat], "id": self._links[chat]}

    def add(self, request: Request) -> tuple[Answer, list[dict[str, Any]]]:
        """Link chats with contacts, all or none; the answer and what was linked."""
        self._check(request)
        items = request.json()
        if not isinstance(items, list) or not items:
            raise Refused(problem(400, "The request body must be an array that is not empty."))
        mistakes = []
        for index, item in enumerate(items):
            key = str(item.get("request_id", index)) if isinstance(item, dict) else str(index)
            chat = item.get("chat_id") if isinstance(item, dict) else None
            position = self._book.at(item.get("contact_id")) if isinstance(item, dict) else None
            if chat not in self.contacts:
                mistakes.append((key, "NotFound", "chat_id", "The chat was not found in your channels."))
            if position is None or self._book.states[position] != LIVE:
                mistakes.append((key, "NotFound", "contact_id", "The contact was not found."))
        if mistakes:
            raise Refused(invalid(mistakes))
        linked = []
        for index, item in enumerate(items):
            self.link(item["chat_id"], item["contact_id"])
            linked.append(self._shown(item["chat_id"]) | {"request_id": str(item.get("request_id", index))})
        return hal({"_total_items": len(linked), "_embedded": {"chats": linked}}), linked
