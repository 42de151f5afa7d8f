"""Where readings live: one Protocol, kept by every backend (`collector.store.backends` opens them)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import NamedTuple, Protocol

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import UNITS, Amount
from kaukoluenta.reading import Reading


class StoreUnavailable(KaukoluentaError):
    """The store cannot take or give readings now. Nothing of the call was stored."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When and how readings came: `gateway/epoch` of a batch, or `sha256:...` of a file."""

    received_at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class Correction:
    """Who decided that readings supersede what was there, and why."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Added:
    """How many readings were new, known already, or at odds with what stands; and which those were."""

    new: int = 0
    duplicate: int = 0
    conflicting: int = 0
    at_odds: tuple[int, ...] = field(default=(), compare=False)
    """The places, in the call, of those that are conflicting."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What was said of a meter at an instant, how it came, and whose decision it is if it is one."""

    reading: Reading
    arrival: Arrival
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """Claims of one meter at one instant that differ in these registers, and nobody has decided since."""

    meter: MeterId
    read_at: datetime
    registers: tuple[str, ...]
    claims: tuple[Claim, ...]


class EnergyRead(NamedTuple):
    """The energy register of one meter at one instant."""

    meter: MeterId
    read_at: datetime
    energy: Amount


def same_registers(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> bool:
    """Whether both say the same: each register the same value in the same unit family."""
    return one.keys() == other.keys() and all(same_amount(one[name], other[name]) for name in one)


def same_amount(one: Amount, other: Amount) -> bool:
    """0.1 MWh is 100 kWh; kWh and GJ are never the same, since no meter says both."""
    have, want = UNITS[one.unit], UNITS[other.unit]
    return have.family == want.family and one.value * have.factor == other.value * want.factor


def differing(readings: Sequence[Reading]) -> tuple[str, ...]:
    """The registers of which these readings say different things, sorted. A source that says nothing of a
    register does not contradict another that does; one source, once with and once without it, does."""
    names = sorted({name for reading in readings for name in reading.registers})
    return tuple(
        name for name in names if any(_contradict(*pair, name) for pair in combinations(readings, 2))
    )


def _contradict(one: Reading, other: Reading, register: str) -> bool:
    have, want = one.registers.get(register), other.registers.get(register)
    if have is None or want is None:
        return have is not want and one.source is other.source
    return not same_amount(have, want)


class ReadingStore(Protocol):
    """Every backend passes tests/store/test_contract*.py unchanged.

    The key of a reading is (meter, read_at, source). The first reading under a key stands; another with
    other registers is kept beside it as a conflict. Registers are the same when each has the same value
    in the same unit family (0.1 MWh is 100 kWh; kWh and GJ never are). A correction decides all that had
    been said of that meter at that instant, whatever its source; the newest correction counts. A claim with
    other registers that arrives later is a conflict with it until the next correction: the correction stands,
    and `at` and `conflicts` give both. What was said before, or says the same, reopens nothing.
    Every Decimal comes back with the exponent that it had.
    """

    def add(self, readings: Iterable[Reading], arrival: Arrival) -> Added:
        """Store all of them durably or none.

        A redelivered reading is a duplicate, not an error: MQTT QoS 1 promises at least once. One that is
        at odds with what stands is kept once, and counts as conflicting each time until a correction decides.

        Raises:
            StoreUnavailable: nothing was stored; the caller keeps the message unacknowledged.
            ReadingRefused, UnitError: a reading that `check_reading` refuses; nothing was stored.
        """

    def correct(self, readings: Iterable[Reading], arrival: Arrival, correction: Correction) -> Added:
        """Store readings that supersede. The same correction again is a duplicate, unless a claim that came
        since is still undecided. Raises as `add`."""

    def at(self, instant: datetime, meters: Iterable[MeterId]) -> Mapping[MeterId, list[Reading]]:
        """All that is claimed of these meters at this very instant and not decided: readings of every source
        and the conflicts kept beside them, by source; where there is a correction, it and then what arrived
        after it with other registers. Meters without are absent."""

    def conflicts(self, start: datetime, end: datetime) -> Iterator[Conflict]:
        """The instants in [start, end) whose claims, as `at` gives them, differ; by instant, then meter."""

    def series(self, meter: MeterId, start: datetime, end: datetime) -> list[Reading]:
        """The standing readings in [start, end] by read_at; a correction in place of all else."""

    def energies(self, meters: Iterable[MeterId], start: datetime, end: datetime) -> Iterator[EnergyRead]:
        """The energy registers of `series` in [start, end] for many meters, by meter, then read_at."""

    def instants(self, meter: MeterId, start: datetime, end: datetime) -> list[datetime]:
        """The instants in [start, end] of which there is any reading, ascending."""

    def latest(self, until: datetime | None = None) -> list[Reading]:
        """The newest standing reading of each meter at or before `until`, by meter."""

    def meters(self, start: datetime, end: datetime) -> list[MeterId]:
        """Meters with any reading in [start, end], sorted."""

    def coverage(self, start: datetime, end: datetime) -> Mapping[MeterId, int]:
        """Instants in [start, end] with a standing reading, counted by meter; meters without are absent."""

    def readings(self, start: datetime, end: datetime) -> Iterator[Reading]:
        """All standing readings in [start, end), by read_at, meter, source (in the order of `Source`)."""

    def close(self) -> None: ...
