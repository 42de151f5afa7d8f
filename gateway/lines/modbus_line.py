"""One Modbus line and its only master: asks a meter, makes sure that it is the one, and gives its registers.

What the master remembers of a meter makes a read short: which registers it refused, and the layout that it
showed where its map leaves that open.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from gateway.lines.modbus_known import Known, Way, know
from gateway.lines.modbus_master import Answers, ModbusMaster
from gateway.lines.modbus_registers import Image, Map, evidence, find_registers, have_changed, serial_in
from gateway.modbus.probe import Evidence, decide
from gateway.readout import Readout, Unreadable, WrongMeter
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)


class ModbusLine:
    """A `Line` (gateway/readout.py).

    Raises:
        ConfigurationInvalid: a link, or a meter's address or profile, that cannot be.
    """

    def __init__(self, settings: LineSettings) -> None:
        self._master = ModbusMaster(settings)
        self._meters = {meter.id: know(meter, self._master.framing) for meter in settings.meter}

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        known = self._meters[meter.id]
        if len(known.ways) > 1:
            known.ways = [await self._find_way(known, attempts)]
        answers, laid = await self._ask(known, attempts)
        return _readout(known, answers, laid)

    async def close(self) -> None:
        self._master.close()

    async def _ask(self, known: Known, attempts: int) -> tuple[Answers, Map]:
        """The meter's own answers, and its map on them. Foreign ones may have been mixed up: asked again."""
        left = attempts
        while True:
            try:
                answers = await self._master.ask(known.ways[0], attempts)
                return answers, _check(known, image_of(answers))
            except (WrongMeter, Unreadable):
                left -= 1
                if left <= 0:
                    raise

    async def _find_way(self, known: Known, attempts: int) -> Way:
        """Where the map leaves function or first register open: try all ways, and keep the one that shows."""
        pieces: list[Evidence] = []
        for way in known.ways:
            try:
                image = image_of(await self._master.ask(way, attempts))
                pieces += evidence(known.profile, way.function, way.base, image, known.serial)
            except Unreadable as refused:
                log.info("not its way %s", fields(meter=known.settings.id, reason=refused.problem))
        layout = decide(pieces)
        if layout is None:
            raise _unshown(pieces)
        known.shown = tuple(map(str, pieces))
        return next(way for way in known.ways if (way.function, way.base) == layout[:2])


def image_of(answers: Answers) -> Image:
    """The registers of all answers; those from which values are taken stand first."""
    in_order = sorted(answers, key=lambda answer: not answer[0].values)
    return Image((step.span, answer.registers) for step, answer in in_order)


def _check(known: Known, image: Image) -> Map:
    """Raise unless the answers belong together and are this meter's own; the map laid over its registers."""
    profile, way = known.profile, known.ways[0]
    if have_changed(image, way.items):
        raise Unreadable(
            "its unit, exponent or serial number changed while it was read",
            remedy="Read it again later; look at its converter.",
        )
    pieces = evidence(profile, way.function, way.base, image, known.serial)
    if all(piece.serial_fits is False for piece in pieces):
        raise _wrong_meter(known, Map(profile, image, known.layout or pieces[0].layout))
    layout = decide(pieces) if profile.has_to_be_probed else pieces[0].layout
    if layout is None or known.layout not in (None, layout):
        raise _unshown(pieces)
    if profile.has_to_be_probed and known.layout is None:
        known.shown = known.shown or tuple(map(str, pieces))
        log.info("layout shown %s", fields(meter=known.settings.id, evidence="; ".join(known.shown)))
    known.layout = layout
    return Map(profile, image, layout)


def _wrong_meter(known: Known, laid: Map) -> WrongMeter:
    said = serial_in(laid)
    who = "a meter without a serial number" if said is None else f"a meter with serial number {said}"
    return WrongMeter(
        f"{who} answers instead", remedy=f"Find out where {known.settings.id} is, and mend the config."
    )


def _unshown(pieces: Sequence[Evidence]) -> Unreadable:
    told = "; ".join(map(str, pieces)) or "it answers in no way that its map leaves open"
    return Unreadable(
        f"its registers do not show their layout: {told}",
        remedy="Compare with its display, and write it into a copy of the profile.",
    )


def _readout(known: Known, answers: Answers, laid: Map) -> Readout:
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
        known.shown,
    )
