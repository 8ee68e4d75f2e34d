"""Suppression by number: found in any writing, kept whatever happens to contacts."""

import io
import itertools
import random
from datetime import timedelta

import pytest
from django.utils import timezone
from openpyxl import Workbook

from backoffice.models import AuditEntry
from bot_campaigns.models import DncEntry, DncList, Suppression
from bot_campaigns.services import audience, number_files, preflight, suppression
from crm_bridge.models import Contact
from crm_bridge.services.rows import write_values
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db

AN = "+84934890883"
BINH = "+84934890884"
Source = Suppression.Source


@pytest.fixture
def lan():
    return factories.user("Managers")


def add(*numbers: str, **fields) -> suppression.Added:
    return suppression.add(
        **{"numbers": numbers, "source": Source.STAFF, "reason": "asked", "by": None, **fields}
    )


# --- writings ----------------------------------------------------------------------------


def spellings(national: str) -> list[str]:
    """At least 500 ways to write one Vietnamese mobile number, given without its zero."""
    heads = [
        "0",
        "84",
        "+84",
        "0084",
        "+84 ",
        "84 ",
        "00 84 ",
        "(+84)",
        "(+84) ",
        "+84-",
        "+84.",
        "+84 0",
        "+84 (0)",
        "tel:+84",
    ]
    cuts = [(9,), (2, 3, 4), (3, 3, 3), (2, 7), (3, 6), (2, 4, 3), (1, 4, 4)]
    marks = [" ", ".", "-", "\u00a0", "–", "\u2011", "  "]
    found = []
    for head, cut, mark in itertools.product(heads, cuts, marks):
        parts, rest = [], national
        for length in cut:
            parts.append(rest[:length])
            rest = rest[length:]
        found.append(head + mark.join(parts))
    full_width = {ord(char): ord(char) + 0xFEE0 for char in "0123456789+"}
    wide = [one.translate(full_width) for one in found[:60]]
    wrapped = [f"\u202a{one}\u202c" for one in found[:20]] + [f" {one}\t" for one in found[:20]]
    return list(dict.fromkeys([*found, *wide, *wrapped]))


def test_500_spellings_of_a_suppressed_number_are_all_matched():
    add(AN)
    written = spellings("934890883")
    assert len(written) >= 500
    missed = [one for one in written if suppression.canonical(one) not in suppression.suppressed([AN])]
    assert missed == []


def test_500_spellings_suppress_one_number():
    result = add(*spellings("934890883"))
    assert result == suppression.Added(new=[AN])
    assert Suppression.objects.count() == 1


def test_500_spellings_in_an_uploaded_file_are_never_dialled(lan):
    add(AN)
    launch = rows.launch(rows.bot(), "upload")
    text = io.StringIO()
    for one in ["number", *spellings("934890883")]:
        text.write(f'"{one}"\n')
    audience.take_file(launch, file=io.BytesIO(text.getvalue().encode()), name="a.csv")
    counts = preflight.check(launch, by=lan)
    assert counts["to_dial"] == 0
    assert counts["suppressed"] == 1
    assert counts["duplicate"] == counts["picked"] - 1 >= 499


def test_what_cannot_be_read_is_reported_by_name_and_not_dropped():
    result = add("0934 890 883", "12", "", "call me", "0934890883", AN, "0934890884")
    assert result.new == [AN, BINH]
    assert result.unreadable == ["12", "", "call me"]


# --- adding and lifting ------------------------------------------------------------------


def test_adding_again_changes_nothing_and_says_so(lan):
    add(AN)
    before = Suppression.objects.values().get()
    assert add("0934 890 883") == suppression.Added(already=[AN])
    assert Suppression.objects.values().get() == before


def test_each_source_keeps_a_row_and_the_number_is_free_when_none_stands(lan):
    add(AN)
    add(AN, source=Source.IMPORT, source_key="file 1", reason="list of the ministry")
    assert [row.source for row in suppression.why(AN)] == ["staff", "import"]
    suppression.lift(suppression=suppression.why(AN)[0], by=lan, reason="called back")
    assert AN in suppression.suppressed([AN])
    assert suppression.lift(e164=AN, by=lan, reason="all a mistake") == 1
    assert suppression.suppressed([AN]) == {}
    assert AuditEntry.objects.filter(action="suppression.lift", actor=lan).count() == 2


def test_the_oldest_reason_is_the_one_shown():
    add(AN, source=Source.IMPORT, source_key="new")
    Suppression.objects.update(since=timezone.now() - timedelta(days=3))
    add(AN)
    assert suppression.suppressed([AN])[AN].source == "import"


def test_a_persons_word_stands_again_after_a_lift(lan):
    add(AN)
    suppression.lift(e164=AN, by=lan, reason="mistake")
    assert add(AN, by=lan).new == [AN]
    (row,) = suppression.why(AN)
    assert (row.lifted_at, row.lifted_by, row.added_by) == (None, None, lan)


def test_lifting_needs_a_reason_and_a_number(lan):
    add(AN)
    with pytest.raises(suppression.NotLifted, match="why"):
        suppression.lift(e164=AN, by=lan, reason=" ")
    with pytest.raises(suppression.NotLifted, match="number"):
        suppression.lift(by=lan, reason="mistake")
    assert AN in suppression.suppressed([AN])


def test_one_deed_is_one_audit_entry_without_numbers(lan):
    add(AN, BINH, "12", by=lan, source=Source.IMPORT, source_key="file 1")
    entry = AuditEntry.objects.get(action="suppression.add")
    assert (entry.actor, entry.data["new"], entry.data["unreadable"]) == (lan, 2, 1)
    assert "934890" not in f"{entry.summary} {entry.data}"


# --- where they come from ----------------------------------------------------------------


@pytest.fixture
def dnc():
    connection = rows.bot()
    return DncList.objects.create(connection=connection, remote_id="1", name="Từ chối")


def entry(dnc: DncList, number: str, remote_id: str) -> DncEntry:
    return DncEntry.objects.create(
        connection=dnc.connection,
        dnc_list=dnc,
        remote_id=remote_id,
        number=number,
        e164=suppression.canonical(number),
    )


def test_entries_of_the_bots_lists_are_suppressed_once(dnc):
    entry(dnc, "0934890883", "1")
    entry(dnc, "84934890883", "2")
    entry(dnc, "113", "3")
    result = suppression.from_dnc_entries(dnc.connection)
    assert (result.new, result.already, result.unreadable) == ([AN], [AN], ["113"])
    assert suppression.suppressed([AN])[AN].reason == "on the list “Từ chối”"
    assert suppression.from_dnc_entries(dnc.connection) == suppression.Added(unreadable=["113"])
    assert Suppression.objects.count() == 2


def test_entry_that_is_gone_remotely_lifts_nothing(dnc):
    row = entry(dnc, "0934890883", "1")
    suppression.from_dnc_entries(dnc.connection)
    DncEntry.objects.filter(pk=row.pk).update(gone_at=timezone.now())
    suppression.from_dnc_entries(dnc.connection)
    assert AN in suppression.suppressed([AN])
    row.delete()
    suppression.from_dnc_entries(dnc.connection)
    assert AN in suppression.suppressed([AN])


def test_lifted_entry_stays_lifted_until_a_new_one_comes(dnc, lan):
    entry(dnc, "0934890883", "1")
    suppression.from_dnc_entries(dnc.connection)
    suppression.lift(e164=AN, by=lan, reason="agreed again")
    assert suppression.from_dnc_entries(dnc.connection).new == []
    assert suppression.suppressed([AN]) == {}
    entry(dnc, "0934890883", "2")
    assert suppression.from_dnc_entries(dnc.connection).new == [AN]


def test_entry_whose_number_is_changed_remotely_suppresses_both(dnc):
    row = entry(dnc, "0934890883", "1")
    suppression.from_dnc_entries(dnc.connection)
    DncEntry.objects.filter(pk=row.pk).update(number="0934890884", e164=BINH)
    assert suppression.from_dnc_entries(dnc.connection).new == [BINH]
    assert set(suppression.suppressed([AN, BINH])) == {AN, BINH}


@pytest.mark.parametrize("field", ["disposition", "endpoint_disposition", "hangup_cause"])
@pytest.mark.parametrize("word", ["DNC", "do not call", "Opt-Out"])
def test_outcome_that_asks_for_it_suppresses_once_per_call(field, word):
    connection = rows.bot()
    asked = rows.call(connection, AN, timedelta(hours=1), **{field: word})
    other = rows.call(connection, BINH, timedelta(hours=1), hangup_cause="CALL_REJECTED")
    assert suppression.from_outcomes([asked, other]).new == [AN]
    assert suppression.from_outcomes([asked, other]).new == []
    assert list(suppression.suppressed([AN, BINH])) == [AN]


def test_outcome_read_again_after_a_lift_stays_lifted(lan):
    call = rows.call(rows.bot(), AN, timedelta(hours=1), disposition="DNC")
    suppression.from_outcomes([call])
    suppression.lift(e164=AN, by=lan, reason="pressed the wrong key")
    assert suppression.from_outcomes([call]) == suppression.Added()
    assert suppression.suppressed([AN]) == {}


def test_outcome_of_an_unreadable_number_is_reported():
    call = rows.call(rows.bot(), "", timedelta(), number="anonymous", disposition="DNC")
    assert suppression.from_outcomes([call]).unreadable == ["anonymous"]


def test_file_of_numbers(lan):
    text = "name;Số điện thoại\nAn;0934 890 883\n;\nBình;12\n"
    result = suppression.add_file(
        file=io.BytesIO(text.encode()), name="dnc.csv", reason="ministry", by=lan, source_key="1"
    )
    assert (result.new, result.unreadable) == ([AN], ["12"])


def test_numbers_of_a_spreadsheet_keep_their_value(lan):
    book = Workbook()
    book.active.append(["Phone", "Name"])
    book.active.append([84934890883, "An"])
    book.active.append([934890884.0, "Bình"])
    file = io.BytesIO()
    book.save(file)
    file.seek(0)
    assert suppression.add_file(file=file, name="x.xlsx", reason="", by=lan, source_key="2").new == [AN, BINH]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,email\nAn,a@b.vn\n", "number"),
        ("number,phone\n1,2\n", "twice"),
        ("number\n", "no rows"),
        ("", "number"),
    ],
)
def test_file_without_numbers_is_refused_and_adds_nothing(lan, text, words):
    with pytest.raises(number_files.Unreadable, match=words):
        suppression.add_file(file=io.BytesIO(text.encode()), name="x.csv", reason="", by=lan, source_key="3")
    assert not Suppression.objects.exists()


def test_file_with_too_many_rows_adds_nothing(lan, monkeypatch):
    monkeypatch.setattr(number_files, "MOST_ROWS", 2)
    file = io.BytesIO(b"number\n0934890883\n0934890884\n0934890885\n")
    with pytest.raises(number_files.Unreadable, match="more than 2 rows"):
        suppression.add_file(file=file, name="x.csv", reason="", by=lan, source_key="4")
    assert not Suppression.objects.exists()


# --- whatever happens to contacts --------------------------------------------------------


@pytest.mark.parametrize("fate", ["merged", "deleted", "re-imported", "other CRM", "rewritten"])
def test_suppression_survives(fate, lan):
    crm = rows.crm()
    someone = rows.person(crm, "0934890883")
    add(AN)
    phone = "0934890883"
    if fate == "merged":
        survivor = rows.person(crm, "+84 934 890 883")
        Contact.objects.filter(pk=someone.pk).update(state="merged", survivor=survivor)
        someone = survivor
    elif fate == "deleted":
        someone.delete()
        someone = rows.person(crm, phone)
    elif fate == "re-imported":
        Contact.objects.filter(pk=someone.pk).update(state="trashed")
        someone = rows.person(crm, "84-934-890-883")
    elif fate == "other CRM":
        someone = rows.person(rows.crm(), "(+84) 934890883")
    else:
        write_values(someone, {"phones": [{"value": "0934.890.883", "type": ""}]})
    launch = rows.of(rows.bot(), someone)
    assert preflight.check(launch, by=lan)["suppressed"] == 1
    assert suppression.why(AN)


def test_thousands_are_found_in_few_queries(django_assert_max_num_queries):
    rng = random.Random(1)
    numbers = [f"+8493{rng.randrange(10**7):07d}" for _ in range(12_000)]
    add(*numbers[:6_000])
    with django_assert_max_num_queries(3):
        found = suppression.suppressed(numbers)
    assert found.keys() == set(numbers[:6_000]) & found.keys() == set(numbers[:6_000])
