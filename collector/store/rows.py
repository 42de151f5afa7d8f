"""A reading as a row of collector.db, and back. Exact: a decimal's text holds its exponent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import starmap
from typing import Any

from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import MOST_DIGITS, Amount
from kaukoluenta.reading import EARLIEST, Quality, Reading, Source, check_reading

Row = tuple[Any, ...]
"""The values of READING_COLUMNS."""

SOURCE_CODES = {
    Source.LIVE: 1,
    Source.DUE_DATE: 2,
    Source.LOG: 3,
    Source.WALK_BY: 4,
    Source.MANUAL: 5,
    Source.REMOVAL: 6,
    Source.INSTALLATION: 7,
}
SOURCES = {code: source for source, code in SOURCE_CODES.items()}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPAN = timedelta(hours=6) // _MICROSECOND


Layout = tuple[tuple[str, ...], tuple[str, ...]]
"""Which registers, in which units, the amounts of a row are, in the order in which they came."""


def layout_text(layout: Layout) -> str:
    return json.dumps(layout)


def layout_of(text: str) -> Layout:
    registers, units = json.loads(text)
    return tuple(registers), tuple(units)


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970. Exact, as no float is."""
    return (moment - _EPOCH) // _MICROSECOND


def instant_of(since_1970: int) -> datetime:
    return _EPOCH + timedelta(microseconds=since_1970)


def span_of(since_1970: int) -> int:
    """The six-hour span in which an instant lies."""
    return since_1970 // _SPAN


def read_at_of(reading: Reading) -> int:
    """Raises ReadingRefused when the instant is naive or before 2000."""
    read_at = reading.read_at
    if read_at.tzinfo is None or read_at < EARLIEST:
        check_reading(reading)
    return microseconds(read_at)


def amounts_of(reading: Reading) -> tuple[Layout, str]:
    """The reading's decimals as text, and their layout, whose units are not checked here.

    A short text with neither an N nor an I in it is a number of at most 15 digits; only the others are
    looked at closely.

    Raises:
        ReadingRefused: no register, NaN, infinity, or more than 15 digits.
    """
    registers = reading.registers
    if not registers:
        check_reading(reading)
    values, units = zip(*registers.values(), strict=True)
    texts = [*map(str, values)]
    text = " ".join(texts)
    if max(map(len, texts)) > MOST_DIGITS or "N" in text or "I" in text:
        check_reading(reading)
    return (tuple(registers), units), text


def registers_of(layout: Layout, amounts: str) -> dict[str, Amount]:
    registers, units = layout
    values = map(Decimal, amounts.split(" "))
    return dict(zip(registers, starmap(Amount, zip(values, units, strict=True)), strict=True))


def energy_of(layout: Layout, amounts: str) -> Amount | None:
    """The energy register alone; None when there is none."""
    registers, units = layout
    if "energy" not in registers:
        return None
    place = registers.index("energy")
    return Amount(Decimal(amounts.split(" ", place + 1)[place]), units[place])


def reading_of(meter: MeterId, layout: Layout, row: Row) -> Reading:
    _, _, read_at, source, _, quality, asked_at, meter_time, info_code, _, amounts = row
    return Reading(
        meter,
        instant_of(read_at),
        SOURCES[source],
        registers_of(layout, amounts),
        Quality(quality),
        None if asked_at is None else instant_of(asked_at),
        meter_time,
        info_code,
    )
