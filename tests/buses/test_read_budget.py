"""A battery meter is asked no more often a day than it allows, and its midnight is never given up."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.budget import attempts_in
from gateway.delivery.outbox import SlotOutcome
from gateway.poll import LinePoller
from gateway.readout import NoAnswer, ReadFailed, Readout
from gateway.settings import GatewayTable, LineSettings, MeterSettings
from kaukoluenta.periods import local_midnight
from kaukoluenta.quantities import Amount
from kaukoluenta.slots import slots

HOUR = timedelta(hours=1)
EVERY = [timedelta(minutes=minutes) for minutes in (5, 15, 60, 120, 180, 240, 360, 1440)]
WINTER, SUMMER, LONG_DAY, SHORT_DAY = (
    date(2026, 1, 15),
    date(2026, 6, 15),
    date(2026, 10, 25),
    date(2026, 3, 29),
)


def slots_of(day: date, every: timedelta) -> list[datetime]:
    return list(slots(local_midnight(day), local_midnight(day + timedelta(days=1)), every))


ASKED = [
    #  budget  attempts wanted  in which local hours, how often
    (None, 3, dict.fromkeys(range(24), 3)),
    (1, 3, {0: 1}),
    (2, 3, {0: 1, 12: 1}),
    (4, 3, {0: 1, 6: 1, 12: 1, 18: 1}),
    (5, 3, {0: 1, 5: 1, 10: 1, 15: 1, 20: 1}),
    (7, 3, {0: 1, 4: 1, 8: 1, 12: 1, 16: 1, 20: 1}),
    (23, 3, dict.fromkeys(range(0, 24, 2), 1)),
    (24, 3, dict.fromkeys(range(24), 1)),
    (60, 3, dict.fromkeys(range(24), 2)),
    (500, 3, dict.fromkeys(range(24), 3)),
    (60, 1, dict.fromkeys(range(24), 1)),
]


@pytest.mark.parametrize("day", [WINTER, SUMMER])
@pytest.mark.parametrize(("budget", "wanted", "asked"), ASKED)
def test_the_days_slots_are_shared_out_from_midnight(
    budget: int | None, wanted: int, asked: dict[int, int], day: date
) -> None:
    found = {
        hour: attempts
        for hour, slot in enumerate(slots_of(day, HOUR))
        if (attempts := attempts_in(slot, HOUR, budget, wanted))
    }
    assert found == asked


@given(
    st.sampled_from(EVERY),
    st.integers(1, 2_000),
    st.integers(1, 6),
    st.sampled_from([WINTER, SUMMER, LONG_DAY, SHORT_DAY]),
)
def test_no_local_day_costs_more_than_its_budget_not_even_one_of_25_hours(
    every: timedelta, budget: int, wanted: int, day: date
) -> None:
    attempts = [attempts_in(slot, every, budget, wanted) for slot in slots_of(day, every)]
    assert sum(attempts) <= budget
    assert attempts[0] >= 1
    assert max(attempts) <= wanted


def test_a_budget_of_nothing_is_a_mistake_in_the_config() -> None:
    with pytest.raises(ValueError, match="reads_per_day"):
        MeterSettings(id="KAM-1", reads_per_day=0)


class SlotClock:
    """On which the next slot is due at once."""

    def __init__(self, now: datetime) -> None:
        self.instant = now

    def now(self) -> datetime:
        return self.instant

    async def sleep_until(self, instant: datetime) -> None:
        self.instant = max(self.instant, instant)


class Memory:
    """Keeps outcomes."""

    def __init__(self) -> None:
        self.kept: list[SlotOutcome] = []

    async def keep(self, outcomes: list[SlotOutcome]) -> None:
        self.kept += outcomes


class CountingLine:
    """Counts who is asked, with how many attempts. `silent` do not answer."""

    def __init__(self, *silent: str) -> None:
        self.silent, self.asked = silent, Counter[tuple[str, int]]()

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        self.asked[meter.id, attempts] += 1
        if meter.id in self.silent:
            failure: ReadFailed = NoAnswer("no answer", remedy="")
            raise failure
        return Readout({"energy": Amount(Decimal(1), "kWh")}, "generic", ())

    async def close(self) -> None: ...


def a_day_of(line: CountingLine) -> list[SlotOutcome]:
    """24 hourly slots of a line with a battery meter that allows four readouts a day."""
    meters = (MeterSettings(id="KAM-1", reads_per_day=4), MeterSettings(id="KAM-2"))
    told = LineSettings(name="line", protocol="mbus", link="tcp://h:1", meter=meters)
    table = GatewayTable(name="g", spread=timedelta(0))
    memory = Memory()
    poller = LinePoller(told, table, line, SlotClock(local_midnight(WINTER)), memory, None)

    async def run() -> None:
        for _ in range(24):
            await poller.do_next_slot()

    asyncio.run(run())
    return memory.kept


def test_a_spared_slot_is_missed_and_says_why() -> None:
    line = CountingLine()
    outcomes = a_day_of(line)
    assert line.asked == {("KAM-1", 1): 4, ("KAM-2", 3): 24}
    assert [len(outcome.readings) for outcome in outcomes] == [2, 1, 1, 1, 1, 1] * 4
    assert {missed.reason for outcome in outcomes for missed in outcome.missed} == {
        "not asked: it allows 4 reads a day"
    }


def test_a_spared_meter_is_no_failing_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        a_day_of(CountingLine())
    assert not [record for record in caplog.messages if "meter missed" in record or "meter back" in record]


def test_a_meter_that_fails_stays_failing_over_the_slots_in_which_it_is_spared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        a_day_of(CountingLine("KAM-1"))
    told = [message for message in caplog.messages if "KAM-1" in message]
    assert len(told) == 1
    assert told[0].startswith("meter missed")
