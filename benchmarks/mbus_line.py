"""How much of a bus's time the poller uses: the share of the physical minimum, on byte-paced buses.

    python benchmarks/mbus_line.py [--meters 60] [--lines 500] [--on-each 12] [--slots 1] [--slower 1]

The real poller (LinePoller, MbusLine, TCP links, an outbox that syncs) reads simulated meters, which another
process serves at the speed of the bus. Slots follow one another without a pause. One slot before the measured
ones is not counted: in it the master connects, greets every meter and finds out who is dead.

The minimum of a slot is what the octets need, and the shortest pause of the standard before each answer: for
a telegram of n octets (5 + n) x 11 + 11 bits; for a meter of several telegrams also SND_NKE and its
acknowledgement, since only after them does every meter begin at its first. Dead meters count nothing in the
minimum: what they cost is lost. Whatever delays the poller lowers the share: its own time, the loopback, the
disk, and whoever else uses the machine.

Nothing is scaled in time by default. The single buses send octet by octet, each of the many lines hands on 16
octets at a time, as converters do, since 100 000 single octets a second are too many for the process that
simulates them. They begin spread over a slot, as `spread` has them begin. `--slower 4` runs all buses at a
quarter of the speed, for a machine that cannot even simulate them.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.delivery.keep import Keeper
from gateway.delivery.outbox_file import open_outbox
from gateway.lines.mbus_line import MbusLine
from gateway.mbus.link import ShortFrame
from gateway.mbus.telegram import decode_telegram
from gateway.poll import LinePoller
from gateway.schedule import line_delay
from gateway.settings import GatewayTable, LineSettings, MeterSettings
from kaukoluenta.identifiers import gateway_name
from simulator.bus import serve_line
from simulator.faults import FaultKind
from simulator.fleet import planned_meter
from simulator.meters import Meter
from simulator.plan import TOWN_START
from simulator.slave import SlaveLine

SEED = 7
BITS, PAUSE_BITS = 11, 11
SND_NKE, REQ_UD2, FCB = 0x40, 0x5B, 0x20
LATENCY_S = 0.05
"""Of a converter in the same network, as its owner would write it into the link's URL. The many lines keep
the default: the process that simulates them is no such converter."""


@dataclass(frozen=True, slots=True)
class Buses:
    """So many equal lines. Every tenth meter is dead if `dead`; `packet` octets go in one TCP segment."""

    lines: int
    meters: int
    dead: bool
    packet: int
    baud: int

    def is_dead(self, meter: Meter) -> bool:
        return self.dead and meter.address % 10 == 0

    @property
    def target(self) -> float:
        return 0.90 if self.dead else 0.97 if self.lines == 1 else 0.95

    def hung_on_each(self) -> list[Meter]:
        """The meters of one line: all layouts of the town, primary addresses."""
        return [
            replace(planned_meter(SEED, index, self.meters, TOWN_START), address=index + 1)
            for index in range(self.meters)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--baud", type=int, default=2400)
    parser.add_argument("--meters", type=int, default=60, help="on the single buses")
    parser.add_argument("--lines", type=int, default=500, help="at once in one process")
    parser.add_argument("--on-each", type=int, default=12, help="meters on each of the many lines")
    parser.add_argument("--slots", type=int, default=1, help="that are measured")
    parser.add_argument("--slower", type=int, default=1, help="times that all buses are slowed down")
    parser.add_argument("--serve", type=json.loads, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run(serve(Buses(**chosen.serve)))
        return
    measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    baud = chosen.baud // chosen.slower
    healthy = Buses(1, chosen.meters, dead=False, packet=1, baud=baud)
    with_dead = replace(healthy, dead=True)
    many = Buses(chosen.lines, chosen.on_each, dead=False, packet=16, baud=baud)
    one, other = asyncio.run(both(healthy, with_dead, chosen.slots))
    show(healthy, one)
    show(with_dead, other)
    cpu_s, started = time.process_time(), time.monotonic()
    show(many, asyncio.run(poll(many, chosen.slots)))
    busy = (time.process_time() - cpu_s) / (time.monotonic() - started)
    print(f"{'':>44}in one process, which used {busy:.0%} of a processor", flush=True)


async def both(one: Buses, other: Buses, slots: int) -> tuple[list[float], list[float]]:
    """Two buses at the same time, to be done sooner: neither knows of the other."""
    return await asyncio.gather(poll(one, slots), poll(other, slots))


def show(buses: Buses, seconds: Sequence[float]) -> None:
    """`seconds` a slot, of each line."""
    least = minimum_s(buses)
    shares = [least / taken for taken in seconds]
    dead = ", every tenth dead" if buses.dead else ""
    what = f"{buses.lines} x {buses.meters} meters, {buses.baud} baud{dead}"
    print(
        f"{what:<44}minimum {least:6.2f} s, taken {statistics.median(seconds):6.2f} s,"
        f" share {statistics.median(shares):.3f}, worst line {min(shares):.3f} (target {buses.target:.2f})",
        flush=True,
    )


def minimum_s(buses: Buses) -> float:
    """What the answering meters of one line need for one readout each."""
    meters = [meter for meter in buses.hung_on_each() if not buses.is_dead(meter)]
    return sum(minimum_bits(meter) for meter in meters) / buses.baud


def minimum_bits(meter: Meter) -> int:
    line = SlaveLine(SEED, [meter], lambda meter, now: None)
    exchanges: list[tuple[ShortFrame, bytes]] = []
    more = True
    while more:
        request = ShortFrame(REQ_UD2 | (0 if len(exchanges) % 2 else FCB), meter.address)
        answer = line.hear(request, TOWN_START)
        more = decode_telegram(answer).more_records_follow
        exchanges.append((request, answer))
    if len(exchanges) > 1:
        greeting = ShortFrame(SND_NKE, meter.address)
        exchanges.append((greeting, line.hear(greeting, TOWN_START)))
    return sum((len(asked.to_bytes()) + len(heard)) * BITS + PAUSE_BITS for asked, heard in exchanges)


# The poller's side -------------------------------------------------------------------------------------


class SlotAfterSlot:
    """A line's clock on which the next slot is due at once."""

    def __init__(self) -> None:
        self._now = TOWN_START

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, instant: datetime) -> None:
        self._now = max(self._now, instant)


async def poll(buses: Buses, slots: int) -> list[float]:
    """The seconds a slot that each line took."""
    table = GatewayTable(name=gateway_name("bench"), spread=timedelta(0))
    with tempfile.TemporaryDirectory() as folder, served(buses) as ports:
        lines = [line_settings(buses, number, port) for number, port in enumerate(ports)]
        meters = {line.name: [meter.id for meter in line.meter] for line in lines}
        with closing(open_outbox(Path(folder) / "outbox.db", table.name, meters, 1024)) as outbox:
            keeper = Keeper(outbox, SlotAfterSlot().now, lambda: None)
            least = timedelta(seconds=minimum_s(buses))
            return await asyncio.gather(
                *(poll_line(line, table, keeper, slots, line_delay(line.name, least)) for line in lines)
            )


async def poll_line(
    settings: LineSettings, table: GatewayTable, keeper: Keeper, slots: int, delay: timedelta
) -> float:
    await asyncio.sleep(delay.total_seconds())
    line = MbusLine(settings)
    poller = LinePoller(settings, table, line, SlotAfterSlot(), keeper, None)
    try:
        await poller.do_next_slot()
        started = time.monotonic()
        for _ in range(slots):
            await poller.do_next_slot()
        return (time.monotonic() - started) / slots
    finally:
        await line.close()


def line_settings(buses: Buses, number: int, port: int) -> LineSettings:
    hung = buses.hung_on_each()
    first = number % len(hung)  # else equal lines keep step, and all meters speak at the same time
    meters = [MeterSettings(id=meter.id, address=meter.address) for meter in hung[first:] + hung[:first]]
    link = f"tcp://127.0.0.1:{port}?baud={buses.baud}"
    link += f"&latency_s={LATENCY_S}" if buses.lines == 1 else ""
    return LineSettings(name=f"line-{number}", protocol="mbus", link=link, meter=tuple(meters))


# The buses' side, in another process -------------------------------------------------------------------


@contextmanager
def served(buses: Buses) -> Iterator[Sequence[int]]:
    """A process that simulates the buses; gives the port of each."""
    told = {name: getattr(buses, name) for name in Buses.__slots__}
    command = [sys.executable, __file__, "--serve", json.dumps(told)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


async def serve(buses: Buses) -> None:
    """Serve until killed, or until the poller's process is gone. Two sockets a line are many files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with AsyncExitStack() as stack:
        ports = [
            await stack.enter_async_context(
                serve_line(one_bus(buses), Running(), baud=buses.baud, packet=buses.packet)
            )
            for _ in range(buses.lines)
        ]
        gc.freeze()  # or each full collection would hold up all meters
        print(json.dumps(ports), flush=True)
        await asyncio.to_thread(sys.stdin.read)


def one_bus(buses: Buses) -> SlaveLine:
    return SlaveLine(
        SEED, buses.hung_on_each(), lambda meter, now: FaultKind.SILENT if buses.is_dead(meter) else None
    )


class Running:
    """The meters' clock: real time, from the beginning of the town."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> datetime:
        return TOWN_START + timedelta(seconds=time.monotonic() - self._began)

    async def sleep_until(self, instant: datetime) -> None:
        await asyncio.sleep((instant - self.now()).total_seconds())


if __name__ == "__main__":
    main()
