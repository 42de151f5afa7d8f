"""What a master may write to a meter (EN 13757-3). Each is a dialogue; whoever starts one has asked the user.

All raise MeterSilent, AnswerGarbled or WrongAnswer when the meter does not acknowledge.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from gateway.mbus import encode
from gateway.mbus.addressing import LAST_PRIMARY, BadAddress
from gateway.mbus.dialogue import Dialogue, FrameCount, UseBaud, initialise, send_user_data
from gateway.mbus.encode import Place, dib
from gateway.mbus.errors import MbusError

APPLICATION_RESET, DATA_SEND = 0x50, 0x51
SET_BAUD: Final = {
    300: 0xB8,
    600: 0xB9,
    1200: 0xBA,
    2400: 0xBB,
    4800: 0xBC,
    9600: 0xBD,
    19200: 0xBE,
    38400: 0xBF,
}
SELECTION_FIELD: Final = 0x8
ANYTHING: Final = b"\x7e"
EVERYTHING: Final = b"\x7f"
TYPE_I_DIB: Final = b"\x06"


class BaudNotChanged(MbusError):
    """The meter acknowledged the new speed, but does not answer in it."""


def application_reset(
    address: int, count: FrameCount, *, subcode: int | None = None, attempts: int
) -> Dialogue[None]:
    """Back to the first telegram; the subcode chooses what the next readout holds (all, user data, ...)."""
    octets = b"" if subcode is None else bytes((subcode,))
    return send_user_data(address, APPLICATION_RESET, octets, count, attempts=attempts)


def set_primary_address(address: int, new: int, count: FrameCount, *, attempts: int) -> Dialogue[None]:
    """The acknowledgement still comes from the old address.

    Raises:
        BadAddress: not 0 to 250.
    """
    if not 0 <= new <= LAST_PRIMARY:
        raise BadAddress(f"{new} is no primary address.", remedy="Choose 1 to 250; 0 means not configured.")
    record = encode.unsigned_record(encode.vib_of("bus_address"), new, 1)
    return send_user_data(address, DATA_SEND, record, count, attempts=attempts)


def set_clock(
    address: int, moment: datetime, count: FrameCount, *, seconds: bool = False, attempts: int
) -> Dialogue[None]:
    """Set the meter's date and time, to the minute (type F) or, where it can, to the second (type I).

    `moment` is what the meter's own clock shall show, zone and summer time decided by the caller.
    """
    clock = encode.vib_of("datetime")
    if seconds:
        record = TYPE_I_DIB + clock + encode.type_i(moment)
    else:
        record = encode.datetime_record(moment, vib=clock)
    return send_user_data(address, DATA_SEND, record, count, attempts=attempts)


def select_data(
    address: int, wanted: Iterable[tuple[bytes, Place]], count: FrameCount, *, attempts: int
) -> Dialogue[None]:
    """Choose what the next readout holds, by VIB and place: a due-date register, a logged month.

    `(ANYTHING, Place(storage=1))` asks for all registers of storage 1. Not every meter obeys.
    """
    records = b"".join(dib(SELECTION_FIELD, place) + vib for vib, place in wanted)
    return send_user_data(address, DATA_SEND, records, count, attempts=attempts)


def select_storage(address: int, storage: int, count: FrameCount, *, attempts: int) -> Dialogue[None]:
    """Ask for everything of one storage number."""
    return select_data(address, [(ANYTHING, Place(storage=storage))], count, attempts=attempts)


def select_everything(address: int, count: FrameCount, *, attempts: int) -> Dialogue[None]:
    """Undo a selection: global readout request."""
    return send_user_data(address, DATA_SEND, EVERYTHING, count, attempts=attempts)


def switch_baud(address: int, count: FrameCount, *, old: int, new: int, attempts: int) -> Dialogue[None]:
    """Change the meter's speed; on failure the line is back at the old one.

    Raises:
        BaudNotChanged: acknowledged in the old speed, silent in the new.
        MbusError: no such speed.
    """
    if new not in SET_BAUD:
        raise MbusError(f"{new} baud is no M-Bus speed.", remedy=f"Choose one of {sorted(SET_BAUD)}.")
    yield from send_user_data(address, SET_BAUD[new], b"", count, attempts=attempts)
    yield UseBaud(new)
    try:
        yield from initialise(address, count, attempts=attempts)
    except MbusError as failure:
        count.forget()
        yield UseBaud(old)
        raise BaudNotChanged(
            f"Address {address} does not answer at {new} baud. {failure.problem}",
            remedy=f"The line is back at {old} baud; the meter follows within ten minutes.",
        ) from failure
