"""The contact pages: what they show, what they refuse, how many queries they cost."""

import csv
import io
import json
import re

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import Workbook, load_workbook

from backoffice.models import AuditEntry
from crm_bridge import exports, imports
from crm_bridge.models import Contact, ContactChange
from crm_bridge.services import contacts as service
from tests import factories
from tests.benchmarks.contact_rows import fill

pytestmark = pytest.mark.django_db

LIST = "/crm_bridge/contact/"
HOSTILE = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>{{7*7}}"


@pytest.fixture(autouse=True)
def no_old_choices():
    cache.clear()


@pytest.fixture
def account():
    return factories.connection()


@pytest.fixture
def an(account):
    values = {
        "name": "Nguyễn Văn An",
        "phones": [{"value": "0934 890 883", "type": "Work"}],
        "emails": [{"value": "an@example.vn", "type": ""}],
        "tags": ["vip"],
        "stage": "New",
    }
    return factories.contact(account, values=values)


def signed_in(group):
    client = Client()
    client.force_login(factories.user(group))
    return client


@pytest.fixture
def sales():
    return signed_in("Sales")


@pytest.fixture
def manager():
    return signed_in("Managers")


def page(name, contact):
    return reverse(f"admin:crm_bridge_contact_{name}", args=[contact.pk])


def text(response):
    return response.content.decode()


# --- list ----------------------------------------------------------------------------------


def test_the_list_finds_by_the_last_digits_and_marks_them(sales, an):
    shown = text(sales.get(LIST, {"q": "0883"}))
    assert "Nguyễn Văn An" in shown
    assert "0934 89<mark>0 883</mark>" in shown


@pytest.mark.parametrize(
    ("query", "hits"),
    [
        ({"stage": "New"}, 1), ({"stage": "Won"}, 0), ({"tag": "vip"}, 1), ({"tag": "cold"}, 0),
        ({"kind": "lead"}, 1), ({"kind": "account"}, 0), ({"state": "trashed"}, 0),
        ({"since": "2000-01-01"}, 1), ({"since": "2999-01-01"}, 0),
        ({"responsible": "nobody"}, 0), ({"q": "an", "stage": "New"}, 1),
    ],
)  # fmt: skip
def test_filters_and_search_narrow_together(sales, an, query, hits):
    shown = text(sales.get(LIST, query))
    assert ("Nguyễn Văn An" in re.sub("</?mark>", "", shown)) is bool(hits)


def test_a_wrong_filter_value_is_named_and_the_rest_applies(sales, an):
    response = sales.get(LIST, {"kind": "robot", "since": "yesterday", "q": "an"})
    assert response.status_code == 200
    assert "robot is not one of the available choices" in text(response)
    assert "Enter a valid date" in text(response)
    assert "Nguyễn Văn" in text(response)


@pytest.mark.parametrize(
    "query",
    [
        {"page": "abc"}, {"page": "-1"}, {"page": "99999999999999"}, {"after": "x"}, {"before": "1.1"},
        {"size": "100000"}, {"by": "%"}, {"q": "\x00"}, {"q": "a" * 5000}, {"tag": HOSTILE}, {"last": "1"},
        {"after": "999999999999999999999.1"}, {"sort": "name"}, {"exact": "1"},
    ],
)  # fmt: skip
def test_strange_addresses_give_a_page_not_an_error(sales, an, query):
    assert sales.get(LIST, query).status_code == 200


def test_no_match_offers_ways_out(sales, an):
    shown = text(sales.get(LIST, {"q": "zzzz"}))
    assert "No contacts match." in shown
    assert "Clear filters" in shown
    assert reverse("admin:crm_bridge_contact_add") in shown


def test_htmx_gets_the_table_only(sales, an):
    shown = text(sales.get(LIST, {"q": "an"}, headers={"HX-Request": "true", "HX-Target": "list"}))
    assert shown.lstrip().startswith("<section")
    assert "<html" not in shown


def test_columns_are_remembered(sales, an):
    assert '<th scope="col">CRM</th>' not in text(sales.get(LIST))
    sales.post(reverse("admin:crm_bridge_contact_columns"), {"column": ["crm", "evil"], "next": LIST})
    shown = text(sales.get(LIST))
    assert '<th scope="col">CRM</th>' in shown
    assert '<th scope="col">Stage</th>' not in shown


def test_the_columns_form_does_not_lead_elsewhere(sales):
    response = sales.post(reverse("admin:crm_bridge_contact_columns"), {"next": "https://evil.example/"})
    assert response["Location"] == LIST


def test_points_ads_and_further_values_are_readable(sales, an):
    Contact.objects.filter(pk=an.pk).update(
        score_available=12.0,
        score_rank=7.5,
        rank_name="Gold",
        extra={"created_by": "bot", "some_key": "x"},
        ads_history=[{"ads_id": "90210", "post_id": "", "created_at": "2026-03-01T20:30:00+00:00"}],
    )
    page = text(sales.get(reverse("admin:crm_bridge_contact_change", args=[an.pk])))
    assert "<dd>12</dd>" in page
    assert "Gold (7.50)" in page
    assert "<dt>Created by</dt><dd>bot</dd>" in page
    assert "<dt>Some key</dt>" in page
    assert "<li>Ad: 90210; Seen: 2026-03-02 03:30</li>" in page
    assert "ads_id" not in page


def test_the_state_says_what_is_on_its_way(sales, an):
    assert "in sync</span>" in text(sales.get(LIST))
    service.edit(contact=an, changes={"stage": "Won"}, by=factories.user("Sales"))
    shown = text(sales.get(LIST))
    assert "in sync</span>" not in shown
    assert "waiting</span>" in shown


@pytest.mark.parametrize(
    "address", ["?size=100", "?size=100&last=1", "?size=100&stage=New", "?q=0", "?size=100&page=7"]
)
def test_a_list_page_costs_few_queries_however_many_contacts(address):
    """Session, user, list, rows, phones, tags; a search walks once more."""
    fill(2_000)
    client = Client()
    client.force_login(factories.user(is_superuser=True))
    client.get(LIST + address)
    with CaptureQueriesContext(database) as captured:
        response = client.get(LIST + address)
    assert response.status_code == 200
    allowed = 6 if address == "?size=100" else 7
    assert len(captured) <= allowed, [query["sql"][:120] for query in captured]


def test_the_number_of_rows_does_not_change_the_number_of_queries():
    fill(300)
    client = Client()
    client.force_login(factories.user(is_superuser=True))
    counts = set()
    for size in (25, 100):
        client.get(f"{LIST}?size={size}")
        with CaptureQueriesContext(database) as captured:
            client.get(f"{LIST}?size={size}")
        counts.add(len(captured))
    assert len(counts) == 1


# --- one contact -----------------------------------------------------------------------------


@pytest.fixture
def hostile(account):
    values = {
        "name": HOSTILE,
        "phones": [
            {"value": "javascript:alert(1)0", "type": HOSTILE[:60]},
            {"value": "0934890883", "type": ""},
        ],
        "emails": [{"value": "javascript:alert(1)@x", "type": HOSTILE[:60]}],
        "tags": [HOSTILE],
        "note": HOSTILE,
        "stage": HOSTILE[:100],
        "source": HOSTILE[:150],
        "responsible": HOSTILE,
        "industry": HOSTILE,
        "custom_fields": {HOSTILE: HOSTILE},
        "addresses": [{"street": HOSTILE, "city": "X"}],
        "social_accounts": [
            {"protocol": HOSTILE, "value": "javascript:alert(1)"},
            {"protocol": "x", "value": 'https://x.example/"onmouseover=alert(1)'},
            {"protocol": "fb", "value": "https://fb.example/an"},
        ],
    }
    raw = json.dumps({"name": HOSTILE})
    return factories.contact(
        account, values=values, raw=raw, extra={HOSTILE: HOSTILE}, ads_history=[{"a": HOSTILE}]
    )


@pytest.mark.parametrize(
    "address",
    ["list", "search", "change", "change?tab=timeline", "change?tab=remote", "edit", "delete"],
)
def test_hostile_values_are_inert(manager, hostile, address):
    service.edit(contact=hostile, changes={"note": HOSTILE + "2"}, by=factories.user(username=HOSTILE[:100]))
    name, _mark, query = address.partition("?")
    where = {"list": LIST, "search": f"{LIST}?q=script"}.get(name) or f"{page(name, hostile)}?{query}"
    shown = text(manager.get(where))
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert not re.search(r'(href|src|action)="\s*javascript:', shown)
    assert not re.search(r'"onmouseover=', shown)
    assert "script&gt;" in shown or "&lt;" in shown


def test_only_what_can_be_dialled_or_opened_is_a_link(manager, hostile):
    shown = text(manager.get(page("change", hostile)))
    assert 'href="tel:+84934890883"' in shown
    assert shown.count('href="tel:') == 1
    assert 'href="mailto:' not in shown
    assert 'href="https://fb.example/an"' in shown
    assert 'href="https://x.example' not in shown


def test_the_contact_page_shows_what_is_known(sales, an, account):
    twin = factories.contact(
        account, values={"name": "Twin", "phones": [{"value": "+84934890883", "type": ""}]}
    )
    shown = text(sales.get(page("change", an)))
    for expected in (
        "Nguyễn Văn An",
        "0934 890 883",
        'href="mailto:an@example.vn"',
        account.name,
        "in sync",
        "Twin",
    ):
        assert expected in shown
    assert page("change", twin) in shown


def test_raw_data_is_for_those_who_may_export(sales, manager, an):
    Contact.objects.filter(pk=an.pk).update(raw='{"secret-field": "Tiếng"}')
    assert "secret-field" not in text(sales.get(page("change", an), {"tab": "remote"}))
    assert "Tiếng" in text(manager.get(page("change", an), {"tab": "remote"}))


def test_the_receipt_asks_again_only_while_something_can_move(sales, an):
    service.edit(contact=an, changes={"stage": "Won"}, by=factories.user("Sales"))
    assert 'hx-trigger="every 2s"' in text(sales.get(page("change", an)))
    ask = {"headers": {"HX-Request": "true"}}
    assert "waiting" in text(sales.get(page("receipt", an), **ask))
    from django.utils import timezone

    ContactChange.objects.update(status="done", finished_at=timezone.now())
    shown = text(sales.get(page("receipt", an), **ask))
    assert "sent to" in shown
    assert "every 2s" not in shown
    assert 'id="ct-state"' in shown
    assert sales.get(page("receipt", an)).status_code == 404


def test_the_timeline_tells_who_changed_what(sales, an):
    lan = factories.user("Sales", username="lan")
    service.edit(contact=an, changes={"stage": "Won"}, by=lan)
    shown = text(sales.get(page("change", an), {"tab": "timeline"}))
    assert "lan" in shown
    assert "<del>New</del>" in shown
    assert "<ins>Won</ins>" in shown


def test_an_unknown_contact_is_a_404(sales):
    assert sales.get("/crm_bridge/contact/123456/change/").status_code == 404
    assert sales.get(f"/crm_bridge/contact/{10**30}/change/").status_code == 404


# --- edit ------------------------------------------------------------------------------------


def form_of(client, address):
    """Everything the form would submit as it was served."""
    shown = text(client.get(address))
    form = shown[shown.index('<form method="post" class="bo-stack"') :]
    form = form[: form.index("</form>")]
    data: dict[str, list[str]] = {}
    import html

    for tag in re.findall(r"(?s)<input\b[^>]*>|<textarea\b.*?</textarea>|<select\b.*?</select>", form):
        name = re.search(r'name="([^"]+)"', tag)
        if not name:
            continue
        if tag.startswith("<textarea"):
            value = re.sub(r"^<textarea[^>]*>\n?", "", tag).removesuffix("</textarea>")
        elif tag.startswith("<select"):
            chosen = re.search(r'<option value="([^"]*)" selected', tag)
            value = chosen[1] if chosen else re.search(r'<option value="([^"]*)"', tag)[1]
        else:
            found = re.search(r'\bvalue="([^"]*)"', tag)
            value = found[1] if found else ""
        data.setdefault(name[1], []).append(html.unescape(value))
    return data


def test_an_edit_is_saved_at_once_and_waits_to_be_sent(sales, an):
    data = form_of(sales, page("edit", an))
    response = sales.post(page("edit", an), {**data, "stage": "Contacted", "tags": "vip\nmới"})
    assert response.status_code == 302
    assert response["Location"] == page("change", an)
    change = ContactChange.objects.get()
    assert change.status == "waiting"
    assert set(change.new) == {"stage", "tags"}
    an.refresh_from_db()
    assert an.stage == "Contacted"
    assert set(an.value("tags")) == {"vip", "mới"}


def test_saving_an_untouched_form_changes_nothing(sales, account):
    values = {
        "name": " Tên ", "note": "a\r\n\r\nb\n", "phones": [{"value": "(093) 489", "type": "x"}],
        "custom_fields": {"n": 3, "list": ["a", 1], "none": None, "text": "3"}, "tags": ["b", "a"],
        "addresses": [{"street": "1", "street_name": "", "ward": "", "district": "", "city": "HCM",
                       "country_code": "", "country": "", "postal_code": "", "type": ""}],
        "social_accounts": [{"protocol": "fb", "value": "x"}], "birth_date": "1990-02-03", "gender": "male",
    }  # fmt: skip
    contact = factories.contact(account, values=values)
    response = sales.post(page("edit", contact), form_of(sales, page("edit", contact)))
    assert response.status_code == 302
    assert not ContactChange.objects.exists()


def test_rows_are_added_and_removed_without_a_script(sales, an):
    data = form_of(sales, page("edit", an))
    assert data["phones-value"] == ["0934 890 883", "", ""]
    data["phones-value"] = ["", "0912 345 678", ""]
    data["phones-type"] = ["", "Home", ""]
    sales.post(page("edit", an), data)
    an.refresh_from_db()
    assert an.value("phones") == [{"value": "0912 345 678", "type": "Home"}]


def test_errors_stand_at_their_field_and_what_was_typed_stays(sales, an):
    data = {
        **form_of(sales, page("edit", an)),
        "name": " ",
        "stage": "Typed stage",
        "emails-value": ["nonsense", "", ""],
    }
    response = sales.post(page("edit", an), data)
    shown = text(response)
    assert response.status_code == 422
    assert "A name is needed." in shown
    assert "is not an e-mail address" in shown
    assert 'value="Typed stage"' in shown
    assert 'value="nonsense"' in shown
    assert not ContactChange.objects.exists()


def test_a_clash_shows_both_sides_and_keeps_what_was_typed(sales, an):
    data = form_of(sales, page("edit", an))
    service.edit(
        contact=an, changes={"stage": "Won", "source": "Zalo"}, by=factories.user("Sales", username="lan")
    )
    response = sales.post(page("edit", an), {**data, "stage": "Mine"})
    shown = text(response)
    assert response.status_code == 409
    assert "lan" in shown
    assert "Won" in shown
    assert 'value="Mine"' in shown
    assert 'value="Zalo"' in shown, "an untouched field shows what it is now"
    an.refresh_from_db()
    assert an.stage == "Won"
    again = form_from(shown)
    assert sales.post(page("edit", an), {**again, "stage": "Mine"}).status_code == 302
    an.refresh_from_db()
    assert (an.stage, an.source) == ("Mine", "Zalo")


def form_from(shown):
    class Once:
        def get(self, _address):
            return type("Response", (), {"content": shown.encode()})

    return form_of(Once(), "")


def test_a_forged_or_missing_version_saves_nothing(sales, an):
    data = form_of(sales, page("edit", an))
    service.edit(contact=an, changes={"stage": "Won"}, by=factories.user("Sales"))
    for version in ("", "abc", "-1", "9" * 20):
        assert sales.post(page("edit", an), {**data, "stage": "Mine", "version": version}).status_code == 409
    an.refresh_from_db()
    assert an.stage == "Won"


def test_what_a_pull_changed_meanwhile_is_not_overwritten_silently(sales, an):
    data = form_of(sales, page("edit", an))
    Contact.objects.filter(pk=an.pk).update(stage="Changed remotely")
    sales.post(page("edit", an), {**data, "stage": "Mine"})
    assert ContactChange.objects.get().base["stage"] == "New", "sent as a change of what was seen"


def test_a_contact_that_is_gone_cannot_be_edited(sales, an):
    Contact.objects.filter(pk=an.pk).update(state="trashed")
    assert sales.get(page("edit", an)).status_code == 302
    assert "disabled" in text(sales.get(page("change", an)))


# --- create and delete -------------------------------------------------------------------------


def test_create_makes_a_waiting_contact_once(sales, account):
    data = form_of(sales, reverse("admin:crm_bridge_contact_add"))
    data |= {"name": "Mới Tinh", "phones-value": ["0912345678", ""], "phones-type": ["", ""]}
    first = sales.post(reverse("admin:crm_bridge_contact_add"), data)
    second = sales.post(reverse("admin:crm_bridge_contact_add"), data)
    assert first.status_code == 302
    assert first["Location"] == second["Location"]
    contact = Contact.objects.get()
    assert contact.name == "Mới Tinh"
    assert "new contact" in text(sales.get(page("change", contact)))


def test_create_names_what_is_wrong_and_keeps_the_rest(sales, account):
    data = form_of(sales, reverse("admin:crm_bridge_contact_add"))
    response = sales.post(reverse("admin:crm_bridge_contact_add"), {**data, "name": "", "note": "kept note"})
    assert response.status_code == 422
    assert "A name is needed." in text(response)
    assert "kept note" in text(response)
    assert not Contact.objects.exists()


def test_create_without_a_connection_says_so(sales):
    assert "No active connection" in text(sales.get(reverse("admin:crm_bridge_contact_add")))


def test_delete_asks_with_name_and_phone_and_acts_on_post_only(manager, an):
    shown = text(manager.get(page("delete", an)))
    assert "Nguyễn Văn An" in shown
    assert "0934 890 883" in shown
    assert not ContactChange.objects.exists()
    assert manager.post(page("delete", an)).status_code == 302
    assert ContactChange.objects.get().operation == "delete"


# --- many at once ------------------------------------------------------------------------------


@pytest.fixture
def three(account):
    return [
        factories.contact(account, values={"name": f"Người {number}", "tags": ["old"]}) for number in range(3)
    ]


def test_tagging_asks_first_then_goes_through_the_service(sales, three):
    where = reverse("admin:crm_bridge_contact_tag_selected")
    chosen = [row.pk for row in three[:2]]
    asked = text(sales.post(where, {"selected": chosen}))
    assert "Tag 2 contacts" in asked
    assert not ContactChange.objects.exists()
    sales.post(where, {"selected": chosen, "sure": "1", "add": "new", "remove": "old"})
    assert [row.value("tags") for row in three] == [["new"], ["new"], ["old"]]
    assert ContactChange.objects.count() == 2


def test_deleting_many_names_them_and_acts_once_sure(manager, three):
    where = reverse("admin:crm_bridge_contact_delete_selected")
    chosen = [row.pk for row in three]
    asked = text(manager.post(where, {"selected": chosen}))
    assert "Delete 3 contacts?" in asked
    assert "Người 1" in asked
    assert not ContactChange.objects.exists()
    manager.post(where, {"selected": chosen, "sure": "1"})
    assert ContactChange.objects.filter(operation="delete").count() == 3


def test_one_refusal_is_named_and_does_not_stop_the_others(manager, three):
    Contact.objects.filter(pk=three[0].pk).update(state="trashed")
    where = reverse("admin:crm_bridge_contact_delete_selected")
    data = {"selected": [row.pk for row in three], "sure": "1", "next": LIST}
    shown = text(manager.post(where, data, follow=True))
    assert ContactChange.objects.count() == 2
    assert "Người 0: This contact is trashed" in shown


@pytest.mark.parametrize("selected", [[], ["x"], ["-1"], ["9" * 40]])
def test_nothing_selected_does_nothing(manager, three, selected):
    where = reverse("admin:crm_bridge_contact_delete_selected")
    assert manager.post(where, {"selected": selected, "sure": "1"}).status_code == 302
    assert not ContactChange.objects.exists()


# --- permissions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "allowed"),
    [
        ("delete_selected", "post", False), ("export", "get", False), ("export", "post", False),
        ("import", "get", False), ("import", "post", False), ("import_confirm", "post", False),
        ("changelist", "get", True), ("add", "get", True),
    ],
)  # fmt: skip
def test_sales_may_do_what_the_role_says(sales, an, name, method, allowed):
    response = getattr(sales, method)(reverse(f"admin:crm_bridge_contact_{name}"))
    assert (response.status_code == 200) is allowed
    assert response.status_code in (200, 403)


@pytest.mark.parametrize("name", ["change", "edit", "delete", "receipt"])
def test_staff_without_a_role_see_nothing(an, name):
    client = Client()
    client.force_login(factories.user())
    assert client.get(page(name, an)).status_code == 403
    assert client.get(LIST).status_code == 403


@pytest.mark.parametrize("name", ["delete_selected", "tag_selected", "columns", "import_confirm"])
def test_changes_are_no_get(manager, name):
    assert manager.get(reverse(f"admin:crm_bridge_contact_{name}")).status_code == 405


def test_posts_need_a_token(an):
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("Managers"))
    for address in (page("edit", an), page("delete", an), reverse("admin:crm_bridge_contact_export")):
        assert client.post(address).status_code == 403
    assert not ContactChange.objects.exists()


# --- export --------------------------------------------------------------------------------------


def exported(client, query="", **data):
    address = reverse("admin:crm_bridge_contact_export") + query
    response = client.post(address, {"all": "1", **data})
    return b"".join(response.streaming_content)


def test_export_is_exactly_the_filtered_set_and_is_audited(manager, an, three):
    lines = exported(manager, "?q=0883", format="jsonl").splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["Nguyễn Văn An"]
    assert tuple(json.loads(lines[0])) == exports.KEYS
    entry = AuditEntry.objects.get(action="contact.export")
    assert "0883" not in json.dumps(entry.data), "what was searched for is personal"


def test_export_of_selected_contacts(manager, three):
    where = reverse("admin:crm_bridge_contact_export")
    chosen = {"selected": [three[0].pk, three[2].pk]}
    assert "Export 2 contacts" in text(manager.post(where, chosen))
    response = manager.post(where, {**chosen, "sure": "1", "format": "jsonl"})
    names = {json.loads(line)["name"] for line in b"".join(response.streaming_content).splitlines()}
    assert names == {"Người 0", "Người 2"}


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", "＋1", "－1", "＠x",
    "=HYPERLINK(\"http://x\")", "|=1", "'=1",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_cell_is_a_formula(account, formula):
    factories.contact(account, values={"name": formula, "note": formula, "custom_fields": {"a": formula}})
    for format in ("csv", "xlsx"):
        stream = io.BytesIO()
        assert exports.write(Contact.objects.all(), format, stream) == 1
        for cell in _cells(stream.getvalue(), format):
            assert not re.match(r"[\s]*[=+\-@＝＋－＠]", cell), (format, cell)
            assert cell[:1] not in "\t\r\n" or not cell


def _cells(data, format):
    if format == "csv":
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
        return [cell for row in rows[1:] for cell in row]
    sheet = load_workbook(io.BytesIO(data)).active
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert all(cell.data_type == "s" for cell in cells)
    return [cell.value for cell in cells]


def test_phones_stay_text(an):
    an.phones.update(value="+84934890883")
    csv_data, xlsx = io.BytesIO(), io.BytesIO()
    exports.write(Contact.objects.all(), "csv", csv_data)
    exports.write(Contact.objects.all(), "xlsx", xlsx)
    assert ",'+84934890883," in csv_data.getvalue().decode()
    sheet = load_workbook(io.BytesIO(xlsx.getvalue())).active
    cell = sheet.cell(2, exports.KEYS.index("phones") + 1)
    assert (cell.value, cell.data_type, cell.number_format) == ("+84934890883", "s", "@")


def test_export_costs_the_same_queries_for_many(account):
    def cost():
        with CaptureQueriesContext(database) as captured:
            exports.write(Contact.objects.all(), "jsonl", io.BytesIO())
        return len(captured)

    factories.contact(account)
    one = cost()
    for _ in range(20):
        factories.contact(account, values={"phones": [{"value": "0912345678", "type": ""}], "tags": ["x"]})
    assert cost() == one


# --- import --------------------------------------------------------------------------------------


def uploaded(client, account, data, name="people.csv"):
    file = SimpleUploadedFile(name, data if isinstance(data, bytes) else data.encode())
    where = reverse("admin:crm_bridge_contact_import")
    return client.post(where, {"file": file, "connection": account.pk, "kind": "lead"})


def test_import_previews_then_creates_once(manager, account):
    response = uploaded(manager, account, "name,phones,tags\nAn,0934890883; 0912345678,vip;new\nBình,,\n")
    shown = text(response)
    assert "2 contacts will be created" in shown
    assert not Contact.objects.exists()
    import html

    signed = html.unescape(re.search(r'name="signed" value="([^"]+)"', shown)[1])
    for _ in range(2):
        manager.post(reverse("admin:crm_bridge_contact_import_confirm"), {"signed": signed})
    an, _binh = Contact.objects.order_by("name")
    assert Contact.objects.count() == 2
    assert [row["value"] for row in an.value("phones")] == ["0934890883", "0912345678"]
    assert set(an.value("tags")) == {"vip", "new"}
    assert ContactChange.objects.filter(batch__isnull=False).count() == 2


def test_a_preview_belongs_to_who_made_it(manager, account):
    shown = text(uploaded(manager, account, "name\nAn\n"))
    signed = re.search(r'name="signed" value="([^"]+)"', shown)[1]
    signed_in("Managers").post(reverse("admin:crm_bridge_contact_import_confirm"), {"signed": signed})
    manager.post(reverse("admin:crm_bridge_contact_import_confirm"), {"signed": signed[:-2]})
    assert not Contact.objects.exists()


def test_row_errors_name_row_and_field_and_nothing_is_created(manager, account):
    shown = text(uploaded(manager, account, "name,emails,kind\nAn,bad,lead\n,a@b.vn,\nC,,robot\n"))
    assert "nothing can be imported yet" in shown
    assert "is not an e-mail address" in shown
    assert "A name is needed." in shown
    assert "is no kind of contact" in shown
    assert "<td>2</td>" in shown
    assert "<td>4</td>" in shown
    assert 'name="signed"' not in shown


def workbook(rows):
    book = Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (b"", "a.csv", "empty"),
        (b"name\n", "a.csv", "no rows"),
        (b"phone\n1\n", "a.csv", "no column"),
        (b"name,name\na,b\n", "a.csv", "twice"),
        (b"name\n\xff\xfe\xfa", "a.csv", "UTF-8"),
        (b"name\n\x00", "a.csv", "no text"),
        (b"x" * (imports.MOST_BYTES + 1), "a.csv", "larger than"),
        (b"name" + b",x" * 100 + b"\n1\n", "a.csv", "columns"),
        (b"name\n" + b"a\n" * (imports.MOST_ROWS + 1), "a.csv", "rows"),
        (b"not a zip", "a.xlsx", "not an XLSX"),
        (b"PK\x03\x04 broken", "a.xlsx", "cannot be read"),
    ],
)
def test_files_that_cannot_be_imported_say_why(manager, account, data, name, message):
    response = uploaded(manager, account, data, name) if data else None
    if response is None:
        with pytest.raises(imports.Unreadable, match=message):
            imports.preview(io.BytesIO(data), name, connection=account, kind="lead")
        return
    assert response.status_code == 422
    assert message in text(response)


def test_a_zip_bomb_is_not_unpacked(manager, account, monkeypatch):
    monkeypatch.setattr(imports, "MOST_UNPACKED", 1000)
    assert "unpacks to more" in text(uploaded(manager, account, workbook([["name"], ["An"]]), "a.xlsx"))


def test_xlsx_is_read_and_our_own_export_comes_back(manager, account, an):
    shown = text(uploaded(manager, account, workbook([["Name", "Phones"], ["Ann", 912345678]]), "a.xlsx"))
    assert "1 contact will be created" in shown
    stream = io.BytesIO()
    exports.write(Contact.objects.all(), "csv", stream)
    found = imports.preview(io.BytesIO(stream.getvalue()), "a.csv", connection=account, kind="lead")
    assert found.errors == []
    (_kind, values) = found.rows[0]
    assert values["phones"] == [{"value": "0934 890 883", "type": ""}]
