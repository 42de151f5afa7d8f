"""All BCD registers of a frame at once: a few operations on one large integer instead of a loop over digits.

The frame is taken as a little-endian integer. Digits become bytes of 0 to 99, bytes become pairs of 0 to
9999, and so on, each step for all registers at once. A byte of two digits is worth 16 h + l and should be
10 h + l, so 6 h is taken off; a pair is worth 256 h + l and should be 100 h + l, so 156 h is taken off.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

READ_AS = {1: "B", 2: "H", 3: "I", 4: "I", 6: "Q"}
"""Octets -> struct code. Three are read as four and six as eight: what lies behind them is masked to zero."""


def bcd_reader(length: int, places: Sequence[tuple[int, int]]) -> Callable[[int], tuple[int, ...] | None]:
    """A reader of the registers that lie at `places` (start and end octet) in frames of `length` octets.

    It takes the frame as an integer, and gives None when any digit is none: a minus, or a meter's error code.
    """
    digits = _mask(length, places)
    low_digits = digits & _repeated(0x0F, length)
    top_bits = digits & _repeated(0x88, length)
    of_pairs = _mask(length, [(at, at + 1) for start, end in places for at in range(start, end - 1, 2)])
    of_fours = _mask(length, [(start, start + 2) for start, end in places if end - start > 2])
    of_eights = _mask(length, [(start, start + 4) for start, end in places if end - start > 4])
    unpack = _unpacker(places)

    def read(frame: int) -> tuple[int, ...] | None:
        steps = frame & digits
        if (steps << 1 | steps << 2) & steps & top_bits:  # 8 with 4 or 2: a digit above 9
            return None
        steps -= 6 * (steps >> 4 & low_digits)
        steps -= 156 * (steps >> 8 & of_pairs)
        steps -= 55_536 * (steps >> 16 & of_fours)
        if of_eights:
            steps -= 4_194_967_296 * (steps >> 32 & of_eights)
        return unpack(steps.to_bytes(length, "little"))

    return read


def _mask(length: int, places: Iterable[tuple[int, int]]) -> int:
    mask = bytearray(length)
    for start, end in places:
        mask[start:end] = b"\xff" * (end - start)
    return int.from_bytes(mask, "little")


def _repeated(octet: int, length: int) -> int:
    return int.from_bytes(bytes((octet,)) * length, "little")


def _unpacker(places: Sequence[tuple[int, int]]) -> Callable[[bytes], tuple[int, ...]]:
    layout, at = "<", 0
    for start, end in places:
        code = READ_AS[end - start]
        layout += f"{start - at}x{code}"
        at = start + struct.calcsize(f"<{code}")
    return struct.Struct(layout).unpack_from
