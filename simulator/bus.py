"""A line as a master meets it: a transparent M-Bus converter on TCP, or one on a (pseudo) serial port.

Octets reach the slaves as frames, answers go back to whoever asked; `now` is asked when a frame is whole,
never pushed, since a pushed time would race with the request. With `baud` the octets of request and answer
take as long as on the wire (8E1, 11 bits each); without it they take none.
"""

from __future__ import annotations

import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from gateway.mbus.link import NEED_DATA, Garbled, LinkReader
from kaukoluenta.runtime.clock import Clock
from simulator.faults import FaultKind, fault_finder
from simulator.modbus_device import ModbusFault
from simulator.modbus_meters import serve_modbus_line
from simulator.slave import SlaveLine
from simulator.town import BusLine, Town

_BITS_PER_OCTET = 11
_GAP_BITS = 11  # between request and answer, at least (EN 13757-2)
_MOST_READ = 512
_LINE_IDLE_S = 0.5  # octets that come after a longer pause begin a new frame


class Converter:
    """Between a master's octets and the slaves of a line.

    Args:
        write: takes octets for the master.
        baud: how fast the bus is; None: in no time.
        packet: how many octets the converter gathers before it sends them on.
    """

    def __init__(
        self,
        line: SlaveLine,
        clock: Clock,
        write: Callable[[bytes], object],
        *,
        baud: int | None = None,
        packet: int = 1,
    ) -> None:
        self._line, self._clock, self._write = line, clock, write
        self._baud, self._packet = baud, packet
        self._loop = asyncio.get_running_loop()
        self._reader, self._heard_at = LinkReader(), self._loop.time()
        self._speaking: asyncio.TimerHandle | None = None

    def fall_silent(self) -> None:
        """Say no more of what is being said: nobody listens, or the master speaks."""
        if self._speaking:
            self._speaking.cancel()

    def hear(self, octets: bytes) -> None:
        """What the master says."""
        now_s = self._loop.time()
        if now_s - self._heard_at > _LINE_IDLE_S:
            self._reader.line_idle()
            self._answer_frames()
        self._heard_at = now_s
        self._reader.receive_data(octets)
        self._answer_frames()

    def _answer_frames(self) -> None:
        while (event := self._reader.next_event()) is not NEED_DATA:
            if isinstance(event, Garbled):
                continue
            answer = self._line.hear(event, self._clock.now())
            if self._baud is None:
                self._write(answer)
            else:
                begin = self._loop.time() + (len(event.to_bytes()) * _BITS_PER_OCTET + _GAP_BITS) / self._baud
                self.fall_silent()
                self._write_slowly(answer, begin, _BITS_PER_OCTET / self._baud)

    def _write_slowly(self, octets: bytes, at: float, octet_s: float) -> None:
        """Each packet when its last octet is over the bus."""
        packet, rest = octets[: self._packet], octets[self._packet :]
        if packet:
            done = at + len(packet) * octet_s
            self._speaking = self._loop.call_at(done, self._write_and_go_on, packet, rest, done, octet_s)

    def _write_and_go_on(self, packet: bytes, rest: bytes, at: float, octet_s: float) -> None:
        self._write(packet)
        self._write_slowly(rest, at, octet_s)


class Connection(asyncio.Protocol):
    """One connection of a master to a line's converter."""

    def __init__(self, make_converter: Callable[[Callable[[bytes], object]], Converter]) -> None:
        self._make_converter = make_converter

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._converter = self._make_converter(transport.write)

    def data_received(self, data: bytes) -> None:
        self._converter.hear(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._converter.fall_silent()


@asynccontextmanager
async def serve_line(
    line: SlaveLine, clock: Clock, *, baud: int | None = None, packet: int = 1
) -> AsyncIterator[int]:
    """Serve one line while the context lasts; gives its port on 127.0.0.1. For `baud` see Converter."""
    make_converter = partial(Converter, line, clock, baud=baud, packet=packet)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(make_converter), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_pty(line: SlaveLine, clock: Clock, *, baud: int | None = None) -> AsyncIterator[str]:
    """Serve one line on a pseudo-terminal; gives the path of its device.

    Open it with parity N: there are no bits on a pseudo-terminal, and Linux refuses it a parity.
    """
    loop = asyncio.get_running_loop()
    bus, device = os.openpty()
    tty.setraw(device)
    os.set_blocking(bus, False)
    converter = Converter(line, clock, partial(_write_or_lose, bus), baud=baud)
    loop.add_reader(bus, lambda: converter.hear(os.read(bus, _MOST_READ)))
    try:
        yield os.ttyname(device)
    finally:
        loop.remove_reader(bus)
        converter.fall_silent()
        os.close(device)
        os.close(bus)


def _write_or_lose(bus: int, octets: bytes) -> None:
    """A port that nobody reads overflows."""
    with suppress(BlockingIOError):
        os.write(bus, octets)


@asynccontextmanager
async def serve_town(
    town: Town, clock: Clock, *, baud: int | None = None
) -> AsyncIterator[Mapping[str, int]]:
    """Serve all lines of the town while the context lasts; gives each line's port by its name.

    `baud` is that of the M-Bus lines.
    """
    async with AsyncExitStack() as lines:
        ports = {}
        for line in town.lines:
            ports[line.name] = await lines.enter_async_context(_serve(town, line, clock, baud))
        yield ports


def _serve(town: Town, line: BusLine, clock: Clock, baud: int | None) -> AbstractAsyncContextManager[int]:
    if line.protocol == "modbus":
        return serve_modbus_line(line.meters, clock, fault_finder(town.faults, ModbusFault))
    slaves = SlaveLine(town.seed, line.meters, fault_finder(town.faults, FaultKind))
    return serve_line(slaves, clock, baud=baud)


async def run_town(town: Town, clock: Clock, ports_file: Path) -> None:
    """A process's whole work: serve the town until cancelled. `ports_file` appears when all lines listen."""
    async with serve_town(town, clock) as ports:
        _write_whole(ports_file, json.dumps(ports))
        await asyncio.Event().wait()


def _write_whole(path: Path, text: str) -> None:
    """A reader sees the whole file or none."""
    half = path.with_name(path.name + ".new")
    half.write_text(text, encoding="utf-8")
    os.replace(half, path)
