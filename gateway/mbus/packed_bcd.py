"""All BCD registers of a frame at once: a few operations on one large integer instead of a loop over digits.

The frame is taken as a little-endian integer. Digits become bytes of 0 to 99, bytes become pairs of 0 to
9999, and so on, each step for all registers at once and in their place. A byte of two digits is worth
16 h + l and should be 10 h + l, so 6 h is taken off; a pair is worth 256 h + l and should be 100 h + l, so
156 h is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence


def bcd_to_binary(length: int, places: Sequence[tuple[int, int]]) -> Callable[[int], bytes | None]:
    """A function from a frame of `length` octets, as an integer, to the same frame with binary registers.

    The registers lie at `places` (start and end octet); all else stays as it is. The function gives None when
    any digit is none: a minus, or a meter's error code.
    """
    digits = _mask(length, places)
    sixes, low_digits = digits & _repeated(0x66, length), digits & _repeated(0x0F, length)
    carries = digits << 4 & _repeated(0x11, length + 1)  # out of every digit
    of_pairs = _mask(length, [(at, at + 1) for start, end in places for at in range(start, end - 1, 2)])
    of_fours = _mask(length, [(start, min(end, start + 4) - 2) for start, end in places if end > start + 2])
    of_eights = _mask(length, [(start, end - 4) for start, end in places if end > start + 4])

    def binary(frame: int) -> bytes | None:
        if (frame + sixes ^ frame) & carries:  # with six more, only a digit above 9 leaves its four bits
            return None
        frame -= 6 * (frame >> 4 & low_digits)
        frame -= 156 * (frame >> 8 & of_pairs)
        frame -= 55_536 * (frame >> 16 & of_fours)
        if of_eights:
            frame -= 4_194_967_296 * (frame >> 32 & of_eights)
        return frame.to_bytes(length, "little")

    return binary


def _mask(length: int, places: Iterable[tuple[int, int]]) -> int:
    mask = bytearray(length)
    for start, end in places:
        mask[start:end] = b"\xff" * (end - start)
    return int.from_bytes(mask, "little")


def _repeated(octet: int, length: int) -> int:
    return int.from_bytes(bytes((octet,)) * length, "little")
