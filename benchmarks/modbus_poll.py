"""Meters read per second and CPU per read on Modbus lines, beside a plain pymodbus loop.

    python benchmarks/modbus_poll.py [--reads N] [--rounds N]

All contenders put the same requests; a responder in a process of its own answers at once. They take turns in
each round and a ratio is the median over the rounds: a busy machine is busy for all of them. CPU is that of
the reading process.

    pymodbus            its client and its framer; the registers as they come
    strict reader       the same through gateway.modbus.client: what our safety costs
    pymodbus, values    as the first, and its own conversion of each value to a float
    Modbus line         gateway.modbus_line: identity, exact decimals with units, a Readout
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import truediv
from pathlib import Path

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from gateway.lines.modbus_line import ModbusLine
from gateway.lines.modbus_profile import profile_for
from gateway.lines.modbus_requests import limits, wanted
from gateway.modbus.client import ModbusClient
from gateway.modbus.frames import Framing, Question, crc16
from gateway.modbus.link import TcpLink
from gateway.modbus.plan import make_plan
from gateway.settings import LineSettings, MeterSettings

CONNECTIONS = (1, 200)
UNIT, SERIAL = 5, 41001234
SCHEMES = {Framing.TCP: "tcp", Framing.RTU: "rtu+tcp"}
FLOATS = ("power", "volume_flow", "flow_temperature", "return_temperature", "temperature_difference")
UNITS = ("kW", "m3/h", "degC", "degC", "K")
MAP = (
    'protocol = "modbus"\nmodel = "a meter of 60 registers"\npoint = [\n'
    '{ name = "energy", addr = 0, type = "u32", unit = "kWh", scale = 0.01 },\n'
    '{ name = "volume", addr = 2, type = "u32", unit = "m3", scale = 0.01 },\n'
    + "".join(
        f'{{ name = "{name}", addr = {10 + 10 * number}, type = "f32", unit = "{unit}" }},\n'
        for number, (name, unit) in enumerate(zip(FLOATS, UNITS, strict=True))
    )
    + '{ name = "serial", addr = 58, type = "u32" },\n]\n'
)


def registers() -> list[int]:
    """What the responder holds: 60 registers."""
    held = [0] * 60
    floats = {10: 12.5, 20: 0.375, 30: 81.25, 40: 43.5, 50: 37.75}
    whole = {0: 12_345_678, 2: 345_678, 58: SERIAL}
    for first, octets in [
        *((first, struct.pack(">I", value)) for first, value in whole.items()),
        *((first, struct.pack(">f", value)) for first, value in floats.items()),
    ]:
        held[first : first + 2] = struct.unpack(">2H", octets)
    return held


class Responder(asyncio.Protocol):
    """Answers function 3 at once, on either framing."""

    def __init__(self, framing: Framing) -> None:
        self._is_rtu = framing is Framing.RTU
        self._data = struct.pack(">60H", *registers())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        address, count = struct.unpack(">HH", data[2:6] if self._is_rtu else data[8:12])
        pdu = bytes((3, 2 * count)) + self._data[2 * address : 2 * (address + count)]
        if self._is_rtu:
            body = data[:1] + pdu
            self._transport.write(body + crc16(body).to_bytes(2, "little"))
        else:
            self._transport.write(data[:4] + struct.pack(">HB", 1 + len(pdu), data[6]) + pdu)


async def respond(framing: Framing) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Responder(framing), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


Read = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Reader:
    """One connection of a contender: a read of the whole meter, and how to let go."""

    read: Read
    close: Callable[[], Awaitable[None]]


async def plain(framing: Framing, port: int, questions: list[Question], *, values: bool) -> Reader:
    framer = FramerType.RTU if framing is Framing.RTU else FramerType.SOCKET
    client = AsyncModbusTcpClient("127.0.0.1", port=port, framer=framer, timeout=5, retries=0)
    await client.connect()
    whole, single = client.DATATYPE.UINT32, client.DATATYPE.FLOAT32
    kinds = [(0, whole), (2, whole), *((10 * number, single) for number in range(1, 6)), (58, whole)]

    async def read() -> object:
        answers = [
            (await client.read_holding_registers(asked.address, count=asked.count, device_id=UNIT)).registers
            for asked in questions
        ]
        if not values:
            return answers
        image = max(answers, key=len)
        return [client.convert_from_registers(image[first : first + 2], kind) for first, kind in kinds]

    async def close() -> None:
        client.close()

    return Reader(read, close)


async def strict(framing: Framing, port: int, questions: list[Question]) -> Reader:
    client = ModbusClient(TcpLink(framing, "127.0.0.1", port), 5.0)

    async def read() -> object:
        return [await client.ask(asked) for asked in questions]

    async def close() -> None:
        client.close()

    await read()
    return Reader(read, close)


async def whole_line(framing: Framing, port: int, profile: Path) -> Reader:
    meter = MeterSettings(id=f"DME-{SERIAL}", address=UNIT, profile=str(profile))
    link = f"{SCHEMES[framing]}://127.0.0.1:{port}"
    line = ModbusLine(LineSettings(name="line", protocol="modbus", link=link, timeout_s=5, meter=(meter,)))

    async def read() -> object:
        return await line.read(meter, attempts=1)

    await read()
    return Reader(read, line.close)


async def measure(readers: list[Reader], reads: int) -> tuple[float, float]:
    """Meters per second, and microseconds of CPU per read."""
    for reader in readers:
        await reader.read()

    async def work(reader: Reader) -> None:
        for _ in range(max(reads // len(readers), 1)):
            await reader.read()

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*map(work, readers))
    done = len(readers) * max(reads // len(readers), 1)
    return done / (time.perf_counter() - began), (time.process_time() - used) / done * 1e6


async def compare(framing: Framing, port: int, connections: int, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "map.toml"
        file.write_text(MAP, encoding="utf-8")
        profile = profile_for(str(file), {})
        steps = make_plan(wanted(profile, 3, 0), limits(profile, 3, 0))
        questions = [step.question(UNIT) for step in steps]
        makers: dict[str, Callable[[], Awaitable[Reader]]] = {
            "pymodbus": lambda: plain(framing, port, questions, values=False),
            "strict reader": lambda: strict(framing, port, questions),
            "pymodbus, values": lambda: plain(framing, port, questions, values=True),
            "Modbus line": lambda: whole_line(framing, port, file),
        }
        turns: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
        field = {name: [await make() for _ in range(connections)] for name, make in makers.items()}
        for _ in range(options.rounds):
            for name, readers in field.items():
                turns[name].append(await measure(readers, options.reads))
        for readers in field.values():
            for reader in readers:
                await reader.close()
    show(framing, connections, len(questions), turns)


def show(
    framing: Framing, connections: int, requests: int, turns: dict[str, list[tuple[float, float]]]
) -> None:
    print(f"\n{framing.name}, {connections} connections, {requests} requests a meter")
    print(f"{'':<18}{'meters/s':>10}{'CPU us/read':>13}{'CPU ratio':>11}")
    peers = {"strict reader": "pymodbus", "Modbus line": "pymodbus, values"}
    for name, measured in turns.items():
        speed, cpu = (statistics.median(column) for column in zip(*measured, strict=True))
        line = f"{name:<18}{speed:>10,.0f}{cpu:>13,.0f}"
        if name in peers:
            ratios = map(truediv, (used for _, used in measured), (used for _, used in turns[peers[name]]))
            line += f"{statistics.median(ratios):>11.2f} of {peers[name]}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reads", type=int, default=1000, help="of one turn of one contender")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--respond", choices=[framing.name for framing in Framing], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.respond:
        asyncio.run(respond(Framing[options.respond]))
        return
    for framing in Framing:
        child = subprocess.Popen(
            [sys.executable, __file__, "--respond", framing.name], stdout=subprocess.PIPE, text=True
        )
        try:
            assert child.stdout is not None
            port = int(child.stdout.readline())
            for connections in CONNECTIONS:
                asyncio.run(compare(framing, port, connections, options))
        finally:
            child.terminate()
            child.wait()


if __name__ == "__main__":
    main()
