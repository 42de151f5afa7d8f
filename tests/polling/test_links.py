"""Links: what is sent comes out at the other end and back, and a loss is an error at once, not a silence."""

from __future__ import annotations

import asyncio
import os
import threading
import tty
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from gateway.lines.mbus_line import MbusLine
from gateway.links import Link, link_address, link_to
from gateway.mbus.link import NEED_DATA, LinkReader
from gateway.readout import LineDown
from gateway.settings import LineSettings
from kaukoluenta.errors import ConfigurationInvalid
from tests.polling.fake_bus import heat_meter

PATIENCE_S = 5.0


def test_a_url_says_where_and_how_fast() -> None:
    plain, full = (
        link_address("tcp://192.0.2.10:10001"),
        link_address("serial:///dev/ttyUSB0?baud=300&parity=N"),
    )
    assert (plain.host, plain.port, plain.baud, plain.parity) == ("192.0.2.10", 10001, 2400, "E")
    assert (full.path, full.baud, full.parity) == ("/dev/ttyUSB0", 300, "N")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("tcp://192.0.2.10", "host and port are needed"),
        ("tcp://192.0.2.10:x", "cannot be used"),
        ("tcp://h:99999", "cannot be used"),
        ("tcp://boiler..house:10001", "cannot be used"),
        ("serial://?baud=2400", "the device is needed"),
        ("serial:///dev/ttyUSB0?baud=fast", "cannot be used"),
        ("serial:///dev/ttyUSB0?baud=", "cannot be used"),
        ("serial:///dev/ttyUSB0?baud=0", "baud must be positive"),
        ("serial:///dev/ttyUSB0?parity=X", "parity E, N or O"),
        ("serial:///dev/ttyUSB0?speed=300", "unknown option speed"),
        ("tcp://h:1?latency_s=11", "latency_s must be 0 to 10"),
        ("tcp://h:1?latency_s=nan", "latency_s must be 0 to 10"),
        ("rfc2217://h", "host and port are needed"),
        ("file:///etc", "only tcp, serial, rfc2217 are known"),
        ("", "only tcp, serial, rfc2217 are known"),
    ],
)
def test_a_url_that_leads_nowhere_is_a_configuration_error(url: str, why: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=why):
        link_address(url)


def over_tcp(story: Callable[[Link, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Run a story on an open link and the converter's side of it."""

    async def run() -> None:
        accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *ends: accepted.put_nowait(ends), "127.0.0.1", 0)
        async with server:
            link = link_to(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            await link.open()
            reader, writer = await accepted.get()
            try:
                await story(link, reader, writer)
            finally:
                await link.close()
                writer.close()

    asyncio.run(run())


def test_octets_go_out_and_come_in_as_soon_as_they_are_there() -> None:
    async def story(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await link.send(b"\x10\x40")
        assert await reader.readexactly(2) == b"\x10\x40"
        writer.write(b"\xe5")
        assert await link.receive(PATIENCE_S) == b"\xe5"

    over_tcp(story)


def test_nothing_in_time_is_nothing_and_no_error() -> None:
    async def story(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await link.receive(0.01) == b""
        assert await link.receive(0) == b""
        assert link.is_open

    over_tcp(story)


def test_what_came_before_a_hang_up_is_still_heard_and_then_the_line_is_down() -> None:
    async def story(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\xe5")
        writer.close()
        assert await link.receive(PATIENCE_S) == b"\xe5"
        with pytest.raises(LineDown, match="line down: connection closed"):
            await link.receive(PATIENCE_S)
        assert not link.is_open
        with pytest.raises(LineDown):
            await link.send(b"\x10")

    over_tcp(story)


def test_noise_between_two_slots_does_not_fill_the_memory() -> None:
    async def story(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(200_000) + b"\xe5")
        await writer.drain()
        kept = b""
        while not kept.endswith(b"\xe5"):
            await asyncio.sleep(0.005)
            kept = kept[-1:] + await link.discard()
            assert len(kept) <= 4097

    over_tcp(story)


def test_a_tcp_converter_cannot_change_its_speed_and_says_so() -> None:
    async def story(link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with pytest.raises(LineDown, match="does not change to 300 baud"):
            await link.use_baud(300)

    over_tcp(story)


@pytest.fixture
def port() -> Iterator[tuple[str, int]]:
    """A pseudo-terminal: the device's path, and the bus's end of it."""
    bus, device = os.openpty()
    tty.setraw(device)
    yield os.ttyname(device), bus
    for end in (bus, device):
        with suppress(OSError):
            os.close(end)


def meter_at(bus: int, answers: Callable[[bytes], bytes]) -> threading.Thread:
    """A meter at the far end of a serial line, until its end is closed."""

    def serve() -> None:
        with suppress(OSError):
            while octets := os.read(bus, 64):
                os.write(bus, answers(octets))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def test_a_meter_is_read_over_a_serial_port(port: tuple[str, int]) -> None:
    device, bus = port
    meter, frames = heat_meter("00000017", 17, 100), LinkReader()

    def answers(octets: bytes) -> bytes:
        frames.receive_data(octets)
        answer = b""
        while (frame := frames.next_event()) is not NEED_DATA:
            answer += octets + meter.answer(frame)  # this level converter echoes
        return answer

    async def read() -> Any:
        told = LineSettings(
            name="line",
            protocol="mbus",
            link=f"serial://{device}?baud=38400",
            meter=[{"id": "KAM-00000017", "address": 17}],
        )
        line = MbusLine(told)
        try:
            return await line.read(told.meter[0], attempts=1)
        finally:
            await line.close()

    meter_at(bus, answers)
    assert str(asyncio.run(read()).registers["energy"].value) == "1.00E+5"


def test_a_serial_port_that_is_not_there_is_a_line_down() -> None:
    with pytest.raises(LineDown, match=r"line down: .*No such file"):
        asyncio.run(link_to("serial:///dev/ttyNOWHERE").open())


def test_an_adapter_that_is_unplugged_is_a_line_down_and_not_a_silence(port: tuple[str, int]) -> None:
    device, bus = port

    async def story() -> None:
        link = link_to(f"serial://{device}")
        await link.open()
        assert await link.receive(0.01) == b""
        os.close(bus)
        with pytest.raises(LineDown):
            await link.receive(PATIENCE_S)
        assert not link.is_open

    asyncio.run(story())
