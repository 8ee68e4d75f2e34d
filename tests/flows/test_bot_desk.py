"""Phonebooks, call flows and do-not-call entries on their way to the bot, over real HTTP."""

from datetime import timedelta

import pytest
from django.utils import timezone

from bot_campaigns.models import (
    BotChange,
    BotContact,
    Campaign,
    DncEntry,
    DncList,
    Phonebook,
    Section,
    Suppression,
    SurveyTemplate,
)
from bot_campaigns.services import call_flows, change_sending, changes, dnc, phonebooks, pull, suppression
from bot_campaigns.services.changes import Refused
from tests import factories
from tests.flows import bot as flow

pytestmark = pytest.mark.django_db(transaction=True)
AN, BINH = "0915 000 001", "0915000002"
LOST = [("cut_after", {}), ("status_after", {"code": 502}), ("truncate", {"bytes": 4})]


@pytest.fixture
def lan(db):
    return factories.user("Managers")


@pytest.fixture
def bot(sandbox, db):
    return flow.connected(sandbox)


def work(change, times=1):
    """Attempts at a change, each as if it were due."""
    for _turn in range(times):
        BotChange.objects.filter(pk=change.pk, lease_until=None).update(
            not_before=timezone.now() - timedelta(seconds=1)
        )
        change_sending.send_one(change.pk)
    change.refresh_from_db()
    return change.status


def row_of(change):
    return changes.row_of(change)


def book(bot, lan, name="Khách quen"):
    change = phonebooks.create(connection=bot, name=name, description="", by=lan)
    assert work(change) == "done"
    return row_of(change)


# --- phonebooks --------------------------------------------------------------------------


def test_a_new_phonebook_stands_here_at_once_and_gets_its_id_when_it_is_there(sandbox, bot, lan):
    change = phonebooks.create(connection=bot, name="Khách quen", description="Hà Nội", by=lan)
    row = Phonebook.objects.get()
    assert row.remote_id is None
    assert sandbox.bot.rows("phonebook", name=row.name) == []
    assert work(change) == "done"
    row.refresh_from_db()
    there = next(each for each in sandbox.bot.rows("phonebook") if str(each["id"]) == row.remote_id)
    assert there["name"] == row.name == f"Khách quen · {change.new['code']}"
    assert there["description"] == "Hà Nội"


@pytest.mark.parametrize(("kind", "options"), LOST)
def test_a_phonebook_whose_answer_is_lost_is_found_and_not_made_twice(sandbox, bot, lan, kind, options):
    change = phonebooks.create(connection=bot, name="Khách quen", description="", by=lan)
    sandbox.bot.fault(kind, method="POST", path="*/phonebook/*", times=1, **options)
    assert work(change) == "unknown"
    assert work(change) == "done"
    there = [each for each in sandbox.bot.rows("phonebook") if each["name"] == change.new["name"]]
    assert [str(each["id"]) for each in there] == [Phonebook.objects.get(name=there[0]["name"]).remote_id]


def test_a_write_that_did_not_arrive_is_sent_once_more(sandbox, bot, lan):
    change = phonebooks.create(connection=bot, name="Khách quen", description="", by=lan)
    sandbox.bot.fault("cut_before", method="POST", path="*/phonebook/*", times=1)
    assert work(change, 2) == "done"
    assert len([each for each in sandbox.bot.rows("phonebook") if each["name"] == change.new["name"]]) == 1


def test_a_pull_that_sees_the_lost_create_first_leaves_one_row(sandbox, bot, lan):
    change = phonebooks.create(connection=bot, name="Khách quen", description="", by=lan)
    placeholder = change.row_id
    number = phonebooks.add_number(row_of(change), number=AN, by=lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/phonebook/*", times=1)
    assert work(change) == "unknown"
    pull.pull(bot, "phonebooks")
    twin = Phonebook.objects.get(name=change.new["name"], remote_id__isnull=False)
    assert work(change) == "done"
    assert Phonebook.objects.get(name=change.new["name"]) == twin
    assert change_sending.successor("phonebooks", placeholder) == twin.pk
    assert work(number) == "done"
    assert row_of(number).phonebook == twin
    assert [each["contact"] for each in sandbox.bot.rows("contact", phonebook=int(twin.remote_id))] == [
        "0915000001"
    ]


def test_the_same_form_twice_is_one_phonebook(bot, lan):
    nonce = "6d7b2a52-7a7c-4b1c-8a54-0c3a3b7b6f01"
    one, two = (
        phonebooks.create(connection=bot, name="Khách", description="", by=lan, nonce=nonce) for _ in range(2)
    )
    assert one == two
    assert Phonebook.objects.count() == 1


def test_numbers_wait_for_their_phonebook_and_go_with_it_when_it_is_dropped(sandbox, bot, lan):
    change = phonebooks.create(connection=bot, name="Khách", description="", by=lan)
    number = phonebooks.add_number(row_of(change), number=AN, by=lan)
    assert work(number) == "waiting"
    changes.drop(change, by=lan)
    number.refresh_from_db()
    assert number.status == "cancelled"
    assert BotContact.objects.get().gone_at is not None
    assert sandbox.bot.writes() == []


def test_renaming_goes_out_and_a_rename_made_in_antbot_meanwhile_is_not_overwritten(sandbox, bot, lan):
    pull.pull(bot, "phonebooks")
    row = Phonebook.objects.order_by("pk").first()
    change = phonebooks.rename(row, name="Khách vàng", description=row.description, by=lan)
    row.refresh_from_db()
    assert changes.with_edits([row])[0].name == "Khách vàng"
    assert work(change) == "done"
    number = int(row.remote_id)
    assert next(e["name"] for e in sandbox.bot.rows("phonebook") if e["id"] == number) == "Khách vàng"
    row = Phonebook.objects.get(pk=row.pk)
    assert row.name == "Khách vàng"

    again = phonebooks.rename(row, name="Khách bạc", description=row.description, by=lan)
    with_bot(bot, lambda there: there.update_phonebook(row.remote_id, name="Của AntBOT", description=""))
    assert work(again) == "held"
    assert "Của AntBOT" in again.words
    changes.retry(again, by=lan)
    assert work(again) == "done"
    assert next(e["name"] for e in sandbox.bot.rows("phonebook") if e["id"] == number) == "Khách bạc"


def with_bot(connection, deed):
    from bot_campaigns.services import connecting

    there = connecting.connect_to(connection)
    try:
        return deed(there)
    finally:
        there.close()


def test_a_phonebook_of_a_launch_is_closed_and_says_why(sandbox, bot):
    boss = flow.manager()
    launch = flow.handed_over(flow.launch(sandbox, bot, flow.numbers(3, 900)), boss)
    for deed in (
        lambda: phonebooks.rename(launch.phonebook, name="x", description="", by=boss),
        lambda: phonebooks.add_number(launch.phonebook, number=AN, by=boss),
    ):
        with pytest.raises(Refused, match=launch.name):
            deed()
    assert not BotChange.objects.exists()


# --- numbers -----------------------------------------------------------------------------


def test_a_number_is_added_changed_and_switched_off(sandbox, bot, lan):
    row = book(bot, lan)
    change = phonebooks.add_number(row, number=AN, by=lan, first_name="An", last_name="Nguyễn")
    assert work(change) == "done"
    contact = row_of(change)
    edit = phonebooks.edit_number(contact, number=BINH, by=lan, first_name="Bình", is_enabled=False)
    assert work(edit) == "done"
    there = sandbox.bot.rows("contact", phonebook=int(row.remote_id))
    assert [(e["contact"], e["first_name"], e["last_name"], e["status"]) for e in there] == [
        (BINH, "Bình", "Nguyễn", 0)
    ]
    contact.refresh_from_db()
    assert (contact.e164, contact.is_enabled) == ("+84915000002", False)


@pytest.mark.parametrize(("kind", "options"), LOST)
def test_a_number_whose_answer_is_lost_is_found_by_phonebook_and_number(sandbox, bot, lan, kind, options):
    row = book(bot, lan)
    change = phonebooks.add_number(row, number=AN, by=lan)
    sandbox.bot.fault(kind, method="POST", path="*/contact/*", times=1, **options)
    assert work(change) == "unknown"
    assert work(change) == "done"
    assert len(sandbox.bot.rows("contact", phonebook=int(row.remote_id))) == 1


def test_a_number_that_somebody_added_there_is_taken_over_with_our_values(sandbox, bot, lan):
    row = book(bot, lan)
    sandbox.bot.import_numbers(int(row.remote_id), "+84915000001")
    change = phonebooks.add_number(row, number=AN, by=lan, first_name="An")
    assert work(change) == "done"
    edit = changes.of_row(row_of(change)).get(operation="edit")
    assert work(edit) == "done"
    there = sandbox.bot.rows("contact", phonebook=int(row.remote_id))
    assert [(each["first_name"], each["status"]) for each in there] == [("An", 1)]


def test_edits_join_while_they_wait_and_stand_behind_one_that_is_on_its_way(sandbox, bot, lan):
    row = book(bot, lan)
    change = phonebooks.add_number(row, number=AN, by=lan, first_name="An")
    assert work(change) == "done"
    contact = row_of(change)
    one = phonebooks.edit_number(contact, number=AN, by=lan, first_name="Ân")
    two = phonebooks.edit_number(contact, number=AN, by=lan, last_name="Lê")
    assert one == two
    sandbox.bot.fault("cut_after", method="PUT", path="*/contact/*", times=1)
    assert work(one) == "unknown"
    three = phonebooks.edit_number(contact, number=AN, by=lan, first_name="Anh")
    assert three != one
    assert work(three) == "waiting"
    assert work(one) == "done"
    assert work(three) == "done"
    there = sandbox.bot.rows("contact", phonebook=int(row.remote_id))[0]
    assert (there["first_name"], there["last_name"]) == ("Anh", "Lê")


def test_refusals_of_numbers_say_why(sandbox, bot, lan):
    row = book(bot, lan)
    with pytest.raises(Refused, match="not a valid phone number"):
        phonebooks.add_number(row, number="12", by=lan)
    phonebooks.add_number(row, number=AN, by=lan)
    with pytest.raises(Refused, match="in the phonebook already"):
        phonebooks.add_number(row, number="+84 915 000 001", by=lan)
    suppression.add(numbers=[BINH], source=Suppression.Source.STAFF, reason="never", by=lan)
    with pytest.raises(Refused, match="never"):
        phonebooks.add_number(row, number=BINH, by=lan)
    phonebooks.add_number(row, number=BINH, by=lan, is_enabled=False)
    Campaign.objects.create(connection=bot, remote_id="9", name="Đang gọi", reported_status=1).phonebooks.add(
        row
    )
    with pytest.raises(Refused, match="Đang gọi"):
        phonebooks.add_number(row, number="0915000003", by=lan)


def test_a_number_suppressed_while_it_waited_never_reaches_the_bot(sandbox, bot, lan):
    row = book(bot, lan)
    change = phonebooks.add_number(row, number=AN, by=lan)
    suppression.add(numbers=[AN], source=Suppression.Source.STAFF, reason="never", by=lan)
    assert work(change) == "rejected"
    assert "never" in change.words
    assert sandbox.bot.rows("contact", phonebook=int(row.remote_id)) == []


def test_what_the_bot_refuses_is_told_in_its_words_and_corrected_by_an_edit(sandbox, bot, lan):
    row = book(bot, lan)
    change = phonebooks.add_number(row, number=AN, by=lan, first_name="A" * 200)
    assert work(change) == "rejected"
    assert "120" in change.words
    assert phonebooks.edit_number(row_of(change), number=AN, by=lan, first_name="An") == change
    assert work(change) == "done"
    assert sandbox.bot.rows("contact", phonebook=int(row.remote_id))[0]["first_name"] == "An"


# --- call flows --------------------------------------------------------------------------


def test_a_template_with_sections_is_made_in_order_and_changed(sandbox, bot, lan):
    change = call_flows.create_template(connection=bot, name="Chào", language="vi", description="", by=lan)
    template = row_of(change)
    steps = [
        call_flows.add_section(template, type=1, question=name, script=f"Xin {name}", by=lan)
        for name in ("chào", "cảm ơn")
    ]
    assert [work(each) for each in (change, *steps)] == ["done"] * 3
    edit = call_flows.edit_section(row_of(steps[0]), type=1, question="chào", script="Kính chào", by=lan)
    assert work(edit) == "done"
    there = next(e for e in sandbox.bot.rows("template") if e["name"] == change.new["name"])
    assert there["tts_language"] == "vi"
    sections = sandbox.bot.rows("section", survey=there["id"])
    assert [(each["question"], each["script"]) for each in sections] == [
        ("chào", "Kính chào"),
        ("cảm ơn", "Xin cảm ơn"),
    ]
    assert Section.objects.get(question="chào").script == "Kính chào"


@pytest.mark.parametrize("pulled", [False, True])
def test_a_section_whose_answer_is_lost_is_found_by_its_text(sandbox, bot, lan, pulled):
    change = call_flows.create_template(connection=bot, name="Chào", language="vi", description="", by=lan)
    assert work(change) == "done"
    step = call_flows.add_section(row_of(change), type=1, question="Chào", script="Xin chào", by=lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/section-template/*", times=1)
    assert work(step) == "unknown"
    if pulled:
        pull.pull(bot, "templates")
    assert work(step) == "done"
    there = [each for each in sandbox.bot.rows("section") if each["script"] == "Xin chào"]
    assert len(there) == 1
    assert Section.objects.get(script="Xin chào").remote_id == str(there[0]["id"])


def test_without_a_list_of_sections_a_lost_create_waits_for_a_person(sandbox, bot, lan):
    sandbox.bot.switches(undocumented_reads="no")
    template = SurveyTemplate.objects.create(
        connection=bot, remote_id=str(sandbox.bot.rows("template")[0]["id"]), name="Chào"
    )
    step = call_flows.add_section(template, type=1, question="Chào", script="Xin chào", by=lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/section-template/*", times=1)
    assert work(step, 2) == "held"
    assert "Look in AntBOT" in step.words
    assert len([each for each in sandbox.bot.rows("section") if each["script"] == "Xin chào"]) == 1


# --- do-not-call -------------------------------------------------------------------------


def test_a_number_on_a_do_not_call_list_is_suppressed_before_the_bot_has_it(sandbox, bot, lan):
    listed = dnc.create_list(connection=bot, name="Khách yêu cầu", description="", by=lan)
    entry = dnc.add_number(row_of(listed), number=AN, by=lan)
    assert [row.source for row in suppression.why("+84915000001")] == ["dnc"]
    assert sandbox.bot.writes() == []
    assert [work(listed), work(entry)] == ["done", "done"]
    there = next(e for e in sandbox.bot.rows("dnc_list") if e["name"] == listed.new["name"])
    assert [e["phone_number"] for e in sandbox.bot.rows("dnc_entry", dnc=there["id"])] == ["0915000001"]
    pull.pull(bot, "dnc")
    assert DncEntry.objects.filter(e164="+84915000001").count() == 1
    row = suppression.why("+84915000001")[0]
    assert "takes nothing off" in suppression.why_not_lifted(row)


@pytest.mark.parametrize(("kind", "options"), LOST)
def test_a_do_not_call_entry_whose_answer_is_lost_is_not_made_twice(sandbox, bot, lan, kind, options):
    pull.pull(bot, "dnc")
    listed = DncList.objects.order_by("pk").first()
    entry = dnc.add_number(listed, number=AN, by=lan)
    sandbox.bot.fault(kind, method="POST", path="*/dnc-contact/*", times=1, **options)
    assert work(entry) == "unknown"
    assert work(entry) == "done"
    there = [e for e in sandbox.bot.rows("dnc_entry", dnc=int(listed.remote_id))]
    assert [e["phone_number"] for e in there].count("0915000001") == 1


def test_a_lost_list_is_found_by_the_code_in_its_name(sandbox, bot, lan):
    listed = dnc.create_list(connection=bot, name="Khách yêu cầu", description="", by=lan)
    sandbox.bot.fault("cut_after", method="POST", path="*/dnc-list/*", times=1)
    assert work(listed, 2) == "done"
    assert len([e for e in sandbox.bot.rows("dnc_list") if e["name"] == listed.new["name"]]) == 1


def test_an_entry_dropped_before_it_left_stays_suppressed_and_can_be_lifted(sandbox, bot, lan):
    pull.pull(bot, "dnc")
    entry = dnc.add_number(DncList.objects.order_by("pk").first(), number=AN, by=lan)
    changes.drop(entry, by=lan)
    row = suppression.why("+84915000001")[0]
    assert suppression.why_not_lifted(row) == ""


# --- workers -----------------------------------------------------------------------------


def test_a_worker_that_died_while_sending_is_found_by_the_sweep(sandbox, bot, lan):
    change = phonebooks.create(connection=bot, name="Khách", description="", by=lan)
    entry = changes.OUTBOX.claim(change.pk)
    changes.OUTBOX.mark_sent(entry)
    with_bot(bot, lambda there: there.create_phonebook(name=change.new["name"], description=""))
    BotChange.objects.filter(pk=change.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert change_sending.sweep()["released"] == 1
    assert work(change) == "done"
    assert len([e for e in sandbox.bot.rows("phonebook") if e["name"] == change.new["name"]]) == 1


def test_a_pull_while_an_edit_waits_keeps_the_staff_value_on_the_page(sandbox, bot, lan):
    pull.pull(bot, "phonebooks")
    row = Phonebook.objects.order_by("pk").first()
    phonebooks.rename(row, name="Khách vàng", description=row.description, by=lan)
    pull.pull(bot, "phonebooks", mode="complete")
    assert changes.with_edits([Phonebook.objects.get(pk=row.pk)])[0].name == "Khách vàng"
