"""Slots on the wall clock: none twice, none forgotten, none invented; and whom to ask first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.schedule import (
    CLOCK_SET_BACK,
    FARTHEST_BACK,
    Due,
    Turn,
    connect_delays,
    is_set_back,
    line_delay,
    next_due,
    turns,
)
from gateway.settings import MeterSettings
from kaukoluenta.slots import slots

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
WINDOW = 5 * MINUTE


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 10, 25, hour, minute, second, tzinfo=UTC)


DUE = [
    #  last slot    now           what comes next
    (None, at(3), Due(at(3))),
    (None, at(3, 4, 59), Due(at(3))),
    (None, at(3, 5), Due(at(3))),
    (None, at(3, 5, 1), Due(at(4))),
    (at(3), at(3), Due(at(4))),
    (at(3), at(3, 2), Due(at(4))),
    (at(3), at(4), Due(at(4))),
    (at(3), at(4, 5), Due(at(4))),
    (at(3), at(4, 6), Due(at(5), (at(4),))),
    (at(3), at(7, 1), Due(at(7), (at(4), at(5), at(6)))),
    (at(7), at(5), Due(at(8))),
]


@pytest.mark.parametrize(("last", "now", "due"), DUE)
def test_the_next_slot_and_those_that_were_skipped(last: datetime | None, now: datetime, due: Due) -> None:
    assert next_due(last, now, HOUR, WINDOW) == due


def test_a_day_of_a_summer_time_change_has_a_slot_for_each_hour_that_passes() -> None:
    slot, read = at(0) - timedelta(hours=3), []
    while slot < at(22):
        slot = next_due(slot, slot, HOUR, WINDOW).slot
        read.append(slot)
    assert [later - earlier for earlier, later in pairwise(read)] == [HOUR] * 24


def test_a_meter_that_is_read_once_a_day_is_read_at_local_midnight_over_a_summer_time_change() -> None:
    last = datetime(2026, 10, 24, 21, tzinfo=UTC)
    assert next_due(last, last, 24 * HOUR, WINDOW) == Due(datetime(2026, 10, 25, 22, tzinfo=UTC))


def test_what_lies_further_back_than_the_outbox_reaches_is_not_listed() -> None:
    due = next_due(at(3) - timedelta(days=400), at(3), HOUR, WINDOW)
    assert due.skipped[0] == at(3) - FARTHEST_BACK
    assert len(due.skipped) == 40 * 24


instants = st.datetimes(datetime(2001, 1, 1), datetime(2099, 1, 1)).map(
    lambda naive: naive.replace(tzinfo=UTC)
)
periods = st.sampled_from([timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 1440)])


@given(instants, st.integers(0, 100_000), periods, st.floats(0, 1))
def test_slots_follow_each_other_without_gap_or_overlap(
    last: datetime, ahead_s: int, every: timedelta, share: float
) -> None:
    last = next_due(None, last, every, timedelta(0)).slot
    now = last + timedelta(seconds=ahead_s)
    due = next_due(last, now, every, every * share)
    listed = [*due.skipped, due.slot]
    assert [last, *listed] == list(slots(last, due.slot + timedelta.resolution, every))
    assert all(slot + every * share < now for slot in due.skipped)
    assert due.slot + every * share >= now


def test_a_clock_more_than_a_day_behind_is_not_waited_for() -> None:
    reset = at(3) - CLOCK_SET_BACK - HOUR
    assert is_set_back(reset, at(3))
    assert not is_set_back(at(2), at(3))
    assert next_due(at(3), reset, HOUR, WINDOW) == Due(reset)


def test_a_line_starts_always_at_the_same_part_of_the_spread_and_lines_at_different_ones() -> None:
    delays = {line_delay(f"line-{number}", MINUTE) for number in range(50)}
    assert len(delays) == 50
    assert all(timedelta(0) <= delay < MINUTE for delay in delays)
    assert line_delay("boiler-house", MINUTE) == line_delay("boiler-house", MINUTE)
    assert line_delay("boiler-house", timedelta(0)) == timedelta(0)


def test_a_meter_that_failed_before_comes_last_and_has_one_attempt() -> None:
    meters = [MeterSettings(id=f"KAM-{number}") for number in range(1, 5)]
    assert turns(meters, {"KAM-1", "KAM-3"}, retries=2) == [
        Turn(meters[1], 3),
        Turn(meters[3], 3),
        Turn(meters[0], 1),
        Turn(meters[2], 1),
    ]


def test_a_line_that_has_just_gone_is_tried_on_and_one_long_gone_once() -> None:
    fresh = list(islice(connect_delays("boiler-house", down_before=False), 12))
    assert fresh[0] == 0
    assert all(later in (2 * earlier, 30.0) for earlier, later in pairwise(fresh[1:]))
    assert len(list(connect_delays("boiler-house", down_before=True))) == 1
    assert fresh[1] != next(islice(connect_delays("harbour", down_before=False), 1, None))
