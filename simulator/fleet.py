"""The town's meters and the houses behind them: who made each, where it hangs, what it has counted so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from kaukoluenta.identifiers import MeterId, meter_id_of
from kaukoluenta.periods import HELSINKI, local_midnight
from simulator.chance import between
from simulator.heat import House
from simulator.layouts import LAYOUTS, Layout
from simulator.meters import NO_ADDRESS, Meter
from simulator.modbus_layouts import MODBUS_RTU, MODBUS_TCP

_METERS_ON_A_LINE, _METERS_IN_AN_AREA, _FEWEST_LINES = 12, 8, 2
_LINE_NAMES = (
    "boiler-house",
    "market-square",
    "harbour",
    "school",
    "church-hill",
    "mill",
    "station",
    "lake-shore",
)
_MODBUS = ((MODBUS_TCP, "hospital"), (MODBUS_RTU, "waterworks"))
_MODBUS_ONE_IN = 8
"""Of so many meters one hangs on Modbus TCP and one on Modbus RTU; at least one on each."""

_AREAS = ("keskusta", "ranta", "kirkonmäki", "koulukeskus", "asemanseutu", "mylly")


@dataclass(frozen=True, slots=True)
class _HouseKind:
    """Ranges of heat loss (W/K) and of hot water (Wh a day); `weight` houses in ten are of this kind."""

    weight: int
    heat_loss: tuple[int, int]
    hot_water: tuple[int, int]


_HOUSE_KINDS = (
    _HouseKind(5, (90, 220), (5_000, 12_000)),  # detached house
    _HouseKind(2, (300, 900), (20_000, 60_000)),  # terraced houses
    _HouseKind(2, (1_200, 4_500), (60_000, 260_000)),  # block of flats
    _HouseKind(1, (2_000, 5_000), (10_000, 40_000)),  # school, hall
)
_TEN_HOUSES = tuple(kind for kind in _HOUSE_KINDS for _ in range(kind.weight))

_GOOD_RETURN_MC, _POOR_RETURN_MC, _POOR_ONE_IN = (24_000, 34_000), (42_000, 55_000), 8

# What a register shows when the town begins is so many years of ordinary use, and an odd amount.
_MOST_YEARS, _YEAR_H, _DEGREE_HOURS_A_YEAR, _WH_PER_M3 = 9, 8_766, 118_000, 50_000
_NEW_METER_J = 10_000_000  # less than 3 kWh, from the test bench


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a meter hangs, and which model it is."""

    line: str
    address: int
    layout: Layout


def planned_meters(seed: int, meters: int, start: datetime) -> list[Meter]:
    """The meters of a town, in service for years when it begins at `start`, line after line."""
    on_each = max(1, meters // _MODBUS_ONE_IN)
    on_mbus = meters - len(_MODBUS) * on_each
    places = [_mbus_place(index, on_mbus) for index in range(on_mbus)]
    places += [_modbus_place(which, number) for which in range(len(_MODBUS)) for number in range(on_each)]
    return [_planned(seed, index, place, start) for index, place in enumerate(places)]


def planned_meter(seed: int, index: int, meters: int, start: datetime) -> Meter:
    """Meter `index` of a town with `meters` on M-Bus lines and none elsewhere."""
    return _planned(seed, index, _mbus_place(index, meters), start)


def _planned(seed: int, index: int, place: _Place, start: datetime) -> Meter:
    house = _house(seed, index, start)
    years = between(1, _MOST_YEARS, seed, "years", index)
    yearly_wh = house.heat_loss_w_per_k * _DEGREE_HOURS_A_YEAR + house.hot_water_wh_a_day * 365
    used_wh = yearly_wh * years + between(0, yearly_wh, seed, "odd energy", index)
    day = start.astimezone(HELSINKI).date() - timedelta(days=365 * years)
    return Meter(
        id=_meter_id(seed, place.layout, index),
        layout=place.layout,
        house=house,
        line=place.line,
        area=_AREAS[index // _METERS_IN_AN_AREA % len(_AREAS)],
        address=place.address,
        installed_at=local_midnight(day),
        removed_at=None,
        energy_j=used_wh * 3600 + between(0, 3599, seed, "odd joules", index),
        volume_ml=used_wh * 1_000_000 // _WH_PER_M3,
        on_time_s=years * _YEAR_H * 3600,
    )


def successor(seed: int, old: Meter, index: int, at: datetime) -> Meter:
    """The factory-new M-Bus meter `index`, of another make, that takes the place of `old` at `at`."""
    layout = LAYOUTS[(LAYOUTS.index(old.layout) + 1) % len(LAYOUTS)]
    return Meter(
        id=_meter_id(seed, layout, index),
        layout=layout,
        house=old.house,
        line=old.line,
        area=old.area,
        address=old.address,
        installed_at=at,
        removed_at=None,
        energy_j=between(0, _NEW_METER_J, seed, "test bench", index),
        volume_ml=between(0, 100_000, seed, "test bench volume", index),
        on_time_s=0,
    )


def _house(seed: int, index: int, start: datetime) -> House:
    kind = _TEN_HOUSES[between(0, len(_TEN_HOUSES) - 1, seed, "house kind", index)]
    poor = between(1, _POOR_ONE_IN, seed, "poor substation", index) == 1
    return House(
        seed=seed,
        name=f"house {index}",
        since=start,
        heat_loss_w_per_k=between(*kind.heat_loss, seed, "heat loss", index),
        hot_water_wh_a_day=between(*kind.hot_water, seed, "hot water", index),
        return_mc=between(*(_POOR_RETURN_MC if poor else _GOOD_RETURN_MC), seed, "return", index),
    )


def _meter_id(seed: int, layout: Layout, index: int) -> MeterId:
    """Eight digits, unlike those of any other index below 10,000."""
    return meter_id_of(layout.manufacturer, f"{between(1000, 9999, seed, 'serial', index)}{index:04d}")


def _lines(meters: int) -> int:
    return max(_FEWEST_LINES, -(-meters // _METERS_ON_A_LINE))


def _line(index: int, meters: int) -> int:
    return index * _lines(meters) // meters


def _named(name: str, again: int) -> str:
    return f"{name}-{again + 1}" if again else name


def _modbus_place(which: int, number: int) -> _Place:
    """The place of the meter with this number, from 0, among those of one kind. Unit ids count from 1."""
    layout, name = _MODBUS[which]
    again, unit = divmod(number, _METERS_ON_A_LINE)
    return _Place(_named(name, again), unit + 1, layout)


def _mbus_place(index: int, meters: int) -> _Place:
    again, which = divmod(_line(index, meters), len(_LINE_NAMES))
    layout = LAYOUTS[index % len(LAYOUTS)]
    return _Place(_named(_LINE_NAMES[which], again), _address(index, meters), layout)


def _address(index: int, meters: int) -> int:
    """Addresses count from 1 on each line; the last meter of a line was never given one."""
    line = _line(index, meters)
    if index + 1 == meters or _line(index + 1, meters) != line:
        return NO_ADDRESS
    first = -(-line * meters // _lines(meters))
    return index - first + 1
