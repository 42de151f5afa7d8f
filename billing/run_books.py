"""A run's lines in billing.db, and back as they were. Written once, in the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from billing.extract import Extract, Refusal, Row
from billing.period_use import Leg
from billing.reasons import Reason
from billing.rounding import plain
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import Period, instant_text, parse_instant

Key = tuple[str, int]
"""Month and number of a run."""

Cells = tuple[Any, ...]


def write_lines(books: sqlite3.Connection, key: Key, extract: Extract) -> None:
    rows = list(enumerate(extract.rows))
    legs = [(position, number, leg) for position, row in rows for number, leg in enumerate(row.legs)]
    _insert(books, "run_rows", ((*key, position, *_row_cells(row)) for position, row in rows))
    _insert(books, "run_legs", ((*key, position, number, *_leg_cells(leg)) for position, number, leg in legs))
    refused = enumerate(extract.refused)
    _insert(books, "run_refusals", ((*key, position, *_refusal_cells(one)) for position, one in refused))
    warnings = enumerate(extract.warnings)
    _insert(books, "run_warnings", ((*key, position, text) for position, text in warnings))


def read_lines(books: sqlite3.Connection, key: Key, period: Period) -> Extract:
    legs = defaultdict(list)
    for position, _, *cells in _select(books, "run_legs", key):
        legs[position].append(_leg(*cells))
    return Extract(
        period,
        tuple(_row(cells, legs[position]) for position, *cells in _select(books, "run_rows", key)),
        tuple(_refusal(*cells) for _, *cells in _select(books, "run_refusals", key)),
        tuple(text for _, text in _select(books, "run_warnings", key)),
    )


def _insert(books: sqlite3.Connection, table: str, lines: Iterable[Cells]) -> None:
    for line in lines:
        places = ", ".join("?" * len(line))
        books.execute(f"INSERT INTO {table} VALUES ({places})", line)  # noqa: S608  names from this file


def _select(books: sqlite3.Connection, table: str, key: Key) -> Iterable[Cells]:
    """A run's lines in order, without its key: each table begins with month, number, position."""
    statement = f"SELECT * FROM {table} WHERE month = ? AND number = ? ORDER BY 1, 2, 3, 4"  # noqa: S608  ours
    return (line[2:] for line in books.execute(statement, key))


def _row_cells(row: Row) -> Cells:
    who = row.contract, row.customer_number, row.delivery_point
    return (*who, instant_text(row.since), instant_text(row.until), plain(row.energy))


def _row(cells: Iterable[Any], legs: Iterable[Leg]) -> Row:
    contract, customer_number, delivery_point, since, until, energy = cells
    when = parse_instant(since), parse_instant(until)
    return Row(contract, customer_number, delivery_point, *when, Decimal(energy), tuple(legs))


def _leg_cells(leg: Leg) -> Cells:
    registers = plain(leg.start), plain(leg.end), leg.unit, plain(leg.energy)
    return (leg.meter, instant_text(leg.since), instant_text(leg.until), *registers)


def _leg(meter: str, since: str, until: str, start: str, end: str, unit: str, energy: str) -> Leg:
    when = parse_instant(since), parse_instant(until)
    return Leg(MeterId(meter), *when, Decimal(start), Decimal(end), unit, Decimal(energy))


def _refusal_cells(one: Refusal) -> Cells:
    return one.delivery_point, one.contract, one.meter, one.reason, one.detail


def _refusal(delivery_point: str, contract: str, meter: str | None, reason: str, detail: str) -> Refusal:
    named = None if meter is None else MeterId(meter)
    return Refusal(delivery_point, contract, named, Reason(reason), detail)
