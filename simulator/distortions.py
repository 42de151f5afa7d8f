"""How an answer sounds under a fault: the octets that reach the master instead of the telegram.

What spoils a telegram spoils it for certain: if by chance a whole frame could still be found in the octets, a
checksum being one in 256, other octets suffer. So the ledger may rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import zip_longest

from gateway.mbus.link import NEED_DATA, LinkReader, LongFrame
from simulator.faults import FaultKind

_HEAD = 7  # octets before the user data: 68 L L 68 C A CI
_NOISE = b"\x00\xff\x00\xff"
_LINE_AT_REST = 0xFF


def distort(kind: FaultKind, answer: LongFrame, chance: int) -> bytes:
    """The answer as it arrives; `chance` picks the octets that suffer."""
    octets = _DISTORTIONS[kind](answer, chance)
    while kind in _SPOILING and _holds_a_telegram(octets):
        chance += 1
        octets = _DISTORTIONS[kind](answer, chance)
    return octets


def fall_together(one: bytes, other: bytes) -> bytes:
    """Two slaves at once: a 0 bit draws the current that the master hears, so 0 wins."""
    return bytes(a & b for a, b in zip_longest(one, other, fillvalue=_LINE_AT_REST))


def _flip_a_bit(answer: LongFrame, chance: int) -> bytes:
    wire = bytearray(answer.to_bytes())
    wire[_HEAD + chance % len(answer.user_data)] ^= 1 << chance % 8
    return bytes(wire)


def _cut_off(answer: LongFrame, chance: int) -> bytes:
    wire = answer.to_bytes()
    return wire[: len(wire) // 2 + chance % (len(wire) // 4)]


def _under_another_address(answer: LongFrame, chance: int) -> bytes:
    return replace(answer, address=(answer.address + chance % 100) % 250 + 1).to_bytes()


def _after_noise(answer: LongFrame, chance: int) -> bytes:
    return _NOISE[: 1 + chance % 4] + answer.to_bytes()


def _with_noise_inside(answer: LongFrame, chance: int) -> bytes:
    wire = answer.to_bytes()
    at = 1 + chance % (len(wire) - 1)
    return wire[:at] + _NOISE[: 1 + chance % 4] + wire[at:]


def _with_octets_lost(answer: LongFrame, chance: int) -> bytes:
    """What a converter leaves out: octets whose parity is wrong, or that it had no room for."""
    wire = answer.to_bytes()
    at = chance % (len(wire) - 3)
    return wire[:at] + wire[at + 1 + chance % 3 :]


def _with_another(answer: LongFrame, chance: int) -> bytes:
    """A meter of the same make, with another number and other registers, begins some octets later."""
    other = bytes(octet ^ (chance >> place % 48) & 0xFF for place, octet in enumerate(answer.user_data))
    later = bytes((_LINE_AT_REST,)) * (chance % 5)
    return fall_together(answer.to_bytes(), later + replace(answer, user_data=other).to_bytes())


def _holds_a_telegram(octets: bytes) -> bool:
    reader = LinkReader()
    reader.receive_data(octets)
    reader.line_idle()
    return any(isinstance(event, LongFrame) for event in iter(reader.next_event, NEED_DATA))


_SPOILING: Mapping[FaultKind, Callable[[LongFrame, int], bytes]] = {
    FaultKind.GARBLED: _flip_a_bit,
    FaultKind.CUT_OFF: _cut_off,
    FaultKind.NOISE_INSIDE: _with_noise_inside,
    FaultKind.LOST: _with_octets_lost,
    FaultKind.COLLISION: _with_another,
}

_DISTORTIONS = {
    **_SPOILING,
    FaultKind.FOREIGN: _under_another_address,
    FaultKind.NOISE: _after_noise,
}
