"""The pages for what needs a person: what they show, and what their buttons do."""

import socket
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError

from backoffice.models import AuditEntry
from backoffice.sync import bell
from crm_bridge.models import (
    Conflict,
    Connection,
    ConnectionHealth,
    Contact,
    ContactChange,
    Merge,
    Quarantine,
    Run,
    StreamState,
    Tombstone,
)
from crm_bridge.services import schedule
from crm_bridge.tasks import pull_stream
from tests import factories

pytestmark = pytest.mark.django_db
Status = ContactChange.Status
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


@pytest.fixture
def crm() -> Connection:
    row = factories.connection(name="AntCRM main")
    schedule.ensure_streams(row)
    return row


def login(role: str, **fields: Any) -> Client:
    client = Client()
    client.user = factories.user(role, **fields)
    client.force_login(client.user)
    return client


def change(contact: Contact, **fields: Any) -> ContactChange:
    values = {"operation": "edit", "base": {"stage": "New"}, "new": {"stage": "Hot"}, **fields}
    return ContactChange.objects.create(connection=contact.connection, contact=contact, **values)


def text(response: Any) -> str:
    return response.content.decode()


def told(response: Any) -> str:
    """The messages that the page after an action shows."""
    return " ".join(str(message) for message in response.context["messages"])


# --- home ----------------------------------------------------------------------------------


def test_nothing_to_do_is_one_quiet_line(crm: Connection) -> None:
    page = text(login("Admins").get("/"))
    assert "Nothing needs you right now" in page
    assert 'class="bo-attention"' not in page


def test_attention_lists_the_worst_first_and_links_to_its_rows(crm: Connection) -> None:
    ConnectionHealth.objects.create(connection=crm, needs_attention=True, last_error="401: key refused")
    disputed, refused = factories.contact(crm), factories.contact(crm)
    parked = change(disputed, status=Status.CONFLICT)
    Conflict.objects.create(contact=disputed, change=parked, field="stage")
    change(refused, status=Status.REJECTED)
    Quarantine.objects.create(connection=crm, stream="contacts", fingerprint="1", reason="no name")
    Run.objects.create(
        connection=crm, stream="contacts", mode="complete", status="held", absent=412,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip
    Merge.objects.create(loser=factories.contact(crm, state="merged"))
    client = login("Admins")
    notices = client.get("/").context["attention"]
    told_lines = [notice.text for notice in notices]
    order = ("needs attention", "conflict", "not taken", "412 of 9,800", "could not be read", "no proven")
    assert [next(i for i, line in enumerate(told_lines) if part in line) for part in order] == list(range(6))
    for notice in notices:
        page = client.get(notice.url)
        assert page.status_code == 200
        if "page" in page.context:  # a list shows exactly what was counted
            assert page.context["page"].paginator.count == 1, notice.text


def test_attention_shows_sales_only_their_own(crm: Connection) -> None:
    lan, other = login("Sales"), login("Sales")
    change(factories.contact(crm), status=Status.REJECTED, author=lan.user)
    Run.objects.create(connection=crm, stream="contacts", mode="complete", status="held")
    assert len(lan.get("/").context["attention"]) == 1
    assert other.get("/").context["attention"] == []


def test_changes_that_nobody_takes_are_told(crm: Connection) -> None:
    change(factories.contact(crm), not_before=timezone.now() - timedelta(minutes=9))
    assert "has been due for 9 min" in text(login("Managers").get("/"))


def test_changes_of_a_paused_connection_are_not_blamed_on_the_worker(crm: Connection) -> None:
    ConnectionHealth.objects.create(connection=crm, open_until=timezone.now() + timedelta(minutes=5))
    change(factories.contact(crm), not_before=timezone.now() - timedelta(minutes=9))
    assert "are not being sent" not in text(login("Managers").get("/"))


def test_each_number_of_a_card_counts_exactly_the_rows_behind_it(crm: Connection) -> None:
    for status in (
        Status.WAITING,
        Status.SENDING,
        Status.REJECTED,
        Status.CONFLICT,
        Status.HELD,
        Status.DONE,
    ):
        change(factories.contact(crm), status=status)
    both = factories.contact(crm)
    change(both, status=Status.WAITING)
    change(both, status=Status.REJECTED)
    twice = factories.contact(crm)
    change(twice, status=Status.REJECTED)
    change(twice, status=Status.HELD)
    factories.contact(crm)
    change(factories.contact(crm, state="trashed"), status=Status.REJECTED)
    other = factories.connection()
    change(factories.contact(other), status=Status.WAITING)
    factories.contact(other)
    for connection, resolved in ((crm, None), (crm, timezone.now()), (other, None)):
        Quarantine.objects.create(
            connection=connection,
            stream="contacts",
            fingerprint=str(resolved),
            reason="x",
            resolved_at=resolved,
        )
    client = login("Admins")
    cards = {card["connection"].pk: card for card in client.get("/").context["rows"][0][0].context["cards"]}
    numbers = {item["label"]: item for item in cards[crm.pk]["numbers"]}
    assert {label: item["value"] for label, item in numbers.items()} == {
        "in sync": 2, "waiting": 3, "failing": 5, "unreadable": 1,
    }  # fmt: skip
    for label in ("in sync", "waiting", "failing"):
        listed = client.get(f"{numbers[label]['url']}&exact=1").context
        assert listed["count"].number == len(listed["page"].ids) == numbers[label]["value"], label
    listed = client.get(numbers["unreadable"]["url"]).context
    assert listed["page"].paginator.count == numbers["unreadable"]["value"]


def test_the_sync_filter_joins_the_others_and_the_search(crm: Connection) -> None:
    refused = factories.contact(crm, values={"name": "Trần An", "stage": "Hot"})
    change(refused, status=Status.REJECTED)
    change(factories.contact(crm, values={"name": "Lê Bình", "stage": "Hot"}), status=Status.REJECTED)
    factories.contact(crm, values={"name": "Trần An", "stage": "Hot"})
    client, address = login("Sales"), reverse("admin:crm_bridge_contact_changelist")
    for query in ({"q": "tran an"}, {"q": "tran an", "stage": "Hot"}):
        answer = client.get(address, {**query, "sync": "failing", "connection": crm.pk})
        assert answer.context["page"].ids == [refused.pk]
        assert {pill["value"] for pill in answer.context["pills"]} >= {"failing"}


def test_the_chart_has_its_numbers_as_a_table_too(crm: Connection) -> None:
    today = timezone.now()
    for created, changed, started in ((3, 5, today), (4, 1, today), (2, 0, today - timedelta(days=2))):
        Run.objects.create(
            connection=crm, stream="contacts", mode="complete", status="ok",
            created=created, changed=changed, started_at=started,
        )  # fmt: skip
    rows = login("Sales").get("/").context["chart"].rows
    assert len(rows) == 14
    assert rows[-1][1] == [7, 6]
    assert rows[-3][1] == [2, 0]


def test_someone_without_a_role_learns_why_home_is_empty() -> None:
    assert "You have no role yet" in text(login("").get("/"))


# --- sync now ------------------------------------------------------------------------------


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(bell, "ring", lambda *args, on: calls.append((*args, on)))
    return calls


def test_sync_now_asks_for_every_stream_and_answers_at_once(crm: Connection, rung: list[Any]) -> None:
    client = login("Managers")
    answer = client.post(reverse("crm:connection_sync", args=[crm.pk]), headers={"HX-Request": "true"})
    assert rung == [
        (pull_stream.name, crm.pk, stream, None, client.user.pk, "pull")
        for stream in ("contacts", "deleted", "merged")
    ]
    assert "Waiting for a worker" in text(answer)
    assert "hx-get" in text(answer)


def test_progress_goes_from_a_bar_to_a_result(crm: Connection) -> None:
    client = login("Managers")
    since = int(timezone.now().timestamp()) - 5
    run = Run.objects.create(connection=crm, stream="contacts", mode="complete", seen=300, expected=1000)
    address = f"{reverse('crm:connection_progress', args=[crm.pk])}?since={since}"
    going = text(client.get(address))
    assert 'value="30"' in going
    assert "hx-get" in going
    assert "300 of 1,000" in going.replace("\n", " ")
    Run.objects.filter(pk=run.pk).update(status="ok", seen=1000, created=7, finished_at=timezone.now())
    for stream in ("deleted", "merged"):
        Run.objects.create(connection=crm, stream=stream, mode="complete", status="ok")
    done = text(client.get(address))
    assert "1,000 seen, 7 new" in done
    assert "hx-get" not in done


def test_a_run_without_a_worker_is_not_waited_for_forever(crm: Connection) -> None:
    since = int(timezone.now().timestamp()) - 300
    page = text(login("Managers").get(reverse("crm:connection_progress", args=[crm.pk]), {"since": since}))
    assert "No worker has started it" in page
    assert "hx-get" not in page


@pytest.mark.parametrize("since", ["nan", "-1", "1e400", "abc", "99999999999999"])
def test_odd_moments_are_ignored(crm: Connection, since: str) -> None:
    page = login("Managers").get(reverse("crm:connection_progress", args=[crm.pk]), {"since": since})
    assert page.status_code == 200


def test_a_dead_queue_never_holds_up_the_request(
    crm: Connection, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    """The request's own thread opens no socket; the bell's thread may fail, and its failure stays there."""
    me, tried = threading.get_ident(), threading.Event()
    connect = socket.socket.connect

    def watched(sock: socket.socket, address: Any) -> None:
        assert threading.get_ident() != me, "the request opened a socket"
        connect(sock, address)

    def refused(*_args: Any, **_options: Any) -> None:
        assert threading.get_ident() != me, "the request talked to the broker"
        tried.set()
        raise OperationalError("connection refused")

    client = login("Managers")
    monkeypatch.setattr(bell.current_app, "send_task", refused)
    monkeypatch.setattr(bell, "REST_SECONDS", 0)
    monkeypatch.setattr(socket.socket, "connect", watched)
    with django_capture_on_commit_callbacks(execute=True):
        page = client.post(reverse("crm:connection_sync", args=[crm.pk]), headers={"HX-Request": "true"})
    assert "Waiting for a worker" in text(page)
    assert tried.wait(5), "the bell was never rung"


def test_a_connection_that_is_off_is_not_pulled(crm: Connection, rung: list[Any]) -> None:
    Connection.objects.update(is_active=False)
    page = login("Managers").post(reverse("crm:connection_sync", args=[crm.pk]), follow=True)
    assert "switched off" in told(page)
    assert rung == []


# --- trash and merges ----------------------------------------------------------------------


def test_trash_shows_who_when_and_the_last_values(crm: Connection) -> None:
    gone = factories.contact(
        crm, values={"name": "Nguyễn Văn An", "phones": [{"value": "0934890883", "type": ""}]},
        state="trashed", stage="Hot",
    )  # fmt: skip
    stone = Tombstone.objects.create(
        contact=gone, evidence="listed", trashed_by="boss@example.vn", snapshot=gone.values(),
        trashed_at=timezone.now() - timedelta(hours=3),
    )  # fmt: skip
    client = login("Managers")
    page = text(client.get(reverse("crm:trash"), {"q": "890883"}))
    for part in ("Nguyễn Văn An", "0934 890 883", "AntCRM main", "boss@example.vn", "3 h ago", "Hot"):
        assert part in page
    assert "No trashed contacts match" in text(client.get(reverse("crm:trash"), {"q": "zzz"}))
    answer = client.post(reverse("crm:trash_recreate", args=[stone.pk]), follow=True)
    assert "on its way" in told(answer)
    again = ContactChange.objects.get(operation="create")
    assert again.contact.name == "Nguyễn Văn An"
    assert again.author == client.user


def test_restored_contacts_leave_the_trash(crm: Connection) -> None:
    back = factories.contact(crm)
    stone = Tombstone.objects.create(contact=back, evidence="listed", lifted_at=timezone.now())
    client = login("Managers")
    assert back.name not in text(client.get(reverse("crm:trash")))
    assert client.post(reverse("crm:trash_recreate", args=[stone.pk])).status_code == 404


def test_a_person_names_the_survivor(crm: Connection) -> None:
    phones = [{"value": "0934890883", "type": ""}]
    survivor = factories.contact(crm, values={"name": "An", "phones": phones})
    loser = factories.contact(crm, values={"name": "An cũ"}, state="merged", stage="Old")
    merge = Merge.objects.create(loser=loser, snapshot=loser.values(), survivor_hint={"phones": phones})
    boss = login("Admins")
    page = boss.get(reverse("crm:merge", args=[merge.pk]))
    assert [contact.pk for contact in page.context["candidates"]] == [survivor.pk]
    assert next(row["label"] for row in page.context["rows"] if row["differs"]) == "Name"
    answer = boss.post(reverse("crm:merge_survivor", args=[merge.pk]), {"survivor": survivor.pk}, follow=True)
    assert "merged into An" in told(answer)
    merge.refresh_from_db()
    loser.refresh_from_db()
    assert (merge.survivor, merge.proof, merge.proven_by) == (survivor, "by_hand", boss.user)
    assert loser.survivor == survivor
    assert AuditEntry.objects.filter(action="merge.named", actor=boss.user).exists()
    again = boss.post(reverse("crm:merge_survivor", args=[merge.pk]), {"survivor": survivor.pk}, follow=True)
    assert "has a survivor already" in told(again)


@pytest.mark.parametrize("who", ["itself", "stranger", "trashed", "text"])
def test_a_wrong_survivor_changes_nothing(crm: Connection, who: str) -> None:
    loser = factories.contact(crm, state="merged")
    merge = Merge.objects.create(loser=loser)
    wrong = {
        "itself": loser.pk,
        "stranger": factories.contact(factories.connection()).pk,
        "trashed": factories.contact(crm, state="trashed").pk,
        "text": "1 OR 1=1",
    }[who]
    answer = login("Admins").post(reverse("crm:merge_survivor", args=[merge.pk]), {"survivor": wrong})
    merge.refresh_from_db()
    assert answer.status_code in (302, 404)
    assert merge.survivor is None


# --- outgoing changes ----------------------------------------------------------------------


def test_a_refused_change_shows_the_words_and_goes_again(crm: Connection) -> None:
    client = login("Sales")
    row = change(factories.contact(crm), status=Status.REJECTED, words=HOSTILE, author=client.user)
    for address in (reverse("crm:outgoing"), reverse("crm:outgoing_change", args=[row.pk])):
        page = text(client.get(address))
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
        assert "<img src=x" not in page
    answer = client.post(reverse("crm:outgoing_retry", args=[row.pk]), follow=True)
    assert "sent again" in told(answer)
    row.refresh_from_db()
    assert row.status == Status.WAITING


def test_dropping_gives_the_agreed_value_back(crm: Connection) -> None:
    client = login("Sales")
    contact = factories.contact(crm, stage="Hot", base={"stage": "New"})
    row = change(contact, status=Status.REJECTED, author=client.user)
    assert "1 field goes back" in text(client.get(reverse("crm:outgoing_change", args=[row.pk])))
    client.post(reverse("crm:outgoing_drop", args=[row.pk]))
    row.refresh_from_db()
    contact.refresh_from_db()
    assert (row.status, contact.stage) == (Status.CANCELLED, "New")


def test_many_go_again_and_the_impossible_is_counted(crm: Connection) -> None:
    client = login("Managers")
    rows = [change(factories.contact(crm), status=Status.REJECTED) for _ in range(3)]
    done = change(factories.contact(crm), status=Status.DONE)
    address = reverse("crm:outgoing_retry_selected")
    answer = client.post(address, {"selected": [row.pk for row in (*rows, done)]}, follow=True)
    assert "3 changes are sent again" in told(answer)
    assert "1 cannot be" in told(answer)
    assert "Nothing was selected" in told(client.post(address, {"selected": "x"}, follow=True))


def test_a_create_that_may_have_arrived_asks_a_person(crm: Connection) -> None:
    client = login("Managers")
    contact = factories.contact(crm, remote_id=None, family="", code="ours-1")
    candidates = [{"family": "lead", "remote_id": "77", "name": HOSTILE, "phones": []}]
    row = change(
        contact,
        operation="create",
        status=Status.HELD,
        sent_at=timezone.now(),
        resolve={"candidates": candidates},
    )
    page = text(client.get(reverse("crm:outgoing_change", args=[row.pk])))
    assert "Did this new contact arrive?" in page
    assert "<script>alert(2)" not in page
    link = reverse("crm:outgoing_link", args=[row.pk])
    assert "not one of the contacts" in told(client.post(link, {"remote_id": "78"}, follow=True))
    assert "record 77" in told(client.post(link, {"remote_id": "77"}, follow=True))
    contact.refresh_from_db()
    assert contact.remote_id == "77"


# --- conflicts -----------------------------------------------------------------------------


@pytest.fixture
def disputed(crm: Connection) -> Conflict:
    contact = factories.contact(crm, stage="Hot", base={"stage": "Cold"})
    row = change(contact, status=Status.CONFLICT)
    return Conflict.objects.create(
        contact=contact, change=row, field="stage", base="New", ours="Hot", theirs="Cold"
    )


def test_a_conflict_shows_three_values_and_takes_a_choice(disputed: Conflict) -> None:
    client = login("Managers")
    address = reverse("crm:conflict", args=[disputed.contact_id])
    page = text(client.get(address))
    for value in ("New", "Hot", "Cold", "keep ours", "take theirs"):
        assert value in page
    settle = reverse("crm:conflict_settle", args=[disputed.contact_id])
    assert "Choose a side for: Stage" in told(client.post(settle, follow=True))
    assert Conflict.objects.get().resolved_at is None
    answer = client.post(settle, {"choice-stage": "theirs"}, follow=True)
    assert "settled" in told(answer)
    disputed.refresh_from_db()
    disputed.contact.refresh_from_db()
    assert (disputed.choice, disputed.contact.stage) == ("theirs", "Cold")
    assert client.get(address).status_code == 404


def test_one_row_a_contact_in_the_list(disputed: Conflict) -> None:
    Conflict.objects.create(contact=disputed.contact, change=disputed.change, field="note")
    page = login("Managers").get(reverse("crm:conflicts"))
    assert page.context["page"].paginator.count == 1
    assert "Note, Stage" in text(page)


# --- runs ----------------------------------------------------------------------------------


@pytest.fixture
def held(crm: Connection) -> Run:
    return Run.objects.create(
        connection=crm, stream="contacts", mode="complete", status="held", absent=412,
        details={"held": {"absent": 412, "live": 9800}},
    )  # fmt: skip


def test_approving_repeats_the_numbers_and_removes_nothing_itself(held: Run) -> None:
    factories.contact(held.connection)
    client = login("Admins")
    page = text(client.get(reverse("crm:run", args=[held.pk])))
    assert "Up to 412 of 9,800" in page.replace("\n", " ")
    client.post(reverse("crm:run_approve", args=[held.pk]))
    state = StreamState.objects.get(connection=held.connection, stream="contacts")
    assert state.cursor["allowed"] == {"absent": 412, "run": held.pk}
    assert Contact.objects.live().count() == 1
    second = client.post(reverse("crm:run_approve", args=[held.pk]), follow=True)
    assert "not held" in told(second)


def test_a_held_run_names_the_contacts_it_did_not_find(held: Run) -> None:
    phones = [{"value": "0934890883", "type": ""}]
    rows = [
        factories.contact(held.connection, values={"name": f"Vắng {number:03d}", "phones": phones})
        for number in range(60)
    ]
    erased = max(row.pk for row in rows) + 1000
    held.details["held"]["ids"] = [*(row.pk for row in rows), erased]
    held.save()
    client, address = login("Admins"), reverse("crm:run", args=[held.pk])
    first = text(client.get(address))
    assert "the first 61 of 412" in first
    assert "Vắng 000" in first
    assert "Vắng 050" not in first
    assert "0934 890 883" in first
    assert reverse("admin:crm_bridge_contact_change", args=[rows[0].pk]) in first
    assert "Approve up to 412" in first
    with CaptureQueriesContext(database) as queries:
        second = client.get(address, {"page": 2})
    assert "Vắng 050" in text(second)
    assert "Vắng 049" not in text(second)
    assert len(queries) < 20, "not a query per row"
    assert client.get(address, {"page": "<x>"}).status_code == 200
    client.post(reverse("crm:run_dismiss", args=[held.pk]))
    assert "Vắng" not in text(client.get(address))


def test_dismissing_keeps_everything(held: Run) -> None:
    client = login("Admins")
    answer = client.post(reverse("crm:run_dismiss", args=[held.pk]), follow=True)
    assert "stay as they are" in told(answer)
    assert "allowed" not in StreamState.objects.get(connection=held.connection, stream="contacts").cursor


def test_managers_see_a_held_run_but_do_not_decide_it(held: Run) -> None:
    page = text(login("Managers").get(reverse("crm:run", args=[held.pk])))
    assert "An administrator decides this" in page
    assert "run_approve" not in page


def test_a_silent_run_is_called_silent(crm: Connection) -> None:
    then = timezone.now() - timedelta(minutes=10)
    run = Run.objects.create(
        connection=crm, stream="contacts", mode="complete", started_at=then, heartbeat_at=then
    )
    page = text(login("Managers").get(reverse("crm:run", args=[run.pk])))
    assert "No sign of life" in page
    assert reverse("crm:run_progress", args=[run.pk]) not in page


# --- unreadable ----------------------------------------------------------------------------


def test_the_sample_of_an_unreadable_record_is_masked_and_escaped(crm: Connection) -> None:
    row = Quarantine.objects.create(
        connection=crm, stream="contacts", fingerprint="1", reason=HOSTILE,
        sample='{"phone": "0934890883", "email": "an@example.vn", "apikey": "sandbox-antcrm-key", "n":"<b>"}',
    )  # fmt: skip
    page = text(login("Admins").get(reverse("crm:unreadable_record", args=[row.pk])))
    for secret in ("0934890883", "an@example.vn", "sandbox-antcrm-key", "<b>", "<img src=x"):
        assert secret not in page


# --- all lists -----------------------------------------------------------------------------


def fill(crm: Connection, number: int, author: Any) -> None:
    for _ in range(number):
        gone = factories.contact(crm, values={"name": HOSTILE}, state="trashed")
        Tombstone.objects.create(contact=gone, evidence="listed", snapshot=gone.values())
        loser, kept = factories.contact(crm, state="merged"), factories.contact(crm, values={"name": HOSTILE})
        Merge.objects.create(loser=loser, survivor=kept, proof="proven", snapshot=loser.values())
        row = change(kept, status=Status.CONFLICT, author=author)
        Conflict.objects.create(contact=kept, change=row, field="stage", base=HOSTILE, ours="a", theirs="b")
        Run.objects.create(connection=crm, stream="contacts", mode="complete", status="ok")
        Quarantine.objects.create(
            connection=crm, stream="contacts", fingerprint=str(Quarantine.objects.count()), reason=HOSTILE
        )


@pytest.mark.parametrize("name", ["trash", "merges", "outgoing", "conflicts", "runs", "unreadable"])
def test_a_list_costs_the_same_for_3_rows_and_30(crm: Connection, name: str) -> None:
    client = login("Admins")
    client.get("/")  # sessions and content types are warm
    counts = []
    for number in (3, 27):
        fill(crm, number, client.user)
        cache.clear()
        with CaptureQueriesContext(database) as queries:
            page = client.get(reverse(f"crm:{name}"))
        counts.append(len(queries))
        assert page.status_code == 200
    assert counts[0] == counts[1] <= 17
    assert "<img src=x" not in text(page)
    assert "<script>alert" not in text(page)
    assert "49" not in page.context["table"].as_html(page.wsgi_request).partition("{{7")[0][-3:]


@pytest.mark.parametrize("name", ["trash", "merges", "outgoing", "runs", "unreadable"])
def test_a_filter_swaps_only_the_list(crm: Connection, name: str) -> None:
    client = login("Admins")
    part = client.get(reverse(f"crm:{name}"), headers={"HX-Request": "true", "HX-Target": "list"})
    assert text(part).lstrip().startswith('<section id="list"')
    whole = client.get(reverse(f"crm:{name}"), {"connection": crm.pk})
    assert [pill["value"] for pill in whole.context["pills"]] == ["AntCRM main"]


@pytest.mark.parametrize("page", ["0", "-1", "999999", "x", "1.5"])
def test_odd_page_numbers_show_the_first_page(crm: Connection, page: str) -> None:
    answer = login("Admins").get(reverse("crm:runs"), {"page": page, "status": "nonsense", "connection": "x"})
    assert answer.status_code == 200
