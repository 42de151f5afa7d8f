"""One Modbus line and its only master: asks a meter, makes sure that it is the one, and gives its registers.

What the master remembers of a meter makes a read short: which registers it refused, and the layout that it
showed where its map leaves that open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

from gateway.modbus.client import ModbusClient
from gateway.modbus.errors import AskFailed, BadLink, LinkLost, MeterSilent, Refused
from gateway.modbus.frames import Answer, Framing
from gateway.modbus.ground import NOTHING_LEARNED, Learned
from gateway.modbus.link import parse_link
from gateway.modbus.plan import Step, Wanted, learn, make_plan
from gateway.modbus.probe import Evidence, Layout, decide
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
TWIN_PAUSE_S = 0.02
"""Two questions of one shape have so long between them: an answer too many would come in that time."""

REFUSED_PAUSE_S = 0.1
"""A device that is busy, or a converter that lost its slave, is given a moment."""

SILENT = "no answer"
MOST_LESSONS = 16
_READ_AGAIN = "Read it again later; look at its converter."
_UNITS = {Framing.RTU: (1, 247), Framing.TCP: (0, 255)}

Answers = Sequence[tuple[Step, Answer]]


@dataclass(slots=True)
class _Way:
    """One way to read a meter: by this function, with the map's first register at this number."""

    profile: ModbusProfile
    function: int
    base: int
    learned: Learned = NOTHING_LEARNED
    items: list[Wanted] = field(init=False)
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.items = wanted(self.profile, self.function, self.base)
        self._plan()

    def learn(self, refused: Step) -> bool:
        """These registers are not there together, or not at all. False when nothing is left to read."""
        self.learned = learn(self.learned, refused.span, self.items)
        self._plan()
        return bool(self.steps)

    def _plan(self) -> None:
        self.steps = make_plan(self.items, limits(self.profile, self.function, self.base), self.learned)


@dataclass(slots=True)
class _Known:
    """What the master knows of one meter, from one read to the next.

    `ways`: more than one as long as the meter has not shown which is its own.
    """

    settings: MeterSettings
    profile: ModbusProfile
    unit: int
    ways: list[_Way]
    layout: Layout | None = None

    @property
    def serial(self) -> str:
        return self.settings.id.partition("-")[2]


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
        if len(known.ways) > 1:
            known.ways = [await self._find_way(known, attempts)]
        answers, laid = await self._ask_own(known, attempts)
        return _readout(known, answers, laid)

    async def close(self) -> None:
        self._client.close()

    async def _ask_own(self, known: _Known, attempts: int) -> tuple[Answers, Map]:
        """The meter's own answers, and its map on them. Foreign ones may have been mixed up: asked again."""
        left = attempts
        while True:
            try:
                answers = await self._ask(known, known.ways[0], attempts)
                return answers, _check(known, _image(answers))
            except (WrongMeter, Unreadable):
                left -= 1
                if left <= 0:
                    raise

    async def _find_way(self, known: _Known, attempts: int) -> _Way:
        """Where the map leaves function or first register open: try all ways, and keep the one that shows."""
        pieces: list[Evidence] = []
        for way in known.ways:
            try:
                image = _image(await self._ask(known, way, attempts))
                pieces += evidence(known.profile, way.function, way.base, image, known.serial)
            except Unreadable as refused:
                log.info("not its way %s", fields(meter=known.settings.id, reason=refused.problem))
        layout = decide(pieces)
        if layout is None:
            raise _unshown(pieces)
        return next(way for way in known.ways if (way.function, way.base) == layout[:2])

    async def _ask(self, known: _Known, way: _Way, attempts: int) -> Answers:
        """All answers of one readout, each to the question that was just put."""
        for _ in range(MOST_LESSONS):
            doubts = self._client.doubts(known.unit)
            try:
                await self._wake(known, way, attempts)
                answers = [(step, await self._put(known, step, attempts)) for step in way.steps]
            except _Lesson as lesson:
                _learn(known, way, lesson)
                continue
            if self._client.doubts(known.unit) != doubts:
                raise Unreadable("its answers came out of step", remedy="Look for a second master.")
            return answers
        raise Unreadable("it refuses its registers in ever new ways", remedy="Check its profile.")

    async def _wake(self, known: _Known, way: _Way, attempts: int) -> None:
        """A module that refreshes its registers only after a question is asked once for nothing."""
        if known.profile.read.old_until_asked:
            await self._put(known, way.steps[0], attempts)
            await asyncio.sleep(known.profile.read.refresh_s)

    async def _put(self, known: _Known, step: Step, attempts: int) -> Answer:
        """Put one question until it is answered, at most so often; a distorted answer counts half."""
        refused, left = 0, 2 * attempts
        while True:
            if step.twin and step.values:
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
                await asyncio.sleep(REFUSED_PAUSE_S)
            except AskFailed as error:
                failure = _failed(error)
            left -= 2 if failure.problem == SILENT else 1
            if left <= 0:
                raise failure


def _known(meter: MeterSettings, framing: Framing) -> _Known:
    profile = profile_for(meter.profile, shipped_profiles())
    if not profile.registers:
        raise ConfigurationInvalid(
            f"{meter.id} cannot be read: profile {profile.name} lacks {', '.join(profile.not_found)}.",
            remedy="Complete a copy of the file and give its path.",
        )
    if profile.role(SERIAL) is None:
        apart = profile.identity or "its unit id alone"
        log.warning("no serial number %s", fields(meter=meter.id, profile=profile.name, told_apart_by=apart))
    ways = [_Way(profile, *way) for way in product(profile.read.functions, profile.read.address_bases)]
    return _Known(meter, profile, _unit(meter, profile, framing), ways)


def _unit(meter: MeterSettings, profile: ModbusProfile, framing: Framing) -> int:
    unit = profile.link.unit_id if meter.address is None else meter.address
    lowest, highest = _UNITS[framing]
    if isinstance(unit, int) and lowest <= unit <= highest:
        return unit
    rule = f" Its usual one: {profile.link.unit_id}." if profile.link.unit_id else ""
    raise ConfigurationInvalid(
        f"{meter.id} has no unit id that can be.", remedy=f"Write address = {lowest} to {highest}.{rule}"
    )


def _learn(known: _Known, way: _Way, lesson: _Lesson) -> None:
    """Read the meter differently from now on. Raises Unreadable when nothing of it is left."""
    refusal = lesson.refusal
    if refusal.code == NO_FUNCTION or not way.learn(lesson.step):
        raise Unreadable(refusal.problem, remedy=refusal.remedy)
    log.info("refused %s", fields(meter=known.settings.id, reason=refusal.problem))


def _image(answers: Answers) -> Image:
    """The registers of all answers; those from which values are taken stand first."""
    in_order = sorted(answers, key=lambda answer: not answer[0].values)
    return Image((step.span, answer.registers) for step, answer in in_order)


def _check(known: _Known, image: Image) -> Map:
    """Raise unless the answers belong together and are this meter's own; the map laid over its registers."""
    profile, way = known.profile, known.ways[0]
    if have_changed(image, way.items):
        raise Unreadable("its unit, exponent or serial number changed while it was read", remedy=_READ_AGAIN)
    pieces = evidence(profile, way.function, way.base, image, known.serial)
    if all(piece.serial_fits is False for piece in pieces):
        raise _wrong_meter(known, Map(profile, image, known.layout or pieces[0].layout))
    layout = decide(pieces) if profile.has_to_be_probed else pieces[0].layout
    if layout is None or known.layout not in (None, layout):
        raise _unshown(pieces)
    if profile.has_to_be_probed and known.layout is None:
        log.info("layout shown %s", fields(meter=known.settings.id, evidence="; ".join(map(str, pieces))))
    known.layout = layout
    return Map(profile, image, layout)


def _unshown(pieces: Sequence[Evidence]) -> Unreadable:
    told = "; ".join(map(str, pieces)) or "it answers in no way that its map leaves open"
    return Unreadable(
        f"its registers do not show their layout: {told}",
        remedy="Compare with its display, and write it into a copy of the profile.",
    )


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
        return NoAnswer(SILENT, remedy=error.remedy)
    return NoAnswer(error.problem, remedy=error.remedy)


def _refused(refusal: Refused) -> ReadFailed:
    kind = NoAnswer if refusal.code in UNREACHED else Unreadable
    return kind(refusal.problem, remedy=refusal.remedy)
