"""A scan of a Modbus line shows who answers, and the evidence by which a person decides what it is."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest

from gateway.commissioning.modbus_scan import Profiles, UnitRow, profiles_of, scan_units, units_of
from gateway.commissioning.modbus_scan_line import scan_modbus_line
from gateway.lines.modbus_master import ModbusMaster
from gateway.lines.modbus_profile import profile_for, shipped_profiles
from gateway.modbus.frames import Framing
from gateway.readout import LineDown
from gateway.settings import LineSettings
from kaukoluenta.errors import UsageError
from simulator.modbus_device import FaultAt, ModbusBus, ModbusFault, ModbusMeter, no_faults
from simulator.modbus_server import Converter
from tests.modbus_wire.background_line import on_tcp
from tests.modbus_wire.virtual_line import MAP, MIDNIGHT, f32, laid_out, meter

SWAPPED = [word for high, low in [f32(78.5), f32(41.25)] for word in (low, high)]
SUPERCAL = ModbusMeter(
    6,
    lambda now: laid_out(
        {700: [1, 0, *reversed(f32(21.5))], 720: [1, 0, *SWAPPED], 730: [1, 0, *reversed(f32(37.25))]}
    ),
    functions=(4,),
)


def line_at(port: int) -> LineSettings:
    return LineSettings(name="line", protocol="modbus", link=f"tcp://127.0.0.1:{port}", timeout_s=0.1)


async def scan(
    meters: list[ModbusMeter],
    units: range,
    profiles: Profiles,
    *,
    fault_at: FaultAt = no_faults,
    attempts: int = 1,
) -> list[UnitRow]:
    converter = Converter(ModbusBus(Framing.TCP, meters, fault_at), lambda: MIDNIGHT)
    bus = ModbusMaster(line_at(await converter.start()))
    try:
        return [row async for row in scan_units(bus, units, profiles, attempts=attempts)]
    finally:
        bus.close()
        await converter.stop()


def test_a_scan_shows_who_answers_and_which_map_makes_sense(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(MAP.replace("s16", "u16"), encoding="utf-8")
    shipped = "sontex-supercal-531"
    profiles = {str(file): profile_for(str(file), {}), shipped: shipped_profiles()[shipped]}
    silent, own, other = asyncio.run(scan([meter(5), SUPERCAL], range(4, 7), profiles))
    assert (silent.state, own.state, other.state) == ("silent", "decoded", "decoded")
    (candidate,) = own.candidates
    assert (candidate.profile, candidate.fits, candidate.serial) == (str(file), True, "41000005")
    assert candidate.registers["energy"] == "5000.00 kWh"
    (candidate,) = other.candidates
    assert candidate.profile == shipped
    assert candidate.registers["flow_temperature"] == "78.5 degC"
    big, little = candidate.evidence
    assert big.startswith("function 4, first register 0, big word first: flow_temperature is no number")
    assert little.startswith("function 4, first register 0, little word first: flow_temperature 78.5")


def test_a_scan_of_a_line_that_is_not_there_says_so() -> None:
    async def scenario() -> None:
        converter = Converter(ModbusBus(Framing.TCP, []), lambda: MIDNIGHT)
        port = await converter.start()
        await converter.stop()
        bus = ModbusMaster(line_at(port))
        with pytest.raises(LineDown):
            async for _ in scan_units(bus, range(1, 3), {}):
                pass

    asyncio.run(scenario())


def test_a_scan_prints_rows_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp([SUPERCAL]) as port:
        assert scan_modbus_line(line_at(port), "6-7", None, as_json=True) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert scan_modbus_line(line_at(port), "6-7", None) == 0
        printed = capsys.readouterr().out
    assert [(row["unit"], row["state"]) for row in rows] == [(6, "decoded"), (7, "silent")]
    assert printed.startswith("unit 6: decoded\n")
    assert "sontex-supercal-531: makes sense" in printed
    assert "energy absent: no number" not in printed


def test_a_unit_that_missed_a_question_is_asked_again_when_told_so() -> None:
    def deaf_at_first(unit: int, now: datetime, turn: int) -> ModbusFault | None:
        return None if turn else ModbusFault.SILENT

    for attempts, state in ((1, "silent"), (2, "answered")):
        (row,) = asyncio.run(scan([meter(5)], range(5, 6), {}, fault_at=deaf_at_first, attempts=attempts))
        assert row.state == state


def test_units_are_numbers_that_a_unit_can_have() -> None:
    assert units_of("1-250", line_at(1)) == range(1, 251)
    assert units_of("7", line_at(1)) == range(7, 8)
    rtu = LineSettings(name="line", protocol="modbus", link="rtu+tcp://127.0.0.1:1")
    assert units_of("1-250", rtu) == range(1, 248)
    for text in ("0-5", "9-3", "FFFFFFFF", "248"):
        with pytest.raises(UsageError, match="no unit ids"):
            units_of(text, rtu)
    assert set(profiles_of(rtu)) == {
        profile.name for profile in shipped_profiles().values() if profile.registers
    }
