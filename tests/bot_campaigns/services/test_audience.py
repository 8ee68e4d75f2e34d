"""Audiences: each kind picks exactly whom it names, and keeps that."""

import io
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.http import QueryDict
from django.utils import timezone

from bot_campaigns.models import Launch, LaunchNumber, Subscriber
from bot_campaigns.services import audience, number_files, preflight
from crm_bridge.views.contacts import Selection
from tests import factories
from tests.bot_campaigns.services import rows

pytestmark = pytest.mark.django_db

AN, BINH, CHAU, DUNG = (f"+8493489088{digit}" for digit in "3456")


@pytest.fixture
def bot():
    return rows.bot()


@pytest.fixture
def crm():
    return rows.crm()


@pytest.fixture
def lan():
    return factories.user("Managers")


def upload(launch: Launch, text: str) -> audience.Upload:
    return audience.take_file(launch, file=io.BytesIO(text.encode()), name="numbers.csv")


# --- chosen contacts ---------------------------------------------------------------------


def test_chosen_contacts_keep_name_and_first_email(bot, crm, lan):
    emails = [{"value": "an@example.vn", "type": ""}, {"value": "other@example.vn", "type": ""}]
    someone = rows.person(crm, "0934 890 883", name="Nguyễn Văn An", emails=emails)
    launch = rows.of(bot, someone)
    preflight.check(launch, by=lan)
    row = launch.numbers.get()
    assert (row.number, row.e164, row.name, row.email, row.contact) == (
        "0934 890 883", AN, "Nguyễn Văn An", "an@example.vn", someone,
    )  # fmt: skip


def test_contact_that_was_erased_is_still_counted(bot, crm, lan):
    launch = rows.launch(bot, audience_spec={"ids": [rows.person(crm, "0934890883").pk, 987654]})
    counts = preflight.check(launch, by=lan)
    assert (counts["picked"], counts["missing"]) == (2, 1)
    assert "987654" in launch.numbers.get(verdict="missing").reason


@pytest.mark.parametrize("spec", [{}, {"ids": []}, {"ids": ["x"]}])
def test_nobody_chosen_is_said(bot, lan, spec):
    with pytest.raises(audience.Unusable, match="No contact"):
        preflight.check(rows.launch(bot, audience_spec=spec), by=lan)


def test_more_than_a_chunk_is_picked_whole_and_in_order(bot, crm, lan, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 7)
    people = [rows.person(crm, f"09348908{number:02d}") for number in range(23)]
    launch = rows.of(bot, *reversed(people))
    assert preflight.check(launch, by=lan)["to_dial"] == 23
    picked = launch.numbers.order_by("pk").values_list("contact_id", flat=True)
    assert list(picked) == [person.pk for person in reversed(people)]


# --- a filter of the contact list --------------------------------------------------------


@pytest.fixture
def people(crm):
    cache.clear()  # the list's choices are kept for a while
    other = rows.crm()
    rows.person(crm, "0934890883", name="Nguyễn Văn An", tags=["vip"], stage="New")
    rows.person(crm, "0934890884", name="Trần An Bình", tags=["vip", "2026"], stage="Won", kind="contact")
    rows.person(other, "0934890885", name="Lê Châu Ovan", stage="New", source="Zalo")
    rows.person(other, "0934890886", name="Phạm Dũng", state="trashed", responsible="lan@example.vn")
    rows.person(crm, "0911222333", name="Hoàng Yến", tags=["2026"], responsible="lan@example.vn")
    return {"crm": crm.pk, "other": other.pk}


@pytest.mark.parametrize(
    "query",
    [
        "", "q=an", "q=0934", "q=890883", "q=%2B84+934+890+884", "q=nguyen+van&by=words", "q=van",
        "q=van&by=anywhere",
        "tag=vip", "tag=vip&tag=2026", "tag=no", "stage=New", "kind=contact", "state=trashed", "source=Zalo",
        "responsible=lan@example.vn", "since=2020-01-01", "since=2099-01-01", "connection={other}",
        "connection={crm}&q=an&stage=New", "stage=New&page=2&after=1.2&sort=updated&size=25", "q=nobody",
    ],
)  # fmt: skip
def test_filter_picks_exactly_the_rows_of_the_contact_list(bot, people, lan, query):
    query = query.format(**people)
    launch = rows.launch(bot, "filter", audience_spec={"query": query})
    counts = preflight.check(launch, by=lan)
    picked = set(launch.numbers.values_list("contact_id", flat=True))
    listed = Selection(QueryDict(query)).browser
    without_position = Selection(QueryDict(query)).without("page", "after", "before", "last")
    shown = {place.id for place in Selection(without_position).browser.first(100).places}
    assert picked == shown
    assert counts["picked"] == listed.exact_count() == len(shown)


@pytest.mark.parametrize("query", ["kind=robot", "since=yesterday", "connection=999", "state=gone"])
def test_filter_that_the_list_would_leave_out_is_refused(bot, people, lan, query):
    with pytest.raises(audience.Unusable, match="cannot be used"):
        preflight.check(rows.launch(bot, "filter", audience_spec={"query": query}), by=lan)


def test_search_with_more_hits_than_a_search_may_have_is_refused(bot, people, lan, monkeypatch):
    monkeypatch.setattr(audience, "MOST_MATCHES", 2)
    with pytest.raises(audience.Unusable, match="narrow"):
        preflight.check(rows.launch(bot, "filter", audience_spec={"query": "q=an"}), by=lan)


# --- a phonebook -------------------------------------------------------------------------


def test_phonebook_picks_its_active_rows_and_ties_them_to_contacts(bot, crm, lan):
    trashed = rows.person(crm, "0934890884", state="trashed")
    live = rows.person(crm, "0934890883")
    book = rows.phonebook(bot, AN, BINH)
    rows.bot_contact(book, CHAU, is_enabled=False)
    rows.bot_contact(book, DUNG, gone_at=timezone.now())
    rows.bot_contact(book, "", number="anonymous")
    launch = rows.launch(bot, "phonebook", audience_spec={"phonebook": book.pk})
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(AN, "dial"), (BINH, "trashed"), ("", "no_number")]
    assert list(launch.numbers.order_by("pk").values_list("contact", flat=True)) == [
        live.pk,
        trashed.pk,
        None,
    ]


def test_phonebook_of_another_account_is_refused(bot, lan):
    other = rows.phonebook(rows.bot(), AN)
    with pytest.raises(audience.Unusable, match="phonebook"):
        preflight.check(rows.launch(bot, "phonebook", audience_spec={"phonebook": other.pk}), by=lan)


# --- an uploaded file --------------------------------------------------------------------


def test_upload_names_its_errors_by_row(bot, lan):
    launch = rows.launch(bot, "upload")
    found = upload(launch, "Number,Name,E-mail\n0934890883,An,an@b.vn\n12,Bình,\n,Châu,c@b.vn\n\n")
    assert found.rows == 3
    assert [(line, number) for line, number, _words in found.errors] == [(3, "12"), (4, "")]
    counts = preflight.check(launch, by=lan)
    assert (counts["picked"], counts["to_dial"], counts["no_number"]) == (3, 1, 2)
    row = launch.numbers.get(verdict="dial")
    assert (row.e164, row.name, row.email) == (AN, "An", "an@b.vn")


def test_upload_is_not_to_be_dialled_before_it_is_checked(bot):
    launch = rows.launch(bot, "upload")
    upload(launch, "number\n0934890883\n")
    assert not launch.numbers.filter(verdict="dial").exists()
    launch.refresh_from_db()
    assert preflight.stale(launch, timezone.now())


def test_upload_prefers_a_live_contact_and_refuses_a_trashed_one(bot, crm, lan):
    for state in ("trashed", "merged"):
        rows.person(crm, "0934890883", state=state)
    live = rows.person(rows.crm(), "0934890883")
    rows.person(crm, "0934890884", state="trashed")
    launch = rows.launch(bot, "upload")
    upload(launch, "number\n0934890883\n0934890884\n0934890885\n")
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(AN, "dial"), (BINH, "trashed"), (CHAU, "dial")]
    assert launch.numbers.get(e164=AN).contact == live


def test_upload_is_judged_again_in_the_same_order_without_the_file(bot, lan, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 2)
    launch = rows.launch(bot, "upload")
    upload(launch, "number\n0934890883\n0934890884\n84934890883\n0934890885\n0934890884\n")
    first = preflight.check(launch, by=lan)
    assert first["to_dial"] == 3
    rows.call(bot, AN, timedelta(hours=1))
    again = preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [
        (AN, "called"), (BINH, "dial"), (AN, "duplicate"), (CHAU, "dial"), (BINH, "duplicate"),
    ]  # fmt: skip
    assert again["picked"] == 5


def test_upload_is_judged_again_after_a_check_that_saw_a_number_come_free_half_way(bot, lan, monkeypatch):
    monkeypatch.setattr(audience, "CHUNK", 1)
    launch = rows.launch(bot, "upload")
    upload(launch, "number\n0934890883\n84934890883\n")
    launch.numbers.filter(pk=launch.numbers.order_by("pk").last().pk).update(verdict="dial")
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(AN, "dial"), (AN, "duplicate")]


def test_new_file_replaces_the_old_one_and_a_bad_one_does_not(bot):
    launch = rows.launch(bot, "upload")
    upload(launch, "number\n0934890883\n")
    with pytest.raises(number_files.Unreadable):
        upload(launch, "name\nAn\n")
    assert [number for number, _verdict in rows.verdicts(launch)] == [AN]
    upload(launch, "number\n0934890884\n")
    assert [number for number, _verdict in rows.verdicts(launch)] == [BINH]


def test_check_without_a_file_asks_for_one(bot, lan):
    with pytest.raises(audience.Unusable, match="Upload"):
        preflight.check(rows.launch(bot, "upload"), by=lan)


def test_file_of_a_confirmed_launch_is_refused(bot):
    launch = rows.launch(bot, "upload", confirmed_at=timezone.now())
    with pytest.raises(audience.Frozen):
        upload(launch, "number\n0934890883\n")


# --- the unreached of a campaign ---------------------------------------------------------


def test_unreached_are_those_whom_neither_report_nor_calls_show_as_reached(bot, crm, lan):
    campaign = rows.campaign(bot, 4)
    statuses = {4: "0", 1: "1", 5: "2", 8: "3", 7: "4", None: "5", 99: "6"}
    book = rows.phonebook(bot)
    for number, (status, digit) in enumerate(statuses.items()):
        e164 = f"+8493489088{digit}"
        kept = rows.bot_contact(book, e164, first_name="An", last_name="Nguyễn")
        Subscriber.objects.create(
            connection=bot, campaign=campaign, remote_id=f"u{number}", number=e164, e164=e164, status=status,
            bot_contact=kept,
        )  # fmt: skip
    rows.call(bot, "+84934890881", timedelta(days=30), campaign=campaign, disposition="ANSWER")
    launch = rows.launch(bot, "unreached", audience_spec={"campaign": campaign.pk})
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(f"+8493489088{digit}", "dial") for digit in "056"]
    assert launch.numbers.first().name == "Nguyễn An"


def test_handed_over_numbers_that_the_report_never_listed_are_unreached_too(bot, crm, lan):
    first = rows.of(bot, *(rows.person(crm, f"093489088{digit}") for digit in "3456"))
    preflight.check(first, by=lan)
    campaign = rows.campaign(bot, 4)
    Launch.objects.filter(pk=first.pk).update(status="started", campaign=campaign)
    LaunchNumber.objects.filter(launch=first).update(handed_at=timezone.now())
    LaunchNumber.objects.filter(launch=first, e164=CHAU).update(withdrawal="done")
    LaunchNumber.objects.filter(launch=first, e164=DUNG).update(handed_at=None)
    Subscriber.objects.create(
        connection=bot, campaign=campaign, remote_id="u", number=BINH, e164=BINH, status=5
    )
    launch = rows.launch(bot, "unreached", audience_spec={"campaign": campaign.pk})
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(AN, "dial")]


def test_unreached_called_yesterday_wait_for_the_rules(bot, crm, lan):
    campaign = rows.campaign(bot, 4)
    for digit, ago in (("3", 20), ("4", 30)):
        e164 = f"+8493489088{digit}"
        Subscriber.objects.create(
            connection=bot, campaign=campaign, remote_id=digit, number=e164, e164=e164, status=4
        )
        rows.call(bot, e164, timedelta(hours=ago), campaign=campaign)
    launch = rows.launch(bot, "unreached", audience_spec={"campaign": campaign.pk}, not_called_days=0)
    preflight.check(launch, by=lan)
    assert rows.verdicts(launch) == [(AN, "called"), (BINH, "dial")]
