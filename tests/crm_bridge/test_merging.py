"""Three-way merge per field, alone and against an independent oracle."""

import random

import pytest

from crm_bridge.merging import identical, merge, same


def phone(value: str, type: str = "Work") -> dict[str, str]:
    return {"value": value, "type": type}


AN, AN_WRITTEN_OTHERWISE, BINH, CHI = "0934890883", "+84 934 890 883", "0912345678", "0987654321"


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "value", "conflict"),
    [
        ("a", "b", "a", "b", False),  # only we changed it
        ("a", "a", "b", "b", False),  # only they did
        ("a", "b", "b", "b", False),  # both to the same
        ("a", "b", "c", "c", True),
        ("", "b", None, "b", False),  # missing and empty are the same
        ("a", "", "a", "", False),  # cleared
        ("a", "", "b", "b", True),
    ],
)
def test_single_values(base, ours, theirs, value, conflict):
    merged = merge("stage", base, ours, theirs)
    assert (merged.value or "", merged.conflict) == (value or "", conflict)


def test_two_people_adding_phones_do_not_clash():
    merged = merge("phones", [phone(AN)], [phone(AN), phone(BINH)], [phone(AN), phone(CHI)])
    assert not merged.conflict
    assert {each["value"] for each in merged.value} == {AN, BINH, CHI}


def test_removed_here_added_there():
    merged = merge("phones", [phone(AN), phone(BINH)], [phone(AN)], [phone(AN), phone(BINH), phone(CHI)])
    assert [each["value"] for each in merged.value] == [AN, CHI]


def test_removed_here_edited_there_is_a_conflict():
    merged = merge("phones", [phone(AN)], [], [phone(AN, "Home")])
    assert merged.conflict


def test_removed_there_edited_here_is_a_conflict():
    assert merge("phones", [phone(AN)], [phone(AN, "Home")], []).conflict


def test_a_number_written_otherwise_is_not_an_edit_by_them():
    merged = merge("phones", [phone(AN)], [], [phone(AN_WRITTEN_OTHERWISE)])
    assert merged.value == []
    assert not merged.conflict


def test_a_number_rewritten_by_staff_is_sent():
    merged = merge("phones", [phone(AN)], [phone(AN_WRITTEN_OTHERWISE)], [phone(AN)])
    assert merged.value == [phone(AN_WRITTEN_OTHERWISE)]


def test_the_same_number_twice_stays_twice():
    both = [phone(AN, "Work"), phone(AN, "Home")]
    merged = merge("phones", both, [*both, phone(BINH)], both)
    assert merged.value == [*both, phone(BINH)]


def test_order_of_a_list_is_no_change():
    assert identical("tags", ["a", "b"], ["b", "a"])
    assert same("tags", ["VIP"], ["vip"])
    assert not identical("tags", ["VIP"], ["vip"])


def test_emails_fold_case_and_addresses_compare_by_content():
    assert same("emails", [{"value": "A@x.vn", "type": "Work"}], [{"value": "a@X.VN", "type": "work"}])
    one = {"street": "12", "city": "Hà Nội", "type": "Work"}
    assert same("addresses", [one], [{**one, "city": "ha noi", "ward": ""}])
    assert not same("addresses", [one], [{**one, "street": "13"}])


def test_custom_fields_merge_per_name():
    merged = merge("custom_fields", {"a": 1, "b": 2}, {"a": 9, "b": 2}, {"a": 1, "b": 8, "c": 3})
    assert merged.value == {"a": 9, "b": 8, "c": 3}
    assert merge("custom_fields", {"a": 1}, {"a": 2}, {"a": 3}).conflict
    assert merge("custom_fields", {"a": 1}, {}, {"a": 3}).conflict
    assert merge("custom_fields", {"a": 1, "b": 1}, {"b": 1}, {"a": 1, "b": 1}).value == {"b": 1}


# --- the oracle: says per item what must come out, written without looking at the code -----


def oracle(base: dict, ours: dict, theirs: dict) -> dict | None:
    """The merged items, None for a conflict."""
    result = {}
    for key in base.keys() | ours.keys() | theirs.keys():
        was, mine, other = (side.get(key) for side in (base, ours, theirs))
        i_changed, they_changed = was != mine, was != other
        if i_changed and they_changed and mine != other:
            return None
        value = mine if i_changed else other
        if value is not None:
            result[key] = value
    return result


NUMBERS = [f"09{number:08d}" for number in range(12_345_670, 12_345_676)]


def some(rng: random.Random, keys: list[str], values: list[str], start: dict | None = None) -> dict:
    """A few items, or a few steps away from a start."""
    if start is None:
        return {key: rng.choice(values) for key in rng.sample(keys, rng.randint(0, len(keys)))}
    changed = dict(start)
    for _step in range(rng.randint(0, 2)):
        key = rng.choice(keys)
        if key in changed and rng.random() < 0.5:
            del changed[key]
        else:
            changed[key] = rng.choice(values)
    return changed


def as_field(field: str, items: dict, rng: random.Random):
    if field == "custom_fields":
        return items
    rows = [{"value": key, "type": value} for key, value in items.items()]
    rng.shuffle(rows)
    return rows


def from_field(field: str, value) -> dict:
    return value if field == "custom_fields" else {row["value"]: row["type"] for row in value}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("field", ["phones", "custom_fields"])
def test_agrees_with_the_oracle(field: str, seed: int):
    rng = random.Random(seed)
    for _round in range(1000):
        base = some(rng, NUMBERS, ["Work", "Home", "Other"])
        ours, theirs = (some(rng, NUMBERS, ["Work", "Home", "Other"], base) for _side in range(2))
        merged = merge(field, *(as_field(field, side, rng) for side in (base, ours, theirs)))
        expected = oracle(base, ours, theirs)
        if expected is None:
            assert merged.conflict, (base, ours, theirs)
            assert from_field(field, merged.value) == theirs
        else:
            assert not merged.conflict, (base, ours, theirs)
            assert from_field(field, merged.value) == expected, (base, ours, theirs)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_typed_vanishes_and_a_second_merge_changes_nothing(seed: int):
    rng = random.Random(1000 + seed)
    for _round in range(500):
        base = rng.sample(["a", "b", "c", "d"], rng.randint(0, 4))
        ours, theirs = (rng.sample(["a", "b", "c", "d", "e", "F", "f"], rng.randint(0, 5)) for _side in "12")
        merged = merge("tags", base, ours, theirs)
        kept = {tag.casefold() for tag in merged.value}
        added = {tag.casefold() for tag in ours} - {tag.casefold() for tag in base}
        assert merged.conflict or added <= kept
        if not merged.conflict:
            again = merge("tags", merged.value, merged.value, merged.value)
            assert again.value == merged.value
