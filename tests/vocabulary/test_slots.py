"""Slots lie on the wall clock: each once, in order, and every local month begins with one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.periods import HELSINKI, month
from kaukoluenta.slots import count_slots, slot_after, slot_from, slots

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVERY = [timedelta(minutes=m) for m in range(1, 24 * 60 + 1) if DAY % timedelta(minutes=m) == timedelta(0)]

STRANGE = [timedelta(seconds=7000), timedelta(hours=25), timedelta(days=31)]

cadences = st.sampled_from(EVERY) | st.sampled_from(STRANGE)
CHANGES = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)) | st.builds(
    lambda change, off: change + off, st.sampled_from(CHANGES), st.timedeltas(-DAY, DAY)
)
stretches = st.timedeltas(timedelta(0), timedelta(days=3))


@pytest.mark.parametrize("every", EVERY, ids=str)
def test_every_local_month_begins_with_a_slot(every: timedelta) -> None:
    for name in ("2026-01", "2026-03", "2026-04", "2026-07", "2026-10", "2026-11"):
        start = month(name).start
        assert slot_from(start, every) == start


@pytest.mark.parametrize(
    ("every", "day", "wall"),
    [
        ("4:00", "2026-10-24", "00:00 04:00 08:00 12:00 16:00 20:00"),
        ("4:00", "2026-10-25", "00:00 04:00 08:00 12:00 16:00 20:00"),
        ("12:00", "2026-03-29", "00:00 12:00"),
        ("24:00", "2026-03-29", "00:00"),
        ("3:00", "2026-03-29", "00:00 06:00 09:00 12:00 15:00 18:00 21:00"),
        ("3:00", "2026-10-25", "00:00 03:00 06:00 09:00 12:00 15:00 18:00 21:00"),
    ],
)
def test_long_steps_are_times_of_the_local_day(every: str, day: str, wall: str) -> None:
    hours, _, minutes = every.partition(":")
    midnight = datetime.fromisoformat(day).replace(tzinfo=HELSINKI)
    end = (datetime.fromisoformat(day) + DAY).replace(tzinfo=HELSINKI)
    found = slots(
        midnight.astimezone(UTC), end.astimezone(UTC), timedelta(hours=int(hours), minutes=int(minutes))
    )
    assert " ".join(f"{slot.astimezone(HELSINKI):%H:%M}" for slot in found) == wall


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-24", 24)])
def test_hours_are_read_as_they_pass(day: str, hours: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=HELSINKI)
    end = (datetime.fromisoformat(day) + DAY).replace(tzinfo=HELSINKI)
    found = list(slots(start.astimezone(UTC), end.astimezone(UTC), HOUR))
    assert len(found) == hours
    assert {later - slot for slot, later in pairwise(found)} == {HOUR}


@given(instants, stretches, cadences)
def test_slots_are_in_order_each_once_and_counted(
    start: datetime, stretch: timedelta, every: timedelta
) -> None:
    found = list(slots(start, start + stretch, every))
    assert found == sorted(set(found))
    assert all(start <= slot < start + stretch for slot in found)
    assert count_slots(start, start + stretch, every) == len(found)


@given(instants, stretches, stretches, cadences)
def test_where_a_stretch_is_cut_makes_no_difference(
    start: datetime, one: timedelta, two: timedelta, every: timedelta
) -> None:
    middle, end = start + one, start + one + two
    assert [*slots(start, middle, every), *slots(middle, end, every)] == list(slots(start, end, every))


@given(instants, cadences)
def test_the_next_slot_is_the_first_one_that_comes(instant: datetime, every: timedelta) -> None:
    coming = list(slots(instant, instant + 63 * DAY, every))
    assert slot_from(instant, every) == coming[0]
    assert slot_after(coming[0], every) == coming[1]
    assert coming[1] - coming[0] <= 2 * every + HOUR
