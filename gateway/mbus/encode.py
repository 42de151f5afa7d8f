"""Telegrams as a meter sends them, from values: the other direction of `records` and `telegram`.

For slaves, test benches and the master's own commands. A record is octets; a place says which register it is.
Values are steps of the register, as the display shows them without its decimal point.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

from gateway.mbus.dib import FUNCTIONS
from gateway.mbus.errors import MbusError
from gateway.mbus.header import Identity
from gateway.mbus.link import LONGEST_USER_DATA, LongFrame
from gateway.mbus.records import MORE_RECORDS_FOLLOW
from gateway.mbus.vib import EXTENSION
from gateway.mbus.vif import FB, FD, FD_FD, PRIMARY, Vif

RSP_UD: Final = 0x08
LONG_HEADER_CI: Final = 0x72

INTEGER_FIELDS: Final = {1: 0x1, 2: 0x2, 3: 0x3, 4: 0x4, 6: 0x6, 8: 0x7}
"""Octets -> data field."""
BCD_FIELDS: Final = {2: 0x9, 4: 0xA, 6: 0xB, 8: 0xC, 12: 0xE}
"""Digits -> data field."""
REAL_FIELD, TEXT_FIELD, DATE_FIELD, DATETIME_FIELD = 0x5, 0xD, 0x2, 0x4


class DoesNotFit(MbusError):
    """A value that its record cannot carry."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which register of the meter a record holds."""

    function: Literal["instantaneous", "maximum", "minimum", "error"] = "instantaneous"
    storage: int = 0
    tariff: int = 0
    subunit: int = 0


NOW: Final = Place()


def integer_record(vib: bytes, steps: int | None, octets: int = 4, place: Place = NOW) -> bytes:
    """Signed binary; None is the marker for "no value"."""
    marker = -(1 << (8 * octets - 1))
    if steps is not None and not marker < steps < -marker:
        raise DoesNotFit(f"{steps} does not fit {octets} octets.", remedy="Use a wider record.")
    data = (marker if steps is None else steps).to_bytes(octets, "little", signed=True)
    return dib(INTEGER_FIELDS[octets], place) + vib + data


def unsigned_record(vib: bytes, steps: int, octets: int = 4, place: Place = NOW) -> bytes:
    """Unsigned binary, for the quantities that are: numbers, versions, flags."""
    try:
        data = steps.to_bytes(octets, "little")
    except OverflowError:
        raise DoesNotFit(f"{steps} does not fit {octets} octets.", remedy="Use a wider record.") from None
    return dib(INTEGER_FIELDS[octets], place) + vib + data


def bcd_record(vib: bytes, steps: int, digits: int = 8, place: Place = NOW) -> bytes:
    """Decimal digits; a negative number spends its top digit on the sign."""
    text = f"{steps:0{digits}d}" if steps >= 0 else f"F{-steps:0{digits - 1}d}"
    if len(text) > digits:
        raise DoesNotFit(f"{steps} does not fit {digits} BCD digits.", remedy="Use a wider record.")
    return dib(BCD_FIELDS[digits], place) + vib + bytes.fromhex(text)[::-1]


def real_record(vib: bytes, value: float, place: Place = NOW) -> bytes:
    """IEEE 754 single precision."""
    return dib(REAL_FIELD, place) + vib + struct.pack("<f", value)


def text_record(vib: bytes, text: str, place: Place = NOW) -> bytes:
    """ISO 8859-1, at most 191 letters, sent last letter first."""
    letters = text.encode("latin-1")[::-1]
    return dib(TEXT_FIELD, place) + vib + bytes((len(letters),)) + letters


def date_record(day: date, place: Place = NOW, vib: bytes = b"\x6c") -> bytes:
    """Type G."""
    return dib(DATE_FIELD, place) + vib + type_g(day)


def datetime_record(
    moment: datetime, place: Place = NOW, vib: bytes = b"\x6d", *, summer_time: bool = False
) -> bytes:
    """Type F: to the minute, by the meter's own clock, which has no zone."""
    return dib(DATETIME_FIELD, place) + vib + type_f(moment, summer_time=summer_time)


def type_g(day: date) -> bytes:
    """Two octets for a day of 1981 to 2080."""
    year = day.year % 100
    return bytes((day.day | (year & 0x07) << 5, day.month | (year & 0x78) << 1))


def type_f(moment: datetime, *, summer_time: bool = False) -> bytes:
    """Four octets for a minute of 1981 to 2080."""
    return bytes((moment.minute, moment.hour | summer_time << 7)) + type_g(moment)


def type_i(moment: datetime, *, summer_time: bool = False) -> bytes:
    """Six octets for a second of 1981 to 2080, with its weekday; the week is left unsaid."""
    clock = (moment.second | summer_time << 6, moment.minute, moment.hour | moment.isoweekday() << 5)
    return bytes(clock) + type_g(moment) + b"\x00"


def vib_of(quantity: str, unit: str = "", exponent: int = 0, *, factor: int = 1) -> bytes:
    """The VIF that means 1 step = factor x 10^exponent of the unit, say energy Wh 3 -> 06.

    Raises:
        DoesNotFit: the standard has no such VIF.
    """
    try:
        return _VIB_OF[quantity, unit, factor, exponent]
    except KeyError:
        raise DoesNotFit(
            f"No VIF says {quantity} in {factor} x 10^{exponent} {unit}.",
            remedy="See gateway/mbus/vif.py for those that exist.",
        ) from None


def with_vife(vib: bytes, *vifes: int) -> bytes:
    """A VIB without plain text, and more VIFEs behind it."""
    chain = [*vib, *vifes]
    return bytes([octet | EXTENSION for octet in chain[:-1]] + chain[-1:])


def plain_text_vib(unit: str) -> bytes:
    """VIF 7C with a unit of one's own."""
    letters = unit.encode("latin-1")[::-1]
    return b"\x7c" + bytes((len(letters),)) + letters


def dib(field: int, place: Place = NOW) -> bytes:
    """The DIB of a data field, with as many DIFE as storage, tariff and subunit need."""
    octets = [field | FUNCTIONS.index(place.function) << 4 | (place.storage & 1) << 6]
    storage, tariff, subunit = place.storage >> 1, place.tariff, place.subunit
    while storage or tariff or subunit:
        octets[-1] |= EXTENSION
        octets.append(storage & 0x0F | (tariff & 0x03) << 4 | (subunit & 0x01) << 6)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    return bytes(octets)


def variable_response(
    address: int,
    identity: Identity,
    records: Iterable[bytes],
    *,
    access_no: int = 0,
    status: int = 0,
    config_word: int = 0,
    more: bool = False,
) -> LongFrame:
    """RSP_UD with the long header (CI 72). `more` ends it with DIF 1F: the readout goes on.

    Raises:
        DoesNotFit: more than 252 octets of user data.
    """
    tail = bytes((MORE_RECORDS_FOLLOW,)) if more else b""
    state = bytes((access_no, status)) + config_word.to_bytes(2, "little")
    user_data = identity_octets(identity) + state + b"".join(records) + tail
    if len(user_data) > LONGEST_USER_DATA:
        raise DoesNotFit(
            f"{len(user_data)} octets do not fit one telegram.",
            remedy="Use variable_responses, which splits.",
        )
    return LongFrame(RSP_UD, address, LONG_HEADER_CI, user_data)


def variable_responses(
    address: int, identity: Identity, records: Sequence[bytes], *, access_no: int = 0, status: int = 0
) -> list[LongFrame]:
    """The telegrams of one readout: as few as hold all records in their order, all but the last with more."""
    room = LONGEST_USER_DATA - len(identity_octets(identity)) - 4 - 1
    parts: list[list[bytes]] = [[]]
    for record in records:
        if parts[-1] and sum(map(len, parts[-1])) + len(record) > room:
            parts.append([])
        parts[-1].append(record)
    last = len(parts) - 1
    return [
        variable_response(
            address, identity, part, access_no=(access_no + n) & 0xFF, status=status, more=n < last
        )
        for n, part in enumerate(parts)
    ]


def identity_octets(identity: Identity) -> bytes:
    """The eight octets of a secondary address, in the order of mode 1."""
    maker = identity.manufacturer_code.to_bytes(2, "little")
    return bytes.fromhex(identity.id)[::-1] + maker + bytes((identity.version, identity.medium))


def _inverse(table: dict[int, Vif], prefix: bytes) -> dict[tuple[str, str, int, int], bytes]:
    """Code by meaning; of two codes with the same meaning the lower."""
    return {
        (vif.quantity, vif.unit, vif.factor, vif.exponent): prefix + bytes((code,))
        for code, vif in reversed(table.items())
    }


_VIB_OF: Final = {
    **_inverse(FD_FD, b"\xfd\xfd"),
    **_inverse(FD, b"\xfd"),
    **_inverse(FB, b"\xfb"),
    **_inverse(PRIMARY, b""),
}
