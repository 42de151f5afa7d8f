"""The town's lines on TCP: each a transparent M-Bus converter on a loopback port of its own.

Octets reach the slaves as frames, answers go back to whoever asked; `now` is asked when a frame is whole,
never pushed, since a pushed time would race with the request. With `baud` the octets of request and answer
take as long as on the wire (8E1, 11 bits each); without it they take none.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from gateway.mbus.link import NEED_DATA, Garbled, LinkReader
from kaukoluenta.runtime.clock import Clock
from simulator.faults import fault_finder
from simulator.slave import SlaveLine
from simulator.town import Town

_BITS_PER_OCTET = 11
_GAP_BITS = 11  # between request and answer, at least (EN 13757-2)
_LINE_IDLE_S = 0.5  # octets that come after a longer pause begin a new frame


class _Converter(asyncio.Protocol):
    """One connection of a master to a line."""

    def __init__(self, line: SlaveLine, clock: Clock, baud: int | None) -> None:
        self._line, self._clock, self._baud = line, clock, baud
        self._loop = asyncio.get_running_loop()
        self._reader, self._heard_at = LinkReader(), self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        now_s = self._loop.time()
        if now_s - self._heard_at > _LINE_IDLE_S:
            self._reader.line_idle()
            self._answer_frames()
        self._heard_at = now_s
        self._reader.receive_data(data)
        self._answer_frames()

    def _answer_frames(self) -> None:
        while (event := self._reader.next_event()) is not NEED_DATA:
            if isinstance(event, Garbled):
                continue
            answer = self._line.hear(event, self._clock.now())
            if self._baud is None:
                self._transport.write(answer)
            else:
                self._write_slowly(answer, len(event.to_bytes()), self._baud)

    def _write_slowly(self, answer: bytes, request_octets: int, baud: int) -> None:
        begin = self._loop.time() + (request_octets * _BITS_PER_OCTET + _GAP_BITS) / baud
        for place in range(len(answer)):
            done = begin + (place + 1) * _BITS_PER_OCTET / baud
            self._loop.call_at(done, self._transport.write, answer[place : place + 1])


@asynccontextmanager
async def serve_line(line: SlaveLine, clock: Clock, *, baud: int | None = None) -> AsyncIterator[int]:
    """Serve one line while the context lasts; gives its port on 127.0.0.1."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Converter(line, clock, baud), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def serve_town(
    town: Town, clock: Clock, *, baud: int | None = None
) -> AsyncIterator[Mapping[str, int]]:
    """Serve all lines of the town while the context lasts; gives each line's port by its name."""
    fault_at = fault_finder(town.faults)
    async with AsyncExitStack() as lines:
        ports = {}
        for bus_line in town.lines:
            line = SlaveLine(town.seed, bus_line.meters, fault_at)
            ports[bus_line.name] = await lines.enter_async_context(serve_line(line, clock, baud=baud))
        yield ports


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
