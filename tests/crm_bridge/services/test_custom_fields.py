"""Custom fields by their definitions: read, kept, validated, sent, and filtered by."""

from dataclasses import replace

import pytest
from django.core.cache import cache
from django.utils import timezone

from backoffice.remote.errors import RetryLater
from backoffice.sync.bulk import bulk
from crm_bridge import choices, exports
from crm_bridge.custom_values import from_labels
from crm_bridge.filters import ContactFilter
from crm_bridge.models import Contact, ContactFieldValue, CustomField, Run
from crm_bridge.records import FieldChoice, FieldDefinition, FieldType, canonical
from crm_bridge.services import contacts, custom_fields, pull, push
from crm_bridge.services.contact_rows import ContactRows, prepare
from crm_bridge.services.contacts import Invalid
from tests import factories
from tests.crm_bridge.services.fake_vendor import DEFINITIONS, FakeVendor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_old_choices():
    cache.clear()


@pytest.fixture
def account(vendor):
    row = factories.connection(vendor="fake", name="Fake")
    custom_fields.refresh(row)
    return row


@pytest.fixture
def lan(db):
    return factories.user("Managers", username="lan")


@pytest.fixture
def mirror(account, vendor):
    def make(**custom) -> Contact:
        record = vendor.add(kind="contact", custom_fields=custom)
        return factories.contact(
            account,
            family="one",
            remote_id=record.identity.remote_id,
            kind="contact",
            values=canonical(record),
        )

    return make


def found(**query) -> set[int]:
    cache.clear()
    return set(
        ContactFilter({key: str(value) for key, value in query.items()}).qs.values_list("pk", flat=True)
    )


def name(key: str, end: str = "") -> str:
    return f"cf{CustomField.objects.get(key=key).pk}{end}"


# --- definitions -----------------------------------------------------------------------------


def test_definitions_are_read_and_a_second_reading_changes_nothing(account):
    assert [field.definition for field in choices.present_fields(account.pk)] == list(DEFINITIONS)
    again = custom_fields.refresh(account)
    assert (again.new, again.changed, again.gone) == (0, 0, 0)


def test_a_field_that_is_gone_keeps_its_label_for_old_values(account, vendor, mirror):
    contact = mirror(f_size="2")
    vendor.definitions = [each for each in DEFINITIONS if each.key != "f_size"]
    assert custom_fields.refresh(account).gone == 1
    assert "f_size" not in [field.key for field in choices.present_fields(account.pk)]
    assert next(exports.records(Contact.objects.filter(pk=contact.pk)))["custom_fields"] == {
        "Shirt size": "Large"
    }
    vendor.definitions = list(DEFINITIONS)
    custom_fields.refresh(account)
    assert found(**{name("f_size"): "2"}) == {contact.pk}


def test_they_are_due_once_a_day_and_not_hammered_when_it_fails(account, vendor, monkeypatch):
    now = timezone.now()
    assert custom_fields.due(now) == []
    assert custom_fields.due(now + timezone.timedelta(days=2)) == [account.pk]
    fresh = factories.connection(vendor="fake", name="New")
    factories.connection()
    assert custom_fields.due(now) == [fresh.pk]

    def fail(self):
        raise RetryLater("busy")

    monkeypatch.setattr(FakeVendor, "field_definitions", fail)
    with pytest.raises(RetryLater):
        custom_fields.refresh(fresh)
    assert custom_fields.due(now + timezone.timedelta(minutes=30)) == []
    assert custom_fields.due(now + timezone.timedelta(hours=2)) == [fresh.pk]


def test_the_first_pull_knows_the_fields_before_the_contacts(vendor):
    row = factories.connection(vendor="fake", name="First")
    for size in ("1", "2", "2"):
        vendor.add(kind="contact", custom_fields={"f_size": size, "odd": "x"})
    runs = pull.pull_connection(row)
    assert [run.status for run in runs] == [Run.Status.OK]
    assert len(found(**{name("f_size"): "2"})) == 2


def test_a_new_definition_indexes_what_contacts_already_hold(account, vendor, mirror):
    mirrored = [mirror(later=f"Tên {number}") for number in range(3)]
    assert not ContactFieldValue.objects.filter(field__key="later").exists()
    vendor.definitions.append(FieldDefinition("later", "Later"))
    custom_fields.refresh(account)
    assert found(**{name("later"): "ten 1"}) == {mirrored[1].pk}
    vendor.definitions[-1] = replace(vendor.definitions[-1], type=FieldType.LONG_TEXT)
    custom_fields.refresh(account)
    assert not ContactFieldValue.objects.filter(field__key="later").exists()


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "typed", "stored"),
    [
        ("f_budget", "1 250,5", "1250.5"), ("f_budget", "-3", "-3"), ("f_since", "2026-03-01", "2026-03-01"),
        ("f_time", "09:30", "09:30"), ("f_seen", "2026-03-01T09:30", "2026-03-01T09:30:00+07:00"),
        ("f_site", "https://a.vn/x", "https://a.vn/x"), ("f_vip", "yes", True), ("f_vip", "", None),
        ("f_likes", ["w", "t"], ["t", "w"]), ("f_plan", "b", "b"), ("f_text", "  Bông  ", "Bông"),
        ("f_story", "one\r\ntwo", "one\ntwo"),
    ],
)  # fmt: skip
def test_values_become_what_the_definition_says(mirror, vendor, lan, key, typed, stored):
    contact = mirror(f_size="1", f_vip=False)
    contacts.edit(contact=contact, changes={"custom_fields": {"f_size": "1", key: typed}}, by=lan)
    contact.refresh_from_db()
    assert contact.custom_fields[key] == stored
    assert push.push_due().done == 1
    assert vendor.records[contact.remote_id].custom_fields[key] == stored


@pytest.mark.parametrize(
    ("key", "typed", "words"),
    [
        ("f_budget", "much", "Budget: This must be a number"), ("f_text", "a\x00b", "Nickname: This holds"),
        ("f_since", "1/3/26", "Customer since: This must be"), ("f_seen", "soon", "Last visit: This must be"),
        ("f_time", "25:00", "Best time: This must be a time"), ("f_size", "", "Shirt size: This is required"),
        ("f_site", "javascript:alert(1)", "Website: This must"), ("f_size", "XL", "Shirt size: “XL” is not"),
        ("f_likes", ["t", "beer"], "Likes: “beer” is not one"), ("f_vip", "perhaps", "VIP: This must be yes"),
        ("f_score", "9", "Score: This field cannot be"), ("f_text", ["a"], "Nickname: This must be a text"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_and_nothing_is_saved(mirror, lan, key, typed, words):
    contact = mirror(f_size="1")
    with pytest.raises(Invalid, match=words) as caught:
        contacts.edit(
            contact=contact, changes={"stage": "x", "custom_fields": {"f_size": "1", key: typed}}, by=lan
        )
    assert list(caught.value.errors) == [f"custom_fields:{key}"]
    contact.refresh_from_db()
    assert contact.custom_fields == {"f_size": "1"}


def test_what_the_crm_holds_is_let_pass_even_where_it_is_wrong(mirror, lan):
    contact = mirror(f_budget="a lot", f_size="gone", f_site="www.a.vn", extra="kept")
    values = {**contact.custom_fields, "f_text": "Bông"}
    assert contacts.edit(contact=contact, changes={"custom_fields": values}, by=lan) is not None
    contact.refresh_from_db()
    assert contact.custom_fields == values


def test_a_new_contact_needs_what_is_required(account, vendor, lan):
    with pytest.raises(Invalid, match="Shirt size: This is required"):
        contacts.create(connection=account, kind="contact", values={"name": "An"}, by=lan)
    values = {"name": "An", "custom_fields": {"f_size": "2", "f_text": ""}}
    contacts.create(connection=account, kind="contact", values=values, by=lan)
    assert push.push_due().done == 1
    assert [record.custom_fields for record in vendor.records.values()] == [{"f_size": "2"}]


def test_without_definitions_everything_is_as_before(lan):
    contact = factories.contact(factories.connection())
    contacts.edit(contact=contact, changes={"custom_fields": {"Any": 5, "B": ["x"]}}, by=lan)
    contact.refresh_from_db()
    assert contact.custom_fields == {"Any": 5, "B": ["x"]}


# --- by label ------------------------------------------------------------------------------------


def test_exports_speak_in_labels_and_imports_understand_them(mirror):
    contact = mirror(f_size="2", f_likes=["t", "w"], f_vip=True, f_seen="2026-03-01T02:30:00+00:00", odd="x")
    record = next(exports.records(Contact.objects.filter(pk=contact.pk)))
    assert record["custom_fields"] == {
        "Shirt size": "Large", "Likes": ["Tea", "Water"], "Last visit": "2026-03-01 09:30", "VIP": True,
        "odd": "x",
    }  # fmt: skip
    back = from_labels({"shirt SIZE": "large", "Likes": "Tea; Water", "VIP": "yes", "odd": "x"}, DEFINITIONS)
    assert back == {"f_size": "2", "f_likes": ["t", "w"], "f_vip": "yes", "odd": "x"}


def test_two_fields_of_one_label_are_both_exported(account, vendor, mirror):
    vendor.definitions.append(FieldDefinition("f_size2", "Shirt size", FieldType.TEXT))
    custom_fields.refresh(account)
    contact = mirror(f_size="1", f_size2="40")
    record = next(exports.records(Contact.objects.filter(pk=contact.pk)))
    assert record["custom_fields"] == {"Shirt size (f_size)": "Small", "Shirt size (f_size2)": "40"}


# --- filters -------------------------------------------------------------------------------------


@pytest.fixture
def three(mirror):
    return (
        mirror(
            f_size="1", f_budget="900", f_likes=["t"], f_vip=True, f_since="2026-01-31", f_text="Bông Gòn"
        ),
        mirror(f_size="2", f_budget="1000.5", f_likes=["t", "c"], f_vip=False, f_since="2026-02-01"),
        mirror(f_size="2", f_budget="n/a", f_seen="2026-02-01T20:00:00+00:00"),
    )


@pytest.mark.parametrize(
    ("key", "end", "value", "hits"),
    [
        ("f_size", "", "2", {1, 2}), ("f_size", "", "3", set()), ("f_likes", "", "t", {0, 1}),
        ("f_likes", "", "c", {1}), ("f_vip", "", "true", {0}), ("f_vip", "", "false", {1}),
        ("f_budget", "_from", "950", {1}), ("f_budget", "_to", "950", {0}),
        ("f_since", "_from", "2026-02-01", {1}),
        ("f_since", "_to", "2026-01-31", {0}), ("f_text", "", "bong", {0}), ("f_text", "", "gon", set()),
        ("f_seen", "_from", "2026-02-02", {2}), ("f_seen", "_to", "2026-02-01", set()),
    ],
)  # fmt: skip
@pytest.mark.parametrize("few", [0, 2_000])
def test_filters_find_exactly_their_contacts(three, monkeypatch, key, end, value, hits, few):
    """Both ways of asking give the same: looked up by value, or met on the walk."""
    monkeypatch.setattr("crm_bridge.filters_custom.FEW", few)
    assert found(**{name(key, end): value}) == {three[index].pk for index in hits}


def test_filters_follow_edits(three, lan):
    values = {**three[0].custom_fields, "f_size": "2"}
    contacts.edit(contact=three[0], changes={"custom_fields": values}, by=lan)
    assert found(**{name("f_size"): "2"}) == {contact.pk for contact in three}


def test_the_bulk_writer_keeps_the_same_rows_as_the_single_one(account, vendor, mirror):
    values = {
        "f_size": "1", "f_budget": "12", "f_likes": ["t", "c"], "f_vip": True, "f_since": "2026-01-31",
        "f_text": "Bông", "f_story": "long", "f_seen": "2026-02-01T20:00:00+00:00", "odd": "x",
    }  # fmt: skip
    single = mirror(**values)
    other = vendor.add(kind="contact", custom_fields=values)
    writer = ContactRows(account.pk, bulk())
    writer.write([prepare(account.pk, other, b"{}", "h", bulk())], {})
    twin = Contact.objects.get(remote_id=other.identity.remote_id)

    def rows(contact):
        return sorted(contact.field_values.values_list("field", "value", "number"))

    assert rows(twin) == rows(single)
    assert len(rows(single)) == 8
    ids = {("one", other.identity.remote_id): twin.pk}
    writer.write([prepare(account.pk, replace(other, custom_fields={}), b"{}", "i", bulk())], ids)
    assert rows(twin) == []


def test_an_option_that_was_taken_back_is_still_a_filter(three, account, vendor):
    vendor.definitions[1] = replace(vendor.definitions[1], choices=(FieldChoice("9", "Other"),))
    custom_fields.refresh(account)
    assert found(**{name("f_size"): "2"}) == {three[1].pk, three[2].pk}
