"""Slots: the instants at which meters are due, on the wall clock of Helsinki, in UTC.

What divides an hour gives the same instants whichever zone counts them, both hours of an October night among
them. Longer steps that divide a day are counted from each local midnight, as 00:00, 04:00, 08:00, so that
every day and every month begins with a slot; a time that the clocks skip in March is none. Any other step,
which our own gateway refuses, is counted in UTC since 1970.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

from kaukoluenta.periods import HELSINKI

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def slots(start: datetime, end: datetime, every: timedelta) -> Iterator[datetime]:
    """The slots in [start, end), in order."""
    if _by_days(every):
        yield from (slot for slot in _days_slots(start, end, every) if start <= slot < end)
        return
    slot = start + (_EPOCH - start) % every
    while slot < end:
        yield slot
        slot += every


def count_slots(start: datetime, end: datetime, every: timedelta) -> int:
    """How many slots lie in [start, end)."""
    if _by_days(every):
        return sum(1 for _ in slots(start, end, every))
    return max(0, (_EPOCH - start) // every - (_EPOCH - end) // every)


def slot_from(instant: datetime, every: timedelta) -> datetime:
    """The first slot at or after `instant`."""
    return next(slots(instant, instant + DAY + HOUR + every, every))


def slot_after(instant: datetime, every: timedelta) -> datetime:
    """The first slot after `instant`."""
    return slot_from(instant + timedelta.resolution, every)


def _by_days(every: timedelta) -> bool:
    return bool(HOUR % every) and not DAY % every


def _days_slots(start: datetime, end: datetime, every: timedelta) -> Iterator[datetime]:
    """All slots of every local day that [start, end) touches."""
    day, last = start.astimezone(HELSINKI).date(), end.astimezone(HELSINKI).date()
    while day <= last:
        for step in range(DAY // every):
            wall = datetime.combine(day, time()) + step * every
            slot = wall.replace(tzinfo=HELSINKI).astimezone(UTC)
            if slot.astimezone(HELSINKI).replace(tzinfo=None) == wall:
                yield slot
        day += DAY
