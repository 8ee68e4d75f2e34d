"""Tables out of the house as CSV and XLSX, row by row, whatever the size of the set.

Spreadsheet programs run a cell that begins with ``=`` or its kin as a formula, so such
cells are defused; a phone number keeps its leading zero or plus.
"""

import csv
import io
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

ROWS_PER_SHEET = 1_000_000
CELL_LIMIT = 32_000
CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

_FORMULA = re.compile(r"^[\s\x00-\x20]*[=+\-@＝＋－＠\t\r\n]")
_STARTS_WITH_CONTROL = re.compile(r"^[\t\r\n]")
_NUMBERS_ONLY = re.compile(r"[+\d\s().;/-]+")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Row = Mapping[str, str]
"""Flat texts by column; nothing is defused yet."""


def defused(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would run it."""
    if _FORMULA.match(text) or _STARTS_WITH_CONTROL.match(text):
        return f"'{text}"
    return text


def csv_pieces(columns: Sequence[str], rows: Iterable[Row], phones: Collection[str]) -> Iterator[bytes]:
    """A CSV file, piece by piece; ``phones`` are the columns that hold numbers to be dialled."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    yield b"\xef\xbb\xbf"  # without the mark Excel takes the file for Latin-1
    for row in rows:
        writer.writerow([_csv_cell(row[column], column in phones) for column in columns])
        if buffer.tell() > 65_536:
            yield _drained(buffer)
    yield _drained(buffer)


def _csv_cell(text: str, is_phone: bool) -> str:
    # Without the apostrophe a spreadsheet reads 0934… as a number and drops its zero.
    if is_phone and text and _NUMBERS_ONLY.fullmatch(text):
        return f"'{text}"
    return defused(text)


def _drained(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")


def xlsx_pieces(columns: Sequence[str], rows: Iterable[Row], phones: Collection[str]) -> Iterator[bytes]:
    """As ``csv_pieces``; a sheet that is full is followed by another one."""
    book = Workbook(write_only=True)
    sheet = _new_sheet(book, columns)
    for number, row in enumerate(rows, 1):
        if number % ROWS_PER_SHEET == 0:
            sheet = _new_sheet(book, columns)
        sheet.append([_xlsx_cell(sheet, row[column], column in phones) for column in columns])
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while piece := file.read(65_536):
            yield piece


def _new_sheet(book: Workbook, columns: Sequence[str]) -> Any:
    sheet = book.create_sheet()
    sheet.append(list(columns))
    return sheet


def _xlsx_cell(sheet: Any, text: str, is_phone: bool) -> Any:
    if not text:
        return None
    plain = _NOT_IN_XML.sub("", text)[:CELL_LIMIT]
    if not is_phone or not _NUMBERS_ONLY.fullmatch(plain):
        plain = defused(plain)
    cell = WriteOnlyCell(sheet, value=plain)
    cell.data_type = "s"  # openpyxl would make a formula of a leading "="
    cell.number_format = "@"
    return cell
