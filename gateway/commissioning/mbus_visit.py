"""A single talk with one meter, beside the poller's reads: whoever is at an address, stored values, writes.

A meter that may be selected by its secondary address is spoken to in that way, since two meters may share a
primary one; only a meter that does not know selection is spoken to at its primary address.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from gateway.lines.mbus_master import MbusMaster
from gateway.links import link_to
from gateway.mbus.addressing import SELECTED, SecondaryAddress
from gateway.mbus.commands import select_everything, select_storage
from gateway.mbus.dialogue import Dialogue, FrameCount, goes_on, read_out, select
from gateway.mbus.errors import AnswerGarbled, MbusError, MeterSilent
from gateway.mbus.link import LongFrame
from gateway.readout import NoAnswer, ReadFailed, Unreadable
from gateway.settings import LineSettings

T = TypeVar("T")
Telegrams = tuple[LongFrame, ...]


async def converse(line: LineSettings, dialogue: Dialogue[T]) -> T:
    """Perform one dialogue on a line that is opened for it and closed behind it.

    Raises:
        LineDown, NoAnswer, Unreadable
    """
    master = MbusMaster(link_to(line.link), line.timeout_s)
    try:
        return await master.perform(dialogue)
    except MbusError as failure:
        raise failure_of(failure) from None
    finally:
        await master.link.close()


def failure_of(failure: MbusError) -> ReadFailed:
    """What a dialogue's failure is to a command."""
    kind = NoAnswer if isinstance(failure, MeterSilent | AnswerGarbled) else Unreadable
    return kind(failure.problem, remedy=failure.remedy)


def approach(
    who: SecondaryAddress, primary: int | None, count: FrameCount, *, attempts: int
) -> Dialogue[int]:
    """Make one meter listen; the address at which it does. Raises as `select`."""
    try:
        yield from select(who, count, attempts=attempts)
    except MeterSilent:
        if primary is None:
            raise
        count.forget()
        return primary
    return SELECTED


def read_address(address: int, *, attempts: int, key: bytes | None) -> Dialogue[Telegrams]:
    """Read out whoever is at a primary address. Raises as `read_out`."""
    return read_out(address, FrameCount(), attempts=attempts, goes_on=partial(goes_on, key=key))


def read_storage(
    who: SecondaryAddress, primary: int | None, storage: int, *, attempts: int, key: bytes | None
) -> Dialogue[Telegrams]:
    """Have a meter give one storage number only, read it, and undo the choice. Raises MbusError."""
    count = FrameCount()
    address = yield from approach(who, primary, count, attempts=attempts)
    yield from _choose(address, storage, count, attempts)
    further = partial(goes_on, key=key)
    try:
        telegrams = yield from read_out(address, count, attempts=attempts, who=who, goes_on=further)
    except MbusError:
        address = yield from approach(who, primary, count, attempts=attempts)  # a failure ends a selection
        yield from select_everything(address, count, attempts=attempts)
        raise
    yield from select_everything(address, count, attempts=attempts)
    return telegrams


def _choose(address: int, storage: int, count: FrameCount, attempts: int) -> Dialogue[None]:
    try:
        yield from select_storage(address, storage, count, attempts=attempts)
    except MbusError as failure:
        raise MbusError(
            f"The meter does not let itself be asked for storage {storage}. {failure.problem}",
            remedy="Not every meter does: `--stored` shows what it sends unasked.",
        ) from failure
