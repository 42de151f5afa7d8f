"""The fixed data structure of old meters: two counters in sixteen octets (CI 73 and 77, EN 1434-3:1997)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.mbus.datatypes import decode_data
from gateway.mbus.header import MEDIA
from gateway.mbus.records import DataRecord
from gateway.mbus.vib import Meaning
from gateway.mbus.vif import Vif, decades, plain

LENGTH: Final = 16
BINARY: Final = 0x01  # status bit 0: both counters are binary, else BCD
OF_THE_OTHER_COUNTER: Final = 0x3E
DIF_BINARY, DIF_BCD = 0x4, 0xC

UNITS: Final[dict[int, Vif]] = {
    **plain(0x00, "time", unit="h,m,s"),
    **plain(0x01, "date", unit="D,M,Y"),
    **decades(0x02, 9, "energy", "Wh", 0),
    **decades(0x0B, 9, "energy", "J", 3),
    **decades(0x14, 9, "power", "W", 0),
    **decades(0x1D, 9, "power", "J/h", 3),
    **decades(0x26, 9, "volume", "m3", -6),
    **decades(0x2F, 9, "volume_flow", "m3/h", -6),
    **decades(0x38, 1, "temperature", "degC", -3),
    **plain(0x39, "heat_cost_allocation", unit="HCA"),
    **plain(0x3A, "reserved_3a", "reserved_3b", "reserved_3c", "reserved_3d", "reserved_3e"),
    **plain(0x3F, "dimensionless"),
}


@dataclass(frozen=True, slots=True)
class FixedStructure:
    """The header's own fields and the two counters as records."""

    id: str
    access_no: int
    status: int
    medium: int
    records: tuple[DataRecord, DataRecord]

    @property
    def medium_text(self) -> str:
        return "heat" if self.medium == 0x04 else MEDIA.get(self.medium, "reserved/unknown")


def read_fixed(octets: bytes, *, reversed_octets: bool = False) -> FixedStructure:
    """Identification 4, access number, status, medium and units 2, counters 4 + 4 octets.

    The medium's low bits are on top of the first unit, its high bits on top of the second. `reversed_octets`
    (mode 2) turns the identification and the counters round; the two unit octets stay.
    """
    number = octets[:4] if reversed_octets else octets[3::-1]
    status, first, second = octets[5], octets[6], octets[7]
    counters = _counters(octets[8:12], octets[12:16], first & 0x3F, second & 0x3F, status, reversed_octets)
    return FixedStructure(number.hex().upper(), octets[4], status, first >> 6 | second >> 6 << 2, counters)


def _counters(
    first: bytes, second: bytes, first_unit: int, second_unit: int, status: int, reversed_octets: bool
) -> tuple[DataRecord, DataRecord]:
    """A counter whose unit is "the other's" holds that counter's value at a fixed date."""
    return (
        _counter(first, first_unit, second_unit, status, reversed_octets),
        _counter(second, second_unit, first_unit, status, reversed_octets),
    )


def _counter(octets: bytes, unit: int, other_unit: int, status: int, reversed_octets: bool) -> DataRecord:
    historic = unit == OF_THE_OTHER_COUNTER
    vif = UNITS[other_unit if historic else unit]
    meaning = Meaning(vif.quantity, vif.unit, vif.factor, vif.exponent, vif.reads)
    field = DIF_BINARY if status & BINARY else DIF_BCD
    decoded = decode_data(field, octets[::-1] if reversed_octets else octets, meaning)
    return DataRecord(
        dib=b"",
        vib=b"",
        data=octets,
        function="stored_at_fixed_date" if historic else "instantaneous",
        storage=1 if historic else 0,
        tariff=0,
        subunit=0,
        quantity=meaning.quantity,
        unit=meaning.unit,
        value=decoded.value,
        coding=decoded.coding,
        invalid=decoded.invalid,
        bcd_digits=decoded.bcd_digits,
        value_if_unsigned=decoded.value_if_unsigned,
    )
