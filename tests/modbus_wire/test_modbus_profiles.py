"""Every map that is shipped reads its own examples, from registers and over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.lines.modbus_line import ModbusLine
from gateway.lines.modbus_map import Example, ModbusProfile
from gateway.lines.modbus_profile import profile_for, shipped_profiles
from gateway.lines.modbus_registers import Image, Map, evidence, find_registers
from gateway.lines.profile_files import ProfileInvalid
from gateway.modbus.frames import Framing
from gateway.modbus.ground import Span
from gateway.modbus.probe import decide
from gateway.readout import Readout
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.quantities import Amount
from simulator.modbus_device import ModbusBus, ModbusMeter
from simulator.modbus_server import Converter

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXAMPLES = [(profile, example) for profile in shipped_profiles().values() for example in profile.example]
NAMES = [f"{profile.name}-{profile.example.index(example)}" for profile, example in EXAMPLES]


def registers_of(profile: ModbusProfile, example: Example) -> dict[int, int]:
    """The example's registers by their address on the wire."""
    base = profile.read.address_bases[0] if example.address_base is None else example.address_base
    return {
        int(first, 0) - base + offset: int(word, 16)
        for first, words in example.registers.items()
        for offset, word in enumerate(words.split())
    }


def amounts(texts: Mapping[str, str]) -> dict[str, Amount]:
    return {name: Amount(Decimal(text.split()[0]), text.split()[1]) for name, text in texts.items()}


def written(registers: Mapping[str, Amount]) -> dict[str, str]:
    return {name: f"{amount.value:f} {amount.unit}" for name, amount in registers.items()}


@pytest.mark.parametrize(("profile", "example"), EXAMPLES, ids=NAMES)
def test_the_registers_of_an_example_read_what_it_says(profile: ModbusProfile, example: Example) -> None:
    registers, function = registers_of(profile, example), profile.read.functions[0]
    image = Image(_joined([(Span(function, address, 1), [word]) for address, word in registers.items()]))
    pieces = [
        piece
        for base in profile.read.address_bases
        for piece in evidence(profile, function, base, image, example.serial)
    ]
    layout = decide(pieces) if len(pieces) > 1 else pieces[0].layout
    assert layout is not None
    found = find_registers(Map(profile, image, layout))

    assert written(found.registers) == dict(example.reads)
    if profile.registers:
        assert set(found.absent) == set(example.absent)
        assert found.info_code == example.info_code
        assert found.meter_time == example.meter_time
        assert (found.read_at and found.read_at.isoformat()) == example.read_at
    if example.word_order:
        assert (layout.words.words, layout.base) == (
            example.word_order,
            example.address_base or profile.read.address_bases[0],
        )


def _joined(runs: list[tuple[Span, list[int]]]) -> list[tuple[Span, list[int]]]:
    """Single registers as runs without gaps."""
    joined: list[tuple[Span, list[int]]] = []
    for span, words in sorted(runs):
        if joined and joined[-1][0].end == span.address:
            before, had = joined.pop()
            joined.append((before.until(span), had + words))
        else:
            joined.append((span, words))
    return joined


READABLE = [
    (profile, example)
    for profile, example in EXAMPLES
    if example.reads and profile.name != "microsensor-mfe600h"
]


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize(("profile", "example"), READABLE, ids=[profile.name for profile, _ in READABLE])
def test_an_example_reads_the_same_over_the_wire(
    profile: ModbusProfile, example: Example, framing: Framing
) -> None:
    """The meter refuses every register that the example does not name, as real ones do."""
    readout = asyncio.run(_over_the_wire(profile, example, framing))
    assert written(readout.registers) == dict(example.reads)
    assert readout.info_code == example.info_code
    assert readout.profile == profile.name


async def _over_the_wire(profile: ModbusProfile, example: Example, framing: Framing) -> Readout:
    registers = registers_of(profile, example)
    functions = (4,) if 4 in profile.read.functions else (3,)
    bus = ModbusBus(framing, [ModbusMeter(5, lambda now: registers, functions)])
    converter = Converter(bus, lambda: NOON)
    scheme = {Framing.TCP: "tcp", Framing.RTU: "rtu+tcp"}[framing]
    link = f"{scheme}://127.0.0.1:{await converter.start()}"
    meter = MeterSettings(id=f"XXX-{example.serial or '1'}", address=5, profile=profile.name)
    line = ModbusLine(LineSettings(name="line", protocol="modbus", link=link, meter=(meter,)))
    try:
        return await line.read(meter, attempts=2)
    finally:
        await line.close()
        await converter.stop()


@pytest.mark.parametrize("profile", shipped_profiles().values(), ids=shipped_profiles())
def test_a_map_says_where_it_comes_from_and_what_tells_its_meter_apart(profile: ModbusProfile) -> None:
    assert profile.sources
    assert profile.confidence
    assert profile.example
    assert profile.role("serial") or profile.identity


def test_a_map_that_leaves_everything_open_is_refused_with_its_gaps() -> None:
    meter = MeterSettings(id="KAM-1", address=5, profile="kamstrup-multical-6xx-legacy")
    with pytest.raises(ConfigurationInvalid, match="lacks units"):
        ModbusLine(LineSettings(name="line", protocol="modbus", link="tcp://127.0.0.1", meter=(meter,)))


def test_a_profile_may_be_a_file_of_ones_own(tmp_path: Path) -> None:
    """Also in the exchange form of register lists: its heading, points under [read], its names of points."""
    file = tmp_path / "own.toml"
    file.write_text(
        """
        schema = "amr-modbus-profile/1"
        id = "own-map"
        model = "a meter"
        [read]
        function = 4
        point = [
          { name = "energy_heat", addr = 0, type = "u32", unit = "kWh", scale = 0.001 },
          { name = "energy_cool", addr = 7, type = "u32", unit = "kWh" },
          { name = "flow", addr = 9, type = "u32", unit = "m3/h" },
          { name = "temp_flow", addr = 2, type = "s16", unit = "degC", scale = 0.1 },
          { name = "energy_tariff1", addr = 4, type = "u32", unit = "kWh" },
          { name = "pulse_a", addr = 6, type = "u32" },
        ]
        """,
        encoding="utf-8",
    )
    profile = profile_for(str(file), {})
    assert profile.name == "own-map"
    names = ["energy", "cooling_energy", "volume_flow", "flow_temperature", "energy_tariff_1"]
    assert [point.name for point in profile.registers] == names
    assert [point.name for point in profile.unread] == ["pulse_a"]
    assert profile.registers[0].scale == Decimal("0.001")


BROKEN = [
    ("modle = 'x'", "modle"),
    ("point = [{name='energy', addr=0, type='u33', unit='kWh'}]", "energy has no type that is known"),
    ("point = [{name='energy', addr=0, type='u32', unit='degC'}]", "energy cannot be in 'degC'"),
    ("point = [{name='energy', addr=0, unit='kWh'}, {name='energy', addr=2, unit='kWh'}]", "twice"),
    (
        "point = [{name='energy', addr=0, unit_from={addr=9, codes='none'}}]",
        "table of codes that is not there",
    ),
    ("point = [{name='energy', addr=0, function=5}]", "function"),
    ("[read]\nmax_registers = 126", "max_registers"),
    ("model = [", "cannot be read"),
]


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_broken_profile_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileInvalid, match=said):
        profile_for(str(file), {})


def test_a_modbus_meter_must_be_told_what_it_is() -> None:
    with pytest.raises(ProfileInvalid, match="diehl-sharky-775"):
        profile_for(None, shipped_profiles())
    with pytest.raises(ProfileInvalid, match="no-such-meter"):
        profile_for("no-such-meter", shipped_profiles())
