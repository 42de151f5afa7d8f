"""One meter over a range of time: its moments, its gaps, and its registers as columns of one unit each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Literal

from dashboards.network import DEFAULT_STEP, Place
from dashboards.panels import ENERGY_USE
from dashboards.reasons import is_spared
from dashboards.source import Source
from dashboards.timeline import Gap, Moment, gaps, timeline
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import QUANTITIES, Amount, UnitError, convert, quantity_of
from kaukoluenta.reading import EARLIEST

RangeName = Literal["24h", "7d", "30d", "all"]
RANGES: dict[RangeName, timedelta | None] = {
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
DEFAULT_RANGE: RangeName = "7d"

_LOOK_BACK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Column:
    """A register (or the energy use) over the moments. None where the meter gave nothing."""

    name: str
    unit: str
    values: tuple[Decimal | None, ...]

    @property
    def known(self) -> list[Decimal]:
        return [value for value in self.values if value is not None]


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a meter in [start, end]; its slots are `step` apart.

    `gaps` are all its slots without a reading; `digest` is another one whenever anything in them or in the
    moments is.
    """

    meter: MeterId
    start: datetime
    end: datetime
    step: timedelta
    moments: tuple[Moment, ...]
    gaps: tuple[Gap, ...]
    columns: tuple[Column, ...]
    digest: str

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    @property
    def missing(self) -> list[Gap]:
        """The gaps in which the meter owed a reading."""
        return [gap for gap in self.gaps if not is_spared(gap.reason)]


def history(
    source: Source,
    meter: MeterId,
    place: Place | None,
    range_name: RangeName,
    now: datetime,
    grace: timedelta,
) -> History:
    """A meter's history over a range that ends now.

    A meter that is polled owes every slot from the first that its gateway spoke of up to `grace` ago; one
    that nobody polls owes none after what was last heard of it.

    Raises:
        SourceUnavailable
    """
    length = RANGES[range_name]
    asked_from = now - length if length else EARLIEST
    readings = source.series(meter, max(EARLIEST, asked_from - _LOOK_BACK), now)
    reasons = source.missed(meter, asked_from, now)
    heard = [reading.read_at for reading in (*readings[:1], *readings[-1:])] + list(reasons)
    known_since = min([*heard, place.since] if place else heard, default=now)
    due = now - grace if place else max(heard, default=now)
    start = max(asked_from, known_since) if length is None else asked_from
    step = place.step if place else DEFAULT_STEP
    spared = {slot for slot, reason in reasons.items() if is_spared(reason)}
    moments = timeline(readings, max(start, known_since), now, step, spared)
    moments = [m for m in moments if m.at >= start and (m.reading or m.at <= due)]
    missing, registers = gaps(moments, reasons), columns(moments)
    digest = sha256(repr((missing, registers)).encode()).hexdigest()[:16]
    return History(meter, start, now, step, tuple(moments), tuple(missing), tuple(registers), digest)


def columns(moments: Sequence[Moment]) -> list[Column]:
    """The energy use and every register that the moments have, in the unit of the newest."""
    found = [_column(ENERGY_USE, [moment.use for moment in moments])]
    found += [
        _column(name, [moment.reading.registers.get(name) if moment.reading else None for moment in moments])
        for name in ordered(
            {name for moment in moments if moment.reading for name in moment.reading.registers}
        )
    ]
    return [column for column in found if column.unit]


def ordered(registers: Iterable[str]) -> list[str]:
    """Register names in the order of QUANTITIES, totals before tariffs."""
    places = {name: place for place, name in enumerate(QUANTITIES)}
    return sorted(registers, key=lambda name: (places[quantity_of(name).name], len(name), name))


def _column(name: str, amounts: Sequence[Amount | None]) -> Column:
    unit = next((amount.unit for amount in reversed(amounts) if amount), "")
    return Column(name, unit, tuple(_in_unit(amount, unit) for amount in amounts))


def _in_unit(amount: Amount | None, unit: str) -> Decimal | None:
    try:
        return convert(amount, unit).value if amount else None
    except UnitError:
        return None
