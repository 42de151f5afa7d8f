"""The energy of one leg: its start, its end, and every reading in between as a witness that it only climbed.

Readings pass once, in the store's order, whatever the number of meters; a leg keeps no more of them than the
highest register so far. What a form says at an end stands against readings of that same instant, so only
readings strictly between the ends are witnesses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.boundaries import Boundary
from billing.reasons import Doubt, Reason
from billing.rounding import EXACT, plain, register_in_kwh
from billing.stretches import Span
from collector.store import EnergyRead
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import Amount, to_travel_unit


@dataclass(frozen=True, slots=True)
class Leg:
    """What one installation measured in [since, until).

    `start` and `end` are registers in `unit`, the installation's; `energy` is kWh.
    """

    meter: MeterId
    since: datetime
    until: datetime
    start: Decimal
    end: Decimal
    unit: str
    energy: Decimal


class Climb:
    """Follows one leg's register from its start through what was read in between to its end."""

    __slots__ = ("_at", "_doubts", "_here", "_highest", "_span", "_start", "_unit")

    def __init__(self, span: Span, start: Boundary) -> None:
        self._span, self._start, self._unit = span, start, span.travel_unit
        self._doubts: dict[Reason, Doubt] = {}
        self._highest = None if start.register is None else to_travel_unit(Amount(start.register, span.unit))
        self._here: Amount | None = None
        self._at = span.since

    @property
    def meter(self) -> MeterId:
        return self._span.meter

    def witness(self, read_at: datetime, energy: Amount) -> None:
        """Take a reading in order of time; one that is not strictly between the ends says nothing here."""
        if self._span.since < read_at < self._span.until:
            self._pass(read_at, energy)

    def leg(self, end: Boundary) -> Leg | tuple[Doubt, ...]:
        """The leg, or everything that makes it unprovable."""
        span, start = self._span, self._start
        if end.register is not None:
            self._pass(span.until, Amount(end.register, span.unit))
        doubts = (*start.doubts, *end.doubts, *self._doubts.values())
        if doubts or start.register is None or end.register is None:
            return doubts
        at_start, at_end = (
            register_in_kwh(Amount(register, span.unit)) for register in (start.register, end.register)
        )
        energy = EXACT.subtract(at_end, at_start)
        return Leg(span.meter, span.since, span.until, start.register, end.register, span.unit, energy)

    def _pass(self, read_at: datetime, energy: Amount) -> None:
        if energy.unit != self._unit:
            energy = to_travel_unit(energy)
            if energy.unit != self._unit:
                self._doubt(Reason.UNIT, f"{_said(read_at, energy)}, but installed in {self._span.unit}")
                return
        if read_at > self._at:
            self._highest, self._here, self._at = _higher(self._highest, self._here), None, read_at
        if self._highest is not None and energy.value < self._highest.value:
            fallen_from = f"{plain(self._highest.value)} {self._highest.unit}"
            self._doubt(Reason.WENT_BACK, f"{_said(read_at, energy)} after {fallen_from}")
        self._here = _higher(self._here, energy)

    def _doubt(self, reason: Reason, what: str) -> None:
        self._doubts.setdefault(reason, Doubt(reason, self.meter, f"{self.meter} at {what}."))


def watch(climbs: Iterable[Climb], energies: Iterable[EnergyRead]) -> None:
    """Show each climb its meter's readings. `energies` is in order of time for each meter."""
    of_meter: defaultdict[MeterId, list[Climb]] = defaultdict(list)
    for climb in climbs:
        of_meter[climb.meter].append(climb)
    for meter, read_at, energy in energies:
        for climb in of_meter[meter]:
            climb.witness(read_at, energy)


def _higher(one: Amount | None, other: Amount | None) -> Amount | None:
    if one is None or other is None:
        return one or other
    return one if one.value >= other.value else other


def _said(read_at: datetime, energy: Amount) -> str:
    return f"{instant_text(read_at)}: {plain(energy.value)} {energy.unit}"
