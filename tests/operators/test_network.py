"""The overview's figures: who was due, who was read, and on how many meters a sum rests."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from dashboards.network import Facts, Place, State, network
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=10)
NOW = datetime(2026, 10, 20, 12, 30, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=90)


def meter(number: int) -> MeterId:
    return MeterId(f"KAM-{number:08d}")


def reading(number: int, hours_ago: float = 0.5, **registers: tuple[str, str]) -> Reading:
    shown = {name: Amount(Decimal(value), unit) for name, (value, unit) in registers.items()}
    shown = shown or {"energy": Amount(Decimal("1"), "kWh")}
    return Reading(meter(number), NOW - hours_ago * HOUR, Source.LIVE, shown)


def polled(*numbers: int, step: timedelta = HOUR, since: datetime = LONG_AGO) -> dict[MeterId, Place]:
    return {meter(number): Place(GatewayName("kylä-1"), "koulu", step, since) for number in numbers}


def seen(latest=(), places=None, tallies=None, spared=None, now=NOW):
    return network(Facts(now, list(latest), places or {}, tallies or {}, {}, spared or {}), GRACE)


STATES = [
    # the last reading, hours ago   slots every   state
    (0.5,                           HOUR,         State.READ),
    (1.1,                           HOUR,         State.READ),
    (1.5,                           HOUR,         State.LATE),
    (3.5,                           HOUR,         State.SILENT),
    (None,                          HOUR,         State.NEVER),
    (20,                            24 * HOUR,    State.READ),
    (30,                            24 * HOUR,    State.LATE),
]  # fmt: skip


@pytest.mark.parametrize(("hours_ago", "step", "state"), STATES)
def test_a_meter_is_late_after_its_slot_and_grace_and_silent_after_three_slots(hours_ago, step, state):
    latest = [] if hours_ago is None else [reading(1, hours_ago)]
    (status,) = seen(latest, polled(1, step=step)).meters
    assert status.state is state


def test_a_meter_that_no_gateway_polls_is_shown_but_owes_nothing():
    unpolled = seen([reading(1, hours_ago=500)])
    assert (unpolled.meters[0].state, unpolled.expected, unpolled.silent) == (State.UNPOLLED, 0, ())


@pytest.mark.parametrize(
    ("step", "since", "expected"),
    [
        (HOUR, LONG_AGO, 24),
        (timedelta(minutes=15), LONG_AGO, 96),
        (timedelta(days=1), LONG_AGO, 1),
        (HOUR, NOW - 3 * HOUR - timedelta(minutes=30), 4),
        (HOUR, NOW, 0),
    ],
)
def test_a_meter_owes_every_slot_of_the_last_day_since_it_is_known(step, since, expected):
    assert seen(places=polled(1, step=step, since=since)).expected == expected


def test_the_read_rate_is_read_slots_over_owed_slots():
    tallies = {meter(1): 24, meter(2): 12}
    assert seen([reading(1), reading(2, 13)], polled(1, 2), tallies).rate == Fraction(36, 48)


def test_readings_beyond_the_slots_do_not_make_up_for_another_meters_gaps():
    assert seen([reading(1), reading(2, 30)], polled(1, 2), {meter(1): 48}).rate == Fraction(24, 48)


def test_without_anything_due_there_is_no_rate_rather_than_a_perfect_one():
    assert seen().rate is None


def test_a_slot_counts_only_once_its_grace_is_over():
    just_after = NOW.replace(minute=5)
    assert seen(places=polled(1, since=just_after.replace(minute=0)), now=just_after).expected == 0
    assert seen(places=polled(1, since=just_after.replace(minute=0)), now=NOW).expected == 1


def test_power_adds_up_exactly_over_units_and_leaves_the_silent_out():
    latest = [
        reading(1, power=("3.5", "kW")),
        reading(2, power=("0.009", "GJ/h")),
        reading(3, hours_ago=9, power=("1000", "kW")),
        reading(4),
    ]
    now = seen(latest, polled(1, 2, 3, 4))
    assert (now.power_kw, now.power_meters) == (Fraction(7, 2) + Fraction(5, 2), 2)


def test_without_any_known_power_the_sum_is_unknown_and_not_zero():
    assert seen([reading(1)], polled(1)).power_kw is None


def temperatures(number: int, flow: str, back: str, volume_flow: str | None = None) -> Reading:
    shown = {"flow_temperature": (flow, "degC"), "return_temperature": (back, "degC")}
    return reading(number, **shown, **({"volume_flow": (volume_flow, "m3/h")} if volume_flow else {}))


MEANS = [
    #  flow, return, volume flow of each meter                    flow   return  weighted
    ([("80", "40", "3"), ("90", "60", "1")],                      "82.5", "45",  True),
    ([("80", "40", None), ("90", "60", "1")],                     "85",   "50",  False),
    ([("80", "40", "0"), ("90", "60", "0")],                      "85",   "50",  False),
]  # fmt: skip


@pytest.mark.parametrize(("meters", "flow", "back", "weighted"), MEANS)
def test_temperatures_are_weighted_by_flow_only_when_every_meter_gives_it(meters, flow, back, weighted):
    latest = [temperatures(number, *values) for number, values in enumerate(meters)]
    mean = seen(latest, polled(*range(len(meters)))).temperatures
    assert (mean.flow, mean.back, mean.weighted, mean.meters) == (Decimal(flow), Decimal(back), weighted, 2)


def test_the_silent_list_begins_with_who_never_spoke_and_then_the_longest_silent():
    latest = [reading(1, 10), reading(2, 50), reading(3)]
    assert [status.meter for status in seen(latest, polled(1, 2, 3, 4)).silent] == [
        meter(4),
        meter(2),
        meter(1),
    ]
