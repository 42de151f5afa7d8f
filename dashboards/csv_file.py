"""Tables that go out as CSV, as the reader's spreadsheet expects them in his language.

Finnish and Swedish: semicolon and decimal comma; English: comma and decimal point. UTF-8 with BOM.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboards.languages import Language

Cell = str | int | Decimal | None

_BOM = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A heading and rows; numbers are still numbers, an unknown one is None and becomes an empty cell."""

    name: str
    heading: Sequence[str]
    rows: Iterable[Sequence[Cell]]


def csv_octets(file: CsvFile, words: Language) -> bytes:
    """The whole file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=words.text("format.csv_separator"))
    writer.writerow(file.heading)
    writer.writerows([_cell(cell, words) for cell in row] for row in file.rows)
    return (_BOM + text.getvalue()).encode()


def _cell(cell: Cell, words: Language) -> str:
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:f}".replace(".", words.text("format.decimal_mark"))
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text  # a spreadsheet must not run it
