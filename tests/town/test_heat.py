"""The heat model: whole numbers, sums that add up, and physics that a plant operator recognises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.heat import HOUR, HeatDrawn, House, heat_drawn, outdoor_mc

START = datetime(2026, 9, 29, 21, tzinfo=UTC)
HOURS_FROM_2000 = (START - datetime(2000, 1, 1, tzinfo=UTC)) // HOUR


def house(
    seed: int = 7,
    heat_loss_w_per_k: int = 150,
    hot_water_wh_a_day: int = 8_000,
    return_mc: int = 30_000,
    since: datetime = START,
) -> House:
    return House(seed, "house", since, heat_loss_w_per_k, hot_water_wh_a_day, return_mc)


def test_the_first_hours_of_a_house_are_the_same_on_any_machine() -> None:
    assert [heat_drawn(house(), START + hours * HOUR) for hours in (0, 1, 100)] == [
        HeatDrawn(0, 0, 1565, 31585, 75905, 32442),
        HeatDrawn(5634000, 31585, 1553, 31123, 76295, 32525),
        HeatDrawn(528051600, 2951944, 1020, 20629, 75000, 31628),
    ]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 2_000), min_size=1, max_size=20))
def test_what_was_asked_before_changes_nothing(seed: int, minutes: list[int]) -> None:
    asked = [heat_drawn(house(seed), START + timedelta(minutes=minute)) for minute in minutes]
    again = [heat_drawn(house(seed), START + timedelta(minutes=minute)) for minute in reversed(minutes)]
    assert asked == again[::-1]


@settings(deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 60 * 60 * 24), st.integers(0, 60 * 60 * 24))
def test_a_register_never_falls(seed: int, early: int, later: int) -> None:
    before = heat_drawn(house(seed), START + timedelta(seconds=early))
    after = heat_drawn(house(seed), START + timedelta(seconds=early + later))
    assert before.energy_j <= after.energy_j
    assert before.volume_ml <= after.volume_ml


def test_within_an_hour_the_register_grows_by_the_power_of_that_hour() -> None:
    begin, middle, end = (
        heat_drawn(house(), START + minutes * timedelta(minutes=1)) for minutes in (0, 30, 60)
    )
    assert middle.energy_j - begin.energy_j == begin.power_w * 1800
    assert end.energy_j - begin.energy_j == begin.power_w * 3600


def test_nothing_is_counted_before_the_house_is_there() -> None:
    assert heat_drawn(house(), START - timedelta(days=40)).energy_j == 0


def test_winter_is_colder_than_summer_and_costs_more() -> None:
    january, july = (datetime(2027, month, 1, tzinfo=UTC) for month in (1, 7))
    drawn = {
        month: heat_drawn(house(since=month), month + timedelta(days=30)).energy_j
        for month in (january, july)
    }
    assert drawn[january] > 4 * drawn[july]


@pytest.mark.parametrize("seed", range(5))
def test_the_year_stays_in_finland(seed: int) -> None:
    year = [outdoor_mc(seed, HOURS_FROM_2000 + hour) for hour in range(0, 8766, 7)]
    assert -40_000 < min(year) < -8_000
    assert 18_000 < max(year) < 36_000


def test_a_house_that_loses_more_draws_more() -> None:
    tight, leaky = (heat_drawn(house(heat_loss_w_per_k=loss), START + 100 * HOUR) for loss in (100, 300))
    assert leaky.energy_j > tight.energy_j


def test_a_substation_that_cools_badly_returns_warmer_water_and_needs_more_of_it() -> None:
    good, poor = (heat_drawn(house(return_mc=mc), START + 100 * HOUR) for mc in (28_000, 50_000))
    assert poor.energy_j == good.energy_j
    assert poor.return_mc > good.return_mc
    assert poor.volume_ml > 1.5 * good.volume_ml


@settings(deadline=None)
@given(st.integers(0, 1_000), st.integers(0, 8_766))
def test_the_flow_is_always_warmer_than_the_return(seed: int, hours: int) -> None:
    instant = START + hours * HOUR
    drawn = heat_drawn(house(seed, return_mc=55_000, since=instant), instant)
    assert drawn.flow_mc - drawn.return_mc >= 5_000


def test_hot_water_is_drawn_in_the_evening_rather_than_at_night_by_local_time() -> None:
    summer = datetime(2027, 7, 1, tzinfo=UTC)
    taps = house(heat_loss_w_per_k=0, since=summer)
    night, evening = (
        heat_drawn(taps, summer + hours * HOUR).power_w for hours in (24, 41)
    )  # 3 and 20 o'clock
    assert evening > 5 * night
