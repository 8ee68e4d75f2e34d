"""Drafts: begun once, changed by one at a time, copied; nothing of it sends anything."""

import io
import uuid
from datetime import time

import pytest
from django.utils import timezone

from bot_campaigns.models import Launch
from bot_campaigns.services import drafts, launching, preflight
from bot_campaigns.services.audience import Frozen, Unusable
from bot_campaigns.services.number_files import Unreadable
from tests.bot_campaigns.services import rows
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(db):
    return rows.bot()


@pytest.fixture
def crm(db):
    return rows.crm()


def csv(text):
    return io.BytesIO(text.encode()), "numbers.csv"


def test_a_second_press_begins_no_second_draft(account, by):
    nonce = uuid.uuid4()
    values = {"connection": account, "by": by, "nonce": nonce, "name": "Tết", "audience": "upload"}
    first = drafts.begin(**values, file=csv("number\n0915000001\n"))
    assert drafts.begin(**values, file=csv("number\n0915000001\n")) == first
    assert Launch.objects.count() == 1
    assert (first.audience_words, len(first.code)) == ("numbers.csv: 1 row", 10)


def test_an_unreadable_file_keeps_nothing(account, by):
    with pytest.raises(Unreadable):
        drafts.begin(connection=account, by=by, name="Tết", audience="upload", file=csv("name\nAn\n"))
    assert Launch.objects.count() == 0


@pytest.mark.parametrize("weekdays", ["1234567", "12345", "6", "135"])
def test_the_usual_hours_are_what_the_rules_allow(account, by, weekdays):
    rules = preflight.rules_of(account)
    rules.weekdays, rules.window_start, rules.window_end, rules.frequency_cap = weekdays, time(9), time(16), 6
    rules.save()
    launch = drafts.begin(
        connection=account, by=by, name="Tết", audience="contacts", template=rows.template(account),
        gateway=rows.gateway(account),
    )  # fmt: skip
    assert launch.frequency == 6
    assert preflight.form_errors(launch) == {}


def test_the_only_gateway_is_chosen_and_of_two_none(account, by):
    only = rows.gateway(account)
    rows.gateway(account, is_enabled=False)
    assert drafts.usual(account)["gateway"] == only
    rows.gateway(account)
    assert drafts.usual(account)["gateway"] is None


def test_who_has_an_old_form_open_overwrites_nothing(account, by):
    launch = rows.launch(account)
    seen = drafts.version(launch)
    drafts.change(launch, by=by, seen=seen, callerid="Ánh Dương")
    with pytest.raises(drafts.Changed):
        drafts.change(Launch.objects.get(pk=launch.pk), by=by, seen=seen, callerid="Khác")
    assert Launch.objects.get(pk=launch.pk).callerid == "Ánh Dương"
    drafts.change(launch, by=by, seen=drafts.version(launch), callerid="Khác")
    assert Launch.objects.get(pk=launch.pk).callerid == "Khác"


def test_what_is_confirmed_or_cancelled_is_frozen(account, by):
    for fields in ({"confirmed_at": timezone.now(), "status": "handing"}, {"status": "cancelled"}):
        launch = rows.launch(account, **fields)
        with pytest.raises(Frozen):
            drafts.change(launch, by=by, callerid="Khác")
        assert Launch.objects.get(pk=launch.pk).callerid == ""


def test_a_change_makes_the_check_stale(account, crm, by):
    launch = rows.of(account, rows.person(crm, "0934890883"))
    preflight.check(launch, by=by)
    assert preflight.stale(launch, timezone.now()) == ""
    drafts.change(launch, by=by, frequency=launch.frequency)
    assert preflight.stale(launch, timezone.now()) == "", "nothing was changed"
    drafts.change(launch, by=by, frequency=launch.frequency + 1)
    assert "form" in preflight.stale(launch, timezone.now())


def test_contacts_are_added_once(account, crm, by):
    people = [rows.person(crm, f"093489088{place}") for place in range(3)]
    launch = rows.of(account, *people[:2])
    assert drafts.add_contacts(launch, [people[1].pk, people[2].pk], by=by) == 1
    assert launch.audience_spec == {"ids": [each.pk for each in people]}
    assert launch.audience_words == "3 chosen contacts"
    with pytest.raises(Unusable):
        drafts.add_contacts(rows.launch(account, "phonebook"), [people[0].pk], by=by)


@pytest.mark.parametrize("query", ["", "sync=", "stage="])
def test_a_list_without_a_filter_is_nobody_not_everybody(crm, query):
    with pytest.raises(Unusable, match="every contact"):
        drafts.of_filter(query, "")


def test_a_clone_repeats_all_but_the_dates(account, by):
    campaign = rows.campaign(account)
    source = rows.launch(
        account, "filter", audience_spec={"query": "stage=Hot"}, audience_words="Stage: Hot", name="Tết",
        callerid="Ánh Dương", frequency=7, campaign=campaign, confirmed_at=timezone.now(), not_called_days=3,
    )  # fmt: skip
    copy = drafts.clone(campaign, by=by)
    same = ("audience", "audience_spec", "audience_words", "template", "gateway", "callerid", "frequency",
            "daily_start", "daily_stop", "not_called_days")  # fmt: skip
    for name in same:
        assert getattr(copy, name) == getattr(source, name), name
    assert copy.code != source.code
    assert (copy.status, copy.name, copy.confirmed_at) == ("draft", "Tết (again)", None)
    assert copy.expires_at > timezone.now()


def test_a_clone_of_a_file_has_its_rows(account, by):
    campaign = rows.campaign(account)
    source = drafts.begin(
        connection=account,
        by=by,
        name="Tết",
        audience="upload",
        file=csv("number,name\n0915000001,An\nx,B\n"),
    )
    Launch.objects.filter(pk=source.pk).update(campaign=campaign, confirmed_at=timezone.now())
    copy = drafts.clone(campaign, by=by)
    counts = preflight.check(copy, by=by)
    assert (counts["picked"], counts["to_dial"], counts["no_number"]) == (2, 1, 1)


def test_a_campaign_of_the_bots_own_is_cloned_by_its_phonebook(account, by):
    campaign = rows.campaign(account, name="Bên trong", callerid="Ánh", frequency=4)
    with pytest.raises(Unusable):
        drafts.clone(campaign, by=by)
    campaign.phonebooks.add(book := rows.phonebook(account, "+84915000001"))
    copy = drafts.clone(campaign, by=by)
    assert (copy.audience, copy.audience_spec) == ("phonebook", {"phonebook": book.pk})
    assert (copy.callerid, copy.frequency) == ("Ánh", 4)


def test_the_unreached_are_called_after_the_hours_between_two_calls_only(sandbox, bot, by):
    """The 24 hours of the rules hold; the seven days of a first campaign would leave out everybody."""
    row = flow.handed_over(flow.launch(sandbox, bot, flow.numbers(3)), by)
    again = drafts.unreached(row.campaign, by=by)
    assert (again.audience, again.not_called_days) == ("unreached", 0)
    launching.cancel(again, by=by)
    assert Launch.objects.get(pk=again.pk).status == "cancelled"


def test_unknown_columns_are_a_mistake(account, by):
    with pytest.raises(ValueError, match="no fields"):
        drafts.change(rows.launch(account), by=by, status="started")
