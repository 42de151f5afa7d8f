"""Lays a town out from its seed: the same seed gives the same town on any machine.

Every town has meters of every layout, on M-Bus and Modbus lines; one meter of each M-Bus line has no primary
address, and one delivery point has two parallel meters. When its span is long enough it also has a meter
exchange, a tenant change inside a month, and faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from operator import attrgetter

from kaukoluenta.errors import UsageError
from kaukoluenta.periods import HELSINKI, local_midnight
from simulator.chance import between, shuffled
from simulator.customers import synthetic_customer
from simulator.faults import plan_faults
from simulator.fleet import planned_meters, successor
from simulator.meters import NO_ADDRESS, Meter
from simulator.town import (
    BusLine,
    Contract,
    DeliveryPoint,
    Exchange,
    Town,
    local_days,
    month_starts,
    town_slots,
)

TOWN_START = local_midnight(date(2026, 9, 30))
"""The day before a month begins, so that 800 hours hold one whole month."""

FEWEST_METERS, MOST_METERS = 6, 9_000

_FITTER_COMES, _CONFIG_FOLLOWS = time(10, 20), time(16)  # local; a visit falls between two slots
_DAY = timedelta(days=1)

Home = tuple[Meter, ...]
"""The meters of one delivery point when the town begins."""


def plan_town(seed: int, meters: int, start: datetime = TOWN_START, hours: int = 800) -> Town:
    """The town of this seed, with so many meters at a time.

    Raises:
        UsageError: too few or too many meters for a town, or no time for it to live in.
    """
    if not FEWEST_METERS <= meters <= MOST_METERS or hours < 1:
        raise UsageError(
            f"There is no town of {meters} meters and {hours} hours.",
            remedy=f"Take {FEWEST_METERS} to {MOST_METERS} meters and at least 1 hour.",
        )
    slots = town_slots(start, hours)
    homes = _homes(seed, planned_meters(seed, meters, start))
    changing, exchanged = _roles(seed, homes)
    exchange = _exchange(seed, exchanged, meters, slots)
    points = [_delivery_point(number, home, exchange) for number, home in enumerate(homes, start=1)]
    contracts = _contracts(seed, points, homes.index(changing), slots)
    return Town(
        seed=seed,
        start=start,
        hours=hours,
        lines=_lines(points),
        delivery_points=tuple(points),
        contracts=contracts,
        exchange=exchange,
        faults=plan_faults(
            seed,
            [meter for home in homes for meter in home if meter is not exchanged],
            slots,
            {*month_starts(slots[0], slots[-1]), *(contract.valid_from for contract in contracts)},
        ),
    )


def _homes(seed: int, meters: Sequence[Meter]) -> list[Home]:
    """One meter a home, but two neighbours of one line measure the same delivery point."""
    neighbours = [(one, other) for one, other in pairwise(meters) if one.line == other.line]
    pair = shuffled(neighbours, seed, "parallel")[0]
    return [pair if meter is pair[0] else (meter,) for meter in meters if meter is not pair[1]]


def _roles(seed: int, homes: Sequence[Home]) -> tuple[Home, Meter]:
    """The home that changes hands, and the M-Bus meter, at another home, that is exchanged."""
    single = shuffled([home for home in homes if len(home) == 1], seed, "roles")
    exchanged = next(
        home for home in single if home[0].layout.protocol == "mbus" and home[0].address != NO_ADDRESS
    )
    changing = next(home for home in single if home is not exchanged)
    return changing, exchanged[0]


def _exchange(seed: int, old: Meter, index: int, slots: Sequence[datetime]) -> Exchange | None:
    day = _inner_day(seed, "exchange", slots)
    if day is None:
        return None
    at, noticed_at = (_local(day, clock) for clock in (_FITTER_COMES, _CONFIG_FOLLOWS))
    return Exchange(replace(old, removed_at=at), successor(seed, old, index, at), at, noticed_at)


def _inner_day(seed: int, what: str, slots: Sequence[datetime]) -> date | None:
    """A local day at least a day away from both ends of the span and from any month boundary."""
    days = [day for day in local_days(slots[0] + _DAY, slots[-1] - _DAY)[1:-1] if 1 < day.day < 28]
    return days[between(0, len(days) - 1, seed, "day of", what)] if days else None


def _local(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, HELSINKI).astimezone(UTC)


def _delivery_point(number: int, home: Home, exchange: Exchange | None) -> DeliveryPoint:
    meters = home
    if exchange and home[0].id == exchange.old.id:
        meters = (exchange.old, exchange.new)
    return DeliveryPoint(f"KP-{number:05d}", home[0].area, f"Lämpökuja {number}, 99999 Testilä", meters)


def _contracts(
    seed: int, points: Sequence[DeliveryPoint], changing: int, slots: Sequence[datetime]
) -> tuple[Contract, ...]:
    """A contract for each delivery point since before the town began, and a second where hands change."""
    begun = local_midnight(slots[0].astimezone(HELSINKI).date().replace(month=1, day=1))
    contracts = [
        Contract(f"S-{number:05d}", synthetic_customer(seed, number), point.name, begun, None)
        for number, point in enumerate(points, start=1)
    ]
    day = _inner_day(seed, "tenant change", slots)
    if day is not None:
        moved, number = local_midnight(day), len(points) + 1
        contracts[changing] = replace(contracts[changing], valid_to=moved)
        newcomer = synthetic_customer(seed, number)
        contracts.append(Contract(f"S-{number:05d}", newcomer, points[changing].name, moved, None))
    return tuple(contracts)


def _lines(points: Sequence[DeliveryPoint]) -> tuple[BusLine, ...]:
    meters = [meter for point in points for meter in point.meters]
    return tuple(BusLine(name, tuple(hung)) for name, hung in groupby(meters, attrgetter("line")))
