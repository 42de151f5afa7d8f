"""Registers as exact numbers: 16-bit words in, decimals and text out.

A register is big-endian on the wire; values wider than one are put together in the maker's order of words,
and some makers turn the octets of each word round too. A float is given as the shortest decimal that rounds
to it: that is the number the maker put in, as far as a float can say. A double gives the 15 digits that it
is sure to hold. What is no number gives None.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final, Literal, NamedTuple

Order = Literal["big", "little"]

INTEGERS: Final = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "u64": 4, "s64": 4, "bits16": 1, "bits32": 2}
BCD: Final = {"bcd16": 1, "bcd32": 2}
FLOATS: Final = {"f32": 2, "f64": 4}
_WIDTHS: Final = INTEGERS | BCD | FLOATS
_FORMATS: Final = {"f32": ">f", "f64": ">d"}
_DIGITS: Final = {"f32": (6, 9), "f64": (15, 15)}  # a decimal of so many survives; so many are enough

SMALLEST_FLOAT: Final = 1e-9
LARGEST_FLOAT: Final = 1e15
"""Outside of these no float of a heat meter lies: it was an integer, or has another order of words."""


class Words(NamedTuple):
    """How a maker lays values out: the order of words in a value and of octets in a word."""

    words: Order = "big"
    octets: Order = "big"


BIG_ENDIAN: Final = Words()


def width(kind: str) -> int:
    """How many registers a value takes: u16 s16 u32 s32 u64 s64 f32 f64 bits16 bits32 bcd16 bcd32, ascii:N.

    N counts octets. Raises KeyError: no such type.
    """
    if kind.startswith("ascii:") and kind[6:].isdecimal():
        return (int(kind[6:]) + 1) // 2
    return _WIDTHS[kind]


def read_number(kind: str, registers: Sequence[int], order: Words = BIG_ENDIAN) -> Decimal | None:
    """The number in these registers; the bits of a bit field as one.

    None: a float that is no number or that no register can have, or BCD with a digit above 9.
    """
    octets = _octets(registers, order)
    if kind in INTEGERS:
        return Decimal(int.from_bytes(octets, "big", signed=kind.startswith("s")))
    if kind in BCD:
        return Decimal(octets.hex()) if octets.hex().isdecimal() else None
    value: float = struct.unpack(_FORMATS[kind], octets)[0]
    if value == 0:
        return Decimal(0)
    if not SMALLEST_FLOAT <= abs(value) < LARGEST_FLOAT:  # NaN and infinity are not between either
        return None
    return shortest_decimal(kind, value)


def read_text(registers: Sequence[int], order: Words = BIG_ENDIAN) -> str:
    """ASCII text, two characters a register, up to its closing zero. What is no character is a blank."""
    octets = b"".join(register.to_bytes(2, order.octets) for register in registers)
    return _characters(octets.lstrip(b"\0").split(b"\0")[0])


def read_characters(registers: Sequence[int], order: Words = BIG_ENDIAN) -> str:
    """All characters in these registers; blanks for the octets between them that are none."""
    return _characters(b"".join(register.to_bytes(2, order.octets) for register in registers))


def _characters(octets: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else " " for octet in octets).strip()


def shortest_decimal(kind: str, value: float) -> Decimal:
    """The shortest decimal that rounds to a finite `value` of this type; whole numbers without exponent."""
    safe, enough = _DIGITS[kind]
    for digits in range(safe, enough):
        for text in _with_digits(value, digits):
            if _rounded(kind, float(text)) == value:
                return _plain(text)
    return _plain(f"{value:.{enough}g}")


def _with_digits(value: float, digits: int) -> Iterator[str]:
    """The decimals of so many digits around a float; the nearest first.

    At a power of two the floats below lie closer than those above, so that the nearest decimal may belong to
    a neighbour although the one on the other side would do.
    """
    yield f"{value:.{digits}g}"
    if abs(math.frexp(value)[0]) == 0.5:
        exact = Decimal(value)
        step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        yield from (str(exact.quantize(step, rounding)) for rounding in (ROUND_FLOOR, ROUND_CEILING))


def _rounded(kind: str, value: float) -> float:
    rounded: float = struct.unpack(_FORMATS[kind], struct.pack(_FORMATS[kind], value))[0]
    return rounded


def _plain(text: str) -> Decimal:
    """Its decimal, without zeros at its end and without a positive exponent."""
    if "e" not in text and "E" not in text:
        return Decimal(text)
    value = Decimal(text).normalize()
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value


def _octets(registers: Sequence[int], order: Words) -> bytes:
    if order == BIG_ENDIAN:
        return struct.pack(f">{len(registers)}H", *registers)
    words = registers if order.words == "big" else reversed(registers)
    return b"".join(word.to_bytes(2, order.octets) for word in words)
