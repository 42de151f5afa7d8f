"""Answers of Modbus slaves: octets in, events out. No sockets, no clock, no logging.

On Modbus TCP a transaction number ties an answer to its request. On RTU, also when it travels over TCP,
nothing does: unit, function and length are all that tells one answer from another. So an answer must fit its
question in every octet that can be checked, and what does not fit is an event of its own, never a value.

Feed octets as they arrive and take events until NEED_DATA.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

READ_HOLDING: Final = 3
READ_INPUT: Final = 4
MOST_REGISTERS: Final = 125  # Modbus application protocol V1.1b3, 6.3 and 6.4

_REFUSED = 0x80
_FUNCTIONS = frozenset((READ_HOLDING, READ_INPUT))
_REFUSALS = frozenset(function | _REFUSED for function in _FUNCTIONS)
_LONGEST_RTU = 5 + 2 * MOST_REGISTERS
_SMALLEST_MBAP_LENGTH, _LARGEST_MBAP_LENGTH = 3, 254  # unit, function and one octet; a whole PDU


class Framing(Enum):
    TCP = auto()
    RTU = auto()


class Signature(NamedTuple):
    """All that an RTU answer says about its question."""

    unit: int
    function: int
    registers: int


@dataclass(frozen=True, slots=True)
class Question:
    """Read `count` registers of a unit from `address` on (as on the wire, from 0)."""

    unit: int
    function: int
    address: int
    count: int
    signature: Signature = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "signature", Signature(self.unit, self.function, self.count))


@dataclass(frozen=True, slots=True)
class Answer:
    """The registers asked for. `octets` is the frame as it came."""

    registers: tuple[int, ...]
    octets: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """An exception response to the question."""

    code: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Misfit:
    """A whole frame that does not answer the question.

    `signature` is the question that it would answer (None: of no reading). `final`: it bears the question's
    own transaction number, so that no other answer will come.
    """

    octets: bytes
    reason: str
    signature: Signature | None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Noise:
    """Octets that are no frame."""

    octets: bytes


class NeedData(Enum):
    NEED_DATA = auto()


NEED_DATA: Final = NeedData.NEED_DATA
AnswerEvent = Answer | Refusal | Misfit | Noise


class AnswerReader:
    """Cuts a stream of octets into answers to one question, and everything else.

    Noise costs only its own octets: an answer behind it is found, because function, length and check sum (or
    the transaction number) must all be right at the place where it begins.
    """

    def __init__(self, framing: Framing) -> None:
        self._buffer = bytearray()
        self._question: Question | None = None
        self._transaction = 0
        self._next = self._next_on_tcp if framing is Framing.TCP else self._next_on_rtu

    def expect(self, question: Question, transaction: int = 0) -> None:
        """From now on this is the question. Octets not yet taken are older than it and are dropped."""
        self._buffer.clear()
        self._question, self._transaction = question, transaction

    def receive_data(self, octets: bytes) -> None:
        self._buffer += octets

    @property
    def is_mid_frame(self) -> bool:
        """Octets lie here that are no whole frame yet."""
        return bool(self._buffer)

    def next_event(self) -> AnswerEvent | NeedData:
        return self._next() if self._buffer else NEED_DATA

    def _next_on_rtu(self) -> AnswerEvent | NeedData:
        buffer = self._buffer
        for start in range(len(buffer) - 4):
            if buffer[start + 1] in _FUNCTIONS or buffer[start + 1] in _REFUSALS:
                length = _rtu_length(buffer, start)
                if length and crc16(buffer[start : start + length]) == 0:
                    return self._noise(start) if start else self._judge(self._take(length), 0)
        return self._noise(len(buffer) - _LONGEST_RTU) if len(buffer) > 2 * _LONGEST_RTU else NEED_DATA

    def _next_on_tcp(self) -> AnswerEvent | NeedData:
        buffer = self._buffer
        length = _mbap_length(buffer)
        is_own = length is not None and int.from_bytes(buffer[:2], "big") == self._transaction
        own = 0 if is_own else self._own_head()
        if length is not None and length <= min(len(buffer), own or len(buffer)):
            return self._judge(self._take(length), 6)
        if own:
            return self._noise(own)
        return NEED_DATA if length is not None or len(buffer) < 8 else self._noise(len(buffer) - 7)

    def _own_head(self) -> int:
        """Where our answer begins behind late answers and noise; 0 when it is first, or not there."""
        if self._question is None:
            return 0
        unit, function, count = self._question.signature
        answer = _HEAD.pack(self._transaction, 0, 3 + 2 * count, unit, function)
        refusal = _HEAD.pack(self._transaction, 0, 3, unit, function | _REFUSED)
        found = [place for head in (answer, refusal) if (place := self._buffer.find(head)) > 0]
        return min(found, default=0)

    def _judge(self, frame: bytes, start: int) -> AnswerEvent:
        """What a whole frame says; unit and function stand at `start`."""
        unit, function, size = frame[start : start + 3]
        signature = _signature(frame, start)
        question = self._question
        late = start > 0 and int.from_bytes(frame[:2], "big") != self._transaction
        if question is None or late:
            return Misfit(frame, "a late answer: nobody waits for it", signature)
        if signature == question.signature:
            data = frame[start + 3 : start + 3 + size]
            return Answer(struct.unpack(f">{size // 2}H", data), frame)
        if (unit, function) == (question.unit, question.function | _REFUSED) and 1 <= size <= 11:
            return Refusal(size, frame)
        return Misfit(frame, _difference(question, unit, function, size), signature, final=start > 0)

    def _noise(self, count: int) -> Noise:
        return Noise(self._take(count))

    def _take(self, count: int) -> bytes:
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        return octets


_HEAD = struct.Struct(">HHHBB")


def _rtu_length(buffer: bytearray, start: int) -> int:
    """The length of the frame that begins at `start`; 0 when it is none, or not all there."""
    if buffer[start + 1] in _REFUSALS:
        return 5
    size = buffer[start + 2]
    whole = 0 < size <= 2 * MOST_REGISTERS and size % 2 == 0 and len(buffer) >= start + 5 + size
    return 5 + size if whole else 0


def _mbap_length(buffer: bytearray) -> int | None:
    """The length of the frame at the start; None when its header cannot be one."""
    if len(buffer) < 8:
        return None
    _, protocol, length, _, _ = _HEAD.unpack_from(buffer)
    plausible = protocol == 0 and _SMALLEST_MBAP_LENGTH <= length <= _LARGEST_MBAP_LENGTH
    return 6 + length if plausible else None


def _signature(frame: bytes, start: int) -> Signature | None:
    unit, function, size = frame[start : start + 3]
    check = 2 if start == 0 else 0
    if function not in _FUNCTIONS or size % 2 or not size or len(frame) != start + 3 + size + check:
        return None
    return Signature(unit, function, size // 2)


def _difference(question: Question, unit: int, function: int, size: int) -> str:
    if unit != question.unit:
        return f"unit {unit} answered, not {question.unit}"
    if function & ~_REFUSED != question.function:
        return f"function {function} answered, not {question.function}"
    return f"{size} octets of registers came, not {2 * question.count}"


def crc16(octets: bytes | bytearray) -> int:
    """CRC-16 of Modbus RTU (serial line V1.02, appendix B). Over a frame with its check sum it is 0."""
    crc = 0xFFFF
    table = _CRC
    for octet in octets:
        crc = crc >> 8 ^ table[(crc ^ octet) & 0xFF]
    return crc


def _crc_of(octet: int) -> int:
    for _ in range(8):
        octet = octet >> 1 ^ (0xA001 if octet & 1 else 0)
    return octet


_CRC = tuple(_crc_of(octet) for octet in range(256))
