"""Virtual Modbus meters on one line: requests in, octets out, with scripted faults. No socket, no clock.

What goes wrong is a function of the unit, the instant, and how often the unit was asked at that instant, so
that a fault may pass when a master asks again. What the line remembers (its last answer, answers it holds
back) is remembered across connections, as in a transparent converter.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final

from gateway.modbus.frames import MOST_REGISTERS, READ_HOLDING, Framing, crc16

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, BUSY, UNREACHED = 1, 2, 3, 6, 11
_REFUSED: Final = 0x80
_RTU_REQUEST, _TCP_REQUEST = 8, 12
_NOISE: Final = b"\x00\xff\x03\x10"
_SOON_S: Final = 0.003


class ModbusFault(Enum):
    """How an answer goes wrong. After one of the first four it can still be read."""

    SPLIT = "comes in pieces"
    NOISE = "comes after noise"
    FOREIGN_FIRST = "comes behind the last answer of the line"
    BUSY = "comes when asked again: the device was busy"
    SILENT = "does not come"
    LATE = "comes after the time-out"
    CUT_OFF = "breaks off"
    GARBLED = "has a flipped bit"
    WRONG_UNIT = "bears another unit"
    WRONG_FUNCTION = "bears another function"
    SHORT = "has a register less"
    LONG = "has a register more"
    STALE = "is the last answer of the line once more"
    MIXED_UP = "is the last answer's data in the present one's frame"
    HELD = "comes before the answer to the next request"
    MERGED = "comes in one piece with the answer to the next request"
    DOUBLED = "comes twice"
    UNREACHED = "is the converter's: it does not reach the slave"
    DROPPED = "is a closed connection"


READABLE = (ModbusFault.SPLIT, ModbusFault.NOISE, ModbusFault.FOREIGN_FIRST)


@dataclass(frozen=True, slots=True)
class ModbusMeter:
    """A slave. `registers`: what they hold at an instant; any other address is refused.

    `slow_s` delays all its answers. One that never `refuses` is silent instead.
    """

    unit: int
    registers: Callable[[datetime], Mapping[int, int]]
    functions: tuple[int, ...] = (READ_HOLDING,)
    most: int = MOST_REGISTERS
    slow_s: float = 0.0
    refuses: bool = True


@dataclass(frozen=True, slots=True)
class Request:
    unit: int
    function: int
    address: int
    count: int
    transaction: int = 0


@dataclass(frozen=True, slots=True)
class Sending:
    """Octets that leave after `delay_s`; without octets the connection is closed instead."""

    octets: bytes
    delay_s: float = 0.0


FaultAt = Callable[[int, datetime, int], ModbusFault | None]
"""The fault of a unit at an instant when it is asked for the n-th time at that instant, n from 0."""


def no_faults(unit: int, now: datetime, turn: int) -> None:
    """A line on which all is well."""


class ModbusBus:
    """The meters of one line. `late_s`: how long after its request a late answer comes.

    `requests` counts what each unit was asked.
    """

    def __init__(
        self,
        framing: Framing,
        meters: Sequence[ModbusMeter],
        fault_at: FaultAt = no_faults,
        late_s: float = 1.0,
    ) -> None:
        self.framing, self.late_s = framing, late_s
        self.last, self.last_pdu, self.requests = b"", b"", dict.fromkeys((meter.unit for meter in meters), 0)
        self._meters = {meter.unit: meter for meter in meters}
        self._fault_at = fault_at
        self._instant: datetime | None = None
        self._turns: dict[int, int] = {}
        self._held, self._held_merges = b"", False

    def take_request(self, octets: bytearray) -> Request | None:
        """Cut the next whole request off what a master has sent. One with a wrong check sum is lost."""
        return _take_rtu(octets) if self.framing is Framing.RTU else _take_tcp(octets)

    def hear(self, request: Request, now: datetime) -> list[Sending]:
        """What the line sends for a request."""
        meter, turn = self._meters.get(request.unit), self._turn(request.unit, now)
        if meter is None:
            return self._with_held([])
        self.requests[request.unit] += 1
        pdu = _pdu(meter, request, now)
        is_data = not pdu[0] & _REFUSED
        if not is_data and not meter.refuses:
            return self._with_held([])
        fault = self._fault_at(request.unit, now, turn) if is_data else None
        outcome = _OUTCOMES[fault](self, request, pdu) if fault else [Sending(self.encode(request, pdu))]
        sendings = self._with_held(outcome)
        if fault in (ModbusFault.HELD, ModbusFault.MERGED):
            self._held, self._held_merges = self.encode(request, pdu), fault is ModbusFault.MERGED
        self.last, self.last_pdu = self.encode(request, pdu), pdu
        return [replace(sending, delay_s=sending.delay_s + meter.slow_s) for sending in sendings]

    def encode(self, request: Request, pdu: bytes) -> bytes:
        """A PDU as it travels, in answer to this request."""
        if self.framing is Framing.TCP:
            return struct.pack(">HHHB", request.transaction, 0, 1 + len(pdu), request.unit) + pdu
        body = bytes((request.unit,)) + pdu
        return body + crc16(body).to_bytes(2, "little")

    def _turn(self, unit: int, now: datetime) -> int:
        if now != self._instant:
            self._instant, self._turns = now, {}
        self._turns[unit] = self._turns.get(unit, -1) + 1
        return self._turns[unit]

    def _with_held(self, outcome: list[Sending]) -> list[Sending]:
        """An answer that was held back leaves before the present one, or in one piece with it."""
        held, self._held = self._held, b""
        if not held:
            return outcome
        if self._held_merges and outcome:
            return [replace(outcome[0], octets=held + outcome[0].octets), *outcome[1:]]
        return [Sending(held), *(replace(one, delay_s=one.delay_s + _SOON_S) for one in outcome)]


def _pdu(meter: ModbusMeter, request: Request, now: datetime) -> bytes:
    """The answer's function code and data, or an exception."""
    if request.function not in meter.functions:
        return bytes((request.function | _REFUSED, ILLEGAL_FUNCTION))
    if not 1 <= request.count <= meter.most:
        return bytes((request.function | _REFUSED, ILLEGAL_VALUE))
    held = meter.registers(now)
    wanted = range(request.address, request.address + request.count)
    if any(address not in held for address in wanted):
        return bytes((request.function | _REFUSED, ILLEGAL_ADDRESS))
    data = b"".join(held[address].to_bytes(2, "big") for address in wanted)
    return bytes((request.function, len(data))) + data


def _take_tcp(octets: bytearray) -> Request | None:
    if len(octets) < _TCP_REQUEST:
        return None
    transaction, _, length, unit, function, address, count = struct.unpack(">HHHBBHH", octets[:_TCP_REQUEST])
    del octets[: 6 + length]
    return Request(unit, function, address, count, transaction)


def _take_rtu(octets: bytearray) -> Request | None:
    while len(octets) >= _RTU_REQUEST:
        frame = bytes(octets[:_RTU_REQUEST])
        if crc16(frame) == 0:
            del octets[:_RTU_REQUEST]
            return Request(*struct.unpack(">BBHH", frame[:6]))
        del octets[0]
    return None


Outcome = Callable[[ModbusBus, Request, bytes], list[Sending]]


def _sent(change: Callable[[bytes], bytes]) -> Outcome:
    """The answer's octets, changed."""
    return lambda bus, request, pdu: [Sending(change(bus.encode(request, pdu)))]


def _exception(code: int) -> Outcome:
    return lambda bus, request, pdu: [
        Sending(bus.encode(request, bytes((request.function | _REFUSED, code))))
    ]


def _split(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    frame = bus.encode(request, pdu)
    return [Sending(frame[:2]), Sending(frame[2:7], _SOON_S), Sending(frame[7:], 2 * _SOON_S)]


def _late(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(request, pdu), bus.late_s)]


def _flipped(frame: bytes) -> bytes:
    """One bit of the length octet's neighbour is wrong: on RTU the check sum tells, on TCP the header."""
    place = 2 if frame[2:4] == b"\0\0" else len(frame) - 3
    return frame[:place] + bytes((frame[place] ^ 0x10,)) + frame[place + 1 :]


def _wrong_unit(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(replace(request, unit=request.unit % 247 + 1), pdu))]


def _wrong_function(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(request, bytes((pdu[0] ^ 0x07,)) + pdu[1:]))]


def _short(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(request, bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]))]


def _long(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(request, bytes((pdu[0], pdu[1] + 2)) + pdu[2:] + b"\0\1"))]


def _stale(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.last)] if bus.last else []


def _mixed_up(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.encode(request, bus.last_pdu))] if bus.last_pdu else []


def _foreign_first(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(bus.last + bus.encode(request, pdu))]


def _doubled(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(2 * bus.encode(request, pdu))]


def _nothing(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return []


def _closed(bus: ModbusBus, request: Request, pdu: bytes) -> list[Sending]:
    return [Sending(b"")]


_OUTCOMES: Final[Mapping[ModbusFault, Outcome]] = {
    ModbusFault.SPLIT: _split,
    ModbusFault.NOISE: _sent(lambda frame: _NOISE + frame),
    ModbusFault.FOREIGN_FIRST: _foreign_first,
    ModbusFault.BUSY: _exception(BUSY),
    ModbusFault.SILENT: _nothing,
    ModbusFault.LATE: _late,
    ModbusFault.CUT_OFF: _sent(lambda frame: frame[: len(frame) // 2]),
    ModbusFault.GARBLED: _sent(_flipped),
    ModbusFault.WRONG_UNIT: _wrong_unit,
    ModbusFault.WRONG_FUNCTION: _wrong_function,
    ModbusFault.SHORT: _short,
    ModbusFault.LONG: _long,
    ModbusFault.STALE: _stale,
    ModbusFault.MIXED_UP: _mixed_up,
    ModbusFault.HELD: _nothing,
    ModbusFault.MERGED: _nothing,
    ModbusFault.DOUBLED: _doubled,
    ModbusFault.UNREACHED: _exception(UNREACHED),
    ModbusFault.DROPPED: _closed,
}
