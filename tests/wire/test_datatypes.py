"""Every coding of data: what it reads, and what it refuses to read."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

import pytest

from gateway.mbus.datatypes import Value, lvar_length, shortest_real32
from gateway.mbus.records import DataRecord, read_records


def record(octets: str) -> DataRecord:
    found = read_records(bytes.fromhex(octets))
    assert found.broken is None, found.broken
    (only,) = found.records
    assert isinstance(only, DataRecord)
    return only


VALUES: list[tuple[str, str, Value]] = [
    #  DIB VIB data                           coding       value
    ("00 06", "none", None),
    ("08 06", "selection", None),
    ("01 2B 7F", "int", Decimal(127)),
    ("01 2B FF", "int", Decimal(-1)),
    ("02 2B 34 12", "int", Decimal(0x1234)),
    ("03 2B FF FF FF", "int", Decimal(-1)),
    ("04 13 39 30 00 00", "int", Decimal("12.345")),
    ("06 2B 00 00 00 00 00 01", "int", Decimal(2**40)),
    ("07 2B FE FF FF FF FF FF FF FF", "int", Decimal(-2)),
    ("01 FD17 FF", "uint", Decimal(255)),
    ("02 FD1B 00 80", "uint", Decimal(0x8000)),
    ("04 78 FF FF FF FF", "uint", Decimal(2**32 - 1)),
    ("07 78 FF FF FF FF FF FF FF FF", "uint", Decimal(2**64 - 1)),
    ("07 79 08 07 06 05 04 03 02 0A", "uint", "0x0A02030405060708"),
    ("01 7A FD", "uint", Decimal(253)),
    ("09 2B 98", "bcd", Decimal(98)),
    ("0A 5A 12 08", "bcd", Decimal("81.2")),
    ("0A 5A 12 F8", "bcd", Decimal("-81.2")),
    ("0B 3B 56 34 12", "bcd", Decimal("123.456")),
    ("0C 06 78 56 34 12", "bcd", Decimal(12345678000)),
    ("0E 06 12 90 78 56 34 12", "bcd", Decimal(123456789012000)),
    ("0C 78 21 43 65 07", "bcd_id", "07654321"),
    ("0C 79 3E 02 00 F5", "bcd_id", "F500023E"),
    ("05 2B 00 00 A0 3F", "real32", Decimal("1.25")),
    ("05 5B CD CC CC 3D", "real32", Decimal("0.1")),
    ("05 2E 00 00 80 BF", "real32", Decimal(-1000)),
    ("05 2B 00 00 00 80", "real32", Decimal(0)),
    ("0D FD11 03 43 42 41", "text", "ABC"),
    ("0D FD11 00", "text", ""),
    ("0D FD11 02 B0 20", "text", " °"),
    ("0D 13 C2 34 12", "lvar_bcd", Decimal("1.234")),
    ("0D 13 C0", "lvar_bcd", Decimal(0)),
    ("0D 13 D2 34 12", "lvar_bcd_negative", Decimal("-1.234")),
    ("0D 7F E3 01 02 AB", "lvar_binary", "0xAB0201"),
    ("0D 7F E0", "lvar_binary", "0x"),
    ("02 6C 8D 33", "date_g", date(2028, 3, 13)),
    ("02 6C 3F 1C", "date_g", date(2009, 12, 31)),
    ("02 6C 21 A1", "date_g", date(1981, 1, 1)),
    ("02 6C 01 A1", "date_g", date(2080, 1, 1)),
    ("04 6D 0D 0B 8D 33", "datetime_f", datetime(2028, 3, 13, 11, 13)),
    ("04 6D 0D 2B 8D 33", "datetime_f", datetime(2028, 3, 13, 11, 13)),
    ("04 6D 0D 4B 8D 33", "datetime_f", datetime(2128, 3, 13, 11, 13)),
    ("06 6D 07 21 08 8D 33 00", "datetime_i", datetime(2028, 3, 13, 8, 33, 7)),
    ("03 6D 07 21 08", "time_j", time(8, 33, 7)),
]


@pytest.mark.parametrize(("octets", "coding", "value"), VALUES)
def test_data_read_as_their_coding_says(octets: str, coding: str, value: Value) -> None:
    read = record(octets)
    assert (read.coding, read.value, read.invalid) == (coding, value, None)


NO_VALUES = [
    #  DIB VIB data                    coding        why there is no value
    ("01 2B 80", "int", "int_invalid_marker"),
    ("02 2B 00 80", "int", "int_invalid_marker"),
    ("03 2B 00 00 80", "int", "int_invalid_marker"),
    ("04 06 00 00 00 80", "int", "int_invalid_marker"),
    ("06 06 00 00 00 00 00 80", "int", "int_invalid_marker"),
    ("07 06 00 00 00 00 00 00 00 80", "int", "int_invalid_marker"),
    ("0A 5A FF FF", "bcd", "bcd_invalid_digit"),
    ("0C 2A DD B4 EB DD", "bcd", "bcd_invalid_digit"),
    ("0A 5A 1A F2", "bcd", "bcd_invalid_digit"),
    ("05 2B 00 00 C0 7F", "real32", "nan"),
    ("05 2B 00 00 80 FF", "real32", "infinite"),
    ("0D 13 C2 F4 12", "lvar_bcd", "bcd_invalid_digit"),
    ("0D 13 D1 0F", "lvar_bcd_negative", "bcd_invalid_digit"),
    ("02 6C FF FF", "date_g", "invalid"),
    ("02 6C 00 00", "date_g", "not_a_date d=0 m=0 y=0"),
    ("02 6C E1 F1", "date_g", "not_a_date d=1 m=1 y=127"),
    ("02 6C 9E 32", "date_g", "not_a_date d=30 m=2 y=28"),
    ("02 6C 81 C1", "date_g", "not_a_date d=1 m=1 y=100"),
    ("04 6D 8D 0B 8D 33", "datetime_f", "time_invalid_flag"),
    ("04 6D 3F 0B 8D 33", "datetime_f", "not_a_datetime d=13 m=3 y=28 h=11 mi=63"),
    ("04 6D 0D 18 8D 33", "datetime_f", "not_a_datetime d=13 m=3 y=28 h=24 mi=13"),
    ("06 6D 00 A1 08 8D 33 00", "datetime_i", "time_invalid_flag"),
    ("06 6D 00 00 00 00 00 00", "datetime_i", "not_a_datetime d=0 m=0 y=0 h=0 mi=0"),
    ("03 6D FF FF FF", "time_j", "not_a_time h=31 mi=63 s=63"),
    ("0D 6D E4 00 00 00 00", "datetime_m", "type_m_not_read"),
]


@pytest.mark.parametrize(("octets", "coding", "reason"), NO_VALUES)
def test_what_is_marked_or_impossible_is_no_value_with_its_reason(
    octets: str, coding: str, reason: str
) -> None:
    read = record(octets)
    assert (read.coding, read.value, read.invalid) == (coding, None, reason)


def test_an_error_code_in_bcd_is_kept_digit_by_digit() -> None:
    assert record("0C 2A DD B4 EB 1D").bcd_digits == "1DEBB4DD"


@pytest.mark.parametrize(
    ("octets", "unsigned"), [("01 2B FF", "255"), ("02 5A 00 80", "3276.8"), ("02 5A FF 7F", None)]
)
def test_a_negative_register_also_says_what_it_would_be_unsigned(octets: str, unsigned: str | None) -> None:
    assert record(octets).value_if_unsigned == (None if unsigned is None else Decimal(unsigned))


@pytest.mark.parametrize("octets", ["04 6D 0D 8B 8D 33", "06 6D 47 21 08 8D 33 00"])
def test_summer_time_is_told_beside_the_time(octets: str) -> None:
    assert record(octets).modifiers == ("summer_time",)


def test_a_register_keeps_its_resolution() -> None:
    assert str(record("04 13 E8 03 00 00").value) == "1.000"
    assert str(record("04 07 05 00 00 00").value) == "5E+4"


@pytest.mark.parametrize(
    ("lvar", "length"),
    [
        (0x00, 0),
        (0xBF, 191),
        (0xC9, 9),
        (0xD9, 9),
        (0xEF, 15),
        (0xF0, 16),
        (0xF4, 32),
        (0xF5, 48),
        (0xF6, 64),
        (0xCA, None),
        (0xDA, None),
        (0xF7, None),
        (0xFF, None),
    ],
)
def test_a_variable_length_is_the_one_of_the_standard(lvar: int, length: int | None) -> None:
    assert lvar_length(lvar) == length


FLOATS = [
    # bits        the shortest decimal that rounds to this float
    (0x3F800000, "1"),
    (0x3DCCCCCD, "0.1"),
    (0x42D7E3B4, "107.94473"),
    (0x3B03126E, "0.0019999999"),
    (0x7F7FFFFF, "3.4028235E+38"),
    (0x00000001, "1E-45"),
    (0x00800000, "1.1754944E-38"),
    (0x4C000000, "33554432"),
    (0xC2C80000, "-1E+2"),
]


@pytest.mark.parametrize(("bits", "decimal"), FLOATS)
def test_a_float_is_the_shortest_decimal_that_means_it(bits: int, decimal: str) -> None:
    assert shortest_real32(bits) == Decimal(decimal)
