"""Asks a unit on a Modbus line all questions of one readout, and learns from what it refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gateway.lines.modbus_known import Way
from gateway.modbus.client import ModbusClient
from gateway.modbus.errors import AskFailed, BadLink, LinkLost, MeterSilent, ModbusError, Refused
from gateway.modbus.frames import Answer, Framing, Question
from gateway.modbus.link import parse_link
from gateway.modbus.plan import Step
from gateway.readout import LineDown, NoAnswer, ReadFailed, Unreadable
from gateway.settings import LineSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

SILENT = "no answer"
NO_FUNCTION, NO_SUCH_REGISTERS = 1, (2, 3)
UNREACHED = (10, 11)

TWIN_PAUSE_S = 0.02
"""Two questions of one shape have so long between them: an answer too many would come in that time."""

REFUSED_PAUSE_S = 0.1
"""A device that is busy, or a converter that lost its slave, is given a moment."""

MOST_LESSONS = 16

Answers = Sequence[tuple[Step, Answer]]


class ModbusMaster:
    """One Modbus line and its only master.

    Raises:
        ConfigurationInvalid: the line's link cannot be.
    """

    def __init__(self, settings: LineSettings) -> None:
        try:
            link = parse_link(settings.link)
        except BadLink as error:
            problem = f"Line {settings.name}: {error.problem}"
            raise ConfigurationInvalid(problem, remedy=error.remedy) from None
        self.framing: Framing = link.framing
        self._client = ModbusClient(link, settings.timeout_s)

    def close(self) -> None:
        """Give the link back. The next question connects anew."""
        self._client.close()

    async def ask(self, way: Way, attempts: int) -> Answers:
        """All answers of one readout, each to the question that was just put.

        Raises:
            ReadFailed: one of them could not be had, or nothing that the map names is there.
        """
        for _ in range(MOST_LESSONS):
            doubts = self._client.doubts(way.unit)
            answers = await self._put_all(way, attempts)
            if self._client.doubts(way.unit) != doubts:
                raise Unreadable("its answers came out of step", remedy="Look for a second master.")
            if answers is not None:
                return answers
        raise Unreadable("it refuses its registers in ever new ways", remedy="Check its profile.")

    async def is_there(self, question: Question) -> bool:
        """Whether anybody answers at a unit id, be it with a refusal. Raises LineDown."""
        try:
            await self._client.ask(question)
        except LinkLost as lost:
            raise _down(lost) from None
        except Refused as refusal:
            return refusal.code not in UNREACHED
        except AskFailed as failure:
            return not isinstance(failure, MeterSilent)
        return True

    async def _put_all(self, way: Way, attempts: int) -> Answers | None:
        """The answers of one readout. None when the unit has taught another way to read it."""
        answers: list[tuple[Step, Answer]] = []
        try:
            await self._wake(way, attempts)
            for step, question in way.steps:
                answers.append((step, await self._put(step, question, attempts)))
        except _Refusal as refusal:
            _learn(way, refusal)
            return None
        except NoAnswer as silence:
            # a device may be silent where it should refuse, about registers between those that it has
            if answers and silence.problem == SILENT and way.leave_gaps_out(len(answers)):
                return None
            raise
        return answers

    async def _wake(self, way: Way, attempts: int) -> None:
        """A module that refreshes its registers only after a question is asked once for nothing."""
        if way.profile.read.old_until_asked:
            await self._put(*way.steps[0], attempts)
            await asyncio.sleep(way.profile.read.refresh_s)

    async def _put(self, step: Step, question: Question, attempts: int) -> Answer:
        """Put one question until it is answered, at most so often; a distorted answer counts half."""
        refused, left = 0, 2 * attempts
        while True:
            if step.twin and step.values:
                await asyncio.sleep(TWIN_PAUSE_S)
            try:
                return await self._client.ask(question)
            except LinkLost as lost:
                raise _down(lost) from None
            except Refused as refusal:
                refused += 1
                # an exception does not say which question it answers: it has to come twice
                if refusal.code in (NO_FUNCTION, *NO_SUCH_REGISTERS):
                    if refused > 1:
                        raise _Refusal(step, refusal) from None
                    continue
                failure = _refused(refusal)
                await asyncio.sleep(REFUSED_PAUSE_S)
            except AskFailed as error:
                failure = _failed(error)
            left -= 2 if failure.problem == SILENT else 1
            if left <= 0:
                raise failure


class _Refusal(Exception):
    """The unit refuses a step, twice. Does not leave this module."""

    def __init__(self, step: Step, refused: Refused) -> None:
        super().__init__(refused.problem)
        self.step, self.refused = step, refused


def _learn(way: Way, refusal: _Refusal) -> None:
    """Read the unit differently from now on. Raises Unreadable when nothing of it is left."""
    refused = refusal.refused
    if refused.code == NO_FUNCTION or not way.learn(refusal.step):
        raise Unreadable(refused.problem, remedy=refused.remedy)
    log.info("refused %s", fields(unit=way.unit, profile=way.profile.name, reason=refused.problem))


def _down(lost: ModbusError) -> LineDown:
    return LineDown(f"line down: {lost.problem}", remedy=lost.remedy)


def _failed(error: AskFailed) -> ReadFailed:
    problem = SILENT if isinstance(error, MeterSilent) else error.problem
    return NoAnswer(problem, remedy=error.remedy)


def _refused(refusal: Refused) -> ReadFailed:
    kind = NoAnswer if refusal.code in UNREACHED else Unreadable
    return kind(refusal.problem, remedy=refusal.remedy)
