"""The town's M-Bus lines on real sockets, read by the gateway's own dialogue."""

from __future__ import annotations

import asyncio
import json
import socket
from datetime import datetime
from pathlib import Path

import pytest

from gateway.mbus.addressing import address_of
from gateway.mbus.dialogue import Dialogue, FrameCount, T, read_out, read_selected
from gateway.mbus.link import NEED_DATA, LinkReader, LongFrame, ShortFrame
from gateway.mbus.records import DataRecord
from gateway.mbus.telegram import decode_frame
from kaukoluenta.quantities import convert
from simulator.bus import run_town, serve_town
from simulator.ledger import allowed_answers, register
from simulator.meters import NO_ADDRESS, Meter
from simulator.plan import TOWN_START, plan_town
from simulator.telegrams import identity
from simulator.town import town_slots

TOWN = plan_town(7, 12, hours=48)


class HeldClock:
    """A clock that stands where the test puts it."""

    def __init__(self) -> None:
        self.instant = TOWN_START

    def now(self) -> datetime:
        return self.instant

    async def sleep_until(self, instant: datetime) -> None:
        assert instant <= self.instant


async def converse(dialogue: Dialogue[T], port: int) -> T:
    """Drive a master's dialogue on a connection of its own; every answer is waited for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    link = LinkReader()
    try:
        request = next(dialogue)
        while True:
            if isinstance(request, ShortFrame | LongFrame):
                writer.write(request.to_bytes())
            while (heard := link.next_event()) is NEED_DATA:
                link.receive_data(await reader.readexactly(1))
            request = dialogue.send(heard)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        writer.close()
        await writer.wait_closed()


async def read(meter: Meter, port: int) -> tuple[LongFrame, ...]:
    who = address_of(identity(meter))
    if meter.address == NO_ADDRESS:
        return await converse(read_selected(who, attempts=1), port)
    return await converse(read_out(meter.address, FrameCount(), attempts=1, who=who), port)


def energy_in(frames: tuple[LongFrame, ...]) -> DataRecord:
    records = [record for frame in frames for record in decode_frame(frame).records]
    return next(r for r in records if isinstance(r, DataRecord) and r.quantity == "energy" and r.storage == 0)


def test_every_answer_that_the_script_allows_is_the_register_at_the_clocks_now() -> None:
    async def scene() -> None:
        clock, allowed = HeldClock(), allowed_answers(TOWN)
        async with asyncio.timeout(60), serve_town(TOWN, clock) as ports:
            for clock.instant in town_slots(TOWN.start, TOWN.hours)[::6]:
                for meter in mbus_meters():
                    if (meter.id, clock.instant) in allowed:
                        energy = energy_in(await read(meter, ports[meter.line]))
                        assert energy.value == convert(register(meter, clock.instant), energy.unit).value

    asyncio.run(scene())


def mbus_meters() -> list[Meter]:
    return [meter for line in TOWN.lines if line.protocol == "mbus" for meter in line.meters]


def test_several_masters_on_one_line_each_get_their_own_answer() -> None:
    async def scene() -> None:
        line = TOWN.lines[0]
        meters = [meter for meter in line.meters if meter.address != NO_ADDRESS]
        async with asyncio.timeout(30), serve_town(TOWN, HeldClock()) as ports:
            answers = await asyncio.gather(*(read(meter, ports[line.name]) for meter in meters))
        assert [frames[0].address for frames in answers] == [meter.address for meter in meters]

    asyncio.run(scene())


def test_a_connection_full_of_noise_does_not_disturb_the_line() -> None:
    async def scene() -> None:
        line = TOWN.lines[0]
        async with asyncio.timeout(30), serve_town(TOWN, HeldClock()) as ports:
            _, noisy = await asyncio.open_connection("127.0.0.1", ports[line.name])
            noisy.write(bytes(range(256)) * 4 + b"\x68\xff\xff\x68")
            await noisy.drain()
            assert await read(line.meters[0], ports[line.name])
            noisy.close()
            await noisy.wait_closed()

    asyncio.run(scene())


def test_a_request_cut_into_single_octets_is_answered() -> None:
    async def scene() -> None:
        line = TOWN.lines[0]
        async with asyncio.timeout(30), serve_town(TOWN, HeldClock()) as ports:
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[line.name])
            for octet in ShortFrame(0x40, line.meters[0].address).to_bytes():
                writer.write(bytes((octet,)))
                await writer.drain()
                await asyncio.sleep(0)
            assert await reader.readexactly(1) == b"\xe5"
            writer.close()
            await writer.wait_closed()

    asyncio.run(scene())


def test_at_a_baud_rate_the_octets_take_their_time() -> None:
    """The answer cannot be there before its last bit would be; how much later is the machine's affair."""

    async def scene() -> None:
        meter, line = TOWN.lines[0].meters[0], TOWN.lines[0].name
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30), serve_town(TOWN, HeldClock(), baud=9600) as ports:
            asked_at = loop.time()
            [answer] = await converse(read_out(meter.address, FrameCount(bit=True), attempts=1), ports[line])
            octets = len(ShortFrame(0x7B, 1).to_bytes()) + len(answer.to_bytes())
            assert loop.time() - asked_at >= (octets + 1) * 11 / 9600

    asyncio.run(scene())


def test_the_ports_appear_in_one_piece_once_all_lines_listen(tmp_path: Path) -> None:
    async def scene() -> None:
        file = tmp_path / "ports.json"
        process = asyncio.create_task(run_town(TOWN, HeldClock(), file))
        async with asyncio.timeout(30):
            while not file.exists():
                await asyncio.sleep(0.01)
        ports = json.loads(file.read_text())
        assert set(ports) == {line.name for line in TOWN.lines}
        for meter in mbus_meters():
            assert await read(meter, ports[meter.line])
        process.cancel()
        with pytest.raises(asyncio.CancelledError):
            await process
        for port in ports.values():
            with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
                probe.connect(("127.0.0.1", port))

    asyncio.run(scene())
