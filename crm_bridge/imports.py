"""Contacts from a spreadsheet: read with limits, checked row by row, previewed.

Nothing is written here; ``services.contacts.create_many`` does that once a
person has seen the preview. A file that is too large, too wide or a bomb is
refused before it is unpacked.
"""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.utils.translation import gettext as _
from openpyxl import load_workbook

from crm_bridge.custom_values import from_labels
from crm_bridge.labels import field_label
from crm_bridge.models import Connection
from crm_bridge.services.contacts import rules_of
from crm_bridge.validation import CustomRules, Invalid, clean

MOST_BYTES = 4 * 1024 * 1024
MOST_UNPACKED = 60 * 1024 * 1024
MOST_ROWS = 2_000
MOST_COLUMNS = 60
MOST_ERRORS = 200

_LISTS = {"phones": "phones", "phone": "phones", "emails": "emails", "email": "emails", "e-mail": "emails"}
_TEXTS = ("name", "gender", "birth_date", "industry", "note", "stage", "source", "responsible")
_ADDRESS = ("street", "street_name", "ward", "district", "city", "postal_code", "country")
_CUSTOM = "custom:"

KNOWN_COLUMNS = ("kind", *_TEXTS, "phones", "emails", "tags", *_ADDRESS, f"{_CUSTOM}NAME")


class Unreadable(ValueError):
    """The file as a whole cannot be imported; the message says why."""


@dataclass
class Preview:
    columns: list[str]
    ignored: list[str]
    rows: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """(kind, values) as the service takes them."""
    errors: list[tuple[int, str, str]] = field(default_factory=list)
    """(row in the file, column, message)."""


def preview(file: BinaryIO, name: str, *, connection: Connection, kind: str) -> Preview:
    """What an import of this file would create, and what is wrong with it."""
    rows = table(file, name)
    header = [str(cell).strip().lower() for cell in next(rows, [])]
    while header and not header[-1]:  # a sheet is padded to the widest that is read
        header.pop()
    if not header:
        raise Unreadable(_("The file is empty: its first row must name the columns."))
    if len(header) > MOST_COLUMNS:
        raise Unreadable(_("The file has more than %d columns.") % MOST_COLUMNS)
    twice = sorted({one for one in header if one and header.count(one) > 1})
    if twice:
        raise Unreadable(_("These columns appear twice: %s.") % ", ".join(twice))
    ignored = [one for one in header if one and not _is_known(one)]
    if "name" not in header:
        raise Unreadable(_("There is no column “name”. Known columns: %s.") % ", ".join(KNOWN_COLUMNS))
    rules = rules_of(connection)
    found = Preview([one for one in header if _is_known(one)], ignored)
    for number, cells in enumerate(rows, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(found.rows) + len(found.errors) >= MOST_ROWS:
            raise Unreadable(_("The file has more than %d rows. Split it.") % MOST_ROWS)
        if len(found.errors) >= MOST_ERRORS:
            break
        _check(found, number, dict(zip(header, cells, strict=False)), connection, kind, rules)
    if not found.rows and not found.errors:
        raise Unreadable(_("The file has a header but no rows."))
    return found


def _is_known(column: str) -> bool:
    return column in KNOWN_COLUMNS[:-1] or column in _LISTS or column.startswith(_CUSTOM)


def _check(
    found: Preview, number: int, row: dict[str, str], connection: Connection, kind: str, rules: CustomRules
) -> None:
    capabilities = connection.capabilities
    row_kind = row.get("kind", "").strip().lower() or kind
    if row_kind not in [one.value for one in capabilities.kinds]:
        found.errors.append((number, "kind", _("“%s” is no kind of contact there.") % row_kind[:40]))
        return
    try:
        values = _values(row)
        if rules.definitions and "custom_fields" in values:
            values["custom_fields"] = from_labels(values["custom_fields"], rules.definitions)
        values = clean(values, allowed=capabilities.creatable, label=connection.vendor_label, custom=rules)
    except Invalid as wrong:
        found.errors += [(number, field_label(name), words) for name, words in wrong.errors.items()]
        return
    found.rows.append((row_kind, values))


def _values(row: dict[str, str]) -> dict[str, Any]:
    """Canonical values of one row; empty cells say nothing, except the name."""
    values: dict[str, Any] = {name: row[name].strip() for name in _TEXTS if row.get(name, "").strip()}
    values.setdefault("name", "")
    for column, target in _LISTS.items():
        values.setdefault(target, []).extend(
            {"value": one, "type": ""} for one in _parts(row.get(column, ""))
        )
    values["tags"] = _parts(row.get("tags", ""))
    address = {slot: row[slot].strip() for slot in _ADDRESS if row.get(slot, "").strip()}
    values["addresses"] = [address] if address else []
    values["custom_fields"] = {
        column.removeprefix(_CUSTOM).strip(): cell.strip()
        for column, cell in row.items()
        if column.startswith(_CUSTOM) and cell.strip()
    }
    return {name: value for name, value in values.items() if value or name == "name"}


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in cell.replace("\n", ";").split(";") if part.strip()]


# --- reading -----------------------------------------------------------------------------


def table(
    file: BinaryIO, name: str, *, most_bytes: int = MOST_BYTES, most_rows: int = MOST_ROWS
) -> Iterator[list[str]]:
    """The cells of a CSV or XLSX file as text, row by row."""
    data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise Unreadable(_("The file is larger than %d MB.") % (most_bytes // 1024 // 1024))
    if data.startswith(b"PK\x03\x04"):
        return _xlsx(data, most_rows)
    if name.lower().endswith((".xlsx", ".xls")):
        raise Unreadable(_("This is not an XLSX file. Save it as XLSX or CSV and try again."))
    return _csv(data)


def _csv(data: bytes) -> Iterator[list[str]]:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable(_("The file is not UTF-8 text. Save it as “CSV UTF-8” and try again.")) from None
    if "\0" in text:
        raise Unreadable(_("The file holds bytes that are no text."))
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in rows:
            yield [_unquoted(cell) for cell in row]
    except csv.Error as broken:
        raise Unreadable(
            _("Row %(row)d cannot be read: %(why)s") % {"row": rows.line_num, "why": broken}
        ) from None


def _xlsx(data: bytes, most_rows: int) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MOST_UNPACKED:
                raise Unreadable(_("The file unpacks to more than %d MB.") % (MOST_UNPACKED // 1024 // 1024))
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        sheet: Any = book.worksheets[0]
        for row in sheet.iter_rows(values_only=True, max_col=MOST_COLUMNS + 1, max_row=most_rows * 2):
            yield [_unquoted(_cell(value)) for value in row]
    except Unreadable:
        raise
    except Exception as broken:  # openpyxl raises whatever a crafted file makes it meet
        raise Unreadable(_("The file cannot be read as XLSX.")) from broken


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat())[:10]
    return str(value)


def _unquoted(cell: str) -> str:
    """Our own exports put an apostrophe before what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple("=+-@0123456789(＝＋－＠\t\r\n") else cell


def as_rows(data: Sequence[Any]) -> list[tuple[str, dict[str, Any]]]:
    """The rows of a preview after their trip through the page."""
    return [(str(kind), dict(values)) for kind, values in data]
