"""Scripted faults: which meter answers how, in which slots.

A fault is a function of meter and instant, never of how often something was asked: whoever was killed and
asks again meets the same fault. No fault covers a boundary that billing needs, nor the hour around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import chain
from typing import TypeVar

from simulator import modbus_device
from simulator.chance import between, draw, shuffled
from simulator.heat import HOUR
from simulator.meters import NO_ADDRESS, Meter
from simulator.modbus_device import ModbusFault


class FaultKind(Enum):
    """How an M-Bus meter answers wrongly, or how its line spoils what it answers."""

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


AnyFault = FaultKind | ModbusFault
Kind = TypeVar("Kind", FaultKind, ModbusFault)

READABLE: frozenset[AnyFault] = frozenset({FaultKind.NOISE, FaultKind.ECHO, *modbus_device.READABLE})
"""What leaves a whole answer in its own meter's turn. Every other fault costs its meter the slot.

A LATE answer is whole, but no right master takes it: whose turn it is, only the next meter knows.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """`meter` has `kind` in the slots from `first` until just before `after`."""

    meter: Meter
    kind: AnyFault
    first: datetime
    after: datetime

    @property
    def story(self) -> str:
        what = " " if isinstance(self.kind, FaultKind) else ": its answer "
        return f"{self.meter.id}{what}{self.kind.value}"

    def covers(self, instant: datetime) -> bool:
        return self.first <= instant < self.after


@dataclass(frozen=True, slots=True)
class Scripted:
    """So many faults of a kind, each so many slots long, for each started 24 meters of the town."""

    kind: AnyFault
    slots: int
    times: int = 1


SCRIPT = (
    Scripted(FaultKind.SILENT, slots=4),
    Scripted(FaultKind.CUT_OFF, slots=1),
    Scripted(FaultKind.GARBLED, slots=1),
    Scripted(FaultKind.FOREIGN, slots=1),
    Scripted(FaultKind.NOISE, slots=1, times=2),
    Scripted(FaultKind.NOISE_INSIDE, slots=1),
    Scripted(FaultKind.LOST, slots=1),
    Scripted(FaultKind.COLLISION, slots=1),
    Scripted(FaultKind.LATE, slots=1),
    Scripted(FaultKind.ECHO, slots=1),
    Scripted(ModbusFault.FOREIGN_FIRST, slots=1),
    Scripted(ModbusFault.SILENT, slots=2),
    Scripted(ModbusFault.CUT_OFF, slots=1),
    Scripted(ModbusFault.GARBLED, slots=1),
    Scripted(ModbusFault.WRONG_UNIT, slots=1),
    Scripted(ModbusFault.SHORT, slots=1),
    Scripted(ModbusFault.UNREACHED, slots=1),
    Scripted(ModbusFault.SPLIT, slots=2),
    Scripted(ModbusFault.NOISE, slots=1),
)
"""Of the Modbus faults only those that strike every request alike and cost no other meter anything.

What fits only some lines of its protocol comes first, so that the rest can make up for it.
"""

_METERS_PER_SCRIPT = 24
_BAD_HOURS = 6
"""A town has so many hours in which faults of several lines begin: their time-outs then pass together."""

Chance = tuple[int, str, str, int]
"""Seed, protocol, kind and turn: what a fault's chance is drawn from."""


def plan_faults(
    seed: int, meters: Sequence[Meter], slots: Sequence[datetime], boundaries: Collection[datetime]
) -> tuple[Fault, ...]:
    """Deal the script out over lines, meters and slots. A fault for which there is no room is left out.

    Lines of one protocol get equally many. A line has one fault at a time, and in a bad hour of the town,
    where it can be so.
    """
    rounds = -(-len(meters) // _METERS_PER_SCRIPT)
    longest = max(scripted.slots for scripted in SCRIPT)
    bad_hours = shuffled(_quiet_slots(slots, boundaries, longest), seed, "bad hours")[:_BAD_HOURS]
    on_line: dict[str, list[Fault]] = {meter.line: [] for meter in meters}
    for scripted in SCRIPT:
        quiet = _quiet_slots(slots, boundaries, scripted.slots)
        fitting = _by_line([meter for meter in meters if _fits(meter, scripted.kind)])
        for turn in range(scripted.times * rounds if fitting else 0):
            chance = (seed, *_name(scripted.kind), turn)
            meter = _victim(fitting, on_line, chance)
            faults = on_line[meter.line]
            faults += _fault(meter, scripted, quiet, bad_hours, faults, chance)
    return tuple(chain.from_iterable(on_line.values()))


def fault_finder(faults: Sequence[Fault], kinds: type[Kind]) -> Callable[[Meter, datetime], Kind | None]:
    """The look-up that the slaves of one protocol use for every request."""
    by_meter = _by_meter(faults)

    def fault_at(meter: Meter, instant: datetime) -> Kind | None:
        for fault in by_meter.get(meter.id, ()):
            if fault.covers(instant) and isinstance(fault.kind, kinds):
                return fault.kind
        return None

    return fault_at


def spoilt_finder(faults: Sequence[Fault]) -> Callable[[Meter, datetime], bool]:
    """The look-up whether a fault costs a meter its reading in a slot."""
    by_meter = _by_meter([fault for fault in faults if fault.kind not in READABLE])
    return lambda meter, slot: any(fault.covers(slot) for fault in by_meter.get(meter.id, ()))


def _by_meter(faults: Sequence[Fault]) -> dict[str, list[Fault]]:
    by_meter: dict[str, list[Fault]] = {}
    for fault in faults:
        by_meter.setdefault(fault.meter.id, []).append(fault)
    return by_meter


def distortion_chance(seed: int, meter: Meter, instant: datetime) -> int:
    return draw(seed, "distortion", meter.id, instant)


def _fits(meter: Meter, kind: AnyFault) -> bool:
    """Whether the meter's line can play this fault with the outcome that READABLE says."""
    layout = meter.layout
    if kind is FaultKind.FOREIGN:
        return layout.protocol == "mbus" and meter.address != NO_ADDRESS  # who has none answers under none
    if kind is ModbusFault.FOREIGN_FIRST:  # only there an answer bears the number of its request
        return layout.protocol == "modbus" and layout.link == "tcp"
    return layout.protocol == ("modbus" if isinstance(kind, ModbusFault) else "mbus")


def _name(kind: AnyFault) -> tuple[str, str]:
    """What chance calls it: the same names occur on both protocols."""
    return type(kind).__name__, kind.name


def _quiet_slots(slots: Sequence[datetime], boundaries: Collection[datetime], length: int) -> list[datetime]:
    """The slots in which a fault of this length may begin: no boundary is in it or within an hour of it."""
    return [
        slot
        for slot in slots[1:-length]
        if not any(slot - HOUR <= boundary <= slot + length * HOUR for boundary in boundaries)
    ]


def _by_line(meters: Sequence[Meter]) -> dict[str, list[Meter]]:
    by_line: dict[str, list[Meter]] = {}
    for meter in meters:
        by_line.setdefault(meter.line, []).append(meter)
    return by_line


def _victim(
    fitting: Mapping[str, Sequence[Meter]], on_line: Mapping[str, Sequence[Fault]], chance: Chance
) -> Meter:
    """A meter of a line that has had no more faults than any other."""
    fewest = min(len(on_line[line]) for line in fitting)
    spared = [line for line in fitting if len(on_line[line]) == fewest]
    meters = fitting[spared[between(0, len(spared) - 1, *chance, "line")]]
    return meters[between(0, len(meters) - 1, *chance, "victim")]


def _fault(
    meter: Meter,
    scripted: Scripted,
    quiet: Sequence[datetime],
    bad_hours: Sequence[datetime],
    on_line: Sequence[Fault],
    chance: Chance,
) -> list[Fault]:
    """The fault, where the meter has no other one; none when there is no room for it."""
    length = scripted.slots * HOUR
    its_own = [other for other in on_line if other.meter is meter]
    free = _free(bad_hours, length, on_line) or _free(quiet, length, on_line) or _free(quiet, length, its_own)
    if not free:
        return []
    first = free[between(0, len(free) - 1, *chance, "beginning")]
    return [Fault(meter, scripted.kind, first, first + length)]


def _free(slots: Sequence[datetime], length: timedelta, others: Sequence[Fault]) -> list[datetime]:
    """The slots in which a fault of this length may begin without meeting one of these."""
    return [
        slot
        for slot in slots
        if not any(other.first < slot + length and slot < other.after for other in others)
    ]
