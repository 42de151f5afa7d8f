"""A Modbus line of virtual heat meters on loopback, and its master."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from gateway.lines.modbus_line import ModbusLine
from gateway.modbus.frames import Framing
from gateway.readout import Readout
from gateway.settings import LineSettings, MeterSettings
from simulator.modbus_device import FaultAt, ModbusBus, ModbusMeter, no_faults
from simulator.modbus_server import Converter

MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMEOUT_S = 0.25
LATE_S = 0.35

MAP = """
protocol = "modbus"
model = "a meter of these tests"
point = [
  { name = "energy", addr = 0, type = "u32", unit = "kWh", scale = 0.01 },
  { name = "volume", addr = 2, type = "u32", unit = "m3", scale = 0.01 },
  { name = "power", addr = 20, type = "f32", unit = "kW" },
  { name = "flow_temperature", addr = 22, type = "s16", unit = "degC", scale = 0.1 },
  { name = "serial", addr = 90, type = "u32" },
]
"""
"""Two requests' worth of values, and a serial number that fits into neither."""


def u32(value: int) -> list[int]:
    return list(struct.unpack(">2H", struct.pack(">I", value)))


def f32(value: float) -> list[int]:
    return list(struct.unpack(">2H", struct.pack(">f", value)))


def laid_out(runs: Mapping[int, Sequence[int]]) -> dict[int, int]:
    return {first + offset: word for first, words in runs.items() for offset, word in enumerate(words)}


def energy_at(unit: int, instant: datetime) -> Decimal:
    """Another number for every unit and every hour."""
    return Decimal(unit * 100_000 + (instant - MIDNIGHT) // HOUR).scaleb(-2)


def serial_of(unit: int) -> int:
    return 41_000_000 + unit


def registers_of(unit: int, *, serial: int | None = None) -> Callable[[datetime], dict[int, int]]:
    def at(instant: datetime) -> dict[int, int]:
        return laid_out(
            {
                0: u32(int(energy_at(unit, instant).scaleb(2))),
                2: u32(45_678),
                20: f32(12.5),
                22: [812],
                90: u32(serial or serial_of(unit)),
            }
        )

    return at


def meter(unit: int, *, slow_s: float = 0.0) -> ModbusMeter:
    return ModbusMeter(unit, registers_of(unit), slow_s=slow_s)


@dataclass(slots=True)
class VirtualLine:
    """`now` is the instant at which the meters answer, on the converter's `port`; a test sets it."""

    bus: ModbusBus
    converter: Converter
    line: ModbusLine
    meters: tuple[MeterSettings, ...]
    port: int
    now: datetime = field(default=MIDNIGHT)

    async def read(self, unit: int, *, attempts: int = 4) -> Readout:
        return await self.line.read(self.settings(unit), attempts=attempts)

    def settings(self, unit: int) -> MeterSettings:
        return next(meter for meter in self.meters if meter.address == unit)


@asynccontextmanager
async def virtual_line(
    framing: Framing,
    meters: Sequence[ModbusMeter],
    folder: Path,
    *,
    fault_at: FaultAt = no_faults,
    single: bool = False,
    units: Sequence[int] = (),
    text: str = MAP,
) -> AsyncIterator[VirtualLine]:
    """A converter with these meters, and a master that reads `units` (by default all of them)."""
    profile = folder / "map.toml"
    profile.write_text(text, encoding="utf-8")
    bus = ModbusBus(framing, meters, fault_at, late_s=LATE_S)
    converter = Converter(bus, lambda: running.now, single=single)
    port, scheme = await converter.start(), {Framing.TCP: "tcp", Framing.RTU: "rtu+tcp"}[framing]
    settings = LineSettings(
        name="line",
        protocol="modbus",
        link=f"{scheme}://127.0.0.1:{port}",
        timeout_s=TIMEOUT_S,
        meter=tuple(
            MeterSettings(id=f"DME-{serial_of(unit)}", address=unit, profile=str(profile))
            for unit in units or [each.unit for each in meters]
        ),
    )
    line = ModbusLine(settings)
    running = VirtualLine(bus, converter, line, settings.meter, port)
    try:
        yield running
    finally:
        await line.close()
        await converter.stop()
