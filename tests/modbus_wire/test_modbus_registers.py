"""Registers become named amounts as their map says; what it leaves open is absent, with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.lines.modbus_map import ModbusProfile
from gateway.lines.modbus_profile import profile_for
from gateway.lines.modbus_registers import Found, Image, Map, evidence, find_registers, serial_fits
from gateway.modbus.ground import Span
from gateway.modbus.probe import Evidence, Layout, decide
from gateway.modbus.words import Words
from kaukoluenta.reading import NO_DOUBT, Quality
from tests.modbus_wire.virtual_line import f32, u32

BIG = Layout(3, 0, Words())
ENERGY_CODES = """
[codes.energy]
0 = "kWh"
1 = "GJ x10"
2 = "gal"
"""


def written_profile(folder: Path, points: str, more: str = "") -> ModbusProfile:
    file = folder / "map.toml"
    file.write_text(f"point = [\n{points}\n]\n{more}", encoding="utf-8")
    return profile_for(str(file), {})


def found(profile: ModbusProfile, registers: Mapping[int, Sequence[int]], layout: Layout = BIG) -> Found:
    runs = [(Span(3, first, len(words)), words) for first, words in registers.items()]
    return find_registers(Map(profile, Image(runs), layout))


ENERGIES = [
    # how the map says it                                                     registers         what it is
    ('type = "u32", unit = "kWh"', u32(12345), "12345 kWh"),
    ('type = "u32", unit = "kWh", scale = 0.01', u32(12345), "123.45 kWh"),
    ('type = "f32", unit = "MWh"', f32(12.345), "12.345 MWh"),
    ('type = "u32", unit_from = { addr = 2, codes = "energy" }', [*u32(12345), 1], "123450 GJ"),
    (
        'type = "u32", unit_from = { addr = 2, codes = "energy", mask = 0x00FF }',
        [*u32(7), 0xAB00],
        "7 kWh",
    ),
    ('type = "u32", unit_ascii = { addr = 2, len = 2 }', [*u32(12345), 0x4D57, 0x6800], "12345 MWh"),
    (
        'type = "u32", unit_ascii = { addr = 2, len = 3, anywhere = true }',
        [*u32(5), 0x3F80, 0x0047, 0x4A00],
        "5 GJ",
    ),
    ('type = "u32", unit_vif = { addr = 2 }', [*u32(12345), 0x0B07], "123450000 Wh"),
    ('type = "u32", unit = "Wh", exp_from = { addr = 2 }', [*u32(12345), 3], "12345000 Wh"),
    ('type = "u32", unit = "Wh", exp_from = { addr = 2, offset = -3 }', [*u32(12345), 0], "12.345 Wh"),
    ('type = "u32", unit = "kWh", exp_from = { addr = 2 }', [*u32(12345), 0xFFFD], "12.345 kWh"),
    ('type = "u32", unit = "kWh", plus = { addr = 2, type = "f32" }', [*u32(7), *f32(0.25)], "7.25 kWh"),
    ('type = "u32", unit = "kWh", word_order = "little"', [12345, 0], "12345 kWh"),
    ('type = "f64", unit = "kWh"', [0x40C8, 0x1CD6, 0xC8B4, 0x3958], "12345.678 kWh"),
    ('type = "bcd32", unit = "kWh"', [0x0001, 0x2345], "12345 kWh"),
]


@pytest.mark.parametrize(("point", "registers", "amount"), ENERGIES)
def test_a_value_is_what_its_map_says(tmp_path: Path, point: str, registers: list[int], amount: str) -> None:
    profile = written_profile(tmp_path, f'{{ name = "energy", addr = 0, {point} }}', ENERGY_CODES)
    energy = found(profile, {0: registers}).registers["energy"]
    assert f"{energy.value:f} {energy.unit}" == amount


ABSENT = [
    ('type = "u32"', u32(1), "the profile does not know its unit"),
    ('type = "u32", unit = "kWh", invalid = [999999]', u32(999999), "error value 999999"),
    ('type = "f32", unit = "kWh"', [0x7FC0, 0], "no number"),
    ('type = "f32", unit = "kWh"', [0x7F80, 0], "no number"),
    ('type = "f32", unit = "kWh"', u32(12345), "no number"),
    ('type = "u32", unit_from = { addr = 2, codes = "energy" }', [*u32(1), 9], "does not know unit code 9"),
    ('type = "u32", unit_from = { addr = 2, codes = "energy" }', [*u32(1), 2], "its unit is 'gal'"),
    ('type = "u32", unit_ascii = { addr = 2, len = 1 }', [*u32(1), 0x5858], "its unit is 'XX'"),
    ('type = "u32", unit_ascii = { addr = 2, len = 1 }', [*u32(1), 0x6D33], "energy cannot be in 'm3'"),
    ('type = "u32", unit_vif = { addr = 2 }', [*u32(1), 0x0B7D], "its unit is 'VIF 7Dh'"),
    ('type = "u32", unit = "kWh", exp_from = { addr = 2 }', [*u32(1), 300], "exponent 300"),
    ('type = "u32", unit = "kWh", plus = { addr = 2, type = "f32" }', [*u32(7), 0x7FC0, 0], "fraction is no"),
    ('type = "u64", unit = "kWh"', [0x1234, 0x5678, 0x9ABC, 0xDEF0], "more than 15 digits"),
    ('type = "u32", unit = "kWh", time_from = { addr = 2 }', [*u32(7), *u32(3600)], "clock is not set"),
]


@pytest.mark.parametrize(("point", "registers", "why"), ABSENT)
def test_what_is_no_value_is_absent_with_the_reason_and_never_zero(
    tmp_path: Path, point: str, registers: list[int], why: str
) -> None:
    profile = written_profile(tmp_path, f'{{ name = "energy", addr = 0, {point} }}', ENERGY_CODES)
    readout = found(profile, {0: registers})
    assert "energy" not in readout.registers
    assert why in readout.absent["energy"]


def test_a_float_is_marked_as_one(tmp_path: Path) -> None:
    whole = written_profile(tmp_path, '{ name = "energy", addr = 0, type = "u32", unit = "kWh" }')
    assert found(whole, {0: u32(1)}).quality == NO_DOUBT
    part = written_profile(tmp_path, '{ name = "energy", addr = 0, type = "f32", unit = "kWh" }')
    assert found(part, {0: f32(1)}).quality == Quality.FROM_FLOAT
    assert found(part, {0: [0x7FC0, 0]}).quality == NO_DOUBT


STAMPED = """
{ name = "energy", addr = 0, type = "u32", unit = "kWh", time_from = { addr = 2 } },
{ name = "volume", addr = 4, type = "u32", unit = "m3", time_from = { addr = 6 } },
"""


def test_a_converters_own_time_is_that_of_the_reading(tmp_path: Path) -> None:
    profile = written_profile(tmp_path, STAMPED)
    noon, before = u32(1796126400), u32(1796126390)
    readout = found(profile, {0: [*u32(1), *before, *u32(2), *noon]})
    assert readout.read_at is not None
    assert readout.read_at.isoformat() == "2026-12-01T12:00:00+00:00"
    assert set(readout.registers) == {"energy", "volume"}


def test_a_value_that_the_converter_did_not_refresh_is_absent(tmp_path: Path) -> None:
    """Two values of different times are no reading of one instant."""
    profile = written_profile(tmp_path, STAMPED)
    noon, morning = u32(1796126400), u32(1796112000)
    readout = found(profile, {0: [*u32(1), *morning, *u32(2), *noon]})
    assert set(readout.registers) == {"volume"}
    assert readout.absent == {"energy": "not refreshed since 2026-12-01T08:00:00Z"}


CODES = [
    ('type = "u16"', [0], None, NO_DOUBT),
    ('type = "u16"', [7], "7", NO_DOUBT),
    ('type = "u16", ok = [0]', [7], "7", Quality.METER_FAULT),
    ('type = "u16", ok = [7]', [7], None, NO_DOUBT),
    ('type = "bits16"', [0x0104], "0104h", NO_DOUBT),
    ('type = "ascii:2"', [0x4130], "A0", NO_DOUBT),
]


@pytest.mark.parametrize(("point", "registers", "code", "quality"), CODES)
def test_an_info_code_is_told_and_is_a_fault_where_the_map_knows_which_are_none(
    tmp_path: Path, point: str, registers: list[int], code: str | None, quality: Quality
) -> None:
    energy = '{ name = "energy", addr = 0, type = "u32", unit = "kWh" }'
    points = f'{energy}, {{ name = "info_code", addr = 2, {point} }}'
    readout = found(written_profile(tmp_path, points), {0: [*u32(1), *registers]})
    assert (readout.info_code, readout.quality) == (code, quality)


def test_a_clock_is_told_as_the_meter_has_it(tmp_path: Path) -> None:
    points = (
        '{ name = "energy", addr = 0, type = "u32", unit = "kWh" }, { name = "clock", addr = 2, count = 5 }'
    )
    profile = written_profile(tmp_path, points)
    assert found(profile, {0: [*u32(1), 26, 11, 24, 12, 30]}).meter_time == "2026-11-24T12:30:00"
    assert found(profile, {0: [*u32(1), 26, 13, 24, 12, 30]}).meter_time is None


SERIALS = [
    ('type = "u32"', u32(41001234), "41001234", True),
    ('type = "u32"', u32(1234), "00001234", True),
    ('type = "u32"', u32(41001235), "41001234", False),
    ('type = "u32"', u32(0), "41001234", False),
    ('type = "bcd32"', [0x4100, 0x1234], "41001234", True),
    ('type = "bcd32"', [0x4100, 0x123F], "41001234", False),
    ('type = "ascii:8"', [0x3431, 0x3030, 0x3132, 0x3334], "41001234", True),
    ('type = "ascii:8"', [0x0000, 0x0000, 0x0000, 0x0000], "41001234", False),
    ('type = "f32"', f32(41001234), "41001234", True),
    ('type = "f32"', f32(41001234), "41001300", False),
]


@pytest.mark.parametrize(("point", "registers", "plate", "fits"), SERIALS)
def test_a_serial_number_is_the_one_on_the_plate_or_another(
    tmp_path: Path, point: str, registers: list[int], plate: str, fits: bool
) -> None:
    points = f'{{ name = "energy", addr = 90, unit = "kWh" }}, {{ name = "serial", addr = 0, {point} }}'
    profile = written_profile(tmp_path, points)
    image = Image([(Span(3, 0, len(registers)), registers)])
    assert serial_fits(Map(profile, image, BIG), plate) is fits


PROBED = """
{ name = "flow_temperature", addr = 1, type = "f32", unit = "degC" },
{ name = "return_temperature", addr = 3, type = "f32", unit = "degC" },
{ name = "temperature_difference", addr = 5, type = "f32", unit = "K" },
"""
WARM = [*f32(81.25), *f32(43.5), *f32(37.75)]
WARM_TURNED = [word for high, low in zip(WARM[::2], WARM[1::2], strict=True) for word in (low, high)]
MEANINGS = [
    ({1: WARM}, ("big", 0)),
    ({1: WARM_TURNED}, ("little", 0)),
    ({0: WARM}, ("big", 1)),
    ({0: WARM_TURNED}, ("little", 1)),
    ({0: [0] * 8}, None),  # zeros are no evidence
    ({0: [*f32(20), *f32(20), *f32(0), 0, 0]}, ("big", 1)),
    ({0: [*f32(81.25), *f32(43.5), *f32(12)]}, None),  # the difference is not that of the two
]


@pytest.mark.parametrize(("registers", "meaning"), MEANINGS)
def test_temperatures_show_the_layout_of_a_meter_or_nothing_does(
    tmp_path: Path, registers: dict[int, list[int]], meaning: tuple[str, int] | None
) -> None:
    open_facts = '[read]\nword_order = "probe"\naddress_base = "probe"'
    profile = written_profile(tmp_path, PROBED, open_facts)
    image = Image([(Span(3, first, len(words)), words) for first, words in registers.items()])
    pieces = [piece for base in (0, 1) for piece in evidence(profile, 3, base, image, "1")]
    layout = decide(pieces)
    assert (layout and (layout.words.words, layout.base)) == meaning
    assert all("flow_temperature" in str(piece) for piece in pieces)


def test_a_device_that_serves_both_functions_is_read_by_the_first() -> None:
    warm = {"flow_temperature": None}
    pieces = [Evidence(BIG, warm, True), Evidence(Layout(4, 0, Words()), warm, True)]
    assert decide(pieces) == BIG
    other = Evidence(Layout(4, 0, Words("little")), warm, True)
    assert decide([*pieces, other]) is None
