"""A link that is lost, hangs or comes back: no meter is mistaken, and the line goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.lines.mbus_line import SILENCES_TO_DOUBT_THE_LINK, MbusLine
from gateway.links import link_to
from gateway.readout import LineDown
from simulator.bus import Connection, Converter, serve_pty
from simulator.faults import FaultKind
from simulator.slave import SlaveLine
from tests.buses.serial_server import SerialServer, serial_server
from tests.buses.simulated_line import (
    METERS,
    ONE,
    TWO,
    HeldClock,
    disturbed,
    on_a_pty,
    outcome,
    slaves,
    told,
    within,
)

PATIENCE_S = 60.0

# pyserial 3.5: old names of thread methods, and a socket left to the garbage collector after a loss
rfc2217 = pytest.mark.filterwarnings(
    "ignore:set(Daemon|Name):DeprecationWarning", "ignore:unclosed <socket:ResourceWarning"
)


def master_of(server: SerialServer) -> MbusLine:
    return MbusLine(told(f"rfc2217://{server.address}?baud=2400", timeout_s=0.5))


@rfc2217
def test_meters_are_read_over_rfc_2217_in_the_ports_usual_settings() -> None:
    async def story() -> None:
        with serial_server(slaves()) as server:
            line = master_of(server)
            assert [await outcome(line, meter) for meter in METERS] == ["its own"] * len(METERS)
            asked_for = server.port_settings
            assert (asked_for.baudrate, asked_for.bytesize, asked_for.parity) == (2400, 8, "E")
            await line.close()

    within(PATIENCE_S, story)


@rfc2217
def test_a_serial_server_changes_its_speed_with_the_master() -> None:
    async def story() -> None:
        with serial_server(slaves()) as server:
            link = link_to(f"rfc2217://{server.address}?baud=2400")
            await link.open()
            await link.use_baud(9600)
            assert server.port_settings.baudrate == 9600
            await link.close()

    within(PATIENCE_S, story)


@rfc2217
def test_a_serial_server_that_hangs_up_is_a_line_down_and_the_next_read_connects_again() -> None:
    async def story() -> None:
        with serial_server(slaves()) as server:
            line = master_of(server)
            assert await outcome(line, ONE) == "its own"
            server.hang_up()
            assert await outcome(line, ONE) == "LineDown"
            assert await outcome(line, ONE) == "its own"
            assert server.connections == 2
            await line.close()

    within(PATIENCE_S, story)


@rfc2217
def test_no_serial_server_is_a_line_down() -> None:
    with serial_server(slaves()) as server:
        address = server.address
    with pytest.raises(LineDown, match="line down"):
        asyncio.run(link_to(f"rfc2217://{address}").open())


def test_an_adapter_that_is_unplugged_and_comes_back_is_opened_anew(tmp_path: Path) -> None:
    adapter = tmp_path / "ttyUSB0"

    async def story() -> None:
        line = MbusLine(told(f"serial://{adapter}?baud=38400&parity=N"))
        for _ in range(2):
            async with serve_pty(slaves(), HeldClock()) as device:
                adapter.symlink_to(device)
                assert await outcome(line, ONE) == "its own"
            adapter.unlink()
            assert await outcome(line, ONE) == "LineDown"
            assert await outcome(line, TWO) == "LineDown"
        await line.close()

    within(PATIENCE_S, story)


def test_a_port_that_another_program_holds_is_a_line_down() -> None:
    async def story() -> None:
        async with on_a_pty(slaves(), HeldClock()) as url:
            first, second = MbusLine(told(url)), MbusLine(told(url))
            assert await outcome(first, ONE) == "its own"
            assert await outcome(second, ONE) == "LineDown"
            await first.close()
            assert await outcome(second, ONE) == "its own"
            await second.close()

    within(PATIENCE_S, story)


class TcpConverter:
    """Counts its connections. The first `hangs` of them are half open: they look well, and are dead."""

    def __init__(self, line: SlaveLine, hangs: int) -> None:
        self._line, self._hangs, self.connections = line, hangs, 0

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._connected, "127.0.0.1", 0)
        async with server:
            yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}?baud=38400"

    def _connected(self) -> asyncio.Protocol:
        self.connections += 1
        if self.connections <= self._hangs:
            return asyncio.Protocol()
        return Connection(partial(Converter, self._line, HeldClock()))


def test_a_converter_that_hangs_with_its_connection_open_is_connected_to_anew() -> None:
    async def story() -> None:
        converter = TcpConverter(slaves(), hangs=1)
        async with converter.serve() as url:
            line = MbusLine(told(url))
            for _ in range(SILENCES_TO_DOUBT_THE_LINK):
                assert await outcome(line, ONE) == "NoAnswer"
            assert await outcome(line, ONE) == "its own"
            assert converter.connections == 2
            await line.close()

    within(PATIENCE_S, story)


def test_a_dead_meter_alone_is_no_reason_to_doubt_the_link() -> None:
    async def story() -> None:
        converter = TcpConverter(slaves(disturbed(ONE, FaultKind.SILENT)), hangs=0)
        async with converter.serve() as url:
            line = MbusLine(told(url))
            for _ in range(SILENCES_TO_DOUBT_THE_LINK):
                assert await outcome(line, ONE) == "NoAnswer"
                assert await outcome(line, TWO) == "its own"
            assert converter.connections == 1
            await line.close()

    within(PATIENCE_S, story)
