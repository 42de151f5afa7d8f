"""Three simulated meters on one line, read by the gateway's own line over TCP or a pseudo-terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from gateway.lines.mbus_line import MbusLine
from gateway.readout import ReadFailed, Readout
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import convert
from simulator.bus import serve_line, serve_pty
from simulator.faults import Fault, FaultKind, fault_finder
from simulator.heat import HOUR, House
from simulator.layouts import GIGAJOULES, KILOWATT_HOURS, TWO_TELEGRAMS, MbusLayout
from simulator.ledger import register
from simulator.meters import NO_ADDRESS, Meter
from simulator.slave import SlaveLine

SEED = 7
START = datetime(2026, 9, 29, 21, tzinfo=UTC)
NOW = START + 30 * HOUR


def meter_of(layout: MbusLayout, serial: str, address: int) -> Meter:
    house = House(SEED, serial, START, 400, 30_000, 30_000)
    meter = MeterId(f"{layout.manufacturer}-{serial}")
    return Meter(meter, layout, house, "line", "area", address, START, None, 10**12, 10**9, 0)


ONE = meter_of(KILOWATT_HOURS, "11111111", 1)
TWO = meter_of(TWO_TELEGRAMS, "22222222", 2)
UNADDRESSED = meter_of(GIGAJOULES, "12345678", NO_ADDRESS)
METERS = (ONE, TWO, UNADDRESSED)


class HeldClock:
    """Stands where the test puts it."""

    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> datetime:
        return self.instant

    async def sleep_until(self, instant: datetime) -> None:
        assert instant <= self.instant


def slaves(*faults: Fault) -> SlaveLine:
    return SlaveLine(SEED, METERS, fault_finder(faults, FaultKind))


def disturbed(meter: Meter, kind: FaultKind) -> Fault:
    """The fault lasts for the slot at NOW."""
    return Fault(meter, kind, NOW, NOW + HOUR)


@asynccontextmanager
async def on_tcp(line: SlaveLine, clock: HeldClock, baud: int | None = None) -> AsyncIterator[str]:
    """The link's URL."""
    async with serve_line(line, clock, baud=baud) as port:
        yield f"tcp://127.0.0.1:{port}?baud={baud or 38400}"


@asynccontextmanager
async def on_a_pty(line: SlaveLine, clock: HeldClock, baud: int | None = None) -> AsyncIterator[str]:
    """The link's URL. A pseudo-terminal has no parity."""
    async with serve_pty(line, clock, baud=baud) as device:
        yield f"serial://{device}?baud={baud or 38400}&parity=N"


def told(url: str, timeout_s: float | None = 0.2) -> LineSettings:
    """As a config file has it."""
    meters = tuple(MeterSettings(id=meter.id, address=meter.address or None) for meter in METERS)
    return LineSettings(name="line", protocol="mbus", link=url, timeout_s=timeout_s, meter=meters)


async def asked(line: MbusLine, meter: Meter, attempts: int = 2) -> Readout:
    settings = MeterSettings(id=meter.id, address=meter.address or None)
    return await line.read(settings, attempts=attempts)


async def outcome(line: MbusLine, meter: Meter, instant: datetime = NOW, attempts: int = 2) -> str:
    """`its own` when the energy is what the meter's display shows; else what it was, or the failure."""
    try:
        energy = (await asked(line, meter, attempts)).registers["energy"]
    except ReadFailed as failure:
        return type(failure).__name__
    its_own = convert(register(meter, instant), energy.unit)
    return "its own" if energy.value == its_own.value else f"{energy.value} {energy.unit}"


def within(seconds: float, story: Callable[[], Awaitable[None]]) -> None:
    """Run a story; a hang fails it instead of the whole suite."""

    async def run() -> None:
        async with asyncio.timeout(seconds):
            await story()

    asyncio.run(run())
