"""Files of numbers that a person uploads: CSV or XLSX with number, name and e-mail."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext as _

from crm_bridge import imports
from crm_bridge.imports import Unreadable

__all__ = ["MOST_BYTES", "MOST_ROWS", "NumberRow", "Unreadable", "read"]

MOST_BYTES = 16 * 1024 * 1024
MOST_ROWS = 200_000

_COLUMNS = {
    "number": "number", "phone": "number", "phones": "number", "phone number": "number", "mobile": "number",
    "số điện thoại": "number", "điện thoại": "number", "sđt": "number",
    "name": "name", "full name": "name", "họ tên": "name", "họ và tên": "name", "tên": "name",
    "email": "email", "e-mail": "email", "emails": "email",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NumberRow:
    line: int
    """Row of the file, the header is 1."""
    number: str
    name: str = ""
    email: str = ""


def read(file: BinaryIO, name: str) -> Iterator[NumberRow]:
    """The rows of a file, valid or not; raises ``Unreadable`` for a file that is none of numbers."""
    table = imports.table(file, name, most_bytes=MOST_BYTES, most_rows=MOST_ROWS)
    header = [_COLUMNS.get(str(cell).strip().lower(), "") for cell in next(table, [])]
    if "number" not in header:
        raise Unreadable(
            _("There is no column “number”. The first row names the columns: number, name, email.")
        )
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise Unreadable(_("These columns appear twice: %s.") % ", ".join(twice))
    places = {column: place for place, column in enumerate(header) if column}
    taken = 0
    for line, cells in enumerate(table, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        taken += 1
        if taken > MOST_ROWS:
            raise Unreadable(_("The file has more than %d rows. Split it.") % MOST_ROWS)
        values = {column: cells[place].strip() for column, place in places.items() if place < len(cells)}
        yield NumberRow(line, **{"number": "", **values})
    if not taken:
        raise Unreadable(_("The file has a header but no rows."))
