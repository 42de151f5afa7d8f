"""Links as config files write them, and a serial port that is one."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from pathlib import Path

import pytest

from gateway.lines.modbus_line import ModbusLine
from gateway.modbus.errors import BadLink
from gateway.modbus.frames import Framing
from gateway.modbus.link import SerialLink, TcpLink, parse_link
from gateway.readout import LineDown, NoAnswer
from gateway.settings import LineSettings, MeterSettings
from simulator.modbus_device import ModbusBus, ModbusFault
from tests.modbus_wire.virtual_line import HOUR, MAP, MIDNIGHT, energy_at, meter, serial_of

LINKS = [
    ("tcp://192.0.2.11", TcpLink(Framing.TCP, "192.0.2.11", 502)),
    ("tcp://192.0.2.11:1502", TcpLink(Framing.TCP, "192.0.2.11", 1502)),
    ("rtu+tcp://converter.example:4001", TcpLink(Framing.RTU, "converter.example", 4001)),
    ("tcp://[2001:db8::1]:502", TcpLink(Framing.TCP, "2001:db8::1", 502)),
    ("serial:///dev/ttyUSB1?baud=9600&parity=E", SerialLink("/dev/ttyUSB1", 9600, "E", 1)),
    ("serial:///dev/ttyUSB1?baud=19200&parity=N&stop=2", SerialLink("/dev/ttyUSB1", 19200, "N", 2)),
    ("serial:///dev/ttyUSB1", SerialLink("/dev/ttyUSB1", 9600, "E", 1)),
]


@pytest.mark.parametrize(("text", "link"), LINKS)
def test_a_link_is_what_it_says(text: str, link: TcpLink | SerialLink) -> None:
    assert parse_link(text) == link


NO_LINKS = [
    "tcp://",
    "tcp://boiler..house:502",
    "tcp://host:port",
    "tcp://host:502/path",
    "tcp://host:502?baud=9600",
    "rtu+tcp://host",
    "udp://host:502",
    "host:502",
    "serial://ttyUSB0",
    "serial:///dev/ttyUSB0?parity=X",
    "serial:///dev/ttyUSB0?baud=0",
    "serial:///dev/ttyUSB0?stopbits=1",
]


@pytest.mark.parametrize("text", NO_LINKS)
def test_what_is_no_link_is_refused_with_the_forms_that_are(text: str) -> None:
    with pytest.raises(BadLink, match="rtu\\+tcp://host:port"):
        parse_link(text)


def test_a_slow_port_gives_its_meters_the_time_that_the_octets_take() -> None:
    slow, quick = parse_link("serial:///dev/a?baud=1200"), parse_link("serial:///dev/a?baud=19200")
    assert slow.answer_s(125) > 3.4 > 1.2 > quick.answer_s(125)
    assert slow.silence_s > quick.silence_s > 0


class VirtualPort:
    """A pseudo-terminal with a bus of virtual meters at its other end."""

    def __init__(self, bus: ModbusBus) -> None:
        self.bus, self.now = bus, MIDNIGHT
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._waiting = bytearray()
        asyncio.get_running_loop().add_reader(self._master, self._hear)

    def _hear(self) -> None:
        self._waiting += os.read(self._master, 4096)
        while request := self.bus.take_request(self._waiting):
            for sending in self.bus.hear(request, self.now):
                asyncio.get_running_loop().call_later(sending.delay_s, self._say, sending.octets)

    def _say(self, octets: bytes) -> None:
        os.write(self._master, octets)

    def unplug(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)


def line_on(device: str, folder: Path) -> tuple[ModbusLine, MeterSettings]:
    profile = folder / "map.toml"
    profile.write_text(MAP, encoding="utf-8")
    its = MeterSettings(id=f"DME-{serial_of(5)}", address=5, profile=str(profile))
    link = f"serial://{device}?baud=19200&parity=N"
    settings = LineSettings(name="line", protocol="modbus", link=link, timeout_s=0.15, meter=(its,))
    return ModbusLine(settings), its


def test_a_meter_on_a_serial_port_is_read_through_noise_and_silence(tmp_path: Path) -> None:
    async def scenario() -> None:
        faults = {0: ModbusFault.SPLIT, 1: ModbusFault.NOISE, 2: ModbusFault.LATE, 3: ModbusFault.GARBLED}
        bus = ModbusBus(Framing.RTU, [meter(5)], lambda unit, now, turn: faults.get(turn), late_s=0.2)
        port = VirtualPort(bus)
        line, its = line_on(port.device, tmp_path)
        try:
            for hour in range(2):
                port.now = MIDNIGHT + hour * HOUR
                readout = await line.read(its, attempts=3)
                assert readout.registers["energy"].value == energy_at(5, port.now)
        finally:
            await line.close()
            port.unplug()

    asyncio.run(scenario())


def test_a_port_that_is_not_there_is_a_line_that_is_down(tmp_path: Path) -> None:
    async def scenario() -> None:
        line, its = line_on(str(tmp_path / "ttyUSB9"), tmp_path)
        with pytest.raises(LineDown, match=r"no connection to .*ttyUSB9"):
            await line.read(its, attempts=1)

    asyncio.run(scenario())


def test_a_silent_serial_line_costs_its_time_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = VirtualPort(ModbusBus(Framing.RTU, [], late_s=0.2))
        line, its = line_on(port.device, tmp_path)
        try:
            with pytest.raises(NoAnswer, match="no answer"):
                await line.read(its, attempts=1)
        finally:
            await line.close()
            port.unplug()

    asyncio.run(scenario())
