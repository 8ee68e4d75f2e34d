"""The custom fields of an account as its CRM defines them: read daily, at connect, and when asked."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from backoffice import audit
from backoffice.remote.errors import RemoteError
from backoffice.sync import bell
from backoffice.sync.bulk import bulk
from crm_bridge import choices
from crm_bridge.connectors import registry
from crm_bridge.connectors.base import DefinesFields
from crm_bridge.models import Connection, CustomField
from crm_bridge.models.fields import FILTERABLE
from crm_bridge.records import FieldDefinition, FieldType
from crm_bridge.services import connecting, field_values, health

EVERY = timedelta(days=1)
AGAIN_AFTER = timedelta(hours=1)
"""After an attempt that failed."""
TASK = "crm_bridge.tasks.pull_fields"
READ_AT, TRIED_AT = "fields_read_at", "fields_tried_at"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What was different from what we knew."""

    fields: int
    new: int
    changed: int
    gone: int


def due(now: datetime) -> list[int]:
    """Active connections whose definitions are older than a day, and were not just tried."""
    found, vendors = [], dict(registry.kinds())
    for connection in Connection.objects.filter(is_active=True).defer("credentials"):
        if connection.vendor not in vendors or not connection.capabilities.custom_field_definitions:
            continue
        read, tried = (_moment(connection.measured.get(name)) for name in (READ_AT, TRIED_AT))
        if (read is None or now - read > EVERY) and (tried is None or now - tried > AGAIN_AFTER):
            found.append(connection.pk)
    return found


def ring(connection: Connection) -> None:
    """Have a worker read the definitions, where there are any."""
    if connection.capabilities.custom_field_definitions:
        bell.ring(TASK, connection.pk, on="pull")


def read_first(connection: Connection) -> None:
    """Before the first pull: contacts then find the fields that their values belong to."""
    if connection.capabilities.custom_field_definitions and READ_AT not in connection.measured:
        with suppress(RemoteError):  # told on the connection, and tried again
            refresh(connection)


def refresh(connection: Connection, *, by: Any = None) -> Refreshed:
    """Read the definitions now. Raises ``RemoteError``, after which everything is as it was."""
    health.remember_measured(connection, **{TRIED_AT: timezone.now().isoformat(timespec="seconds")})
    connector = connecting.connect_to(connection)
    try:
        definitions = cast(DefinesFields, connector).field_definitions()
    except RemoteError as error:
        connecting.note_trouble(connection, error)
        raise
    finally:
        connector.close()
    result = keep(connection, definitions, by=by)
    health.remember_measured(connection, **{READ_AT: timezone.now().isoformat(timespec="seconds")})
    return result


def keep(connection: Connection, definitions: Sequence[FieldDefinition], *, by: Any = None) -> Refreshed:
    """Store the definitions; fields that are not among them any more stay, marked as gone."""
    now = timezone.now()
    with transaction.atomic():
        Connection.objects.select_for_update().only("pk").get(pk=connection.pk)
        known = {field.key: field for field in CustomField.objects.filter(connection=connection)}
        index: list[CustomField] = []
        new = changed = 0
        for position, definition in enumerate(_unique(definitions)):
            field = known.pop(definition.key, None) or CustomField(connection=connection, key=definition.key)
            before = (field.definition, field.gone_at, field.position) if field.pk else None
            if _reindex(field, definition):
                index.append(field)
            _fill(field, definition, position)
            field.seen_at, field.gone_at = now, None
            new += before is None
            changed += before is not None and before != (field.definition, None, position)
            field.save()
        missing = [field for field in known.values() if field.gone_at is None]
        CustomField.objects.filter(pk__in=[field.pk for field in missing]).update(gone_at=now)
        if new or changed or missing:
            audit.record(
                "connection.fields", connection, by=by, summary=f"{new} new, {changed} changed",
                new=new, changed=changed, gone=[field.label for field in missing],
            )  # fmt: skip
    choices.forget_definitions(connection.pk)
    if index:
        field_values.rebuild(connection, index, bulk=bulk())
    return Refreshed(len(definitions), new, changed, len(missing))


def _unique(definitions: Sequence[FieldDefinition]) -> list[FieldDefinition]:
    """The first of each key, and only keys that can be kept."""
    found: dict[str, FieldDefinition] = {}
    for definition in definitions:
        if definition.key and len(definition.key) <= 200:
            found.setdefault(definition.key, definition)
    return list(found.values())


def _reindex(field: CustomField, definition: FieldDefinition) -> bool:
    """Whether the rows to filter by have to be made anew."""
    if field.pk is None or field.gone_at is not None:
        return definition.type in FILTERABLE
    return FieldType(field.type) is not definition.type


def _fill(field: CustomField, definition: FieldDefinition, position: int) -> None:
    field.label = (definition.label or definition.key)[:200]
    field.type = definition.type.value
    field.choices = [[choice.value, choice.label] for choice in definition.choices]
    field.required, field.editable = definition.required, definition.editable
    field.help, field.position = definition.help[:500], position


def _moment(text: Any) -> datetime | None:
    return parse_datetime(text) if isinstance(text, str) else None
