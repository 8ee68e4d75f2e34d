import pytest

from crm_bridge.models import Contact, ContactTag, Tag
from crm_bridge.services.rows import write_values
from tests import factories

pytestmark = pytest.mark.django_db


def test_values_come_back_as_they_were_written():
    values = {
        "name": "Trần Thị Bưởi",
        "birth_date": "1990-02-28",
        "phones": [{"value": "0934 890 883", "type": "Work"}, {"value": "nội bộ 12", "type": ""}],
        "emails": [{"value": "Buoi@Example.com", "type": "Work"}],
        "tags": ["vip", "2026"],
        "custom_fields": {"Đơn vị": "nhanh"},
    }
    contact = factories.contact(factories.connection(), values=values)
    fresh = Contact.objects.get(pk=contact.pk)
    stored = fresh.values()
    assert {name: stored[name] for name in values if name != "tags"} == {
        name: value for name, value in values.items() if name != "tags"
    }
    assert sorted(stored["tags"]) == ["2026", "vip"]
    assert [phone.e164 for phone in fresh.phones.all()] == ["+84934890883", ""]
    assert fresh.search_text == "tran thi buoi\n84934890883\n12\nbuoi@example.com"


def test_only_what_is_named_is_written():
    contact = factories.contact(factories.connection(), values={"name": "A", "stage": "New", "tags": ["x"]})
    stale = Contact.objects.get(pk=contact.pk)
    Contact.objects.filter(pk=contact.pk).update(stage="Won")
    write_values(stale, {"name": "B"})
    fresh = Contact.objects.get(pk=contact.pk)
    assert (fresh.name, fresh.stage) == ("B", "Won")
    assert fresh.value("tags") == ["x"]
    assert fresh.search_text == "b"


def test_tags_are_shared_within_a_connection_and_kept_apart_between_two():
    one, two = factories.connection(), factories.connection()
    factories.contact(one, values={"tags": ["vip", "vip"]})
    factories.contact(one, values={"tags": ["vip"]})
    factories.contact(two, values={"tags": ["vip"]})
    assert Tag.objects.count() == 2
    assert ContactTag.objects.count() == 3
