"""The gateway as a child process: its command, its config, and one that runs on a stepped clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.delivery.outbox import MIGRATIONS
from kaukoluenta.payload import decode
from kaukoluenta.runtime.database import open_read_only
from simulator.timekeeper import TimeKeeper, keep_time
from tests.polling.fake_bus import FakeBus, heat_meter

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
