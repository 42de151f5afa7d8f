"""When a line is read, and in which order: slots on the wall clock. `now` is an argument; no clock here.

A slot is open while an answer may still stand for it: from the slot itself to the end of its window. A slot
that closed unread is skipped: missed, never back-dated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from gateway.settings import MeterSettings
from kaukoluenta.identifiers import MeterId
from kaukoluenta.slots import slot_after, slot_from, slots

FARTHEST_BACK = timedelta(days=40)
"""Skipped slots older than this are not listed: an outbox keeps no more either."""

CLOCK_SET_BACK = timedelta(days=1)
"""A clock this far behind the last slot has lost its battery; a smaller step is a correction."""


@dataclass(frozen=True, slots=True)
class Due:
    """The slot that a line reads next, and those since its last one that can no longer be read."""

    slot: datetime
    skipped: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """One meter's turn in a slot, and how often it may be asked."""

    meter: MeterSettings
    attempts: int


def next_due(last: datetime | None, now: datetime, every: timedelta, window: timedelta) -> Due:
    """What a line reads next, given its last slot (None: it never had one).

    The earliest slot whose window is still open at `now`, and none a second time; unless the clock is more
    than a day behind the last slot: then that one, or this, is wrong, and waiting would not tell which.
    """
    earliest = slot_from(now - window, every)
    if last is None or is_set_back(now, last):
        return Due(earliest)
    following = slot_after(last, every)
    slot = max(following, earliest)
    oldest = max(following, slot_from(now - FARTHEST_BACK, every))
    return Due(slot, tuple(slots(oldest, slot, every)))


def is_set_back(now: datetime, last: datetime | None) -> bool:
    """Whether a clock that says `now` contradicts the slots already read. What it stamps is suspect."""
    return last is not None and now < last - CLOCK_SET_BACK


def line_delay(line: str, spread: timedelta) -> timedelta:
    """How long after its slot a line starts: always the same part of `spread` for the same name."""
    return spread * share_of(line)


def share_of(name: str) -> float:
    """A stable number in [0, 1) for a name."""
    return crc32(name.encode()) / 2**32


def turns(meters: Sequence[MeterSettings], failing: Collection[MeterId], retries: int) -> list[Turn]:
    """Whom to ask in a slot, in order.

    A meter that failed in the slot before comes last and has one attempt: a dead meter costs one
    time-out a slot, and no other meter's place.
    """
    answering = [Turn(meter, 1 + retries) for meter in meters if meter.id not in failing]
    return answering + [Turn(meter, 1) for meter in meters if meter.id in failing]


def connect_delays(line: str, *, down_before: bool) -> Iterator[float]:
    """Seconds to wait before each further try to reach a line that is down.

    One that has just gone is tried at once, then after a doubling time, not quite the same for every line,
    for as long as the caller goes on. One that was down in the slot before has one further try: it is no
    burden to anybody.
    """
    delay = 0.5 * (0.75 + share_of(line) / 2)
    if down_before:
        yield delay
        return
    yield 0.0
    while True:
        yield delay
        delay = min(delay * 2, 30.0)
