"""Data records: user data in, records out (EN 13757-3:2018, clause 6).

Every record stands on its own: a value that is no value keeps its place with the reason, and its neighbours
are read. Only a record whose end cannot be found ends the list; the records before it stand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from gateway.mbus.datatypes import FIXED_LENGTHS, LVAR, Value, decode_data, lvar_length
from gateway.mbus.dib import Dib, cut_dib
from gateway.mbus.vib import Meaning, RecordBroken, Vib, cut_vib, meaning_of

IDLE_FILLER: Final = 0x2F
MANUFACTURER_DATA: Final = 0x0F
MORE_RECORDS_FOLLOW: Final = 0x1F
GLOBAL_READOUT: Final = 0x7F
SPECIAL: Final = 0x0F  # low half of a DIF that begins no value


@dataclass(frozen=True, slots=True)
class DataRecord:
    """One value, to be found by what it means: quantity, function, storage, tariff, subunit, modifiers.

    A Decimal keeps the register's resolution in its exponent. A value of None has its reason in `invalid`,
    unless the record never carries one (coding none and selection). What is `manufacturer_specific` has a
    value by its coding only. Dates carry no zone: the meter's clock knows none.
    """

    dib: bytes
    vib: bytes
    data: bytes
    function: str
    storage: int
    tariff: int
    subunit: int
    quantity: str
    unit: str
    value: Value
    coding: str
    modifiers: tuple[str, ...] = ()
    invalid: str | None = None
    manufacturer_specific: bool = False
    bcd_digits: str | None = None
    value_if_unsigned: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ManufacturerData:
    """DIF 0F or 1F and everything behind it; 1F promises more records in the next telegram."""

    dib: bytes
    data: bytes
    more_records_follow: bool


@dataclass(frozen=True, slots=True)
class GlobalReadoutRequest:
    """DIF 7F: the master asks for everything."""

    dib: bytes


Record = DataRecord | ManufacturerData | GlobalReadoutRequest


@dataclass(frozen=True, slots=True)
class RecordList:
    """What a telegram carries. `broken` says why records behind the last one could not be found."""

    records: tuple[Record, ...]
    fillers: int = 0
    broken: str | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A record cut out but not read: its blocks, and where its data begin and end in the octets."""

    dib: Dib
    vib: Vib
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Special:
    """A DIF that begins no value: a filler, a request, or the manufacturer's own octets to the end."""

    dif: int
    start: int
    end: int


def read_records(octets: bytes, *, reversed_octets: bool = False, to_slave: bool = False) -> RecordList:
    """All records of the user data behind a telegram's header.

    `reversed_octets` is mode 2 of the CI field: values come most significant octet first.
    """
    records: list[Record] = []
    fillers = 0
    try:
        for piece in pieces(octets):
            if isinstance(piece, Cut):
                records.append(_read(octets, piece, reversed_octets, to_slave))
            elif piece.dif == IDLE_FILLER:
                fillers += 1
            else:
                records.append(_special_record(octets, piece))
    except RecordBroken as broken:
        return RecordList(tuple(records), fillers, str(broken))
    return RecordList(tuple(records), fillers)


def pieces(octets: bytes) -> Iterator[Cut | Special]:
    """Records, fillers and special DIF in their order, found but not read.

    Raises:
        RecordBroken: at the record whose end cannot be found.
    """
    at = 0
    while at < len(octets):
        special = octets[at] & SPECIAL == SPECIAL
        piece = _special(octets, at) if special else cut_record(octets, at)
        yield piece
        at = piece.end


def cut_record(octets: bytes, at: int) -> Cut:
    """The record that begins at `at`, which is no special DIF.

    Raises:
        RecordBroken: its end cannot be found.
    """
    dib = cut_dib(octets, at)
    vib = cut_vib(octets, at + len(dib.octets))
    start = at + len(dib.octets) + len(vib.octets)
    end = start + _data_length(dib.field, octets[start : start + 1])
    if end > len(octets):
        raise RecordBroken("records:premature_end_of_data")
    return Cut(dib, vib, start, end)


def data_record(dib: Dib, vib: bytes, data: bytes, meaning: Meaning, *, reversed_octets: bool) -> DataRecord:
    """A record from its parts; `data` as sent."""
    decoded = decode_data(dib.field, _least_first(dib.field, data, reversed_octets), meaning)
    return DataRecord(
        dib=dib.octets,
        vib=vib,
        data=data,
        function=dib.function,
        storage=dib.storage,
        tariff=dib.tariff,
        subunit=dib.subunit,
        quantity=meaning.quantity,
        unit=meaning.unit,
        value=decoded.value,
        coding=decoded.coding,
        modifiers=meaning.modifiers + (("summer_time",) if decoded.summer_time else ()),
        invalid=decoded.invalid,
        manufacturer_specific=meaning.manufacturer_specific,
        bcd_digits=decoded.bcd_digits,
        value_if_unsigned=decoded.value_if_unsigned,
    )


def _read(octets: bytes, cut: Cut, reversed_octets: bool, to_slave: bool) -> DataRecord:
    meaning = meaning_of(cut.vib, to_slave=to_slave, reversed_octets=reversed_octets)
    data = octets[cut.start : cut.end]
    return data_record(cut.dib, cut.vib.octets, data, meaning, reversed_octets=reversed_octets)


def _special(octets: bytes, at: int) -> Special:
    dif = octets[at]
    if dif in (MANUFACTURER_DATA, MORE_RECORDS_FOLLOW):
        return Special(dif, at, len(octets))
    if dif in (IDLE_FILLER, GLOBAL_READOUT):
        return Special(dif, at, at + 1)
    raise RecordBroken(f"records:reserved_dif_{dif:02x}")


def _special_record(octets: bytes, piece: Special) -> ManufacturerData | GlobalReadoutRequest:
    dib = bytes((piece.dif,))
    if piece.dif == GLOBAL_READOUT:
        return GlobalReadoutRequest(dib)
    return ManufacturerData(dib, octets[piece.start + 1 : piece.end], piece.dif == MORE_RECORDS_FOLLOW)


def _data_length(field: int, lvar: bytes) -> int:
    """Octets of data, an LVAR counted in."""
    if field != LVAR:
        return FIXED_LENGTHS[field]
    if not lvar:
        raise RecordBroken("records:premature_end_of_data")
    length = lvar_length(lvar[0])
    if length is None:
        raise RecordBroken(f"records:reserved_lvar_{lvar[0]:02x}")
    return 1 + length


def _least_first(field: int, data: bytes, reversed_octets: bool) -> bytes:
    if not reversed_octets:
        return data
    return data[:1] + data[:0:-1] if field == LVAR else data[::-1]
