"""A line on a bus in this process, and how a test reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.lines.mbus_line import MbusLine
from gateway.readout import ReadFailed, Readout
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.quantities import to_travel_unit
from tests.polling.fake_bus import (
    FakeBus,
    FakeMeter,
)

TIMEOUT_S = 0.1


def settings(bus: FakeBus, *meters: MeterSettings | FakeMeter, **more: Any) -> LineSettings:
    told = [
        meter if isinstance(meter, MeterSettings) else configured(meter) for meter in meters or bus.meters
    ]
    values = {"name": "line", "protocol": "mbus", "link": bus.url, "timeout_s": TIMEOUT_S, "meter": told}
    return LineSettings(**(values | more))


def configured(meter: FakeMeter, **more: Any) -> MeterSettings:
    name = f"{meter.identity.manufacturer}-{meter.identity.id}"
    return MeterSettings(**({"id": name, "address": meter.address} | more))


def on_bus(bus: FakeBus, story: Callable[[LineSettings, MbusLine], Awaitable[Any]], **more: Any) -> Any:
    """Run a story on a line whose converter is up."""

    async def run() -> Any:
        async with bus.serve():
            line_settings = settings(bus, **more)
            line = MbusLine(line_settings)
            try:
                return await story(line_settings, line)
            finally:
                await line.close()

    return asyncio.run(run())


def energy(readout: Readout) -> str:
    amount = to_travel_unit(readout.registers["energy"])
    return f"{amount.value:f} {amount.unit}"


async def said(line: MbusLine, meter: MeterSettings, attempts: int = 3) -> str:
    """The energy, or the kind of failure."""
    try:
        return energy(await line.read(meter, attempts=attempts))
    except ReadFailed as failure:
        return type(failure).__name__


async def read_each(line_settings: LineSettings, line: MbusLine) -> list[str]:
    return [await said(line, meter) for meter in line_settings.meter]
