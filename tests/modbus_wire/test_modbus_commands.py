"""`kaukoluenta gateway read` on Modbus lines, as a user runs it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.modbus.frames import Framing
from simulator.modbus_device import ModbusBus, ModbusFault, ModbusMeter
from simulator.modbus_server import Converter
from tests.modbus_wire.virtual_line import MAP, MIDNIGHT, f32, laid_out, meter, registers_of, u32

CONFIG = """
[gateway]
name = "kirkonkyla-1"

[[line]]
name = "substations"
protocol = "modbus"
link = "{scheme}://127.0.0.1:{port}"
timeout_s = 0.5

[[line.meter]]
id = "DME-41001234"
address = 5
profile = "{profile}"
"""


def sharky() -> ModbusMeter:
    """The registers of a SHARKY 775, with what its map names and nothing else."""
    registers = laid_out(
        {
            2: [0, 0x3F80, 0, 0x6B57, 0x6800, 0, *f32(123456.5)],
            12: [0, 0x3F80, 0, 0x6D33, 0, 0, *f32(3456.75)],
            22: [0, 0x3F80, 0, 0x6B57, 0, 0, *f32(12.5)],
            32: [0, 0x3F80, 0, 0x6D33, 0x2F68, 0, *f32(0.375)],
            46: f32(81.25),
            54: f32(43.5),
            62: f32(37.75),
            164: [0, *u32(41001234)],
        }
    )
    return ModbusMeter(5, lambda now: registers)


def read_meter(
    folder: Path, virtual: ModbusMeter, *, framing: Framing, profile: str, fault: ModbusFault | None = None
) -> tuple[int, Any]:
    """The exit code and the JSON of a read on a line of its own; a fault strikes every third question."""
    asked = 0

    def fault_at(unit: int, now: object, turn: int) -> ModbusFault | None:
        nonlocal asked
        asked += 1
        return fault if asked % 3 == 2 else None

    async def scenario() -> tuple[int, Any]:
        converter = Converter(ModbusBus(framing, [virtual], fault_at, late_s=0.7), lambda: MIDNIGHT)
        scheme = {Framing.TCP: "tcp", Framing.RTU: "rtu+tcp"}[framing]
        config = folder / "gateway.toml"
        config.write_text(CONFIG.format(scheme=scheme, port=await converter.start(), profile=profile))
        command = ("-m", "gateway", "read", "--config", str(config), "DME-41001234", "--json")
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        printed, _ = await process.communicate()
        await converter.stop()
        return process.returncode or 0, json.loads(printed)

    return asyncio.run(scenario())


@pytest.mark.parametrize("framing", Framing)
def test_a_meter_is_read_by_a_shipped_profile(framing: Framing, tmp_path: Path) -> None:
    code, answer = read_meter(tmp_path, sharky(), framing=framing, profile="diehl-sharky-775")
    assert code == 0
    assert answer["profile"] == "diehl-sharky-775"
    assert answer["registers"]["energy"] == {"value": "123456.5", "unit": "kWh"}
    assert answer["registers"]["flow_temperature"] == {"value": "81.25", "unit": "degC"}
    assert answer["quality"] == 16
    assert "energy_tariff_1" in answer["absent"]
    assert answer["raw"]


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("fault", [ModbusFault.LATE, ModbusFault.MIXED_UP, ModbusFault.DROPPED])
def test_a_meter_is_read_by_a_file_through_faults(
    framing: Framing, fault: ModbusFault, tmp_path: Path
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(MAP, encoding="utf-8")
    its = ModbusMeter(5, registers_of(5, serial=41001234))
    code, answer = read_meter(tmp_path, its, framing=framing, profile=str(file), fault=fault)
    assert code == 0
    assert answer["registers"]["energy"] == {"value": "5000.00", "unit": "kWh"}


def test_another_meter_is_no_reading(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(MAP, encoding="utf-8")
    code, answer = read_meter(tmp_path, meter(5), framing=Framing.TCP, profile=str(file))
    assert code == 4
    assert answer["error"]["problem"] == "a meter with serial number 41000005 answers instead"
    assert answer["error"]["remedy"]
