"""EN 13757-2 frames: octets in, events out. No sockets, no clock, no logging.

Feed octets as they arrive and take events until NEED_DATA. The caller owns time: when the line has been
quiet too long it says so with `line_idle()` and takes events once more; a half frame then becomes Garbled.
Noise is weather on a bus: an event, never an exception, and it costs only its own octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final
from zlib import adler32

ACK_OCTET: Final = 0xE5
SHORT_START: Final = 0x10
LONG_START: Final = 0x68
STOP: Final = 0x16

SHORT_LENGTH: Final = 5  # 10 C A CS 16
LONG_OVERHEAD: Final = 6  # 68 L L 68 ... CS 16; L counts C, A, CI and the user data
SMALLEST_L: Final = 3  # C, A and CI: the control frame
LONGEST_USER_DATA: Final = 252

TO_SLAVE: Final = 0x40
"""C field bit 6 (PRM): set in every frame that the master sends."""


@dataclass(frozen=True, slots=True)
class Ack:
    """Single character E5h: understood."""

    def to_bytes(self) -> bytes:
        return bytes((ACK_OCTET,))


@dataclass(frozen=True, slots=True)
class ShortFrame:
    """Five octets without user data: SND_NKE, REQ_UD1, REQ_UD2."""

    control: int
    address: int

    def to_bytes(self) -> bytes:
        body = bytes((self.control, self.address))
        return bytes((SHORT_START,)) + body + bytes((checksum(body), STOP))


@dataclass(frozen=True, slots=True)
class LongFrame:
    """SND_UD and RSP_UD. `user_data` starts after the CI field; without any it is the control frame."""

    control: int
    address: int
    ci: int
    user_data: bytes = b""

    def to_bytes(self) -> bytes:
        """The frame on the wire. `user_data` holds at most 252 octets, or L does not fit its octet."""
        body = bytes((self.control, self.address, self.ci)) + self.user_data
        head = bytes((LONG_START, len(body), len(body), LONG_START))
        return head + body + bytes((checksum(body), STOP))


@dataclass(frozen=True, slots=True)
class Garbled:
    """Octets that are no frame: noise, a collision, or a cut-off answer.

    `reason` is one of start_byte, length_bytes_differ, second_start_byte, L_too_small, checksum, stop_byte
    and truncated.
    """

    octets: bytes
    reason: str


class NeedData(Enum):
    NEED_DATA = auto()


NEED_DATA: Final = NeedData.NEED_DATA
Frame = Ack | ShortFrame | LongFrame
LinkEvent = Frame | Garbled


def checksum(octets: bytes) -> int:
    """Arithmetic sum modulo 256 (EN 13757-2, frame format class FT 1.2).

    The low half of Adler-32 is one more than the sum, modulo 65 521, which the sum of a body never reaches;
    it is several times as fast as adding in Python.
    """
    return adler32(octets) - 1 & 0xFF


class LinkReader:
    """Cuts a stream of octets into link layer events.

    A frame that fails gives up its first octet only and is searched for a whole frame inside it, so a good
    frame behind a noise burst or a cut-off one is never lost. While it is searched, E5 is not taken for an
    acknowledgement: E5 is an ordinary data octet, and only its place says that it means Ack.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._suspect = 0  # octets still to come that belong to a frame already found broken
        self._idle = False

    def receive_data(self, octets: bytes) -> None:
        self._buffer += octets
        self._idle = False

    def line_idle(self) -> None:
        """The line went quiet: what is still incomplete stays so. Take events until NEED_DATA again."""
        self._idle = True

    @property
    def octets_missing(self) -> int | None:
        """How many octets the frame now arriving still lacks; None while its length is not known.

        Asked after NEED_DATA, it lets the caller stop waiting at the computed last octet.
        """
        wanted = self._frame_length()
        return None if wanted is None else max(wanted - len(self._buffer), 0)

    def next_event(self) -> LinkEvent | NeedData:
        if not self._buffer:
            return NEED_DATA
        match self._buffer[0]:
            case 0xE5 if self._suspect == 0:
                self._take(1)
                return Ack()
            case 0x10:
                return self._short_frame()
            case 0x68:
                return self._long_frame()
            case _:
                return self._garbled("start_byte")

    def _frame_length(self) -> int | None:
        start = self._buffer[:1]
        if start == b"\x10":
            return SHORT_LENGTH
        if start == b"\x68" and len(self._buffer) >= 2:
            return self._buffer[1] + LONG_OVERHEAD
        return None

    def _short_frame(self) -> LinkEvent | NeedData:
        if len(self._buffer) < SHORT_LENGTH:
            return self._incomplete(0)
        _, control, address, found, stop = self._buffer[:SHORT_LENGTH]
        if fault := _end_fault(bytes((control, address)), found, stop):
            return self._garbled(fault)
        self._take(SHORT_LENGTH)
        return ShortFrame(control, address)

    def _long_frame(self) -> LinkEvent | NeedData:
        buffer = self._buffer
        if len(buffer) < 4:
            return self._incomplete(0)
        length = max(buffer[1], buffer[2])
        if fault := _head_fault(buffer):
            looks_like_a_frame = fault == "second_start_byte" or buffer[3] == LONG_START
            return self._garbled(fault, length + LONG_OVERHEAD if looks_like_a_frame else 0)
        if len(buffer) < length + LONG_OVERHEAD:
            return self._incomplete(length + LONG_OVERHEAD)
        body = bytes(buffer[4 : 4 + length])
        if fault := _end_fault(body, *buffer[4 + length : 6 + length]):
            return self._garbled(fault, length + LONG_OVERHEAD)
        self._take(length + LONG_OVERHEAD)
        return LongFrame(body[0], body[1], body[2], body[3:])

    def _incomplete(self, extent: int) -> Garbled | NeedData:
        return self._garbled("truncated", extent) if self._idle else NEED_DATA

    def _garbled(self, reason: str, extent: int = 0) -> Garbled:
        self._suspect = max(self._suspect, extent)
        return Garbled(self._take(1), reason)

    def _take(self, count: int) -> bytes:
        octets = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._suspect = max(self._suspect - count, 0)
        return octets


def _head_fault(buffer: bytearray) -> str | None:
    if buffer[1] != buffer[2]:
        return "length_bytes_differ"
    if buffer[3] != LONG_START:
        return "second_start_byte"
    return "L_too_small" if buffer[1] < SMALLEST_L else None


def _end_fault(body: bytes, found: int, stop: int) -> str | None:
    if found != checksum(body):
        return "checksum"
    return None if stop == STOP else "stop_byte"
