"""A meter: the house it counts for, and what its registers hold at an instant.

Registers are whole numbers in base units, a function of meter and instant alone. Cutting them to what a
display or a telegram can show is the next step: telegrams.py and ledger.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import HELSINKI, local_midnight
from simulator.heat import HeatDrawn, House, heat_drawn
from simulator.layouts import Layout

NO_ADDRESS = 0
"""The primary address of a meter that nobody gave one: the master selects it by its id."""

_METER_ZONE = timedelta(hours=2)  # a meter's clock stays on Finnish normal time all year


@dataclass(frozen=True, slots=True)
class Meter:
    """`energy_j`, `volume_ml`, `on_time_s`: what it showed when the town began or it was installed.

    It is on its line from `installed_at` until just before `removed_at`.
    """

    id: MeterId
    layout: Layout
    house: House
    line: str
    area: str
    address: int
    installed_at: datetime
    removed_at: datetime | None
    energy_j: int
    volume_ml: int
    on_time_s: int

    def __hash__(self) -> int:
        """Cheap: without it each look-up would hash every record of the layout."""
        return hash(self.id)


def is_installed(meter: Meter, instant: datetime) -> bool:
    return meter.installed_at <= instant and (meter.removed_at is None or instant < meter.removed_at)


def energy_j(meter: Meter, instant: datetime) -> int:
    """The energy register at `instant`, in J. Before it began to count it showed what it began with."""
    counted = heat_drawn(meter.house, max(instant, _begun_at(meter))).energy_j
    return meter.energy_j + counted - _when_it_began(meter).energy_j


def registers(meter: Meter, instant: datetime) -> dict[str, int | date]:
    """All registers of an installed meter, in J, ml, ml/h, W, mC, mK and s; the clock has no zone."""
    drawn, begun = heat_drawn(meter.house, instant), _when_it_began(meter)
    held: dict[str, int | date] = {
        "energy": meter.energy_j + drawn.energy_j - begun.energy_j,
        "cooling_energy": 0,
        "volume": meter.volume_ml + drawn.volume_ml - begun.volume_ml,
        "volume_flow": drawn.flow_ml_per_h,
        "power": drawn.power_w,
        "flow_temperature": drawn.flow_mc,
        "return_temperature": drawn.return_mc,
        "temperature_difference": drawn.flow_mc - drawn.return_mc,
        "on_time": meter.on_time_s + (instant - _begun_at(meter)) // timedelta(seconds=1),
        "error_flags": 0,
        "meter_clock": (instant + _METER_ZONE).replace(tzinfo=None),
    }
    return held | _due_date_registers(meter, instant) if meter.layout.due_date else held


def _due_date_registers(meter: Meter, instant: datetime) -> dict[str, int | date]:
    due = instant.astimezone(HELSINKI).date().replace(day=1)
    return {"due_date": due, "due_date_energy": energy_j(meter, _midnight(due))}


def _begun_at(meter: Meter) -> datetime:
    return max(meter.installed_at, meter.house.since)


@cache
def _when_it_began(meter: Meter) -> HeatDrawn:
    return heat_drawn(meter.house, _begun_at(meter))


_midnight = lru_cache(maxsize=64)(local_midnight)
