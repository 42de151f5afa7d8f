"""`kaukoluenta gateway read`: one readout now. Nothing is kept or published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.commissioning.mbus_report import Report, report_of
from gateway.commissioning.mbus_visit import converse, read_address, read_storage
from gateway.commissioning.readout_view import Answer, print_answer
from gateway.commissioning.target import ATTEMPTS, Target, line_of_link
from gateway.lines import make_line
from gateway.lines.mbus_line import key_of, secondary_of
from gateway.lines.mbus_readout import MeterReader
from gateway.mbus.link import LongFrame
from gateway.mbus.telegram import decode_frame
from gateway.readout import ReadFailed, Readout, Unreadable
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import UsageError
from kaukoluenta.identifiers import BadIdentifier, meter_id_of
from kaukoluenta.runtime.clock import SystemClock
from kaukoluenta.runtime.command import print_json


@dataclass(frozen=True, slots=True)
class Wish:
    """How to tell it. `stored`: also what the meter keeps of days gone by; `storage`: have it give that."""

    as_json: bool = False
    stored: bool = False
    storage: int | None = None


def read_meter(target: Target, wish: Wish) -> int:
    """Read one meter and print what it says; the exit code.

    Raises:
        UsageError: a wish that this meter's protocol does not know.
        ReadFailed: no readout; as JSON that is printed instead.
    """
    if wish.storage is not None and target.line.protocol != "mbus":
        raise UsageError("A Modbus meter has no storage numbers.", remedy="Leave out --storage.")
    asked_at = target.clock.now()
    try:
        asked = _present(target) if wish.storage is None else _storage(target, wish.storage)
        readout = asyncio.run(asked)
    except ReadFailed as failure:
        return _failed(target.meter.id, failure, wish)
    report = _report(target.line, target.meter, readout)
    return _told(Answer(target.meter.id, target.line.name, readout, asked_at, report), wish)


def read_whoever(link: str, address: int, profile: str | None, wish: Wish) -> int:
    """Read the meter at a primary address, whoever it is, and print what it says; the exit code.

    Raises:
        ReadFailed: no readout; as JSON that is printed instead.
    """
    line, asked_at = line_of_link(link), SystemClock().now()
    try:
        frames = asyncio.run(converse(line, read_address(address, attempts=ATTEMPTS, key=None)))
        meter = _sender(frames[0], profile)
        readout = _readout(meter, frames)
    except ReadFailed as failure:
        return _failed(None, failure, wish)
    return _told(Answer(meter.id, line.name, readout, asked_at, _report(line, meter, readout)), wish)


async def _present(target: Target) -> Readout:
    """As the poller reads it; records without any known register are an answer here."""
    line = make_line(target.line)
    try:
        return await line.read(target.meter, attempts=target.attempts)
    except Unreadable as unreadable:
        if not unreadable.raw:
            raise
        return Readout({}, target.meter.profile or "", unreadable.raw)
    finally:
        await line.close()


async def _storage(target: Target, storage: int) -> Readout:
    meter = target.meter
    dialogue = read_storage(
        secondary_of(meter), meter.address, storage, attempts=target.attempts, key=key_of(meter)
    )
    return _readout(meter, await converse(target.line, dialogue))


def _readout(meter: MeterSettings, frames: Sequence[LongFrame]) -> Readout:
    reader = MeterReader(meter, secondary_of(meter), key_of(meter))
    try:
        return reader.readout([reader.hear(frame) for frame in frames])
    except Unreadable as unreadable:
        if not unreadable.raw:
            raise
        return Readout({}, meter.profile or "", unreadable.raw)


def _sender(frame: LongFrame, profile: str | None) -> MeterSettings:
    """The meter that sent a telegram. Raises Unreadable when it does not say."""
    telegram = decode_frame(frame)
    maker = telegram.identity.manufacturer if telegram.identity else "@@@"
    number = telegram.fixed.id if telegram.fixed else telegram.identity.id if telegram.identity else ""
    try:
        return MeterSettings(id=meter_id_of(maker, number), profile=profile)
    except BadIdentifier:
        raise Unreadable(
            f"the telegram does not say whose it is ({telegram.app_error or telegram.reason or maker})",
            remedy="See `kaukoluenta gateway scan`.",
        ) from None


def _report(line: LineSettings, meter: MeterSettings, readout: Readout) -> Report | None:
    return report_of(readout.raw, key_of(meter), meter.profile) if line.protocol == "mbus" else None


def _told(answer: Answer, wish: Wish) -> int:
    print_answer(answer, as_json=wish.as_json, stored=wish.stored or wish.storage is not None)
    kept = answer.report.stored if answer.report and (wish.stored or wish.storage is not None) else ()
    return 0 if answer.readout.registers or kept else 1


def _failed(meter: str | None, failure: ReadFailed, wish: Wish) -> int:
    if not wish.as_json:
        raise failure
    print_json({"meter": meter, "error": {"problem": failure.problem, "remedy": failure.remedy}})
    return failure.exit_code
