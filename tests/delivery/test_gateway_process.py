"""The gateway as a process: its commands, what it keeps under kills, and how it starts and ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.outbox import MIGRATIONS
from kaukoluenta.payload import GatewayState, decode, decode_state
from kaukoluenta.runtime.database import open_read_only
from kaukoluenta.runtime.mqtt import MqttSession
from kaukoluenta.runtime.settings import MqttSettings
from simulator.timekeeper import TimeKeeper, keep_time
from tests.polling.fake_bus import FakeBus, heat_meter, late, silence

START, HOUR = datetime(2026, 10, 1, tzinfo=UTC), timedelta(hours=1)
PATIENCE_S = 20


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "gateway", *map(str, arguments)]


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=60, env=environment(), **more
    )


def environment(**more: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("KAUKOLUENTA")} | more


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the path of a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="gw") as name:
        yield Path(name)


def write_config(folder: Path, url: str, mqtt: str = "", *, retries: int = 0, clock: str = "system") -> Path:
    config = folder / "gateway.toml"
    config.write_text(
        f"""
[gateway]
name = "kirkonkyla-1"
every = "1h"
spread = "0s"
retries = {retries}
clock = "{clock}"
database = "{folder}/outbox.db"
[mqtt]
{mqtt}
[[line]]
name = "boiler-house"
protocol = "mbus"
link = "{url}"
timeout_s = 0.2
[[line.meter]]
id = "KAM-00000017"
address = 17
[[line.meter]]
id = "LUG-00000018"
address = 18
area = "keskusta"
"""
    )
    return config


# Commands ------------------------------------------------------------------------------------------


def test_a_config_is_checked_without_connecting_to_anything(folder: Path) -> None:
    done = run("check", "--config", write_config(folder, "tcp://192.0.2.1:10001"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lines"] == [
        {"line": "boiler-house", "protocol": "mbus", "link": "tcp://192.0.2.1:10001", "meters": 2}
    ]


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_config_with_a_misspelt_key_says_file_line_and_remedy(folder: Path, verb: str) -> None:
    config = write_config(folder, "tcp://192.0.2.1:10001")
    config.write_text(config.read_text().replace("address = 17", "adress = 17"))
    done = run(verb, "--config", config)
    line = config.read_text().split("\n").index("adress = 17") + 1
    assert done.returncode == 3
    assert f"{config}:{line}: [line.meter] adress: this key is not known." in done.stderr


FAULTS = [
    ("address = 18", "address = 17", "there twice"),
    ('id = "KAM-00000017"', 'id = "LUG-00000018"', "there twice"),
    ('every = "1h"', 'every = "7h"', "must divide a day"),
    ("tcp://192.0.2.1:10001", "tcp://192.0.2.1", "host and port"),
    ('id = "KAM-00000017"', 'id = "KAM-00000017"\nprofile = "nothing"', "No M-Bus profile"),
    ('id = "KAM-00000017"', 'id = "17"', "three letters"),
    ('clock = "system"', 'clock = "stepped:/nowhere"', "names no clock"),
    ('protocol = "mbus"', 'protocol = "modbus"', "needs a profile"),
]


@pytest.mark.parametrize(("right", "wrong", "told"), FAULTS)
def test_a_config_that_cannot_work_is_refused_before_anything_runs(
    folder: Path, right: str, wrong: str, told: str
) -> None:
    config = write_config(folder, "tcp://192.0.2.1:10001")
    assert right in config.read_text()
    config.write_text(config.read_text().replace(right, wrong))
    done = run("run", "--config", config)
    assert done.returncode == 3
    assert told in done.stderr
    assert not (folder / "outbox.db").exists()


def with_bus(story: Callable[[FakeBus], Awaitable[None]]) -> None:
    """A bus with two meters, in this process; the gateway is another."""

    async def run() -> None:
        kwh = range(100, 200)
        meters = heat_meter("00000017", 17, *kwh), heat_meter("00000018", 18, *kwh, maker="LUG")
        async with FakeBus(*meters).serve() as bus:
            await story(bus)

    asyncio.run(run())


async def run_beside(*arguments: object) -> tuple[int, str, str]:
    """A command that needs the bus of this process to go on meanwhile."""
    child = await asyncio.create_subprocess_exec(
        *command(*arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    out, err = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


def test_a_meter_is_read_as_json(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        config = write_config(folder, bus.url)
        code, out, err = await run_beside("read", "LUG-00000018", "--config", config, "--json")
        answer = json.loads(out)
        assert code == 0, err
        assert answer["registers"] == {
            "energy": {"value": "100", "unit": "kWh"},
            "volume": {"value": "678.90", "unit": "m3"},
        }
        assert (answer["meter"], answer["line"], answer["profile"]) == (
            "LUG-00000018",
            "boiler-house",
            "generic",
        )
        assert (answer["quality"], answer["meter_time"]) == (0, None)
        assert answer["read_at"].endswith("Z")
        assert [octets[:2] for octets in answer["raw"]] == ["68"]
        assert not (folder / "outbox.db").exists()

    with_bus(story)


def test_a_meter_is_read_for_people(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        code, out, _ = await run_beside("read", "KAM-00000017", "--config", write_config(folder, bus.url))
        assert code == 0
        assert [line.split()[1:] for line in out.split("\n") if line.startswith("energy")] == [["100", "kWh"]]

    with_bus(story)


def test_a_meter_that_does_not_answer_is_an_error_with_a_remedy_and_exit_code_4(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        bus.meters[0].misbehaves.extend([silence] * 9)
        config = write_config(folder, bus.url)
        code, out, _ = await run_beside("read", "KAM-00000017", "--config", config, "--json")
        answer = json.loads(out)
        assert (code, answer["meter"], answer["error"]["problem"]) == (4, "KAM-00000017", "no answer")
        assert answer["error"]["remedy"]

    with_bus(story)


def test_a_line_that_is_down_is_an_error_too(folder: Path) -> None:
    config = write_config(folder, "tcp://127.0.0.1:1")
    done = run("read", "KAM-00000017", "--config", config)
    assert (done.returncode, done.stdout) == (4, "")
    assert "line down: Connection refused" in done.stderr


def test_a_meter_that_the_config_does_not_name_is_a_usage_error(folder: Path) -> None:
    done = run("read", "KAM-99999999", "--config", write_config(folder, "tcp://192.0.2.1:10001"))
    assert done.returncode == 2
    assert "KAM-00000017" in done.stderr


def test_telegrams_are_decoded_line_by_line() -> None:
    done = run("decode", input="E5\nnonsense\n")
    assert done.returncode == 0
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["ok", "reject"]


# The running gateway --------------------------------------------------------------------------------


class RunningGateway:
    """A gateway on a stepped clock, beside a bus in this process."""

    def __init__(self, folder: Path, keeper: TimeKeeper, config: Path) -> None:
        self.folder, self.keeper, self.config = folder, keeper, config
        self.child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.child = await asyncio.create_subprocess_exec(
            *command("run", "--config", self.config), stderr=log, env=environment()
        )
        log.close()

    async def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        await self.child.wait()

    async def stop(self) -> int:
        assert self.child is not None
        self.child.terminate()
        return await asyncio.wait_for(self.child.wait(), PATIENCE_S)

    async def next_promise(self) -> datetime:
        return await asyncio.wait_for(self.keeper.least_promise(["kirkonkyla-1/boiler-house"]), PATIENCE_S)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def outbox(self) -> list[Any]:
        """All batches, by reading the file as another program would."""
        with closing(open_read_only(self.folder / "outbox.db", MIGRATIONS)) as database:
            rows = database.execute("SELECT seq, octets FROM batches ORDER BY seq").fetchall()
        batches = [decode(octets) for _, octets in rows]
        assert [batch.seq for batch in batches] == [seq for seq, _ in rows]
        return batches


def with_gateway(
    folder: Path, story: Callable[[RunningGateway, FakeBus], Awaitable[None]], mqtt: str = "port = 1"
) -> None:
    async def beside(bus: FakeBus) -> None:
        async with keep_time(folder / "clock", START) as keeper:
            config = write_config(folder, bus.url, mqtt, clock=f"stepped:{folder}/clock")
            gateway = RunningGateway(folder, keeper, config)
            await gateway.start()
            try:
                await story(gateway, bus)
            finally:
                if gateway.child and gateway.child.returncode is None:
                    await gateway.kill()

    with_bus(beside)


def test_a_gateway_without_a_broker_polls_and_keeps(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        for number in range(1, 4):
            assert await gateway.next_promise() == START + number * HOUR
            gateway.keeper.step_to(START + number * HOUR)
        await gateway.next_promise()
        assert await gateway.stop() == 0
        batches = gateway.outbox()
        assert [batch.made_at for batch in batches] == [START + number * HOUR for number in range(4)]
        assert [reading.meter for reading in batches[0].readings] == ["KAM-00000017", "LUG-00000018"]

    with_gateway(folder, story)


def test_a_promise_is_given_only_when_the_slot_is_durable(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        for number in range(1, 6):
            promised = await gateway.next_promise()
            await gateway.kill()
            assert len(gateway.outbox()) == number
            gateway.keeper.step_to(promised)
            await gateway.start()

    with_gateway(folder, story)


def test_killed_at_any_moment_it_reads_each_slot_once_and_none_never(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        slots = 24
        for number in range(1, slots):
            due = await gateway.next_promise()
            gateway.keeper.step_to(due)
            if number % 3 == 0:
                await asyncio.sleep(0.0007 * number)  # another moment of the slot each time
                await gateway.kill()
                await gateway.start()
        await gateway.next_promise()
        assert await gateway.stop() == 0
        readings = [reading for batch in gateway.outbox() for reading in batch.readings]
        told = sorted((reading.read_at, reading.meter) for reading in readings)
        assert told == [
            (START + number * HOUR, meter)
            for number in range(slots)
            for meter in ("KAM-00000017", "LUG-00000018")
        ]
        assert not [batch.missed for batch in gateway.outbox() if batch.missed]

    with_gateway(folder, story)


def test_slots_that_a_dead_gateway_slept_through_are_named(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        await gateway.next_promise()
        await gateway.kill()
        gateway.keeper.step_to(START + 3 * HOUR)
        await gateway.start()
        await gateway.next_promise()
        missed = [missed for batch in gateway.outbox() for missed in batch.missed]
        assert {(one.slot, one.reason) for one in missed} == {
            (START + number * HOUR, "the gateway was not running") for number in (1, 2)
        }
        assert len(missed) == 4
        assert {reading.read_at for reading in gateway.outbox()[-1].readings} == {START + 3 * HOUR}

    with_gateway(folder, story)


def test_two_gateways_over_one_outbox_are_one_too_many(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        await gateway.next_promise()
        code, _, err = await run_beside("run", "--config", gateway.config)
        assert code == 3
        assert "Another gateway runs" in err

    with_gateway(folder, story)


def test_sigterm_in_the_middle_of_a_slot_ends_it_and_the_slot_is_read_again(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        due = await gateway.next_promise()
        bus.meters[1].misbehaves.append(late(600.0))
        gateway.keeper.step_to(due)
        await until(lambda: bus.meters[1].asked == 2)
        assert await gateway.stop() == 0
        assert len(gateway.outbox()) == 1

        await gateway.start()
        await gateway.next_promise()
        assert [batch.readings[0].read_at for batch in gateway.outbox()] == [START, START + HOUR]

    with_gateway(folder, story)


@asynccontextmanager
async def states_of(port: int) -> AsyncIterator[list[GatewayState]]:
    """What the broker tells of the gateway, from what it kept on."""
    states: list[GatewayState] = []
    session = MqttSession(
        MqttSettings(port=port),
        "onlooker",
        subscriptions=["kaukoluenta/v1/kirkonkyla-1/state"],
        on_message=lambda message: (states.append(decode_state(message.payload)), message.acknowledge()),
    )
    session.start()
    try:
        yield states
    finally:
        session.stop()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.01)


def test_a_gateway_says_that_it_goes_and_its_last_will_says_it_for_one_that_is_killed(
    folder: Path, broker: Any
) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        async with states_of(broker.port) as states:
            await until(lambda: states and states[-1].online)
            assert await gateway.stop() == 0
            await until(lambda: not states[-1].online)
            await gateway.start()
            await until(lambda: states[-1].online)
            await gateway.kill()
            await until(lambda: not states[-1].online)

    with_gateway(folder, story, f"port = {broker.port}")


def test_an_outbox_that_breaks_is_repaired_at_the_next_start(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        gateway.keeper.step_to(await gateway.next_promise())
        await gateway.next_promise()
        assert await gateway.stop() == 0
        octets = bytearray((folder / "outbox.db").read_bytes())
        octets[:16] = bytes(16)
        (folder / "outbox.db").write_bytes(octets)
        gateway.keeper.step_to(START + 2 * HOUR)
        await gateway.start()
        await gateway.next_promise()
        assert (folder / "outbox.db.damaged-1").exists()
        assert gateway.outbox()[-1].readings[0].read_at == START + 2 * HOUR
        assert "outbox was broken" in gateway.log()

    with_gateway(folder, story)


def test_signals_that_end_it_are_both_known(folder: Path) -> None:
    async def story(gateway: RunningGateway, bus: FakeBus) -> None:
        await gateway.next_promise()
        assert gateway.child is not None
        gateway.child.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(gateway.child.wait(), PATIENCE_S) == 0

    with_gateway(folder, story)
