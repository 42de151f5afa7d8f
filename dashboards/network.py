"""The whole network at one instant: which meters were read, what they said last, who is silent.

A meter is expected to give a reading in every slot of its gateway, but for those in which the gateway does
not ask it so that its battery lasts. One that no gateway polls (read by hand, or taken away) is shown but not
expected. Sums and means say how many meters they rest on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache

from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import Missed
from kaukoluenta.quantities import UNITS, Amount, Unit
from kaukoluenta.reading import Reading
from kaukoluenta.slots import count_slots

WINDOW = timedelta(hours=24)
DEFAULT_STEP = timedelta(hours=1)
FLOW, RETURN = "flow_temperature", "return_temperature"
_LATE_STEPS = 3
_INSTANT = timedelta.resolution
_count_slots = lru_cache(maxsize=256)(count_slots)  # nearly all meters share their slots


class State(StrEnum):
    """How fresh a meter's last reading is, best first."""

    READ = "read"
    LATE = "late"
    SILENT = "silent"
    NEVER = "never"
    UNPOLLED = "unpolled"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a meter is polled: its gateway, the gateway's line, how often, and from which slot on."""

    gateway: GatewayName
    line: str
    step: timedelta
    since: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """What the collector knows, as the pages need it.

    `tallies` counts each meter's instants with a reading in the last day's window. `missed` is its newest
    missed slot since that window began, and `spared` are those since then in which it was not asked.
    """

    now: datetime
    latest: Sequence[Reading]
    places: Mapping[MeterId, Place]
    tallies: Mapping[MeterId, int]
    missed: Mapping[MeterId, Missed]
    spared: Mapping[MeterId, Sequence[datetime]]


@dataclass(frozen=True, slots=True)
class MeterStatus:
    """One meter on the overview. `expected` slots of the last day, of which `read` gave a reading."""

    meter: MeterId
    place: Place | None
    reading: Reading | None
    age: timedelta | None
    state: State
    expected: int = 0
    read: int = 0
    missed: Missed | None = None

    def register(self, name: str) -> Amount | None:
        return self.reading.registers.get(name) if self.reading else None


@dataclass(frozen=True, slots=True)
class Temperatures:
    """Mean flow and return temperature in degC of `meters` meters, weighted by flow or plain."""

    flow: Decimal
    back: Decimal
    meters: int
    weighted: bool


@dataclass(frozen=True, slots=True)
class Network:
    """The overview's figures. `expected` slots of the last day were owed, `read` of them gave a reading.

    `power_kw` is the sum over `power_meters` meters, None without any; `silent` are the meters that owe
    readings, first those never heard, then the longest silent. `newest` is the newest reading's instant.
    """

    now: datetime
    meters: tuple[MeterStatus, ...]
    states: Mapping[State, int]
    expected: int
    read: int
    power_kw: Fraction | None
    power_meters: int
    temperatures: Temperatures | None
    silent: tuple[MeterStatus, ...]
    newest: datetime | None

    @property
    def is_polled(self) -> bool:
        """Whether any meter is polled."""
        return len(self.meters) > self.states[State.UNPOLLED]

    @property
    def rate(self) -> Fraction | None:
        """Share of the owed slots that gave a reading; None when none was owed."""
        return Fraction(self.read, self.expected) if self.expected else None


def window(now: datetime, grace: timedelta) -> tuple[datetime, datetime]:
    """The last day's slots that are due by `now`: (start, end], a late reading given its grace."""
    return now - grace - WINDOW, now - grace


def network(facts: Facts, grace: timedelta) -> Network:
    """Put the facts together. Pure: the same facts give the same network."""
    latest = {reading.meter: reading for reading in facts.latest}
    known = sorted(latest.keys() | facts.places.keys())
    meters = tuple(_status(meter, latest.get(meter), facts, grace) for meter in known)
    counted = Counter(status.state for status in meters)
    fresh = [status for status in meters if status.state in (State.READ, State.LATE)]
    powers = [power for status in fresh if (power := status.register("power"))]
    return Network(
        facts.now,
        meters,
        {state: counted[state] for state in State},
        sum(status.expected for status in meters),
        sum(status.read for status in meters),
        power_in_kw(powers),
        len(powers),
        mean_temperatures(fresh),
        _silent(meters),
        max((reading.read_at for reading in facts.latest), default=None),
    )


def power_in_kw(powers: Iterable[Amount]) -> Fraction | None:
    """The sum of powers in kW, exact: 1 GJ/h is 2500/9 kW. None without any."""
    sums: dict[str, Decimal] = {}
    for power in powers:
        sums[power.unit] = sums.get(power.unit, Decimal()) + power.value
    return sum((_kw(value, UNITS[unit]) for unit, value in sums.items()), Fraction()) if sums else None


def mean_temperatures(meters: Iterable[MeterStatus]) -> Temperatures | None:
    """Flow and return temperature of the network, weighted by volume flow where every meter gives it."""
    both = [status for status in meters if status.register(FLOW) and status.register(RETURN)]
    if not both:
        return None
    flows = [_value(status, "volume_flow") for status in both]
    weighted = all(flow is not None and flow >= 0 for flow in flows) and any(flows)
    weights = [flow if weighted and flow is not None else Decimal(1) for flow in flows]
    flow, back = (
        sum(
            (weight * (_value(status, name) or 0) for weight, status in zip(weights, both, strict=True)),
            Decimal(),
        )
        / sum(weights)
        for name in (FLOW, RETURN)
    )
    return Temperatures(flow, back, len(both), weighted)


def _kw(power: Decimal, unit: Unit) -> Fraction:
    base = Fraction(power) * Fraction(unit.factor)
    return base / 1000 if unit.family == "W" else base / 3_600_000


def _status(meter: MeterId, reading: Reading | None, facts: Facts, grace: timedelta) -> MeterStatus:
    place = facts.places.get(meter)
    age = facts.now - reading.read_at if reading else None
    spared = facts.spared.get(meter, ())
    expected = _expected(place, facts.now, grace, spared) if place else 0
    return MeterStatus(
        meter,
        place,
        reading,
        age,
        _state(place, reading, facts.now, grace, spared),
        expected,
        min(facts.tallies.get(meter, 0), expected),
        facts.missed.get(meter),
    )


def _silent(meters: Iterable[MeterStatus]) -> tuple[MeterStatus, ...]:
    owing = [status for status in meters if status.state in (State.SILENT, State.NEVER)]
    return tuple(sorted(owing, key=lambda s: (s.age is not None, -(s.age or WINDOW), s.meter)))


def _state(
    place: Place | None, reading: Reading | None, now: datetime, grace: timedelta, spared: Sequence[datetime]
) -> State:
    """By the age of its last reading, less the slots since then in which it was spared."""
    if place is None:
        return State.UNPOLLED
    if reading is None:
        return State.NEVER
    owing = now - reading.read_at - place.step * sum(slot > reading.read_at for slot in spared)
    if owing <= place.step + grace:
        return State.READ
    return State.LATE if owing <= _LATE_STEPS * place.step + grace else State.SILENT


def _expected(place: Place, now: datetime, grace: timedelta, spared: Sequence[datetime]) -> int:
    """Slots due in the last day, from the first that the gateway spoke of, in which the meter is asked."""
    start, end = window(now, grace)
    due = _count_slots(max(start + _INSTANT, place.since), end + _INSTANT, place.step)
    return max(0, due - sum(start < slot <= end for slot in spared))


def _value(status: MeterStatus, register: str) -> Decimal | None:
    amount = status.register(register)
    return amount.value if amount else None
