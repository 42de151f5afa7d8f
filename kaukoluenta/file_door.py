"""Tables that come in as CSV files: the same rules at every door.

UTF-8 with or without BOM, comma or semicolon, any line end, RFC 4180 quotes. Numbers are
`-?digits[.digits]`, with a decimal comma only in semicolon files. What is wrong is said with file, row
(the heading is row 1), column, what and remedy, and never with the value, which may be personal.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.periods import parse_instant
from kaukoluenta.quantities import MOST_DIGITS

Entry = TypeVar("Entry")

_NUMBER = {
    ",": re.compile(r"-?[0-9]+(\.[0-9]+)?"),
    ";": re.compile(r"-?[0-9]+([.,][0-9]+)?"),
}
_PLAIN_HEADING = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_MOST_SHOWN = 20


class FileRefused(KaukoluentaError):
    """A file with a bad row, heading or encoding. Nothing of it was taken."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        shown = "\n".join(str(fault) for fault in faults[:_MOST_SHOWN])
        more = len(faults) - _MOST_SHOWN
        super().__init__(
            shown + (f"\n... and {more} more." if more > 0 else ""),
            remedy="\nNothing was taken. Mend these and import again.",
        )
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file. `row` counts the heading as 1; 0 means the file as a whole."""

    file: str
    row: int
    column: str
    what: str
    remedy: str

    def __str__(self) -> str:
        row = f", row {self.row}" if self.row else ""
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}{row}{column}: {self.what} {self.remedy}"


class BadCell(KaukoluentaError):
    """A cell that cannot be read. Becomes a Fault with its place; the text is never repeated."""

    def __init__(self, column: str, what: str, remedy: str) -> None:
        super().__init__(what, remedy=remedy)
        self.column = column


@dataclass(frozen=True, slots=True)
class Row:
    """One row by column name. Its methods read a cell or raise BadCell."""

    number: int
    cells: dict[str, str]
    separator: str

    def text(self, column: str) -> str:
        value = self.optional_text(column)
        if not value:
            raise BadCell(column, "The cell is empty.", "Fill it in.")
        return value

    def optional_text(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def one_of(self, column: str, choices: Sequence[str], default: str = "") -> str:
        value = self.optional_text(column) or default
        if value not in choices:
            raise BadCell(column, "The value is not known.", f"Write one of {', '.join(choices)}.")
        return value

    def number_in(self, column: str) -> Decimal:
        """A decimal, exactly as written."""
        value = self.text(column)
        if not _NUMBER[self.separator].fullmatch(value):
            comma = " or a decimal comma" if self.separator == ";" else ""
            raise BadCell(column, "This is no number.", f"Write digits with a decimal point{comma}.")
        number = Decimal(value.replace(",", "."))
        if len(number.as_tuple().digits) > MOST_DIGITS:
            raise BadCell(column, f"More than {MOST_DIGITS} digits.", "Check the register's resolution.")
        return number

    def instant(self, column: str) -> datetime:
        """An instant in UTC; a bare date is the local midnight that begins it."""
        with self.cell(column):
            return parse_instant(self.text(column))

    def optional_instant(self, column: str) -> datetime | None:
        return self.instant(column) if self.optional_text(column) else None

    @contextmanager
    def cell(self, column: str) -> Iterator[None]:
        """Give an error of the vocabulary its column."""
        try:
            yield
        except BadCell:
            raise
        except KaukoluentaError as error:
            raise BadCell(column, error.problem, error.remedy) from None


@dataclass(slots=True)
class Table:
    """A file's rows. Faults are gathered, so that one import shows all that is wrong."""

    file: str
    rows: list[Row]
    unknown_columns: list[str]
    faults: list[Fault] = field(default_factory=list)

    def entries(self, read: Callable[[Row], Entry]) -> Iterator[tuple[Row, Entry]]:
        """Each row read by `read`; a BadCell becomes a fault and the next row follows."""
        for row in self.rows:
            try:
                entry = read(row)
            except BadCell as bad:
                self.fault(row, bad.column, bad.problem, bad.remedy)
            else:
                yield row, entry

    def fault(self, row: Row, column: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(self.file, row.number, column, what, remedy))


def read_table(file: str, octets: bytes, columns: Sequence[str], optional: Sequence[str] = ()) -> Table:
    """Cut a file into rows.

    Args:
        file: the name used in messages.
        columns: headings that must be there; `optional` ones may be.

    Raises:
        FileRefused: not UTF-8, a heading missing or doubled, a broken quote, a row of another length.
    """
    text = _decode(file, octets)
    heading_line = text.splitlines()[0] if text.strip() else ""
    separator = ";" if heading_line.count(";") > heading_line.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[list[str]] = []
    try:
        lines.extend(reader)
    except csv.Error:
        raise FileRefused(
            [Fault(file, len(lines) + 1, "", "The quotes do not match.", "Double a quote inside quotes.")]
        ) from None
    heading = [name.strip() for name in lines[0]] if lines else []
    _check_heading(file, heading, columns)
    table = Table(file, [], _unknown(heading, lines[1:], {*columns, *optional}))
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        row = Row(number, dict(zip(heading, cells, strict=False)), separator)
        if len(cells) == len(heading):
            table.rows.append(row)
        else:
            table.fault(
                row,
                "",
                f"{len(cells)} cells under {len(heading)} headings.",
                "Quote cells with a separator in them.",
            )
    return table


def _decode(file: str, octets: bytes) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = octets[: error.start].count(b"\n") + 1
        raise FileRefused(
            [Fault(file, row, "", "This is not UTF-8.", "Save the file as CSV UTF-8.")]
        ) from None


def _unknown(heading: list[str], lines: list[list[str]], known: set[str]) -> list[str]:
    """Names of the columns that nobody asked for. One whose heading is no plain word goes by its number: a
    table without a heading has a person's name there."""
    named = {number: name for number, name in enumerate(heading, start=1) if name and name not in known}
    for number, name in enumerate(heading, start=1):
        if not name and any(cells[number - 1 : number] not in ([], [""]) for cells in lines):
            named[number] = ""
    return [
        name if _PLAIN_HEADING.fullmatch(name) else f"column {number}"
        for number, name in sorted(named.items())
    ]


def _check_heading(file: str, heading: list[str], columns: Sequence[str]) -> None:
    faults = [
        Fault(file, 1, name, "The column is missing.", f"The heading is {','.join(columns)}.")
        for name in columns
        if name not in heading
    ]
    faults += [
        Fault(file, 1, name, "The column is there twice.", "Keep one of them.")
        for name in dict.fromkeys(heading)
        if name and heading.count(name) > 1
    ]
    if faults:
        raise FileRefused(faults)
