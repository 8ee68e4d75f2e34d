import pytest
from django.db import connection

from crm_bridge import search_index
from crm_bridge.models import Contact
from crm_bridge.services.rows import write_values
from tests import factories

pytestmark = pytest.mark.django_db


def found(text: str) -> set[int]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"SELECT rowid FROM {search_index.FTS} WHERE search_text MATCH %s", [f'"{text}"'])
        else:
            cursor.execute("SELECT id FROM crm_bridge_contact WHERE search_text LIKE %s", [f"%{text}%"])
        return {row[0] for row in cursor.fetchall()}


def test_the_index_follows_insert_update_and_delete():
    contact = factories.contact(factories.connection(), values={"name": "Lý Công Yên"})
    key = contact.pk
    assert found("ly cong") == {key}
    write_values(contact, {"name": "Vũ Hồ"})
    assert found("ly cong") == set()
    assert found("vu ho") == {key}
    contact.delete()
    assert found("vu ho") == set()


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_triggers_lost_to_a_rebuilt_table_come_back_with_the_index_whole():
    with connection.cursor() as cursor:
        for trigger in ("insert", "update", "delete"):
            cursor.execute(f"DROP TRIGGER {search_index.FTS}_{trigger}")
    contact = factories.contact(factories.connection(), values={"name": "Lý Công Yên"})
    assert found("ly cong") == set()
    search_index.after_migrate("default")
    assert found("ly cong") == {contact.pk}
    Contact.objects.filter(pk=contact.pk).update(search_text="khac")
    assert found("ly cong") == set()
