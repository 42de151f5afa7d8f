"""Local months are 743 to 745 hours long and never overlap; an instant without an offset is no instant."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.periods import BadInstant, instant_text, local_midnight, month, months_within, parse_instant

MONTHS = st.builds(lambda year, number: f"{year}-{number:02}", st.integers(2000, 2090), st.integers(1, 12))


@pytest.mark.parametrize(
    ("text", "start", "end", "hours"),
    [
        ("2026-01", "2025-12-31T22:00:00Z", "2026-01-31T22:00:00Z", 744),
        ("2026-03", "2026-02-28T22:00:00Z", "2026-03-31T21:00:00Z", 743),
        ("2026-06", "2026-05-31T21:00:00Z", "2026-06-30T21:00:00Z", 720),
        ("2026-10", "2026-09-30T21:00:00Z", "2026-10-31T22:00:00Z", 745),
    ],
)
def test_a_month_runs_between_local_midnights(text, start, end, hours):
    period = month(text)
    assert (instant_text(period.start), instant_text(period.end)) == (start, end)
    assert period.end - period.start == timedelta(hours=hours)


@given(MONTHS, st.integers(1, 14))
def test_months_follow_each_other_without_gap_or_overlap(first, count):
    start = month(first).start
    end = start + timedelta(days=31 * count, hours=1)
    found = months_within(start, end)
    assert found[:1] == [first]
    for earlier, later in pairwise(found):
        assert month(earlier).end == month(later).start


def test_a_month_is_within_only_when_it_is_complete():
    october = month("2026-10")
    assert months_within(october.start, october.end) == ["2026-10"]
    assert months_within(october.start + timedelta(hours=1), october.end) == []
    assert months_within(october.start, october.end - timedelta(hours=1)) == []


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "26-01", "2026-10-01", "", "0000-01"])
def test_no_month_is_guessed(text):
    with pytest.raises(BadInstant):
        month(text)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-01", "2026-09-30T21:00:00Z"),
        ("2026-11-01", "2026-10-31T22:00:00Z"),
        ("2026-10-01T00:00:00+03:00", "2026-09-30T21:00:00Z"),
        ("2026-10-01T00:00:00Z", "2026-10-01T00:00:00Z"),
        ("2026-10-25T03:30+02:00", "2026-10-25T01:30:00Z"),
    ],
)
def test_instants_are_read_with_their_offset(text, instant):
    assert instant_text(parse_instant(text)) == instant


@pytest.mark.parametrize(
    "text", ["2026-10-01T00:00:00", "2026-10-01 00:00", "1.10.2026", "2026-02-30", "", "noon", "0001-01-01"]
)
def test_a_naive_or_impossible_instant_is_refused(text):
    with pytest.raises(BadInstant):
        parse_instant(text)


@given(st.dates(date(1990, 1, 1), date(2090, 12, 31)))
def test_a_local_day_has_23_24_or_25_hours(day):
    length = local_midnight(day + timedelta(days=1)) - local_midnight(day)
    assert length in {timedelta(hours=hours) for hours in (23, 24, 25)}


def test_instants_are_written_in_utc():
    assert instant_text(datetime(2026, 10, 1, 12, 0, 0, 5, tzinfo=UTC)) == "2026-10-01T12:00:00.000005Z"
