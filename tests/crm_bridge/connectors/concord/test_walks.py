"""The walk for changes on lists made up here: when it ends, and when it must not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from backoffice.remote.errors import Rejected
from crm_bridge.connectors.concord import mapping, payloads
from crm_bridge.connectors.concord.mapping import NO_NAMES
from crm_bridge.connectors.concord.walks import NewestWalk
from tests.crm_bridge.connectors.contract import pages

TODAY = date(2026, 11, 25)
SINCE = TODAY - timedelta(days=2)


def contact(number: int, days: float) -> dict[str, Any]:
    """A contact that was updated so many days ago."""
    at = datetime.combine(TODAY, datetime.min.time(), UTC) - timedelta(days=days)
    return {"id": number, "first_name": "An", "updated_at": at.isoformat()}


def walk(*lists: list[dict[str, Any]], oldest: float = 900, refuses: bool = False) -> NewestWalk:
    """A walk over these pages, then empty ones."""

    def load(page: int) -> bytes:
        return json.dumps({"data": lists[page - 1] if page <= len(lists) else []}).encode()

    def newest(page: int) -> bytes:
        if refuses:
            raise Rejected("it does not sort by that")
        return load(page)

    return NewestWalk(
        load=newest,
        oldest=lambda: json.dumps([contact(1, oldest)]).encode(),
        plain=load,
        cut=lambda body: payloads.split_page(json.loads(body)),
        map=mapping.to_record,
        names=NO_NAMES,
        since=SINCE,
    )


def handed_on(made: NewestWalk) -> list[int]:
    return [int(item.remote_id) for page in pages(made) for item in page]


def test_first_contact_older_than_the_day_ends_it() -> None:
    made = walk([contact(9, 0), contact(8, 1)], [contact(7, 1), contact(6, 5)], [contact(5, 1)])
    assert handed_on(made) == [9, 8, 7]


def test_day_begins_with_the_earliest_zone() -> None:
    """Midnight of the day is 14 hours earlier in UTC somewhere: what changed then still counts."""
    made = walk([contact(9, 2), contact(8, 2 + 13.9 / 24), contact(7, 2 + 14.1 / 24)])
    assert handed_on(made) == [9, 8]


@pytest.mark.parametrize(
    "lists",
    [
        ([contact(9, 0), contact(8, 9), contact(7, 1)],),
        ([contact(9, 0), contact(8, 1)], [contact(7, 0.5), contact(6, 9)], [contact(5, 1)]),
        ([contact(9, 0), {"id": 8, "first_name": "An"}, contact(7, 9)], [contact(5, 1)]),
        ([contact(9, 0), {**contact(8, 1), "updated_at": "soon"}, contact(7, 9)], [contact(5, 1)]),
        ([contact(9, 0), {**contact(8, 1), "updated_at": 17}, contact(7, 9)], [contact(5, 1)]),
    ],
    ids=["within a page", "between two pages", "a date is missing", "a date is none", "a date is a number"],
)
def test_order_once_broken_hands_on_everything(lists: tuple[list[dict[str, Any]], ...]) -> None:
    everything = [each["id"] for page in lists for each in page]
    assert handed_on(walk(*lists)) == everything


def test_sorted_looking_pages_do_not_end_it_when_the_opposite_order_begins_alike() -> None:
    lists = [contact(9, 0), contact(8, 9)], [contact(7, 1)]
    assert handed_on(walk(*lists, oldest=0)) == [9, 8, 7]
    assert handed_on(walk(*lists, oldest=1)) == [9]


def test_account_that_refuses_the_order_is_read_in_another_one() -> None:
    assert handed_on(walk([contact(9, 0), contact(8, 9)], [contact(7, 1)], refuses=True)) == [9, 8, 7]


def test_walk_resumed_in_the_middle_tests_the_order_all_the_same() -> None:
    lists = [contact(9, 0), contact(8, 1)], [contact(7, 1), contact(6, 9)]
    for oldest, ended in ((900, True), (0, False)):
        made = walk(*lists, oldest=oldest)
        assert made.split(made.fetch(2)).ended is ended


def test_contact_pushed_to_the_next_page_meanwhile_breaks_no_order() -> None:
    """Somebody is updated while pages are read: the last one of a page comes again on the next."""
    made = walk([contact(9, 0), contact(8, 1)], [contact(8, 1), contact(7, 9)], [contact(6, 0)])
    assert handed_on(made) == [9, 8, 8]


def test_empty_account_has_an_end() -> None:
    assert handed_on(walk([])) == []
