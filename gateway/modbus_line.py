"""One Modbus line and its only master: asks a meter, makes sure that it is the one, and gives its registers.

What the master remembers of a meter makes a read short: which registers it refused, and the layout that it
showed where its map leaves that open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.modbus.client import ModbusClient
from gateway.modbus.errors import AskFailed, BadLink, LinkLost, MeterSilent, Refused
from gateway.modbus.frames import Answer, Framing
from gateway.modbus.ground import NOTHING_LEARNED, Learned
from gateway.modbus.link import parse_link
from gateway.modbus.plan import Step, learn, make_plan
from gateway.modbus.probe import Layout, decide
from gateway.modbus_map import SERIAL, ModbusProfile
from gateway.modbus_profile import profile_for, shipped_profiles
from gateway.modbus_registers import Image, Map, evidence, find_registers, have_changed, serial_in
from gateway.modbus_requests import limits, wanted
from gateway.readout import LineDown, NoAnswer, ReadFailed, Readout, Unreadable, WrongMeter
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

NO_FUNCTION, NO_SUCH_REGISTERS = 1, (2, 3)
UNREACHED = (10, 11)
TWIN_PAUSE_S = 0.05
"""Two questions of one shape have so long between them: an answer too many would come in that time."""

MOST_LESSONS = 16
_READ_AGAIN = "Read it again later; look at its converter."
_UNITS = {Framing.RTU: (1, 247), Framing.TCP: (0, 255)}

Answers = Sequence[tuple[Step, Answer]]


@dataclass(slots=True)
class _Known:
    """What the master knows of one meter, from one read to the next."""

    settings: MeterSettings
    profile: ModbusProfile
    unit: int
    functions: list[int]
    fence: bool
    learned: Learned = NOTHING_LEARNED
    layout: Layout | None = None
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.plan()

    @property
    def function(self) -> int:
        return self.functions[0]

    @property
    def serial(self) -> str:
        return self.settings.id.partition("-")[2]

    def plan(self) -> None:
        items, bounds = wanted(self.profile, self.function), limits(self.profile, self.function)
        self.steps = make_plan(items, bounds, self.learned, fence=self.fence)

    @property
    def identity(self) -> str:
        return self.profile.identity or "its unit id alone"

    def learn(self, refused: Step) -> bool:
        """These registers are not there together, or not at all. False when nothing is left to read."""
        self.learned = learn(self.learned, refused.span, wanted(self.profile, self.function))
        self.plan()
        return bool(self.steps)

    def turn_to_next_function(self) -> None:
        """Where the map leaves the function open, another may be the one."""
        self.functions.append(self.functions.pop(0))
        self.learned = NOTHING_LEARNED
        self.plan()


class _Lesson(Exception):
    """The meter refused a step: it is to be read in another way. Does not leave this module."""

    def __init__(self, step: Step, refusal: Refused) -> None:
        super().__init__(refusal.problem)
        self.step, self.refusal = step, refusal


class ModbusLine:
    """A `Line` (gateway/readout.py).

    Raises:
        ConfigurationInvalid: a link, or a meter's address or profile, that cannot be.
    """

    def __init__(self, settings: LineSettings) -> None:
        try:
            link = parse_link(settings.link)
        except BadLink as error:
            raise ConfigurationInvalid(
                f"Line {settings.name}: {error.problem}", remedy=error.remedy
            ) from None
        self._client = ModbusClient(link, settings.timeout_s)
        self._meters = {meter.id: _known(meter, link.framing) for meter in settings.meter}

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        known = self._meters[meter.id]
        for left in reversed(range(attempts + len(known.functions) - 1)):
            try:
                answers = await self._ask(known, attempts)
                image = _image(answers)
                layout = _check(known, image)
                break
            except (WrongMeter, Unreadable):
                if not left:
                    raise
                if known.layout is None:
                    known.turn_to_next_function()
        return _readout(known, answers, Map(known.profile, known.function, image, layout))

    async def close(self) -> None:
        self._client.close()

    async def _ask(self, known: _Known, attempts: int) -> Answers:
        """All answers of one readout, each to the question that was just put."""
        functions_left = len(known.functions) - 1
        for _ in range(MOST_LESSONS):
            doubts = self._client.doubts(known.unit)
            try:
                await self._wake(known, attempts)
                answers = [(step, await self._put(known, step, attempts)) for step in known.steps]
            except _Lesson as lesson:
                if not _learn(known, lesson):
                    if not functions_left:
                        raise Unreadable(lesson.refusal.problem, remedy=lesson.refusal.remedy) from None
                    functions_left -= 1
                    known.turn_to_next_function()
                continue
            if self._client.doubts(known.unit) != doubts:
                raise Unreadable(
                    "its answers came out of step", remedy="Look for a second master on the line."
                )
            return answers
        raise Unreadable("it refuses its registers in ever new ways", remedy="Check its profile.")

    async def _wake(self, known: _Known, attempts: int) -> None:
        """A module that refreshes its registers only after a question is asked once for nothing."""
        if known.profile.read.old_until_asked:
            await self._put(known, known.steps[0], attempts)
            await asyncio.sleep(known.profile.read.refresh_s)

    async def _put(self, known: _Known, step: Step, attempts: int) -> Answer:
        """Put one question until it is answered, at most so often."""
        refused = 0
        while True:
            if step.twin:
                await asyncio.sleep(TWIN_PAUSE_S)
            try:
                return await self._client.ask(step.question(known.unit))
            except LinkLost as lost:
                raise LineDown(f"line down: {lost.problem}", remedy=lost.remedy) from None
            except Refused as refusal:
                refused += 1
                # an exception does not say which question it answers: it has to come twice
                if refusal.code in (NO_FUNCTION, *NO_SUCH_REGISTERS):
                    if refused > 1:
                        raise _Lesson(step, refusal) from None
                    continue
                failure = _refused(refusal)
            except AskFailed as error:
                failure = _failed(error)
            attempts -= 1
            if attempts <= 0:
                raise failure


def _known(meter: MeterSettings, framing: Framing) -> _Known:
    profile = profile_for(meter.profile, shipped_profiles())
    if not profile.registers:
        raise ConfigurationInvalid(
            f"{meter.id} cannot be read: profile {profile.name} lacks {', '.join(profile.not_found)}.",
            remedy="Complete a copy of the file and give its path.",
        )
    known = _Known(
        meter, profile, _unit(meter, profile, framing), [*profile.read.functions], framing is Framing.RTU
    )
    if profile.role(SERIAL) is None:
        log.warning(
            "no serial number %s", fields(meter=meter.id, profile=profile.name, told_apart_by=known.identity)
        )
    return known


def _unit(meter: MeterSettings, profile: ModbusProfile, framing: Framing) -> int:
    unit = profile.link.unit_id if meter.address is None else meter.address
    lowest, highest = _UNITS[framing]
    if isinstance(unit, int) and lowest <= unit <= highest:
        return unit
    rule = f" Its usual one: {profile.link.unit_id}." if profile.link.unit_id else ""
    raise ConfigurationInvalid(
        f"{meter.id} has no unit id that can be.", remedy=f"Write address = {lowest} to {highest}.{rule}"
    )


def _learn(known: _Known, lesson: _Lesson) -> bool:
    """Read the meter in another way from now on. False: with this function there is none."""
    log.info("refused %s", fields(meter=known.settings.id, reason=lesson.refusal.problem))
    return lesson.refusal.code != NO_FUNCTION and known.learn(lesson.step)


def _image(answers: Answers) -> Image:
    """The registers of all answers; those from which values are taken stand first."""
    in_order = sorted(answers, key=lambda answer: not answer[0].values)
    return Image((step.span, answer.registers) for step, answer in in_order)


def _check(known: _Known, image: Image) -> Layout:
    """Raise unless the answers belong together and are this meter's own; return how its registers lie."""
    profile = known.profile
    if have_changed(image, wanted(profile, known.function)):
        raise Unreadable("its unit, exponent or serial number changed while it was read", remedy=_READ_AGAIN)
    pieces = evidence(profile, known.function, image, known.serial)
    layout = decide(pieces) if profile.has_to_be_probed else pieces[0].layout
    if all(piece.serial_fits is False for piece in pieces):
        raise _wrong_meter(known, Map(profile, known.function, image, layout or pieces[0].layout))
    if layout is None or known.layout not in (None, layout):
        told = "; ".join(map(str, pieces))
        raise Unreadable(
            f"its registers do not show their layout: {told}", remedy="Compare with its display."
        )
    if profile.has_to_be_probed and known.layout is None:
        log.info("layout shown %s", fields(meter=known.settings.id, evidence="; ".join(map(str, pieces))))
    known.layout = layout
    return layout


def _wrong_meter(known: _Known, laid: Map) -> WrongMeter:
    said = serial_in(laid)
    who = "a meter without a serial number" if said is None else f"a meter with serial number {said}"
    return WrongMeter(
        f"{who} answers instead", remedy=f"Find out where {known.settings.id} is, and mend the config."
    )


def _readout(known: _Known, answers: Answers, laid: Map) -> Readout:
    found = find_registers(laid)
    if not found.registers:
        why = "; ".join(f"{register}: {reason}" for register, reason in found.absent.items())
        raise Unreadable(
            f"none of its registers can be read: {why}", remedy="See its profile and its display."
        )
    return Readout(
        found.registers,
        known.profile.name,
        tuple(answer.octets for _, answer in answers),
        found.quality,
        found.meter_time,
        found.info_code,
        found.absent,
        found.read_at,
    )


def _failed(error: AskFailed) -> ReadFailed:
    if isinstance(error, MeterSilent):
        return NoAnswer("no answer", remedy=error.remedy)
    return NoAnswer(error.problem, remedy=error.remedy)


def _refused(refusal: Refused) -> ReadFailed:
    kind = NoAnswer if refusal.code in UNREACHED else Unreadable
    return kind(refusal.problem, remedy=refusal.remedy)
