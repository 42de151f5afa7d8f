"""docs/how-to/add-a-modbus-meter.md, followed literally: its map is a file that reads its own example."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.lines.modbus_profile import profile_for
from gateway.modbus.frames import Framing
from simulator.modbus_device import ModbusBus, ModbusMeter
from simulator.modbus_server import Converter
from tests.modbus_wire.virtual_line import MIDNIGHT

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-modbus-meter.md"


def blocks() -> tuple[str, str]:
    """The map and the meter's table of the config."""
    map_text, meter_text = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return map_text, meter_text


async def read(folder: Path, registers: dict[int, int], reader_at: Path) -> Any:
    converter = Converter(ModbusBus(Framing.TCP, [ModbusMeter(5, lambda now: registers)]), lambda: MIDNIGHT)
    port = await converter.start()
    (folder / "gateway.toml").write_text(
        f'[gateway]\nname = "k-1"\n[[line]]\nname = "substations"\nprotocol = "modbus"\n'
        f'link = "tcp://127.0.0.1:{port}"\n{blocks()[1]}'
    )
    config = os.path.relpath(folder / "gateway.toml", reader_at)
    command = ("-m", "gateway", "read", "--config", config, "EXM-41001234", "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=reader_at, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    await converter.stop()
    return json.loads(printed)


@pytest.mark.parametrize("reader_at", [".", "elsewhere"])
def test_the_page_works_as_it_stands_wherever_its_reader_is(tmp_path: Path, reader_at: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "hm1.toml").write_text(blocks()[0], encoding="utf-8")
    example = profile_for(str(tmp_path / "hm1.toml"), {}).example[0]
    registers = {
        int(first) + offset: int(word, 16)
        for first, words in example.registers.items()
        for offset, word in enumerate(words.split())
    }
    answer = asyncio.run(read(tmp_path, registers, tmp_path / reader_at))
    shown = {name: f"{amount['value']} {amount['unit']}" for name, amount in answer["registers"].items()}
    assert shown == example.reads
    assert set(answer["absent"]) == set(example.absent)
    assert answer["shown"]
