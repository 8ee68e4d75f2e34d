"""The seeded data: reproducible, as large as asked, and as ugly as real data is."""

from collections import Counter

import pytest

from backoffice.sandbox.seed import LIVE, SeedData
from backoffice.sandbox.state import digits

TODAY = 1_795_219_200_000


@pytest.fixture(scope="module")
def thousands():
    return SeedData(1, 4000, TODAY)


@pytest.fixture(scope="module")
def records(thousands):
    return [thousands.fields(position) for position in range(thousands.size)]


def test_same_seed_same_data():
    one, two, other = SeedData(3, 300, TODAY), SeedData(3, 300, TODAY), SeedData(4, 300, TODAY)
    every = range(one.size)
    assert [one.fields(p) for p in every] == [two.fields(p) for p in every]
    assert [one.fields(p) for p in every] != [other.fields(p) for p in every]
    assert (one.created, one.updated, one.states) == (two.created, two.updated, two.states)


@pytest.mark.parametrize("contacts", [0, 1, 2, 19, 20, 4000])
def test_live_records_are_as_many_as_asked(contacts):
    assert SeedData(1, contacts, TODAY).states.count(LIVE) == contacts


def test_dates_spread_over_two_years_and_never_lie_in_the_future(thousands):
    assert max(thousands.created) < TODAY
    assert max(thousands.updated) <= TODAY + 17
    assert min(thousands.created) > TODAY - 731 * 86_400_000
    assert all(c <= u for c, u in zip(thousands.created, thousands.updated, strict=True))
    per_quarter = Counter((TODAY - at) // (91 * 86_400_000) for at in thousands.created)
    assert min(per_quarter[q] for q in range(8)) > 400


def test_numbers_of_leads_and_customers_are_separate_and_gapless(thousands):
    leads = [n for n, kind in zip(thousands.numbers, thousands.kinds, strict=True) if kind == 0]
    customers = [n for n, kind in zip(thousands.numbers, thousands.kinds, strict=True) if kind != 0]
    assert leads == list(range(1, len(leads) + 1))
    assert customers == list(range(1, len(customers) + 1))


def test_phones_come_in_five_spellings_and_some_are_hopeless(records):
    phones = [item["value"] for fields in records for item in fields["phones"]]
    spellings = Counter(
        "national" if p.isdigit() and p.startswith("0") else
        "spaced" if p[:1] == "0" and " " in p else
        "plus" if p.startswith("+84 ") else
        "bare" if p.startswith("84") else
        "brackets" if p.startswith("(0") else "odd"
        for p in phones
    )  # fmt: skip
    assert all(spellings[kind] > 50 for kind in ("national", "spaced", "plus", "bare", "brackets", "odd"))
    assert "" in phones
    shared = Counter(digits(p) for p in phones if len(digits(p)) > 9)
    assert sum(count > 1 for count in shared.values()) > 30


def test_blank_values_are_both_empty_and_null(records):
    for key in ("stage", "sourceContact", "bgInfo", "industry", "dateOfBirth"):
        assert {None, ""} <= {fields[key] for fields in records}


def test_hostile_text_is_there(records):
    names = " ".join(fields["name"] for fields in records)
    links = [item["value"] for fields in records for item in fields["im"]]
    for scrap in ("<script>", "=HYPERLINK(", "\u202e", "👩‍👩‍👧‍👦", "\x07", "{{"):
        assert scrap in names
    assert any(link.startswith("javascript:") for link in links)
    assert max(len(fields["name"]) for fields in records) == 4000


def test_every_sort_of_record_is_there(thousands, records):
    assert {0, 1, 2} == set(thousands.kinds)
    assert set(range(4)) == set(thousands.states)
    assert sum(fields["sourceLead"] is not None for fields in records) > 50
    assert all(
        any(fields[key] for fields in records)
        for key in ("historiesAds", "cusFields", "rankName", "scoreRank")
    )


def test_merges_hold_a_chain_and_a_trashed_survivor(thousands):
    survivors = thousands.survivors
    assert len(survivors) == 32
    assert any(survivor in survivors for survivor in survivors.values())
    assert any(survivor in thousands.trashed_at for survivor in survivors.values())
    assert all(thousands.kinds[loser] == thousands.kinds[kept] for loser, kept in survivors.items())
    assert all(loser != kept for loser, kept in survivors.items())


def test_most_losers_share_a_phone_or_mail_with_their_survivor(thousands):
    def marks(position):
        identity = thousands.identity(position)
        return set(identity.phones) | set(identity.emails)

    alike = sum(bool(marks(loser) & marks(kept)) for loser, kept in thousands.survivors.items())
    assert len(thousands.survivors) // 2 < alike < len(thousands.survivors)
