"""Udesk's list, its export with a cursor that dies, and the bytes of customers kept ready."""

import base64
import json
import random
import time
from dataclasses import dataclass
from typing import Any

from . import udesk_words as words
from .switches import Switches
from .udesk_book import CustomerBook, digits, shown
from .udesk_writes import Refused
from .wire import Answer, Request

PAGE_DEFAULT, PAGE_MAX = 20, 100
CACHED_RECORDS = 250_000
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Scroll:
    """One export under way: a cursor over the customers there were when it began."""

    positions: list[int]
    at: int = 0
    before: int = 0
    newest: str = ""
    dies_at: float = 0.0


class Lists:
    """Answers the list and export requests of one account."""

    def __init__(self, book: CustomerBook, switches: Switches) -> None:
        self._book, self._switches = book, switches
        self._bytes: dict[int, bytes] = {}
        self._answers: dict[tuple[Any, ...], list[int]] = {}
        self._scrolls: dict[str, Scroll] = {}
        self._count = 0

    def forget(self, position: int) -> None:
        """One customer looks different from now on."""
        self._bytes.pop(position, None)
        self._answers.clear()

    def forget_all(self) -> None:
        """Any customer may look different from now on."""
        self._bytes.clear()
        self._answers.clear()

    def warm(self) -> None:
        """Serialise everything now, so that a bench measures its client."""
        for position in self._book.live()[:CACHED_RECORDS]:
            self._shown(position)

    def end_scrolls(self) -> int:
        """All cursors die; how many there were."""
        ended = len(self._scrolls)
        self._scrolls.clear()
        return ended

    # ------------------------------------------------------------------ list

    def page(self, request: Request) -> Answer:
        """`GET /customers`."""
        query = request.query
        page, size = page_and_size(query)
        found = self._chosen(query, refuse_filter=True)
        reach = found[: self._switches["list_reach"]]
        rows = reach[(page - 1) * size : page * size]
        meta = {
            "current_page": page,
            "total_pages": -(-len(reach) // size),
            "total_count": len(found),
        }
        return self._joined({"code": 1000, "meta": meta, "wechat": words.WECHAT, "weibo": words.WEIBO}, rows)

    # ------------------------------------------------------------------ export

    def export(self, request: Request) -> Answer:
        """`GET /customers/export`: the first batch, or the next one by the newest cursor."""
        query = request.query
        text = query.get("scroll_id", "")
        if not text:
            scroll = Scroll(self._chosen(query, refuse_filter=self._switches["wrong_filter"] == "refuse"))
            again = False
        else:
            scroll, again = self._living(text)
        policy = self._switches["scroll_again"]
        if again and policy == "refuse":
            raise Refused(2062, "Parameter error", "Failed to get customer information")
        if again and policy == "repeat":
            scroll.at = scroll.before
        rows = scroll.positions[scroll.at : scroll.at + self._switches["export_batch"]]
        scroll.before, scroll.at = scroll.at, scroll.at + len(rows)
        self._renew(scroll)
        head: dict[str, Any] = {"code": 1000, "scroll_id": scroll.newest}
        if self._switches["export_total"] == "honest":
            head["total"] = len(scroll.positions)
        return self._joined(head, [p for p in rows if not self._book.states[p]])

    def _living(self, text: str) -> tuple[Scroll, bool]:
        """The export of a cursor, and whether the cursor is an older one of it."""
        scroll = self._scrolls.get(text)
        if scroll is None or scroll.dies_at < time.monotonic():
            self._scrolls.pop(text, None)
            raise Refused(2062, "Parameter error", "Failed to get customer information")
        return scroll, text != scroll.newest

    def _renew(self, scroll: Scroll) -> None:
        if not scroll.newest or self._switches["scroll_ids"] == "fresh":
            self._count += 1
            scroll.newest = base64.b64encode(b"DnF1ZXJ5VGhlbkZldGNo%d" % self._count).decode()
        scroll.dies_at = time.monotonic() + self._switches["scroll_life_s"]
        self._scrolls[scroll.newest] = scroll

    # ------------------------------------------------------------------ both

    def _chosen(self, query: dict[str, str], *, refuse_filter: bool) -> list[int]:
        wanted = query.get("query", "").strip().casefold()
        number = query.get("filter_id", "")
        names = {str(each["id"]) for each in words.FILTERS if each["active"]}
        if number and number not in names:
            if refuse_filter:
                raise Refused(2062, "Parameter error", "Failed to get customer information")
            number = ""
        key = (wanted, number, self._switches["order"])
        if key not in self._answers:
            found = [p for p in self._book.live() if self._fits(p, wanted, number)]
            if self._switches["order"] == "newest":
                found.reverse()
            elif self._switches["order"] == "shuffled":
                random.Random(self._book.version).shuffle(found)
            self._answers[key] = found
        return list(self._answers[key])

    def _fits(self, position: int, wanted: str, number: str) -> bool:
        if not (wanted or number):
            return True
        customer = self._book.get(position)
        if (number == "1" and customer["level"] != "vip") or (number == "3" and not customer["is_blocked"]):
            return False
        if not wanted:
            return True
        phones = [text for _, text in customer["cellphones"]]
        texts = [customer["nick_name"], customer["email"] or "", *phones]
        texts += [text for _, text in customer["other_emails"]]
        if any(wanted in text.casefold() for text in texts):
            return True
        only = digits(wanted)
        return len(only) >= 6 and any(only in digits(text) for text in phones)

    def _shown(self, position: int) -> bytes:
        known = self._bytes.get(position)
        if known is None:
            wire = shown(self._book.get(position), ids=self._switches["ids"], tags=self._switches["tags"])
            known = encode(wire).encode("utf-8", "surrogatepass")
            if len(self._bytes) < CACHED_RECORDS:
                self._bytes[position] = known
        return known

    def _joined(self, head: dict[str, Any], positions: list[int]) -> Answer:
        rows = b",".join([self._shown(position) for position in positions])
        return Answer(body=encode(head).encode()[:-1] + b',"customers":[' + rows + b"]}")


def page_and_size(query: dict[str, str]) -> tuple[int, int]:
    """The two paging parameters. Raises Refused with their own codes."""
    page = _whole(query.get("page", "1"))
    if page < 1:
        raise Refused(206201, "Parameter page is invalid")
    size = _whole(query.get("page_size", str(PAGE_DEFAULT)))
    if not 1 <= size <= PAGE_MAX:
        raise Refused(206211, "Parameter page_size is invalid")
    return page, size


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0
