"""The loop of a line: every meter has a reading or a reason in every slot, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.delivery.outbox import OutboxDamaged, OutboxFull, SlotOutcome
from gateway.poll import MOST_UNSTORED, NOT_ASKED, NOT_IN_TIME, NOT_RUNNING, TOO_LATE, LinePoller
from gateway.readout import LineDown, NoAnswer, Readout
from gateway.settings import GatewayTable, LineSettings, MeterSettings
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality, Source

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
START = datetime(2026, 10, 1, 3, tzinfo=UTC)


class FakeClock:
    """Time passes when somebody sleeps, and by `jumps` on top of it."""

    def __init__(self, now: datetime = START) -> None:
        self.instant = now
        self.slept: list[datetime] = []
        self.jumps: deque[timedelta] = deque()

    def now(self) -> datetime:
        return self.instant

    async def sleep_until(self, instant: datetime) -> None:
        self.slept.append(instant)
        self.instant = max(self.instant, instant) + (self.jumps.popleft() if self.jumps else timedelta(0))
        await asyncio.sleep(0)


def readout(kwh: int = 100, **more: Any) -> Readout:
    return Readout(
        **({"registers": {"energy": Amount(Decimal(kwh), "kWh")}, "profile": "x", "raw": ()} | more)
    )


@dataclass
class FakeLine:
    """Answers from a script for each meter, then with a readout. An answer may take some minutes."""

    clock: FakeClock
    scripts: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)
    takes: timedelta = timedelta(0)

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        self.asked.append((meter.id, attempts))
        self.clock.instant += self.takes
        script = self.scripts.get(meter.id)
        answer = script.pop(0) if script else readout()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


class FakeKeeper:
    """An outbox that refuses as often as it is told to; tells what it kept, and when by the clock."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.kept, self.refuses = clock, [], deque()
        self.when: list[datetime] = []

    async def keep(self, outcomes: Sequence[SlotOutcome]) -> None:
        if self.refuses:
            self.clock.instant += self.refuses.popleft()
            raise OutboxFull("The outbox has no room left.", remedy="")
        self.kept += outcomes
        self.when.append(self.clock.instant)


class Poll:
    """One poller with its surroundings."""

    def __init__(self, last: datetime | None = None, now: datetime = START, **table: Any) -> None:
        self.clock = FakeClock(now)
        self.line, self.keeper = FakeLine(self.clock), FakeKeeper(self.clock)
        told = LineSettings(
            name="boiler-house",
            protocol="mbus",
            link="tcp://h:1",
            meter=tuple(MeterSettings(id=f"KAM-{number}", address=number) for number in (1, 2, 3)),
        )
        values = {"name": "g", "every": HOUR, "window": 5 * MINUTE, "spread": timedelta(0)} | table
        self.poller = LinePoller(told, GatewayTable(**values), self.line, self.clock, self.keeper, last, 0.0)

    def slots(self, count: int) -> list[SlotOutcome]:
        async def run() -> None:
            for _ in range(count):
                await self.poller.do_next_slot()

        asyncio.run(run())
        return self.keeper.kept


def reasons(outcome: SlotOutcome) -> dict[str, str]:
    return {missed.meter: missed.reason for missed in outcome.missed}


def test_a_slot_gives_a_reading_of_each_meter_as_of_the_slot() -> None:
    poll = Poll()
    poll.line.takes = timedelta(seconds=20)
    (outcome,) = poll.slots(1)
    assert (outcome.line, outcome.slot, outcome.missed) == ("boiler-house", START, ())
    assert [reading.meter for reading in outcome.readings] == ["KAM-1", "KAM-2", "KAM-3"]
    assert {(reading.read_at, reading.source, reading.quality) for reading in outcome.readings} == {
        (START, Source.LIVE, 0)
    }
    assert [reading.asked_at - START for reading in outcome.readings] == [
        timedelta(seconds=seconds) for seconds in (0, 20, 40)
    ]


def test_slots_follow_each_other_and_the_next_is_waited_for_only_when_this_one_is_kept() -> None:
    poll = Poll()
    assert [outcome.slot for outcome in poll.slots(3)] == [START, START + HOUR, START + 2 * HOUR]
    assert poll.keeper.when == [START, START + HOUR, START + 2 * HOUR]
    assert poll.clock.slept == [START, START + HOUR, START + 2 * HOUR]


def test_a_restarted_line_goes_on_after_its_last_slot_and_names_those_it_slept_through() -> None:
    poll = Poll(last=START - 3 * HOUR)
    kept = poll.slots(1)
    assert [outcome.slot for outcome in kept] == [START - 2 * HOUR, START - HOUR, START]
    assert [reasons(outcome) for outcome in kept[:2]] == [
        dict.fromkeys(("KAM-1", "KAM-2", "KAM-3"), NOT_RUNNING)
    ] * 2
    assert len(kept[2].readings) == 3


def test_a_slot_that_is_kept_already_is_not_read_again() -> None:
    assert [outcome.slot for outcome in Poll(last=START).slots(1)] == [START + HOUR]


def test_a_meter_without_an_answer_is_missed_with_the_reason_and_never_zero() -> None:
    poll = Poll()
    poll.line.scripts["KAM-2"] = [NoAnswer("no answer", remedy="")]
    (outcome,) = poll.slots(1)
    assert reasons(outcome) == {"KAM-2": "no answer"}
    assert [reading.meter for reading in outcome.readings] == ["KAM-1", "KAM-3"]


def test_a_dead_meter_is_asked_last_and_once_until_it_is_back() -> None:
    poll = Poll()
    poll.line.scripts["KAM-1"] = [NoAnswer("no answer", remedy="")] * 2
    poll.slots(4)
    asked = [poll.line.asked[start : start + 3] for start in (0, 3, 6, 9)]
    assert asked[0] == [("KAM-1", 3), ("KAM-2", 3), ("KAM-3", 3)]
    assert asked[1] == asked[2] == [("KAM-2", 3), ("KAM-3", 3), ("KAM-1", 1)]
    assert asked[3] == asked[0]


def test_an_answer_after_the_window_is_a_missed_slot_and_not_back_dated() -> None:
    poll = Poll()
    poll.line.takes = 3 * MINUTE
    (outcome,) = poll.slots(1)
    assert [reading.meter for reading in outcome.readings] == ["KAM-1"]
    assert reasons(outcome) == {"KAM-2": TOO_LATE, "KAM-3": NOT_ASKED}
    assert len(poll.line.asked) == 2


def test_a_bug_in_reading_one_meter_costs_that_meter_only() -> None:
    poll = Poll()
    poll.line.scripts["KAM-1"] = [ZeroDivisionError()]
    (outcome,) = poll.slots(1)
    assert reasons(outcome) == {"KAM-1": "internal error: ZeroDivisionError"}
    assert len(outcome.readings) == 2


@pytest.mark.parametrize("value", ["NaN", "1234567890123456"])
def test_what_no_store_may_keep_is_a_missed_slot(value: str) -> None:
    poll = Poll()
    poll.line.scripts["KAM-1"] = [readout(registers={"energy": Amount(Decimal(value), "kWh")})]
    (outcome,) = poll.slots(1)
    assert reasons(outcome).keys() == {"KAM-1"}


def test_a_line_that_comes_back_within_the_slot_loses_nothing() -> None:
    poll = Poll()
    poll.line.scripts["KAM-1"] = [LineDown("line down: gone", remedy="")] * 2
    (outcome,) = poll.slots(1)
    assert len(outcome.readings) == 3


def test_a_line_that_stays_down_misses_every_meter_with_that_reason_and_little_effort() -> None:
    poll = Poll(window=timedelta(seconds=1))
    for meter in ("KAM-1", "KAM-2", "KAM-3"):
        poll.line.scripts[meter] = [LineDown("line down: gone", remedy="")] * 10_000
    down = {"KAM-1": "line down: gone", "KAM-2": "line down: gone", "KAM-3": "line down: gone"}
    first, *_ = poll.slots(1)
    assert reasons(first) == down
    asked = len(poll.line.asked)
    assert reasons(poll.slots(1)[1]) == down
    assert len(poll.line.asked) == asked + 2, "a line known to be down has one further try a slot"


def test_after_a_line_was_down_its_meters_are_not_taken_for_dead() -> None:
    poll = Poll(window=timedelta(seconds=1))
    poll.line.scripts["KAM-1"] = [LineDown("line down: gone", remedy="")] * 10_000
    poll.slots(1)
    poll.line.scripts.clear()
    poll.line.asked.clear()
    poll.slots(1)
    assert {attempts for _, attempts in poll.line.asked} == {3}


def test_a_clock_set_forward_during_the_wait_leaves_named_slots_and_reads_the_present_one() -> None:
    poll = Poll(last=START)
    poll.clock.jumps.append(3 * HOUR)
    kept = poll.slots(2)
    assert [outcome.slot for outcome in kept] == [START + number * HOUR for number in (1, 2, 3, 4)]
    assert [set(reasons(outcome).values()) for outcome in kept[:3]] == [{NOT_IN_TIME}] * 3
    assert len(kept[3].readings) == 3


def test_readings_under_a_clock_that_was_set_back_by_years_are_marked() -> None:
    poll = Poll(last=START, now=datetime(2010, 1, 1, tzinfo=UTC))
    kept = poll.slots(2)
    assert [outcome.slot.year for outcome in kept] == [2010, 2010]
    assert kept[0].slot != kept[1].slot
    assert {reading.quality for outcome in kept for reading in outcome.readings} == {Quality.CLOCK_SUSPECT}


def test_a_clock_set_back_while_a_slot_is_waited_for_leads_to_the_slot_that_is_due_now() -> None:
    poll = Poll(last=START, now=START)
    poll.clock.jumps.append(timedelta(days=-120))
    (outcome,) = poll.slots(2)
    assert outcome.slot.month == (START - timedelta(days=120)).month
    assert {reading.quality for reading in outcome.readings} == {Quality.CLOCK_SUSPECT}


def test_nothing_is_read_under_a_clock_without_a_date() -> None:
    poll = Poll(now=datetime(1970, 1, 1, tzinfo=UTC))
    (outcome,) = poll.slots(1)
    assert outcome.slot.year == 2000
    assert poll.clock.slept[0].year == 2000


def test_a_converters_own_time_of_reading_stands() -> None:
    poll = Poll()
    poll.line.scripts["KAM-1"] = [readout(read_at=START - 10 * MINUTE)]
    (outcome,) = poll.slots(1)
    assert [reading.read_at for reading in outcome.readings] == [START - 10 * MINUTE, START, START]


def test_what_the_disk_refuses_is_tried_again_before_the_next_slot_is_waited_for() -> None:
    poll = Poll()
    poll.keeper.refuses.extend([MINUTE] * 3)
    assert [outcome.slot for outcome in poll.slots(1)] == [START]


def test_what_the_disk_refuses_for_hours_goes_with_a_later_slot() -> None:
    poll = Poll()
    poll.keeper.refuses.extend([30 * MINUTE] * 6)
    kept = poll.slots(4)
    assert [(outcome.slot, len(outcome.readings)) for outcome in kept] == [
        (START + number * HOUR, 3) for number in range(4)
    ]


def test_what_the_disk_refuses_for_ever_becomes_missed_slots_and_not_a_full_memory() -> None:
    poll = Poll()
    poll.keeper.refuses.extend([HOUR] * (MOST_UNSTORED + 2))
    kept = poll.slots(MOST_UNSTORED + 3)
    assert [len(outcome.readings) for outcome in kept[:4]] == [0, 0, 3, 3]
    assert set(reasons(kept[0]).values()) == {"not stored: The outbox has no room left."}


def test_a_damaged_outbox_ends_the_loop() -> None:
    poll = Poll()

    async def keep(outcomes: Sequence[SlotOutcome]) -> None:
        raise OutboxDamaged("The outbox is damaged.", remedy="")

    poll.keeper.keep = keep
    with pytest.raises(OutboxDamaged):
        asyncio.run(poll.poller.run())
