"""2,000 reads, a fault in over a third of them: no wrong value, and every healthy meter read in its slot.

On each of forty lines one slave is dead and one answers too late for ever; half of the converters serve one
connection only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zlib import crc32

import pytest

from gateway.modbus.frames import Framing
from gateway.readout import NoAnswer
from simulator.modbus_device import ModbusFault
from tests.modbus_wire.virtual_line import HOUR, MIDNIGHT, TIMEOUT_S, energy_at, meter, virtual_line

LINES, SLOTS = 40, 10
HEALTHY, DEAD, SLOW = (1, 2, 3, 4, 5), 6, 7
ATTEMPTS = 4
FAULTS = tuple(ModbusFault)


@dataclass(slots=True)
class Tally:
    reads: int = 0
    disturbed: int = 0
    seen: Counter[ModbusFault] = field(default_factory=Counter)


def script(number: int, tally: Tally) -> Callable[[int, datetime, int], ModbusFault | None]:
    """Two reads of five are disturbed: one of their four questions, and in some the next one too."""

    def fault_at(unit: int, now: datetime, turn: int) -> ModbusFault | None:
        if unit == DEAD:
            return ModbusFault.SILENT
        chance = crc32(f"{number} {unit} {now}".encode())
        if unit == SLOW or chance % 5 > 1:
            return None
        struck = chance // 5 % 4
        if turn == struck:
            tally.disturbed += 1
        if turn != struck and not (turn == struck + 1 and chance % 7 == 0):
            return None
        fault = FAULTS[chance // 100 % len(FAULTS)]
        tally.seen[fault] += 1
        return fault

    return fault_at


async def read_a_line(number: int, folder: Path, tally: Tally) -> None:
    framing = Framing.TCP if number % 2 else Framing.RTU
    meters = [*(meter(unit) for unit in (*HEALTHY, DEAD)), meter(SLOW, slow_s=1.3 * TIMEOUT_S)]
    single = number % 4 < 2
    async with virtual_line(framing, meters, folder, fault_at=script(number, tally), single=single) as line:
        for slot in range(SLOTS):
            line.now = MIDNIGHT + slot * HOUR
            for unit in HEALTHY:
                readout = await line.read(unit, attempts=ATTEMPTS)
                assert readout.registers["energy"].value == energy_at(unit, line.now)
                tally.reads += 1
            for unit in (DEAD, SLOW):
                with pytest.raises(NoAnswer):
                    await line.read(unit, attempts=1)
        assert line.bus.requests[DEAD] == SLOTS


def test_two_thousand_reads(tmp_path: Path) -> None:
    tally = Tally()

    async def all_lines() -> None:
        folders = [tmp_path / str(number) for number in range(LINES)]
        for folder in folders:
            folder.mkdir()
        await asyncio.gather(*(read_a_line(number, folder, tally) for number, folder in enumerate(folders)))

    asyncio.run(all_lines())
    assert tally.reads == 2_000
    assert tally.disturbed > tally.reads / 3
    assert set(tally.seen) == set(FAULTS)
