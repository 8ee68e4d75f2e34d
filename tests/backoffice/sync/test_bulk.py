"""The set-based writer on whichever database the tests run."""

from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from backoffice.sync.bulk import Bulk, bulk
from crm_bridge.models import Tag
from tests import factories

TABLE = Tag._meta.db_table


def put(writer: Bulk, owner: int, *names: str) -> list[tuple[Any, ...]]:
    columns = ("connection_id", "name")
    return writer.upsert(TABLE, columns, [(owner, name) for name in names], key=columns, returning=("name",))


@pytest.mark.django_db(transaction=True)
def test_staging_table_lives_from_commit_to_commit_and_survives_a_rollback() -> None:
    writer, owner = bulk(), factories.connection().pk
    made: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        made.extend([sql] if sql.startswith("CREATE TEMP TABLE") else [])
        return execute(sql, params, many, context)

    with database.execute_wrapper(watch):
        with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012  the rollback is the point
            put(writer, owner, "a")
            raise RuntimeError
        with transaction.atomic():
            assert sorted(put(writer, owner, "b", "c")) == [("b",), ("c",)]
        with transaction.atomic():
            put(writer, owner, "d")
            put(writer, owner, "e")
    assert set(Tag.objects.values_list("name", flat=True)) == {"b", "c", "d", "e"}
    assert len(made) == 2


@pytest.mark.django_db
def test_find_returns_only_rows_of_the_key_and_the_rest() -> None:
    writer, mine, other = bulk(), factories.connection().pk, factories.connection().pk
    Tag.objects.bulk_create(Tag(connection_id=owner, name=name) for owner in (mine, other) for name in "abc")
    rows = writer.find(TABLE, ("name",), "name", ["a", "c", "x"], where={"connection_id": mine})
    assert sorted(rows) == [("a",), ("c",)]
    assert writer.find(TABLE, ("name",), "name", [], where={"connection_id": mine}) == []
