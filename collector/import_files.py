"""`collector import`: readings from a CSV file through the file door. A bad row takes nothing of the file.

Two rows that say different things of one meter, instant and source are a conflict, be they in one file or in
two: the first stands, the other is kept beside it, the rest is taken. A file of corrections decides, so
one with two values for one meter and instant is refused.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from collector.store import Added, Arrival, Correction, ReadingStore, differing, same_registers
from kaukoluenta.errors import UsageError
from kaukoluenta.file_door import BadCell, Fault, FileRefused, Row, read_table
from kaukoluenta.identifiers import MeterId, meter_id
from kaukoluenta.quantities import ENERGY_UNITS, VOLUME_UNITS, Amount
from kaukoluenta.reading import Reading, ReadingRefused, Source, check_reading

COLUMNS = ("meter", "read_at", "energy", "energy_unit")
OPTIONAL = ("source", "volume", "volume_unit")


@dataclass(frozen=True, slots=True)
class NumberedReading:
    """A reading and the row of the file that says it (the heading is row 1)."""

    row: int
    reading: Reading


@dataclass(frozen=True, slots=True)
class FileRead:
    """What a file says, and the headings that nobody asked for."""

    name: str
    readings: tuple[NumberedReading, ...]
    unknown_columns: tuple[str, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What the store made of a file, and the rows at odds with what stands."""

    added: Added
    at_odds: tuple[NumberedReading, ...]


def read_octets(path: Path) -> bytes:
    """Raises UsageError when there is no such file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", remedy="Give the path of a CSV file."
        ) from None


def read_file(name: str, octets: bytes) -> FileRead:
    """Raises FileRefused with everything that is wrong."""
    table = read_table(name, octets, COLUMNS, OPTIONAL)
    readings = tuple(NumberedReading(row.number, reading) for row, reading in table.entries(_reading))
    if table.faults:
        raise FileRefused(sorted(table.faults, key=lambda fault: fault.row))
    return FileRead(name, readings, tuple(table.unknown_columns), f"sha256:{sha256(octets).hexdigest()}")


def import_readings(store: ReadingStore, file: FileRead, now: datetime) -> Imported:
    """Add all readings of a file, in one go."""
    added = store.add((numbered.reading for numbered in file.readings), Arrival(now, file.origin))
    return Imported(added, tuple(file.readings[place] for place in added.at_odds))


def import_corrections(store: ReadingStore, file: FileRead, now: datetime, why: str) -> Imported:
    """Let the file's readings supersede. Raises FileRefused when the file contradicts itself."""
    decided: dict[tuple[MeterId, datetime], NumberedReading] = {}
    faults = []
    for numbered in file.readings:
        first = decided.setdefault((numbered.reading.meter, numbered.reading.read_at), numbered)
        if not same_registers(first.reading.registers, numbered.reading.registers):
            faults.append(_contradiction(file.name, first, numbered))
    if faults:
        raise FileRefused(faults)
    decisions = [numbered.reading for numbered in decided.values()]
    added = store.correct(decisions, Arrival(now, file.origin), Correction(os_user(), why))
    return Imported(Added(added.new, added.duplicate + len(file.readings) - len(decisions)), ())


def _contradiction(file: str, first: NumberedReading, other: NumberedReading) -> Fault:
    registers = differing([first.reading, other.reading])
    return Fault(
        file,
        other.row,
        "energy" if "energy" in registers else "volume",
        f"not the value of row {first.row} for the same meter and instant.",
        "A correction decides: leave one of the two.",
    )


def os_user() -> str:
    """Who is at the keyboard, as the operating system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _reading(row: Row) -> Reading:
    registers = {"energy": Amount(row.number_in("energy"), row.one_of("energy_unit", ENERGY_UNITS))}
    if row.optional_text("volume"):
        registers["volume"] = Amount(row.number_in("volume"), row.one_of("volume_unit", VOLUME_UNITS))
    with row.cell("meter"):
        meter = meter_id(row.text("meter"))
    source = Source(row.one_of("source", [*Source], default=Source.MANUAL))
    try:
        return check_reading(Reading(meter, row.instant("read_at"), source, registers))
    except ReadingRefused as refused:
        raise BadCell("read_at", refused.problem, refused.remedy) from None


def places(numbered: Sequence[NumberedReading], file: str) -> list[str]:
    """One line for each row at odds: where, and what to do."""
    return [
        f"{file}, row {one.row}: another value stands for {one.reading.meter} at that instant."
        " Find out which is right, then decide with --correct REASON."
        for one in numbered
    ]
