"""The octets of a data record as a value, exactly (EN 13757-3:2018, 6.3.3 and annex A).

Octets come least significant first, whatever the telegram's byte order was. What a meter marks as no value is
None with the reason.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from functools import lru_cache
from math import isfinite, isnan, ldexp
from typing import Final

from gateway.mbus import timepoints
from gateway.mbus.timepoints import TimePoint
from gateway.mbus.vib import Meaning
from gateway.mbus.vif import ReadAs

Value = Decimal | str | date | datetime | time | None

NO_DATA, REAL, SELECTION, LVAR = 0x0, 0x5, 0x8, 0xD
INTEGERS: Final = {0x1: 1, 0x2: 2, 0x3: 3, 0x4: 4, 0x6: 6, 0x7: 8}
"""Data field -> octets."""
DECIMALS: Final = {0x9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
"""Data field -> octets, two BCD digits each."""
FIXED_LENGTHS: Final = {NO_DATA: 0, REAL: 4, SELECTION: 0, **INTEGERS, **DECIMALS}

DATES: Final[dict[int, tuple[str, Callable[[bytes], TimePoint]]]] = {
    2: ("date_g", timepoints.date_g),
    3: ("time_j", timepoints.time_j),
    4: ("datetime_f", timepoints.datetime_f),
    6: ("datetime_i", timepoints.datetime_i),
}
"""Octets -> coding and reader, for values that are dates."""

_EXACT = Context(prec=400)  # holds every value that a record can carry


@dataclass(frozen=True, slots=True)
class Decoded:
    """A record's data, read. `coding` names how; `invalid` says why `value` is None although data came."""

    value: Value
    coding: str
    invalid: str | None = None
    bcd_digits: str | None = None
    value_if_unsigned: Decimal | None = None
    summer_time: bool = False


def decode_data(field: int, octets: bytes, meaning: Meaning) -> Decoded:
    """The value of a record. `field` is the low half of its DIF; LVAR octets begin with the LVAR itself."""
    if field in INTEGERS:
        return _date(octets) if _is_date(octets, meaning) else _integer(octets, meaning)
    if field in DECIMALS:
        return _decimal(octets, meaning)
    if field == REAL:
        return _real(octets, meaning)
    if field == LVAR:
        return _lvar(octets[0], octets[1:], meaning)
    return Decoded(None, "selection" if field == SELECTION else "none")


def lvar_length(lvar: int) -> int | None:
    """Octets behind an LVAR octet; None for the codes without a length in the standard."""
    if lvar <= 0xBF:
        return lvar
    if lvar <= 0xC9:
        return lvar - 0xC0
    if 0xD0 <= lvar <= 0xD9:
        return lvar - 0xD0
    if 0xE0 <= lvar <= 0xEF:
        return lvar - 0xE0
    if 0xF0 <= lvar <= 0xF4:
        return 4 * (lvar - 0xEC)
    return {0xF5: 48, 0xF6: 64}.get(lvar)


def scaled(steps: int | Decimal, meaning: Meaning) -> Decimal:
    """Steps in the unit. The decimal's exponent is the register's resolution: trailing zeros are kept."""
    return _EXACT.scaleb(_EXACT.multiply(Decimal(steps), Decimal(meaning.factor)), meaning.exponent)


def bcd_number(digits: str) -> int | None:
    """Type A: F in the top digit is a minus; any other A to F is an error code of the meter, no number."""
    if digits.isdecimal():
        return int(digits)
    if digits[:1] == "F" and digits[1:].isdecimal():
        return -int(digits[1:])
    return None


@lru_cache(maxsize=4096)
def shortest_real32(bits: int) -> Decimal | None:
    """Type H: the shortest decimal that rounds to this float, the nearest of them; None if not finite."""
    number = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
    if not isfinite(number):
        return None
    if number == 0:
        return Decimal(0)
    exact = Decimal(abs(number))
    low, high = _neighbourhood(bits)
    for digits in range(1, 10):
        last_digit = Decimal((0, (1,), exact.adjusted() - digits + 1))
        for rounding in (ROUND_HALF_EVEN, ROUND_DOWN, ROUND_UP):
            short = exact.quantize(last_digit, rounding, _EXACT)
            if low < short < high or (bits % 2 == 0 and short in (low, high)):
                return short.copy_sign(Decimal(number))
    raise AssertionError("nine digits tell every two floats apart")


def _neighbourhood(bits: int) -> tuple[Decimal, Decimal]:
    """The span of reals that round to this float: half way to its neighbours."""
    mantissa, exponent = bits & 0x7FFFFF, bits >> 23 & 0xFF
    significand = mantissa | (0x800000 if exponent else 0)
    power = max(exponent, 1) - 150
    to_lower = 0.25 if mantissa == 0 and exponent > 1 else 0.5
    return Decimal(ldexp(significand - to_lower, power)), Decimal(ldexp(significand + 0.5, power))


def _is_date(octets: bytes, meaning: Meaning) -> bool:
    return meaning.reads is ReadAs.DATE and len(octets) in DATES


def _date(octets: bytes) -> Decoded:
    coding, read = DATES[len(octets)]
    point = read(octets)
    return Decoded(point.value, coding, point.invalid, summer_time=point.summer_time)


def _integer(octets: bytes, meaning: Meaning) -> Decoded:
    unsigned = int.from_bytes(octets, "little")
    if meaning.reads is ReadAs.IDENTIFICATION and len(octets) == 8:
        return Decoded(_hexadecimal(octets), "uint")
    if meaning.reads not in (ReadAs.SIGNED, ReadAs.DATE):
        return Decoded(scaled(unsigned, meaning), "uint")
    no_value = 1 << (8 * len(octets) - 1)
    if unsigned < no_value:
        return Decoded(scaled(unsigned, meaning), "int")
    as_unsigned = scaled(unsigned, meaning)
    if unsigned == no_value:
        return Decoded(None, "int", "int_invalid_marker", value_if_unsigned=as_unsigned)
    return Decoded(scaled(unsigned - 2 * no_value, meaning), "int", value_if_unsigned=as_unsigned)


def _decimal(octets: bytes, meaning: Meaning) -> Decoded:
    digits = _hex_digits(octets)
    if meaning.reads in (ReadAs.FABRICATION_NUMBER, ReadAs.IDENTIFICATION):
        return Decoded(digits, "bcd_id")
    number = bcd_number(digits)
    if number is None:
        return Decoded(None, "bcd", "bcd_invalid_digit", bcd_digits=digits)
    return Decoded(scaled(number, meaning), "bcd")


def _real(octets: bytes, meaning: Meaning) -> Decoded:
    number = shortest_real32(int.from_bytes(octets, "little"))
    if number is None:
        is_nan = isnan(struct.unpack("<f", octets)[0])
        return Decoded(None, "real32", "nan" if is_nan else "infinite")
    return Decoded(scaled(number, meaning), "real32")


def _lvar(lvar: int, octets: bytes, meaning: Meaning) -> Decoded:
    if lvar <= 0xBF:
        return Decoded(octets[::-1].decode("latin-1"), "text")
    if lvar <= 0xC9:
        return _lvar_bcd(octets, meaning, "lvar_bcd", 1)
    if lvar <= 0xD9:
        return _lvar_bcd(octets, meaning, "lvar_bcd_negative", -1)
    if meaning.reads is ReadAs.DATE:
        # Type M. Its fields are known; no public text says in which bits they stand, so it is not guessed.
        return Decoded(None, "datetime_m", "type_m_not_read")
    return Decoded(_hexadecimal(octets), "lvar_binary")


def _lvar_bcd(octets: bytes, meaning: Meaning, coding: str, sign: int) -> Decoded:
    digits = _hex_digits(octets)
    if digits and not digits.isdecimal():
        return Decoded(None, coding, "bcd_invalid_digit", bcd_digits=digits)
    return Decoded(scaled(sign * int(digits or "0"), meaning), coding)


def _hex_digits(octets: bytes) -> str:
    """Most significant digit first."""
    return octets[::-1].hex().upper()


def _hexadecimal(octets: bytes) -> str:
    return f"0x{_hex_digits(octets)}"
