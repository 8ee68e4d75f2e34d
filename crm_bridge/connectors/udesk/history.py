"""A customer's history: five kinds of entries as lines of a panel. Pure.

A change is spelt "Alteration" in the vendor's sample and "Alternation" in its table. It has neither
id nor `created_at`, so the same change is known by its time, author and text.
"""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

from backoffice.remote.walk import Unreadable
from crm_bridge.connectors.udesk import payloads
from crm_bridge.connectors.udesk.mapping import to_moment
from crm_bridge.connectors.udesk.payloads import FeedWire
from crm_bridge.records import PanelEntry

CHANGE_NAMES = ("Alteration", "Alternation")
_HIDDEN = frozenset({"script", "style", "head", "title"})
_BREAKING = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote"})


def to_entries(raws: list[Any]) -> tuple[PanelEntry, ...]:
    """The entries that can be read; one that comes twice is kept once."""
    entries = []
    for raw in raws:
        try:
            entries.append(to_entry(payloads.parse(FeedWire, raw)))
        except Unreadable:
            continue
    return tuple(dict.fromkeys(entries))


def to_entry(wire: FeedWire) -> PanelEntry:
    """One entry, whatever its kind; an unknown kind shows what it can."""
    kind = "Alteration" if wire.feed_type in CHANGE_NAMES else wire.feed_type
    title, text, ours = _KINDS.get(kind, _other)(wire)
    author = (wire.author.nick_name if wire.author else None) or wire.agent_name or ""
    number = payloads.usable_id(wire.id)
    return PanelEntry(
        title=plain_text(title),
        text=plain_text(text),
        at=to_moment(wire.created_at or wire.time),
        author=author,
        kind=ours,
        ref=f"{kind} {number}" if number else "",
    )


def plain_text(html: str) -> str:
    """The words of a text with markup; scripts and styles are no words."""
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).split("\n"))
    return "\n".join(line for line in lines if line)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        if tag in _BREAKING:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _HIDDEN))
        if tag in _BREAKING:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _ticket(wire: FeedWire) -> tuple[str, str, str]:
    status = f" ({wire.status_zh_name})" if wire.status_zh_name else ""
    return f"{wire.subject or ''}{status}", wire.content or "", "ticket"


def _call(wire: FeedWire) -> tuple[str, str, str]:
    seconds = payloads.count(wire.duration)
    length = "" if seconds is None else f"{seconds // 60}:{seconds % 60:02d}"
    return wire.call_type or "", " · ".join(filter(None, (wire.result, length))), "call"


def _chat(wire: FeedWire) -> tuple[str, str, str]:
    counts = [payloads.count(each) for each in (wire.customer_msg_num, wire.agent_msg_num)]
    shown = ["?" if each is None else str(each) for each in counts]
    return wire.platform or "", f"↓ {shown[0]} · ↑ {shown[1]}", "chat"


def _follow_up(wire: FeedWire) -> tuple[str, str, str]:
    return "", wire.content or "", "note"


def _change(wire: FeedWire) -> tuple[str, str, str]:
    return "", wire.summary or "", "change"


def _other(wire: FeedWire) -> tuple[str, str, str]:
    return wire.subject or wire.feed_type, wire.content or wire.summary or "", "other"


_KINDS: dict[str, Callable[[FeedWire], tuple[str, str, str]]] = {
    "Ticket": _ticket,
    "CallLog": _call,
    "ImSubSession": _chat,
    "CustomerFollowUp": _follow_up,
    "Alteration": _change,
}
