"""Reading AntBOT's JSON: every shape it may have, and what must never be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from backoffice.remote.walk import Unreadable
from bot_campaigns.antbot import payloads

SAMPLES = Path(__file__).parents[2] / "payloads" / "antbot"


def sample(name: str) -> Any:
    return orjson.loads((SAMPLES / f"{name}.json").read_bytes())


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (12, "12"), ("12", "12"), (" 012 ", "12"), (12.0, "12"), ({"id": 12}, "12"),
        ("https://a.example.com/x/12/", "12"), ({"url": "https://a.example.com/x/12"}, "12"),
        (0, ""), (-1, ""), (12.5, ""), (True, ""), (None, ""), ("", ""), ("12a", ""), ("１２", ""),
        ([12], ""), (10**20, ""), ("9" * 21, ""), ({"name": 12}, ""),
    ],
)  # fmt: skip
def test_ids_in_every_form(value: Any, found: str) -> None:
    assert payloads.usable_id(value) == found


@pytest.mark.parametrize(
    ("data", "ids", "total"),
    [
        ({"count": 2, "results": [{"id": 1}, {"id": 2}]}, ["1", "2"], 2),
        ({"count": "2", "results": [{"id": 1}]}, ["1"], 2),
        ({"results": [{"id": 1}]}, ["1"], None),
        ({"count": None, "results": []}, [], None),
        ({"count": -1, "results": []}, [], None),
        ([{"id": 1}], ["1"], None),
        ([], [], None),
        ({"error": None, "results": [{"id": 1}]}, ["1"], None),
    ],
)
def test_list_shapes(data: Any, ids: list[str], total: int | None) -> None:
    page = payloads.split_page(data, "campaigns")
    assert [item.remote_id for item in page.items] == ids
    assert page.total == total
    assert page.next is None


@pytest.mark.parametrize(
    "data",
    [None, "x", 5, {}, {"results": None}, {"results": {}}, {"detail": "x"}, {"id": 1}, {"note": "none"}],
)
def test_other_shapes_are_no_lists(data: Any) -> None:
    with pytest.raises(ValueError, match="neither"):
        payloads.split_page(data, "campaigns")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"error": "not yours"}, "not yours"),
        ({"error": {"field": ["wrong"], "password": "x"}}, '{"field":["wrong"]}'),
        ({"errors": ["a"]}, '["a"]'),
        ({"success": False, "message": "no"}, "no"),
        ({"success": 0}, "success is false"),
        ({"id": 5, "error": "stopped"}, "stopped"),
    ],
)
def test_a_success_that_says_no_is_a_refusal(data: Any, words: str) -> None:
    with pytest.raises(payloads.Refused) as caught:
        payloads.require_success(data)
    assert str(caught.value) == words


@pytest.mark.parametrize("data", [None, [], {}, {"id": 1}, {"error": ""}, {"error": None}, {"success": True}])
def test_an_ordinary_answer_is_none(data: Any) -> None:
    payloads.require_success(data)


def test_elements_without_an_id_are_set_aside_one_by_one() -> None:
    page = payloads.split_page(sample("contacts"), "contacts")
    assert [item.remote_id for item in page.items] == ["50001", "50002", "50003", "50004", "", ""]
    assert [bool(item.problem) for item in page.items] == [False] * 4 + [True] * 2


def test_calendar_users_lose_every_secret_at_any_depth() -> None:
    shapes = sample("calendar_users")
    for name, count in (("none", 0), ("one", 1), ("several", 2)):
        page = payloads.split_page(shapes[name], "calendar_users", lone=True)
        assert len(page.items) == count
        kept = orjson.dumps([item.raw for item in page.items]).decode()
        assert "invented" not in kept
        assert "pass" not in kept
    wire = payloads.parse(payloads.CalendarUserWire, shapes["several"][0])
    assert (wire.username, wire.calendar_setting) == ("lich-1", "4")
    assert "invented" not in repr(wire)


def test_an_unreadable_field_is_named_without_its_value() -> None:
    with pytest.raises(Unreadable) as caught:
        payloads.parse(payloads.ContactWire, sample("contacts")[3])
    assert str(caught.value) == "contact: not a text"
    with pytest.raises(Unreadable, match="frequency: not a whole number"):
        payloads.parse(payloads.CampaignWire, {"frequency": "mười"})
    with pytest.raises(Unreadable, match="phonebook: not an id"):
        payloads.parse(payloads.CampaignWire, {"phonebook": [1, "x"]})


@pytest.mark.parametrize("model", [m for m in vars(payloads).values() if isinstance(m, type)
                                   and m.__name__.endswith("Wire")])  # fmt: skip
@pytest.mark.parametrize("fill", [None, ""])
def test_every_field_of_every_record_may_be_missing_null_or_empty(model: Any, fill: Any) -> None:
    payloads.parse(model, {})
    payloads.parse(model, dict.fromkeys(model.model_fields, fill))


@pytest.mark.parametrize(
    "status", [0, 6, -3, "9", 2**40, "paused", None, "", True, 1.5, [], {}, float(10**300)]
)
def test_no_status_is_ever_an_exception(status: Any) -> None:
    payloads.parse(payloads.CampaignWire, {"status": status})
