"""A bus behind a converter on loopback: meters answer by the standard, unless a test tells them otherwise."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.mbus.encode import bcd_record, identity_octets, integer_record, variable_responses
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import NEED_DATA, Frame, Garbled, LinkReader, LongFrame, ShortFrame

Misbehaviour = Callable[[bytes], list[tuple[float, bytes]]]
"""What goes out instead of an answer: octets, each after so many seconds."""

SELECT_CI, SELECTED, FCB = 0x52, 0xFD, 0x20
HANG_UP = b"hang up"


@dataclass
class FakeMeter:
    """`records` are those of its next readouts; after the last one it goes on with that."""

    address: int
    identity: Identity
    records: list[list[bytes]]
    status: int = 0
    misbehaves: deque[Misbehaviour] = field(default_factory=deque)
    asked: int = 0
    _fcb: int | None = None
    _selected: bool = False
    _access_no: int = 0
    _rest: deque[LongFrame] = field(default_factory=deque)
    _last: bytes = b""

    def answer(self, frame: Frame) -> bytes:
        """What EN 13757 has it say. A repeated frame count bit repeats the last telegram."""
        if isinstance(frame, LongFrame) and frame.ci == SELECT_CI:
            wanted, own = frame.user_data, identity_octets(self.identity)
            self._selected = wanted[:6] == own[:6]
            self._fcb = None
            return b"\xe5" if self._selected else b""
        if not isinstance(frame, ShortFrame) or frame.address not in (
            self.address,
            self._selected and SELECTED,
        ):
            return b""
        if frame.control & 0x0F == 0x00:
            self._fcb = None
            self._rest.clear()
            return b"\xe5"
        self.asked += 1
        if frame.control & FCB != self._fcb:
            self._fcb, self._last = frame.control & FCB, self._next_telegram()
        return self._last

    def _next_telegram(self) -> bytes:
        if not self._rest:
            records = self.records.pop(0) if len(self.records) > 1 else self.records[0]
            self._rest.extend(
                variable_responses(
                    self.address, self.identity, records, access_no=self._access_no, status=self.status
                )
            )
            self._access_no += len(self._rest)
        return self._rest.popleft().to_bytes()


class FakeBus:
    """`heard` are the master's frames in order; `connections` counts how often it came."""

    def __init__(self, *meters: FakeMeter) -> None:
        self.meters = list(meters)
        self.heard: list[Frame] = []
        self.connections = 0
        self.url = ""
        self._writers: set[asyncio.StreamWriter] = set()
        self._converters: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeBus]:
        server = await asyncio.start_server(self._converter, "127.0.0.1", 0)
        self.url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}?baud=38400"
        try:
            yield self
        finally:
            server.close()
            for converter in self._converters:
                converter.cancel()
            await asyncio.gather(*self._converters, return_exceptions=True)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def say(self, octets: bytes) -> None:
        """Octets that nobody asked for."""
        for writer in self._writers:
            writer.write(octets)
            await writer.drain()

    async def _converter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._converters.add(task)
        frames = LinkReader()
        try:
            while octets := await reader.read(512):
                frames.receive_data(octets)
                while (frame := frames.next_event()) is not NEED_DATA:
                    if not isinstance(frame, Garbled):
                        self.heard.append(frame)
                        await self._answer(frame, writer)
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, frame: Frame, writer: asyncio.StreamWriter) -> None:
        for meter in self.meters:
            answer = meter.answer(frame)
            if not answer:
                continue
            is_telegram = len(answer) > 1
            planned = (
                meter.misbehaves.popleft()(answer) if meter.misbehaves and is_telegram else [(0.0, answer)]
            )
            for delay, octets in planned:
                await asyncio.sleep(delay)
                if octets == HANG_UP:
                    writer.transport.abort()
                    return
                writer.write(octets)


def silence(answer: bytes) -> list[tuple[float, bytes]]:
    return []


def instead(*parts: bytes) -> Misbehaviour:
    """These octets instead of the answer."""
    return lambda answer: [(0.0, part) for part in parts]


def wrong_checksum(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, answer[:-2] + bytes([answer[-2] ^ 1]) + answer[-1:])]


def cut_off(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, answer[:15])]


def after_noise(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, b"\x00\x68\xff\xe5"), (0.01, answer)]


def in_pieces(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.005, answer[at : at + 7]) for at in range(0, len(answer), 7)]


def late(seconds: float) -> Misbehaviour:
    return lambda answer: [(seconds, answer)]


def hang_up(answer: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, HANG_UP)]


def heat_meter(serial: str, address: int, *kwh: int, maker: str = "KAM", volume: int = 67890) -> FakeMeter:
    """A meter whose successive readouts show these energies."""
    records = [[integer_record(b"\x06", steps), bcd_record(b"\x14", volume)] for steps in kwh]
    return FakeMeter(address, identity_of(serial, maker, 0x1C, 0x04), records)
