"""Real heat meters' replies, replayed by slaves on TCP, arrive in the store as the corpus reads them.

The telegrams are other people's facts: they are taken from KAUKOLUENTA_MATERIAL and stay there.
"""

import asyncio
import json
import os
from collections import defaultdict
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from collector.store.backends import open_store
from gateway.mbus.link import NEED_DATA, LinkReader, LongFrame
from kaukoluenta.quantities import UNITS, Amount, to_travel_unit
from simulator.check import unacknowledged
from simulator.children import Child, our_command
from simulator.timekeeper import keep_time

FIRST_SLOT = datetime(2026, 10, 1, tzinfo=UTC)
REGISTERS = ("energy", "volume", "power", "volume_flow", "flow_temperature", "return_temperature")
BROADCAST = 0xFD


@pytest.fixture(scope="module")
def telegrams():
    folder = os.environ.get("KAUKOLUENTA_MATERIAL")
    if not folder:
        pytest.skip("set KAUKOLUENTA_MATERIAL to the folder that holds corpus/wired.jsonl")
    lines = (Path(folder) / "corpus" / "wired.jsonl").read_text().splitlines()
    found = [record for record in map(json.loads, lines) if is_single_heat_reply(record)]
    assert len(found) >= 20
    return found


def is_single_heat_reply(record):
    expect = record["expect"]
    return (
        record["class"] == "test"
        and (expect["outcome"], expect.get("ci")) == ("ok", "72")
        and expect["medium"] in (0x04, 0x0C, 0x0D)
        and not expect.get("more_records_follow")
        and not record.get("sequence")
        and any(is_register(entry, "energy") for entry in expect["records"])
    )


def is_register(entry, quantity):
    place = (entry.get("function"), entry.get("storage"), entry.get("tariff"), entry.get("subunit"))
    return (
        place == ("instantaneous", 0, 0, 0)
        and entry["norm"]["quantity"] == quantity
        and not entry["norm"].get("modifiers")
    )


def expected_registers(record):
    """What has one meaning only: a register that the telegram gives once, with a value."""
    for quantity in REGISTERS:
        entries = [entry["norm"] for entry in record["expect"]["records"] if is_register(entry, quantity)]
        if len(entries) == 1 and entries[0]["value"] is not None and entries[0]["unit"] in UNITS:
            yield quantity, to_travel_unit(Amount(Decimal(entries[0]["value"]), entries[0]["unit"]))


def meter_of(record):
    return f"{record['expect']['manufacturer']}-{record['expect']['id']}"


def rounds(telegrams):
    """The same meter may have sent several telegrams: the k-th of each is replayed in slot k."""
    by_meter = defaultdict(list)
    for record in telegrams:
        by_meter[meter_of(record)].append(record)
    for turn in range(max(map(len, by_meter.values()))):
        yield [records[turn] for records in by_meter.values() if turn < len(records)]


async def replay(record, stack, masters):
    """A slave that answers every request with its one telegram; gives its port."""
    telegram = bytes.fromhex(record["hex"])

    async def answer(reader, writer):
        masters.append(asyncio.current_task())
        frames = LinkReader()
        while octets := await reader.read(256):
            frames.receive_data(octets)
            while (frame := frames.next_event()) is not NEED_DATA:
                wants_data = not isinstance(frame, LongFrame) and getattr(frame, "control", 0) & 0x4F == 0x4B
                writer.write(telegram if wants_data else b"\xe5")
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
    return server.sockets[0].getsockname()[1]


def gateway_config(clock, socket, ports):
    text = [
        f'[gateway]\nname = "replay"\nspread = "0s"\nclock = "stepped:{clock}"\n[mqtt]\nsocket = "{socket}"\n'
    ]
    for number, (record, port) in enumerate(ports):
        address = int(record["expect"]["a"], 16)
        text.append(f'[[line]]\nname = "line-{number}"\nprotocol = "mbus"\nlink = "tcp://127.0.0.1:{port}"\n')
        text.append(f'[[line.meter]]\nid = "{meter_of(record)}"\n')
        text.append("" if address == BROADCAST else f"address = {address}\n")
    return "".join(text)


async def replay_all(telegrams, folder, broker):
    clock, data = broker.socket.parent / "clock", folder / "data"
    environment = {"KAUKOLUENTA_DATA": str(data)}
    (folder / "collector.toml").write_text(
        f'[collector]\nclock = "stepped:{clock}"\n[mqtt]\nsocket = "{broker.socket}"\n'
    )
    config = folder / "gateway.toml"
    gateway, collector = (
        Child(
            room,
            our_command(room, "run", "--config", str(folder / f"{room}.toml")),
            folder / f"{room}.log",
            environment,
        )
        for room in ("gateway", "collector")
    )
    async with keep_time(clock, FIRST_SLOT) as keeper:
        collector.start()
        try:
            for turn, records in enumerate(rounds(telegrams)):
                async with AsyncExitStack() as stack:
                    masters = []
                    ports = [(record, await replay(record, stack, masters)) for record in records]
                    config.write_text(gateway_config(clock, broker.socket, ports))
                    keeper.step_to(FIRST_SLOT + turn * timedelta(hours=1))
                    gateway.start()
                    async with asyncio.timeout(60):
                        await keeper.least_promise([f"replay/line-{number}" for number in range(len(ports))])
                        while unacknowledged(data / "gateway-replay.db"):
                            await asyncio.sleep(0.02)
                    gateway.stop()
                    await asyncio.gather(*masters)
        except TimeoutError:
            pytest.fail(f"{gateway.last_lines(30)}\n{collector.last_lines()}")
        finally:
            gateway.stop()
            collector.stop()


def test_the_store_holds_what_the_meters_said(telegrams, broker, tmp_path):
    asyncio.run(replay_all(telegrams, tmp_path, broker))
    misses, compared = [], 0
    with closing(open_store("sqlite", tmp_path / "data" / "collector.db", read_only=True)) as store:
        for turn, records in enumerate(rounds(telegrams)):
            slot = FIRST_SLOT + turn * timedelta(hours=1)
            for record in records:
                claims = store.at(slot, [meter_of(record)]).get(meter_of(record), [])
                stored = claims[0].registers if claims else {}
                for quantity, amount in expected_registers(record):
                    compared += 1
                    if stored.get(quantity) != amount:
                        misses.append(
                            f"{record['id']} {quantity}: {stored.get(quantity)} instead of {amount}"
                        )
    assert not misses, "\n".join(misses)
    assert compared > 100
