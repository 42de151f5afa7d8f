"""One line, for ever: wait for the slot, ask each meter, keep what came of it, go on to the next slot.

A slot ends when its outcome is durable; only then does the line wait for the next, which on a stepped clock
is the promise that nothing of this slot is owed any more. Whatever a meter or the link does becomes a reason
in a missed slot. Slots, stamps and windows follow the clock; waits for machines are real time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from gateway.budget import attempts_in, why_spared
from gateway.delivery.keep import Keeper
from gateway.delivery.outbox import OutboxUnavailable, SlotOutcome
from gateway.readout import Line, LineDown, ReadFailed, Readout
from gateway.schedule import Turn, connect_delays, is_set_back, line_delay, next_due, turns
from gateway.settings import GatewayTable, LineSettings
from kaukoluenta.identifiers import MeterId
from kaukoluenta.payload import Missed
from kaukoluenta.periods import instant_text
from kaukoluenta.reading import EARLIEST, NO_DOUBT, Quality, Reading, ReadingRefused, Source, check_reading
from kaukoluenta.runtime.clock import Clock
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

NOT_RUNNING = "the gateway was not running"
NOT_IN_TIME = "the gateway did not come to it in time"
TOO_LATE = "answered after the slot's window"
NOT_ASKED = "its turn came after the slot's window"
LONGEST_REASON = 200  # letters, in an event

MOST_UNSTORED = 200
_SKIPPED_AT_ONCE = 100


class LinePoller:
    """The loop of one line.

    Args:
        last: the line's latest slot in the outbox, None when it has none.
        try_again_s: how long to wait before asking a disk again that refused.
    """

    def __init__(
        self,
        settings: LineSettings,
        table: GatewayTable,
        line: Line,
        clock: Clock,
        keeper: Keeper,
        last: datetime | None,
        try_again_s: float = 5.0,
    ) -> None:
        self._settings, self._table, self._line = settings, table, line
        self._clock, self._keeper = clock, keeper
        self._last = self._latest = last
        self._delay = line_delay(settings.name, table.spread)
        self._try_again_s = try_again_s
        self._why_skipped = NOT_RUNNING
        self._failing: dict[MeterId, str] = {}
        self._down: LineDown | None = None
        self._unstored: list[SlotOutcome] = []

    async def run(self) -> NoReturn:
        """Raises OutboxDamaged; nothing else ends it."""
        while True:
            await self.do_next_slot()

    async def do_next_slot(self) -> None:
        """Wait for the next slot and do it; name what was skipped on the way."""
        while self._clock.now() < EARLIEST:
            log.error("clock not set %s", fields(line=self._settings.name, remedy="set the system's clock"))
            await self._clock.sleep_until(EARLIEST)
        due = next_due(self._last, self._clock.now(), self._table.every, self._table.window)
        await self._skip(due.skipped)
        await self._clock.sleep_until(due.slot + self._delay)
        if not due.slot + self._delay <= self._clock.now() <= due.slot + self._table.window:
            return  # the clock was set meanwhile: another slot is due now
        outcome = await self._ask_all(due.slot)
        self._last = due.slot
        if not is_set_back(due.slot, self._latest):
            self._latest = due.slot
        await self._keep([outcome])

    # Keeping

    async def _skip(self, slots: Sequence[datetime]) -> None:
        for start in range(0, len(slots), _SKIPPED_AT_ONCE):
            some = slots[start : start + _SKIPPED_AT_ONCE]
            log.warning("slots skipped %s", fields(line=self._settings.name, first=some[0], last=some[-1]))
            self._last = some[-1]
            await self._keep([self._all_missed(slot, self._why_skipped) for slot in some])
        self._why_skipped = NOT_IN_TIME

    def _all_missed(self, slot: datetime, reason: str) -> SlotOutcome:
        missed = tuple(Missed(meter.id, slot, reason) for meter in self._settings.meter)
        return SlotOutcome(self._settings.name, slot, (), missed)

    async def _keep(self, outcomes: Sequence[SlotOutcome]) -> None:
        """Return when all is durable, or, if the disk refuses that long, when the next slot is due.

        What is not stored stays in memory and goes with the next slot. If there is ever too much of that, the
        oldest readings become missed slots.
        """
        self._unstored += outcomes
        while self._unstored:
            try:
                await self._keeper.keep(self._unstored)
                self._unstored = []
            except OutboxUnavailable as error:
                log.error("not stored %s", fields(line=self._settings.name, reason=error.problem))
                reason = f"not stored: {error.problem}"
                too_old = self._unstored[:-MOST_UNSTORED]
                self._unstored[: len(too_old)] = [self._all_missed(one.slot, reason) for one in too_old]
                if self._last and self._clock.now() >= self._last + self._table.every:
                    return
                await asyncio.sleep(self._try_again_s)

    # Asking

    async def _ask_all(self, slot: datetime) -> SlotOutcome:
        started = time.monotonic()
        reconnects = connect_delays(self._settings.name, down_before=self._down is not None)
        self._down = None
        asked, spared = self._turns(slot)
        answers = [await self._ask(turn, slot, started, reconnects) for turn in asked]
        readings = tuple(answer for answer in answers if isinstance(answer, Reading))
        missed = tuple(answer for answer in answers if isinstance(answer, Missed))
        self._tell(slot, readings, missed, time.monotonic() - started)
        return SlotOutcome(self._settings.name, slot, readings, missed + spared)

    def _turns(self, slot: datetime) -> tuple[list[Turn], tuple[Missed, ...]]:
        """Whom to ask how often, and the slots that meters miss to keep within their budgets."""
        asked: list[Turn] = []
        spared: list[Missed] = []
        for turn in turns(self._settings.meter, self._failing, self._table.retries):
            meter = turn.meter
            if attempts := attempts_in(slot, self._table.every, meter.reads_per_day, turn.attempts):
                asked.append(Turn(meter, attempts))
            else:
                spared.append(Missed(meter.id, slot, why_spared(meter)))
        return asked, tuple(spared)

    async def _ask(
        self, turn: Turn, slot: datetime, started: float, reconnects: Iterator[float]
    ) -> Reading | Missed:
        """One meter's reading for the slot, or why there is none."""
        meter = turn.meter.id
        if self._down:
            return Missed(meter, slot, self._down.problem)
        asked_at = self._clock.now()
        if self._is_over(slot, asked_at, started):
            return Missed(meter, slot, NOT_ASKED)
        try:
            readout = await self._read(turn, started, reconnects)
            if self._is_over(slot, self._clock.now(), started):
                return Missed(meter, slot, TOO_LATE)
            return check_reading(_reading(meter, slot, asked_at, readout, self._doubt(slot)))
        except (ReadFailed, ReadingRefused) as failure:
            return Missed(meter, slot, failure.problem[:LONGEST_REASON])
        except Exception as bug:  # this loop's one catch-all: it costs one meter's reading
            log.exception("read failed %s", fields(line=self._settings.name, meter=meter))
            return Missed(meter, slot, f"internal error: {type(bug).__name__}")

    async def _read(self, turn: Turn, started: float, reconnects: Iterator[float]) -> Readout:
        """Read a meter; while the link is down, try to reach it as often as the slot allows."""
        while True:
            try:
                return await self._line.read(turn.meter, attempts=turn.attempts)
            except LineDown as down:
                delay = next(reconnects, None)
                left = started + self._table.window.total_seconds() - time.monotonic()
                if delay is None or delay > left:
                    self._down = down
                    raise
                await asyncio.sleep(delay)

    def _is_over(self, slot: datetime, now: datetime, started: float) -> bool:
        window = self._table.window
        return now > slot + window or time.monotonic() - started > window.total_seconds()

    def _doubt(self, slot: datetime) -> Quality:
        return Quality.CLOCK_SUSPECT if is_set_back(slot, self._latest) else NO_DOUBT

    def _tell(
        self, slot: datetime, readings: Sequence[Reading], missed: Sequence[Missed], seconds: float
    ) -> None:
        """One line a slot, and one for each meter that fails anew or is back."""
        failing = self._failing
        if self._down is None:
            answered = {reading.meter for reading in readings}
            failing = {meter: why for meter, why in failing.items() if meter not in answered}
            failing |= {one.meter: one.reason for one in missed}
        for meter in failing.keys() - self._failing.keys():
            log.warning(
                "meter missed %s", fields(meter=meter, slot=instant_text(slot), reason=failing[meter])
            )
        for meter in self._failing.keys() - failing.keys():
            log.info("meter back %s", fields(meter=meter, slot=instant_text(slot)))
        self._failing = failing
        log.log(
            logging.ERROR if self._down else logging.INFO,
            "slot read %s",
            fields(
                line=self._settings.name,
                slot=instant_text(slot),
                readings=len(readings),
                missed=len(missed),
                seconds=f"{seconds:.1f}",
                **({"reason": self._down.problem} if self._down else {}),
            ),
        )


def _reading(meter: MeterId, slot: datetime, asked_at: datetime, readout: Readout, doubt: Quality) -> Reading:
    """The readout in its slot, or at the instant at which a converter says that it read the meter."""
    return Reading(
        meter,
        readout.read_at or slot,
        Source.LIVE,
        readout.registers,
        readout.quality | doubt,
        asked_at,
        readout.meter_time,
        readout.info_code,
    )
