"""Energy from slot to slot is a difference of two reads; what is not known stays unknown."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.timeline import Gap, gaps, moment_state, timeline
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

HOUR = timedelta(hours=1)
START = datetime(2026, 10, 1, 0, tzinfo=UTC)
METER = MeterId("KAM-69183621")


def read(hour: float, energy: str, unit: str = "kWh", source: Source = Source.LIVE) -> Reading:
    return Reading(METER, START + hour * HOUR, source, {"energy": Amount(Decimal(energy), unit)})


def uses(readings, hours=4):
    """The use of each slot in the order of time, as text; None where it is unknown."""
    moments = timeline(readings, START, START + hours * HOUR, HOUR)
    return [f"{m.use.value} {m.use.unit}" if m.use else None for m in moments if m.on_slot]


UNKNOWN = [None] * 5
USES = [
    # what was read, and the use of hours 0 to 4
    ([read(0, "10.0"), read(1, "11.5"), read(2, "11.5")], ["1.5 kWh", "0.0 kWh", *UNKNOWN[2:]]),
    ([read(0, "10.0"), read(2, "13.0"), read(3, "14.0")], [None, None, "1.0 kWh", *UNKNOWN[3:]]),
    ([read(0, "10"), read(1, "9")], UNKNOWN),
    ([read(0, "0.36", "GJ"), read(1, "0.39", "GJ")], ["0.03 GJ", *UNKNOWN[1:]]),
    ([read(0, "100", "kWh"), read(1, "0.36", "GJ")], UNKNOWN),
    ([read(0, "0.100", "MWh"), read(1, "101", "kWh")], ["1 kWh", *UNKNOWN[1:]]),
    ([read(0, "10"), read(0.5, "10.2"), read(1, "11")], ["1 kWh", *UNKNOWN[1:]]),
    ([read(0, "10"), read(0, "12", source=Source.MANUAL), read(1, "13")], UNKNOWN),
    ([read(0, "10"), read(0, "10.0", source=Source.MANUAL), read(1, "13")], ["3 kWh", *UNKNOWN[1:]]),
    ([], UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("readings", "expected"), USES)
def test_the_use_of_an_hour_needs_a_read_at_both_its_ends(readings, expected):
    assert uses(readings) == expected


def test_a_slot_without_a_reading_is_missing_and_a_reading_between_slots_is_no_slot():
    moments = timeline([read(0, "1"), read(0.5, "2")], START, START + HOUR, HOUR)
    assert [(m.at - START, m.on_slot, moment_state(m)) for m in moments] == [
        (0 * HOUR, True, "present"),
        (0.5 * HOUR, False, "present"),
        (HOUR, True, "missing"),
    ]


def test_sources_that_differ_are_shown_as_disputed_with_the_live_reading_first():
    manual, live = read(0, "12", source=Source.MANUAL), read(0, "10")
    (moment,) = timeline([manual, live], START, START, HOUR)
    assert (moment_state(moment), moment.reading) == ("disputed", live)


def test_gaps_join_neighbours_with_the_same_reason_and_end_where_it_changes():
    moments = timeline([read(0, "1"), read(5, "2")], START, START + 6 * HOUR, HOUR)
    said = {START + hour * HOUR: "no answer" for hour in (1, 2)}
    assert gaps(moments, said) == [
        Gap(START + HOUR, START + 2 * HOUR, 2, "no answer"),
        Gap(START + 3 * HOUR, START + 4 * HOUR, 2, None),
        Gap(START + 6 * HOUR, START + 6 * HOUR, 1, None),
    ]


def test_a_slot_in_which_the_meter_was_not_asked_is_spared_unless_it_was_read_all_the_same():
    slots = {START + hour * HOUR for hour in (1, 2)}
    moments = timeline([read(0, "1"), read(2, "2")], START, START + 3 * HOUR, HOUR, slots)
    assert [moment_state(moment) for moment in moments] == ["present", "spared", "present", "missing"]


def test_daily_slots_are_local_midnights_and_follow_each_other_over_the_long_day():
    midnights = [datetime(2026, 10, day, hour, tzinfo=UTC) for day, hour in ((23, 21), (24, 21), (25, 22))]
    readings = [
        Reading(METER, at, Source.LIVE, {"energy": Amount(Decimal(energy), "kWh")})
        for at, energy in zip(midnights, (10, 34, 59), strict=True)
    ]
    moments = timeline(readings, midnights[0], midnights[-1], timedelta(days=1))
    assert [(moment.at, moment.on_slot) for moment in moments] == [(at, True) for at in midnights]
    assert [moment.use.value if moment.use else None for moment in moments] == [24, 25, None]


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=48), st.sets(st.integers(0, 47)))
def test_known_uses_never_add_up_to_more_than_the_register_moved(steps, absent):
    energies = [sum(steps[: n + 1]) for n in range(len(steps))]
    readings = [read(hour, str(energy)) for hour, energy in enumerate(energies) if hour not in absent]
    moments = timeline(readings, START, START + len(steps) * HOUR, HOUR)
    known = [moment.use.value for moment in moments if moment.use]
    moved = max(energies) - min(energies)
    assert sum(known) <= moved
    if not absent & set(range(len(steps))):
        assert sum(known) == moved
