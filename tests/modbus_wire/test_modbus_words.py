"""Registers become exact numbers; a float becomes the shortest decimal that rounds to it."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.modbus.units import unit_named, unit_of_vif, unit_within
from gateway.modbus.words import (
    LARGEST_FLOAT,
    SMALLEST_FLOAT,
    Words,
    read_characters,
    read_number,
    read_text,
    shortest_decimal,
    width,
)

LITTLE = Words("little", "big")
SWAPPED_OCTETS = Words("big", "little")
BACKWARDS = Words("little", "little")


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


NUMBERS = [
    ("u16", "FFFF", Words(), "65535"),
    ("s16", "FFFF", Words(), "-1"),
    ("u32", "0001 E240", Words(), "123456"),
    ("u32", "E240 0001", LITTLE, "123456"),
    ("u32", "0100 40E2", SWAPPED_OCTETS, "123456"),
    ("u32", "40E2 0100", BACKWARDS, "123456"),
    ("s32", "FFFF FFFE", Words(), "-2"),
    ("u64", "FFFF FFFF FFFF FFFF", Words(), "18446744073709551615"),
    ("s64", "FFFF FFFF FFFF FFFF", Words(), "-1"),
    ("bcd16", "1234", Words(), "1234"),
    ("bcd32", "6918 3621", Words(), "69183621"),
    ("f32", "C148 0000", Words(), "-12.5"),
    ("f32", "0000 C148", LITTLE, "-12.5"),
    ("f32", "4640 E6B7", Words(), "12345.679"),
    ("f32", "3DCC CCCD", Words(), "0.1"),
    ("f32", "4B80 0000", Words(), "16777216"),
    ("f32", "8000 0000", Words(), "0"),
    ("f64", "40C8 1CD6 C8B4 3958", Words(), "12345.678"),
]


@pytest.mark.parametrize(("kind", "registers", "order", "number"), NUMBERS)
def test_registers_are_an_exact_number(kind: str, registers: str, order: Words, number: str) -> None:
    read = read_number(kind, words(registers), order)
    assert read is not None
    assert f"{read:f}" == number


NO_NUMBERS = [
    ("f32", "7FC0 0000"),  # not a number
    ("f32", "7F80 0000"),  # infinity
    ("f32", "FF80 0000"),
    ("f32", "0001 E240"),  # an integer, read as a float
    ("f32", "7149 F2CA"),  # 1E30
    ("f64", "7FF8 0000 0000 0000"),
    ("bcd32", "6918 36A1"),
]


@pytest.mark.parametrize(("kind", "registers"), NO_NUMBERS)
def test_what_is_no_number_is_none_and_never_zero(kind: str, registers: str) -> None:
    assert read_number(kind, words(registers)) is None


def float32(value: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


SIZES = st.floats(width=32, min_value=2.0**-29, max_value=2.0**49)


@given(value=SIZES)
@example(value=9007199254740992.0 / 2**10)
@example(value=2.0**-13)
def test_a_float_is_the_shortest_decimal_that_rounds_to_it(value: float) -> None:
    assert SMALLEST_FLOAT < value < LARGEST_FLOAT
    decimal = shortest_decimal("f32", value)
    assert float32(float(decimal)) == value
    digits = len(decimal.normalize().as_tuple().digits)
    exact, step = Decimal(value), Decimal(1).scaleb(Decimal(value).adjusted() - digits + 2)
    if digits > 1:
        for shorter in (math.floor(exact / step), math.ceil(exact / step)):
            assert float32(float(shorter * step)) != value


@given(text=st.decimals(min_value=0, max_value=999999, places=0), places=st.integers(0, 6))
def test_a_decimal_of_six_digits_survives_a_float(text: Decimal, places: int) -> None:
    written = text.scaleb(-places)
    assert shortest_decimal("f32", float32(float(written))) == written


def test_text_ends_at_its_zero_and_characters_do_not() -> None:
    assert read_text(words("6B57 6800 4142")) == "kWh"
    assert read_text(words("576B 0068"), SWAPPED_OCTETS) == "kWh"
    assert read_characters(words("0000 3F80 6B57 6800")) == "? kWh"


def test_a_type_that_is_none_is_a_key_error() -> None:
    assert (width("ascii:7"), width("s64"), width("bits16")) == (4, 4, 1)
    for kind in ("u33", "ascii:x", "ascii:"):
        with pytest.raises(KeyError):
            width(kind)


UNITS = [
    ("kWh", ("kWh", "1")),
    ("KWH ", ("kWh", "1")),
    ("m³/h", ("m3/h", "1")),
    ("m^3", ("m3", "1")),
    ("l/min", ("m3/h", "0.06")),
    ("GJ x10", ("GJ", "10")),
]


@pytest.mark.parametrize(("written", "meant"), UNITS)
def test_a_unit_is_known_however_it_is_written(written: str, meant: tuple[str, str]) -> None:
    assert unit_named(written) == (meant[0], Decimal(meant[1]))


def test_a_unit_that_is_none_of_ours_is_none() -> None:
    assert unit_named("gal") is None
    assert unit_within("?  kWh x") == ("kWh", 1)
    assert unit_within("kWh MWh") is None
    assert unit_within("\x01?A") is None


VIFS = [
    (0x3B, "m3/h", "0.001"),
    (0x2C, "W", "10"),
    (0x14, "m3", "0.01"),
    (0x15, "m3", "0.1"),
    (0x06, "Wh", "1000"),
]


@pytest.mark.parametrize(("vif", "unit", "factor"), VIFS)
def test_a_unit_may_be_a_vif(vif: int, unit: str, factor: str) -> None:
    scaled = unit_of_vif(0x0B00 | vif)
    assert scaled == (unit, Decimal(factor))
    assert unit_of_vif(0x7D) is None
