"""Calls: search, filters, chart, export of exactly the filtered set, one call."""

import csv
import io
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from backoffice.models import AuditEntry
from bot_campaigns.models import Call, Campaign, Suppression
from tests import factories
from tests.bot_campaigns.services import rows

LIST = reverse("bot:calls")


@pytest.fixture(autouse=True)
def fresh(db):
    cache.clear()


@pytest.fixture
def bot():
    return rows.bot()


@pytest.fixture
def manager(client):
    person = factories.user("Managers")
    client.force_login(person)
    return person


def call(bot, number="+84934890883", **fields):
    place = Call.objects.count()
    values = {
        "remote_id": f"c{place}", "number": "0" + number[3:], "e164": number, "disposition": "ANSWER",
        "hangup_cause": "NORMAL_CLEARING", "started_at": timezone.now() - timedelta(minutes=place + 1),
    }  # fmt: skip
    return Call.objects.create(connection=bot, **{**values, **fields})


def found(client, **query):
    page = client.get(LIST, query)
    assert page.status_code == 200
    return [row.record for row in page.context["table"].rows]


@pytest.mark.parametrize(
    "scrap",
    ["890883", "0934 890 883", "+84 934", "84934890883", "0084 934890883", "0934", "4890", "883", "an"],
)
def test_any_scrap_of_a_number_or_a_name_finds_the_call(client, manager, bot, scrap):
    owner = factories.contact(rows.crm(), values={"name": "Nguyễn An", "phones": []})
    wanted = call(bot, contact=owner)
    call(bot, "+84905111222")
    assert found(client, q=scrap) == [wanted]


def test_a_number_that_is_none_is_found_as_it_is_written(client, manager, bot):
    odd = call(bot, number="+841", e164="", )  # fmt: skip
    Call.objects.filter(pk=odd.pk).update(number="1900-55")
    odd.refresh_from_db()
    odd.save()
    assert found(client, q="190055") == [odd]
    assert found(client, q="77777777") == []


def test_each_filter_finds_exactly_its_calls(client, manager, bot):
    gateway = rows.gateway(bot)
    campaign = Campaign.objects.create(connection=bot, remote_id="9", name="Tết", gateway=gateway)
    old = timezone.now() - timedelta(days=40)
    answered = call(bot, campaign=campaign, billsec=60, duration=70)
    busy = call(bot, disposition="BUSY", hangup_cause="USER_BUSY", duration=9)
    odd = call(bot, disposition="CONGESTION", hangup_cause="NORMAL_CIRCUIT_CONGESTION")
    alarm = call(bot, is_alarm=True, disposition="NOANSWER", hangup_cause="NO_ANSWER")
    otp = call(bot, is_otp=True, disposition="CANCEL", hangup_cause="ORIGINATOR_CANCEL", started_at=old)
    day = timezone.localtime(old).date().isoformat()
    for query, wanted in (
        ({"campaign": campaign.pk}, [answered]),
        ({"gateway": gateway.pk}, [answered]),
        ({"outcome": "answered"}, [answered]),
        ({"outcome": "busy"}, [busy]),
        ({"outcome": "failed"}, [odd]),
        ({"outcome": "no_answer"}, [alarm]),
        ({"outcome": "cancelled"}, [otp]),
        ({"cause": "USER_BUSY"}, [busy]),
        ({"kind": "alarm"}, [alarm]),
        ({"kind": "otp"}, [otp]),
        ({"kind": "campaign"}, [answered]),
        ({"talked_min": 60}, [answered]),
        ({"duration_min": 5, "duration_max": 20}, [busy]),
        ({"since": day, "until": day}, [otp]),
        ({"outcome": "busy", "campaign": campaign.pk}, []),
        ({"connection": bot.pk, "talked_max": 0, "outcome": "busy"}, [busy]),
    ):
        assert found(client, **query) == wanted, query


def test_a_wrong_filter_is_named_and_loses_nothing(client, manager, bot):
    call(bot)
    page = client.get(LIST, {"talked_min": "many", "since": "yesterday"})
    assert page.status_code == 200
    assert set(page.context["filter"].form.errors) == {"talked_min", "since"}


def test_the_chart_follows_the_filters_and_adds_up(client, manager, bot):
    for days, disposition in (
        (0, "ANSWER"),
        (1, "ANSWER"),
        (1, "BUSY"),
        (3, "SOMETHING_NEW"),
        (30, "ANSWER"),
    ):
        at = timezone.now() - timedelta(days=days, minutes=1)
        call(bot, disposition=disposition, started_at=at)
    chart = client.get(LIST).context["chart"]
    assert chart.total == 4  # the fortnight up to the newest call
    assert {group: count for group, _words, count in chart.totals if count} == {
        "answered": 2, "busy": 1, "failed": 1,
    }  # fmt: skip
    page = client.get(LIST, {"outcome": "answered", "since": (timezone.localdate() - timedelta(days=35))})
    assert page.context["chart"].total == len(page.context["table"].rows) == 3
    # every number of the table opens exactly its calls
    for bar in client.get(LIST).context["bars"]:
        for count, address in bar["cells"]:
            if count:
                assert len(client.get(LIST + address).context["table"].rows) == count
    hours = client.get(LIST, {"since": timezone.localdate(), "until": timezone.localdate()}).context["chart"]
    assert not hours.links
    assert client.get(LIST, {"since": "2020-01-01", "until": "2026-01-01"}).context["chart"].unit == "month"
    assert client.get(LIST, {"since": "2026-02-01", "until": "2026-01-01"}).context["chart"].total == 0


def test_the_list_costs_the_same_with_many_rows(client, manager, bot):
    crm = rows.crm()
    counts = []
    client.get(LIST)
    for size in (3, 40):
        for _turn in range(size):
            call(bot, contact=factories.contact(crm), campaign=None)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            client.get(LIST, {"outcome": "answered"})
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


def export(client, format, **query):
    from urllib.parse import urlencode

    answer = client.post(f"{reverse('bot:calls_export')}?{urlencode(query)}", {"format": format})
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def test_the_export_holds_exactly_the_filtered_set_and_is_audited(client, manager, bot):
    owner = factories.contact(rows.crm(), values={"name": "=HYPERLINK(1)", "phones": []})
    wanted = [call(bot, disposition="BUSY", contact=owner), call(bot, disposition="BUSY", callerid="@x")]
    call(bot)
    body = export(client, "csv", outcome="busy", page=3).decode("utf-8-sig")
    read = list(csv.DictReader(io.StringIO(body)))
    assert [row["remote_id"] for row in read] == [each.remote_id for each in wanted]
    assert read[0]["contact"] == "'=HYPERLINK(1)"
    assert read[1]["callerid"] == "'@x"
    assert read[0]["number"] == "'0934890883"
    assert read[0]["outcome"] == "busy"
    assert read[0]["started_at"].endswith("+07:00")
    entry = AuditEntry.objects.get(action="call.export")
    assert (entry.actor, entry.data["filters"]) == (manager, {"outcome": "busy"})
    sheet = load_workbook(io.BytesIO(export(client, "xlsx", q="890883"))).active
    cells = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert len(cells) == 4
    assert "0934890883" in cells[1]
    assert all(cell.data_type == "s" for row in sheet.iter_rows() for cell in row if cell.value)


def test_an_export_with_a_wrong_filter_exports_nothing(client, manager, bot):
    call(bot)
    address = f"{reverse('bot:calls_export')}?talked_min=many"
    assert client.post(address, {"format": "csv"}).status_code == 302
    assert not AuditEntry.objects.filter(action="call.export").exists()


def test_one_call_says_everything_and_why_the_number_must_not_be_called(client, manager, bot):
    one = call(bot, disposition="FAILED", hangup_cause="UNALLOCATED_NUMBER", sip_term_status="404")
    call(bot)
    Suppression.objects.create(e164=one.e164, source="staff", reason="asked us")
    page = client.get(reverse("bot:call", args=[one.pk])).content.decode()
    for words in ("the number does not exist", "UNALLOCATED_NUMBER", "404", "asked us", "Other calls"):
        assert words in page


def test_sales_see_calls_but_export_none(client, bot):
    client.force_login(factories.user("Sales"))
    call(bot)
    page = client.get(LIST)
    assert page.status_code == 200
    assert b"calls/export" not in page.content


def test_a_call_written_any_way_can_be_found_by_its_end(bot):
    Call.objects.bulk_create([Call(connection=bot, remote_id="x", number="0934 890 883", e164="")])
    assert Call.objects.get(remote_id="x").digits_reversed == "3880984390"
