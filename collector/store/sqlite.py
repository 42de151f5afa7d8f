"""The embedded store: readings in collector.db, exact, idempotent, append-only.

Several processes may read and write it at once; one object belongs to one thread at a time.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.database import available, open_collector_database
from collector.schema import READING_COLUMNS
from collector.store import (
    Added,
    Arrival,
    Claim,
    Conflict,
    Correction,
    EnergyRead,
    differing,
    same_registers,
    statements,
)
from collector.store.numbers import Numbers
from collector.store.rows import (
    SOURCE_CODES,
    Layout,
    Row,
    amounts_of,
    energy_of,
    instant_of,
    layout_of,
    layout_text,
    microseconds,
    read_at_of,
    reading_of,
    registers_of,
    span_of,
)
from kaukoluenta.identifiers import MeterId
from kaukoluenta.reading import Reading, check_reading
from kaukoluenta.runtime.database import transaction

_SPAN, _METER, _READ_AT, _SOURCE, _LAYOUT, _ARRIVAL, _AMOUNTS = (
    READING_COLUMNS.index(column)
    for column in ("span", "meter", "read_at", "source", "layout", "arrival", "amounts")
)
_WHO, _WHY = len(READING_COLUMNS), len(READING_COLUMNS) + 1
"""Only in a row of a correction; None in what is asked together with corrections."""
_FOR_EVER = 2**62
_INSTANT_KEY, _KEY = slice(_SOURCE), slice(_SOURCE + 1)


def open_sqlite(path: Path, *, read_only: bool = False) -> SqliteStore:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written it."""
    return SqliteStore(open_collector_database(path, read_only=read_only))


class SqliteStore:
    """A ReadingStore over one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._meters: Numbers[MeterId] = Numbers(connection, "meter", "id", str, MeterId)
        self._layouts: Numbers[Layout] = Numbers(connection, "layout", "registers", layout_text, layout_of)

    def close(self) -> None:
        self._connection.close()

    # Writing ----------------------------------------------------------------------------------------

    def add(self, readings: Iterable[Reading], arrival: Arrival) -> Added:
        with self._writing() as connection:
            rows = self._rows(readings, arrival)
            new = connection.executemany(statements.INSERT, rows).rowcount if rows else 0
            known = enumerate(rows) if new < len(rows) else ()
            at_odds = tuple(place for place, row in known if self._at_odds(row))
        return Added(new, len(rows) - new - len(at_odds), len(at_odds), at_odds)

    def correct(self, readings: Iterable[Reading], arrival: Arrival, correction: Correction) -> Added:
        with self._writing() as connection:
            rows = self._rows(readings, arrival)
            new = 0
            for row in rows:
                if self._decided_so(row):
                    continue
                connection.execute(statements.INSERT_CORRECTION, (*row, correction.who, correction.why))
                new += 1
        return Added(new, len(rows) - new)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with available(), transaction(self._connection) as connection:
                yield connection
        except BaseException:
            self._meters.forget()
            self._layouts.forget()
            raise

    def _rows(self, readings: Iterable[Reading], arrival: Arrival) -> list[Row]:
        values = (microseconds(arrival.received_at), arrival.origin)
        number = self._connection.execute(statements.INSERT_ARRIVAL, values).lastrowid
        assert number is not None, "an INSERT gives a row id"
        return [self._row(reading, number) for reading in readings]

    def _row(self, reading: Reading, arrival: int) -> Row:
        read_at = read_at_of(reading)
        layout, amounts = amounts_of(reading)
        return (
            span_of(read_at),
            self._meters.number(reading.meter) or self._meters.give(reading.meter),
            read_at,
            SOURCE_CODES[reading.source],
            self._layouts.number(layout) or self._new_layout(layout, reading),
            int(reading.quality),
            microseconds(reading.asked_at) if reading.asked_at else None,
            reading.meter_time,
            reading.info_code,
            arrival,
            amounts,
        )

    def _new_layout(self, layout: Layout, reading: Reading) -> int:
        check_reading(reading)
        return self._layouts.give(layout)

    def _at_odds(self, row: Row) -> bool:
        """Whether a row of this arrival differs from what stands; then it is kept beside it, once.

        One that was kept already and decided since says nothing new.
        """
        if self._same(self._connection.execute(statements.FIRST, row[_KEY]).fetchone(), row):
            return False
        corrected = self._newest_correction(row)
        if corrected and self._same(corrected, row):
            return False
        kept = self._connection.execute(statements.CONFLICTS, row[_KEY]).fetchall()
        said = next((conflict[_ARRIVAL] for conflict in kept if self._same(conflict, row)), None)
        if said is None:
            self._connection.execute(statements.INSERT_CONFLICT, row)
            return True
        return corrected is None or int(said) > int(corrected[_ARRIVAL])

    def _decided_so(self, row: Row) -> bool:
        """Whether the newest correction says just this, and nothing has been claimed against it since."""
        claims = self._claims(row[_SPAN], row[_READ_AT], [row[_METER]]).get(row[_METER], [])
        if len(claims) != 1 or claims[0][_WHO] is None:
            return False
        return bool(claims[0][_SOURCE] == row[_SOURCE]) and self._same(claims[0], row)

    def _newest_correction(self, row: Row) -> Row | None:
        found: Row | None = self._connection.execute(
            statements.NEWEST_CORRECTION, row[_INSTANT_KEY]
        ).fetchone()
        return found

    def _same(self, one: Row, other: Row) -> bool:
        if one[_AMOUNTS] == other[_AMOUNTS] and one[_LAYOUT] == other[_LAYOUT]:
            return True
        return same_registers(
            *(registers_of(self._layouts.key(row[_LAYOUT]), row[_AMOUNTS]) for row in (one, other))
        )

    # Reading ----------------------------------------------------------------------------------------

    def at(self, instant: datetime, meters: Iterable[MeterId]) -> Mapping[MeterId, list[Reading]]:
        read_at = microseconds(instant)
        claims = self._claims(span_of(read_at), read_at, [self._meters.number(meter) for meter in meters])
        return {self._meters.key(number): [*map(self._reading, rows)] for number, rows in claims.items()}

    def conflicts(self, start: datetime, end: datetime) -> Iterator[Conflict]:
        first, last = microseconds(start), microseconds(end)
        for span in self._spans(first, last):
            disputable = self._fetch(statements.DISPUTABLE_OF_SPAN, span=span, start=first, end=last)
            for number, read_at in disputable:
                claims = self._claims(span, read_at, [number])[number]
                registers = differing([*map(self._reading, claims)])
                if registers:
                    meter = self._meters.key(number)
                    yield Conflict(meter, instant_of(read_at), registers, tuple(map(self._claim, claims)))

    def series(self, meter: MeterId, start: datetime, end: datetime) -> list[Reading]:
        number = self._meters.number(meter)
        rows = self._fetch(statements.SERIES, meter=number, **self._within(start, end))
        return [self._reading(row) for row in rows]

    def energies(self, meters: Iterable[MeterId], start: datetime, end: datetime) -> Iterator[EnergyRead]:
        within = self._within(start, end)
        for meter in sorted(set(meters)):
            number = self._meters.number(meter)
            for read_at, _, layout, amounts in self._fetch(statements.ENERGIES, meter=number, **within):
                energy = energy_of(self._layouts.key(layout), amounts)
                if energy is not None:
                    yield EnergyRead(meter, instant_of(read_at), energy)

    def instants(self, meter: MeterId, start: datetime, end: datetime) -> list[datetime]:
        number = self._meters.number(meter)
        rows = self._fetch(statements.INSTANTS, meter=number, **self._within(start, end))
        return [instant_of(row[0]) for row in rows]

    def latest(self, until: datetime | None = None) -> list[Reading]:
        last = microseconds(until) if until else _FOR_EVER
        missing = {row[0] for row in self._fetch("SELECT number FROM meter")}
        found: list[Reading] = []
        for span in reversed(self._spans(0, last)):
            rows = self._fetch(
                statements.OLD_TO_NEW_OF_SPAN, span=span, until=last, meters=json.dumps(list(missing))
            )
            newest = {row[_METER]: row for row in rows}
            found += map(self._reading, newest.values())
            missing -= newest.keys()
            if not missing:
                break
        return sorted(found, key=lambda reading: reading.meter)

    def meters(self, start: datetime, end: datetime) -> list[MeterId]:
        return [MeterId(row[0]) for row in self._fetch(statements.METERS, **self._within(start, end))]

    def coverage(self, start: datetime, end: datetime) -> Mapping[MeterId, int]:
        rows = self._fetch(statements.COVERAGE, **self._within(start, end))
        return {MeterId(meter): instants for meter, instants in rows}

    def readings(self, start: datetime, end: datetime) -> Iterator[Reading]:
        first, last = microseconds(start), microseconds(end)
        for span in self._spans(first, last):
            for row in self._fetch(statements.READINGS_OF_SPAN, span=span, start=first, end=last):
                yield self._reading(row)

    def _claims(self, span: int, read_at: int, meters: Iterable[int | None]) -> Mapping[int, list[Row]]:
        """By meter what `at` gives, as rows with who and why: the newest correction first, then by source."""
        numbers = json.dumps([*meters])
        rows = self._fetch(statements.CLAIMS, span=span, read_at=read_at, meters=numbers)
        found: defaultdict[int, list[Row]] = defaultdict(list)
        for row in sorted(rows, key=lambda row: (row[_WHO] is None, int(row[_SOURCE]))):
            claims = found[row[_METER]]
            if not claims or claims[0][_WHO] is None or not self._same(claims[0], row):
                claims.append(row)
        return dict(found)

    def _claim(self, row: Row) -> Claim:
        ((received_at, origin),) = self._fetch(statements.ARRIVAL, number=row[_ARRIVAL])
        correction = None if row[_WHO] is None else Correction(row[_WHO], row[_WHY])
        return Claim(self._reading(row), Arrival(instant_of(received_at), origin), correction)

    def _reading(self, row: Row) -> Reading:
        fields = row[: len(READING_COLUMNS)]
        return reading_of(self._meters.key(row[_METER]), self._layouts.key(row[_LAYOUT]), fields)

    def _within(self, start: datetime, end: datetime) -> dict[str, Any]:
        first, last = microseconds(start), microseconds(end)
        return {"start": first, "end": last, "spans": json.dumps(self._spans(first, last))}

    def _spans(self, first: int, last: int) -> list[int]:
        rows = self._fetch(statements.SPANS, first=span_of(first), last=span_of(last))
        return [row[0] for row in rows]

    def _fetch(self, statement: str, **values: object) -> list[Row]:
        with available():
            return self._connection.execute(statement, values).fetchall()
