"""Scripted faults: which meter answers how, in which slots.

A fault is a function of meter and instant, never of how often something was asked: whoever was killed and
asks again meets the same fault. No fault covers a boundary that billing needs, nor the hour around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from simulator.chance import between, draw, shuffled
from simulator.heat import HOUR
from simulator.meters import NO_ADDRESS, Meter


class FaultKind(Enum):
    """How a meter answers wrongly, or how its line spoils what it answers."""

    SILENT = "does not answer"
    GARBLED = "answers with a flipped bit"
    CUT_OFF = "stops in the middle of its answer"
    FOREIGN = "answers under another address"
    NOISE = "answers after noise on the line"
    NOISE_INSIDE = "answers with noise in the middle"
    LOST = "loses octets on the way"
    COLLISION = "answers together with another meter"
    LATE = "answers when the next meter is asked"
    ECHO = "answers behind an echo of the request"


READABLE = frozenset({FaultKind.NOISE, FaultKind.ECHO})
"""What leaves a whole answer in its own meter's turn. Every other fault costs its meter the slot.

A LATE answer is whole, but no right master takes it: whose turn it is, only the next meter knows.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """`meter` has `kind` in the slots from `first` until just before `after`."""

    meter: Meter
    kind: FaultKind
    first: datetime
    after: datetime


@dataclass(frozen=True, slots=True)
class Scripted:
    """So many faults of a kind, each so many slots long, for each started 24 meters."""

    kind: FaultKind
    slots: int
    times: int


SCRIPT = (
    Scripted(FaultKind.SILENT, slots=6, times=1),
    Scripted(FaultKind.CUT_OFF, slots=1, times=1),
    Scripted(FaultKind.GARBLED, slots=1, times=3),
    Scripted(FaultKind.FOREIGN, slots=1, times=2),
    Scripted(FaultKind.NOISE, slots=1, times=3),
    Scripted(FaultKind.NOISE_INSIDE, slots=1, times=2),
    Scripted(FaultKind.LOST, slots=1, times=2),
    Scripted(FaultKind.COLLISION, slots=2, times=1),
    Scripted(FaultKind.LATE, slots=1, times=2),
    Scripted(FaultKind.ECHO, slots=3, times=2),
)
_METERS_PER_SCRIPT = 24


def plan_faults(
    seed: int, meters: Sequence[Meter], slots: Sequence[datetime], boundaries: Collection[datetime]
) -> tuple[Fault, ...]:
    """Deal the script out over meters and slots. A span too short for a fault goes without it."""
    rounds = -(-len(meters) // _METERS_PER_SCRIPT)
    wanted = [(scripted, turn) for scripted in SCRIPT for turn in range(scripted.times * rounds)]
    faults = [
        Fault(meter, scripted.kind, first, first + scripted.slots * HOUR)
        for scripted, turn in wanted
        for meter in _victim(seed, meters, scripted, turn)
        for first in _beginning(seed, slots, boundaries, scripted, turn)
    ]
    return _without_overlaps(faults)


def fault_finder(faults: Sequence[Fault]) -> Callable[[Meter, datetime], FaultKind | None]:
    """The look-up that the slaves use for every request."""
    by_meter: dict[str, list[Fault]] = {}
    for fault in faults:
        by_meter.setdefault(fault.meter.id, []).append(fault)

    def fault_at(meter: Meter, instant: datetime) -> FaultKind | None:
        for fault in by_meter.get(meter.id, ()):
            if fault.first <= instant < fault.after:
                return fault.kind
        return None

    return fault_at


def distortion_chance(seed: int, meter: Meter, instant: datetime) -> int:
    return draw(seed, "distortion", meter.id, instant)


def _victim(seed: int, meters: Sequence[Meter], scripted: Scripted, turn: int) -> list[Meter]:
    """The meter of this fault: none but an addressed one can answer under another address."""
    fitting = [
        meter for meter in meters if meter.address != NO_ADDRESS or scripted.kind is not FaultKind.FOREIGN
    ]
    return shuffled(fitting, seed, "victim", scripted.kind.name, turn)[:1]


def _beginning(
    seed: int, slots: Sequence[datetime], boundaries: Collection[datetime], scripted: Scripted, turn: int
) -> list[datetime]:
    length = scripted.slots * HOUR
    free = [
        slot
        for slot in slots[1 : -scripted.slots]
        if not any(slot - HOUR <= boundary <= slot + length for boundary in boundaries)
    ]
    return free and [free[between(0, len(free) - 1, seed, "beginning", scripted.kind.name, turn)]]


def _without_overlaps(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    """One fault at a time on a meter: the first in the script stands."""
    kept: list[Fault] = []
    for fault in faults:
        if not any(
            other.meter is fault.meter and other.first < fault.after and fault.first < other.after
            for other in kept
        ):
            kept.append(fault)
    return tuple(kept)
