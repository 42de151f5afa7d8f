"""`collector export`: the standing readings as CSV in the style of the file door, or as JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, TextIO

from collector.store import ReadingStore
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import QUANTITIES, quantity_of
from kaukoluenta.reading import EARLIEST, Reading

END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


def select(
    store: ReadingStore, start: datetime | None, end: datetime | None, meter: MeterId | None
) -> Iterator[Reading]:
    """The standing readings in [start, end), of one meter or of all; open where an end is None."""
    start, end = start or EARLIEST, end or END_OF_TIME
    if meter is None:
        yield from store.readings(start, end)
    else:
        yield from (reading for reading in store.series(meter, start, end) if reading.read_at < end)


def write_csv(readings: Iterable[Reading], registers: Iterable[str], out: TextIO) -> None:
    """One row a reading, one column a register and one for its unit. `registers` are all that may occur."""
    names = sorted(registers, key=_place)
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        ["meter", "read_at", "source", *(f"{name}{end}" for name in names for end in ("", "_unit"))]
    )
    for reading in readings:
        cells = []
        for name in names:
            amount = reading.registers.get(name)
            cells += [f"{amount.value:f}", amount.unit] if amount else ["", ""]
        table.writerow([reading.meter, instant_text(reading.read_at), reading.source, *cells])


def write_json_lines(readings: Iterable[Reading], out: TextIO) -> None:
    for reading in readings:
        out.write(json.dumps(as_json(reading), ensure_ascii=False) + "\n")


def as_json(reading: Reading) -> dict[str, Any]:
    """Numbers as text in plain notation: a JSON number would be read as a float."""
    return {
        "meter": reading.meter,
        "read_at": instant_text(reading.read_at),
        "source": reading.source,
        "quality": int(reading.quality),
        "asked_at": instant_text(reading.asked_at) if reading.asked_at else None,
        "meter_time": reading.meter_time,
        "info_code": reading.info_code,
        "registers": {
            name: {"value": f"{amount.value:f}", "unit": amount.unit}
            for name, amount in reading.registers.items()
        },
    }


def _place(register: str) -> tuple[int, str]:
    """Energy first, tariffs behind their total."""
    return [*QUANTITIES].index(quantity_of(register).name), register
