"""Cutting records out of user data: places, special DIF, and what one broken record costs."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.mbus.records import (
    DataRecord,
    GlobalReadoutRequest,
    ManufacturerData,
    RecordList,
    read_records,
)

ENERGY = "04 06 39 30 00 00"
POWER = "02 2D 10 00"


def records(octets: str, *, reversed_octets: bool = False) -> RecordList:
    return read_records(bytes.fromhex(octets), reversed_octets=reversed_octets)


def values(found: RecordList) -> list[object]:
    return [record.value for record in found.records if isinstance(record, DataRecord)]


PLACES = [
    #  DIB                        function         storage  tariff  subunit
    ("02", ("instantaneous", 0, 0, 0)),
    ("12", ("maximum", 0, 0, 0)),
    ("22", ("minimum", 0, 0, 0)),
    ("32", ("error", 0, 0, 0)),
    ("42", ("instantaneous", 1, 0, 0)),
    ("82 01", ("instantaneous", 2, 0, 0)),
    ("C2 0F", ("instantaneous", 31, 0, 0)),
    ("82 10", ("instantaneous", 0, 1, 0)),
    ("82 40", ("instantaneous", 0, 0, 1)),
    ("82 80 40", ("instantaneous", 0, 0, 2)),
    ("D2 B1 21", ("maximum", 1 | 1 << 1 | 1 << 5, 3 | 2 << 2, 0)),
    ("C2 FF FF FF FF FF FF FF FF FF 7F", ("instantaneous", 2**41 - 1, 2**20 - 1, 2**10 - 1)),
]


@pytest.mark.parametrize(("dib", "place"), PLACES)
def test_a_dib_says_which_register_it_is(dib: str, place: tuple[str, int, int, int]) -> None:
    (record,) = records(f"{dib} 2D 10 00").records
    assert isinstance(record, DataRecord)
    assert (record.function, record.storage, record.tariff, record.subunit) == place
    assert record.dib == bytes.fromhex(dib)


BROKEN = [
    #  a record that cannot be cut out                       why
    ("04", "records:premature_end_of_dib (no VIF)"),
    ("84", "records:premature_end_of_dib"),
    ("04 86", "records:premature_end_of_vib"),
    ("04 06 01 02 03", "records:premature_end_of_data"),
    ("0D 13", "records:premature_end_of_data"),
    ("0D 13 C4 01 02 03", "records:premature_end_of_data"),
    ("0D 13 F8 01 02 03", "records:reserved_lvar_f8"),
    ("02 7C", "records:plain_text_vif_overrun"),
    ("02 7C 05 41 42", "records:plain_text_vif_overrun"),
    ("02 FC 41 42", "records:plain_text_vif_overrun"),
    ("3F 02 03", "records:reserved_dif_3f"),
    ("8F 02 03", "records:reserved_dif_8f"),
    ("82" + "80" * 10 + "00 2D 10 00", "records:too_many_dife"),
    ("02 AD" + "FE" * 10 + "3B 10 00", "records:too_many_vife"),
    ("02 FC 02 57 6B" + "FE" * 10 + "3B 10 00", "records:too_many_vife"),
]


@pytest.mark.parametrize(("octets", "reason"), BROKEN)
def test_a_record_without_an_end_costs_only_itself_and_what_is_behind(octets: str, reason: str) -> None:
    found = records(f"{ENERGY} {POWER} {octets}")
    assert values(found) == [Decimal(12345000), Decimal(1600)]
    assert found.broken == reason


def test_ten_dife_and_ten_vife_are_allowed() -> None:
    for vif in ("AD", "FC 02 57 6B"):
        assert records("82" + "80" * 9 + "00" + vif + "FE" * 9 + "3B 10 00").broken is None


INVALID = [
    "0C 2A DD B4 EB DD",
    "04 06 00 00 00 80",
    "05 2B 00 00 C0 7F",
    "02 6C FF FF",
    "04 6D 8D 0B 8D 33",
    "0D 13 C1 AB",
    "0D 6D E4 00 00 00 00",
]


@pytest.mark.parametrize("invalid", INVALID)
def test_a_value_that_is_none_does_not_lose_its_neighbours(invalid: str) -> None:
    found = records(f"{ENERGY} {invalid} {POWER}")
    assert values(found) == [Decimal(12345000), None, Decimal(1600)]
    assert found.broken is None


def test_fillers_are_counted_and_skipped_wherever_they_stand() -> None:
    found = records(f"2F 2F {ENERGY} 2F {POWER} 2F")
    assert values(found) == [Decimal(12345000), Decimal(1600)]
    assert found.fillers == 4


@pytest.mark.parametrize(("dif", "more"), [("0F", False), ("1F", True)])
def test_manufacturer_data_takes_everything_behind_it(dif: str, more: bool) -> None:
    found = records(f"{ENERGY} {dif} 04 06 01")
    assert found.records[1] == ManufacturerData(bytes.fromhex(dif), bytes.fromhex("04 06 01"), more)
    assert found.broken is None


def test_a_request_for_everything_is_a_record_of_its_own() -> None:
    assert records(f"7F {POWER}").records[0] == GlobalReadoutRequest(b"\x7f")


MODE_2 = [
    #  mode 1                       mode 2
    ("04 06 39 30 00 00", "04 06 00 00 30 39"),
    ("0C 13 78 56 34 12", "0C 13 12 34 56 78"),
    ("04 6D 0D 0B 8D 33", "04 6D 33 8D 0B 0D"),
    ("05 2B 00 00 A0 3F", "05 2B 3F A0 00 00"),
    ("0D FD11 03 43 42 41", "0D FD11 03 41 42 43"),
    ("8C 10 13 78 56 34 12", "8C 10 13 12 34 56 78"),
]


@pytest.mark.parametrize(("mode_1", "mode_2"), MODE_2)
def test_in_mode_2_each_value_is_turned_round_and_its_blocks_are_not(mode_1: str, mode_2: str) -> None:
    turned = records(mode_2, reversed_octets=True)
    assert values(turned) == values(records(mode_1))
    assert turned.broken is None
