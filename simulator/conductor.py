"""The demo's conductor: writes ordinary configs, starts the ordinary processes, and steps their clock.

It knows how the processes are called, not what they do. It moves the clock on to the least promise of the
gateway's lines; a process that dies leaves its promise behind, so whoever is killed, the town's time stands
still until he is back and has done his slot.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from kaukoluenta.errors import KaukoluentaError, UsageError
from simulator.broker import Broker, choose_broker
from simulator.chaos import BROKER, COLLECTOR, GATEWAY, Strike
from simulator.check import unacknowledged
from simulator.children import Child, our_command
from simulator.plant import GATEWAY as GATEWAY_NAME
from simulator.plant import Plant, write_gateway_config, write_office_configs
from simulator.timekeeper import TimeKeeper, keep_time
from simulator.town import Town, config_changes

_START_S = 30.0
_SLOT_S = 60.0
_LOOK_AGAIN_S = 0.02
_USUAL_PORT = 8080
_MEMORY = "/dev/shm"  # noqa: S108  only mkdtemp makes anything in it


class DemoFailed(KaukoluentaError):
    """A part of the demo did not come up, or stopped working."""


@contextmanager
def plant_in(out: Path | None) -> Iterator[Plant]:
    """A folder for the plant: `out`, which must be empty and is kept, or one that goes with the demo."""
    if out and out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", remedy="Give --out a new or an empty folder.")
    with ExitStack() as temporary:
        sockets = temporary.enter_context(TemporaryDirectory(prefix="kl-", dir=_in_memory()))
        folder = out or temporary.enter_context(TemporaryDirectory(prefix="kl-plant-"))
        plant = Plant(Path(folder).resolve(), Path(sockets))
        for needed in (plant.folder, plant.data, plant.customer_files, plant.log("x").parent):
            needed.mkdir(parents=True, exist_ok=True)
        yield plant


def _in_memory() -> str | None:
    """Where files live in memory, if there is such a place: on a disk each step of the clock waits for it."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


@dataclass(slots=True)
class Stage:
    """The processes of a town and the clock that they share."""

    town: Town
    plant: Plant
    broker: Broker
    keeper: TimeKeeper
    ports: dict[str, int]
    children: dict[str, Child]
    address: str | None
    changes: list[datetime]

    @property
    def pacers(self) -> list[str]:
        """The names under which the gateway's lines promise."""
        return [f"{GATEWAY_NAME}/{line.name}" for line in self.town.lines]

    async def run_until(self, end: datetime, strikes: list[Strike]) -> AsyncGenerator[datetime, None]:
        """Step through the slots up to `end`; yields each when all lines have done it."""
        slot = 0
        coming_back: list[tuple[int, str]] = []
        while (due := await self._next_promise()) <= end:
            while self.changes and self.changes[0] <= due:
                self._rewrite_config(self.changes.pop(0))
            coming_back = self._revive(coming_back, slot)
            self.keeper.step_to(due)
            for strike in [strike for strike in strikes if strike.slot == slot]:
                coming_back += await self._strike(strike)
            yield due
            slot += 1
        self._revive(coming_back, sys.maxsize)
        await self._next_promise()

    async def settle(self) -> None:
        """Wait until the collector has acknowledged all that the gateway holds."""
        await _until(self._all_acknowledged, _SLOT_S, "the collector to acknowledge every batch", self)

    async def _next_promise(self) -> datetime:
        try:
            async with asyncio.timeout(_SLOT_S):
                return await self.keeper.least_promise(self.pacers)
        except TimeoutError:
            behind = ", ".join(self.keeper.behind(self.pacers))
            raise self.failure(f"Nothing was promised by {behind} for {_SLOT_S:.0f} s.") from None

    def _rewrite_config(self, slot: datetime) -> None:
        write_gateway_config(self.plant, self.broker.mqtt, self.town, self.ports, slot)
        self.children[GATEWAY].stop()
        self.children[GATEWAY].start()

    async def _strike(self, strike: Strike) -> list[tuple[int, str]]:
        """Kill while the slot is being read. The gateway comes back at once, the others some slots later."""
        await asyncio.sleep(0.002 * (strike.slot % 4))
        for victim in strike.victims:
            self.children[victim].kill()
        if GATEWAY in strike.victims:
            self.children[GATEWAY].start()
        return [(strike.slot + strike.down, victim) for victim in strike.victims if victim != GATEWAY]

    def _revive(self, coming_back: list[tuple[int, str]], slot: int) -> list[tuple[int, str]]:
        for due, victim in coming_back:
            if due <= slot:
                self.children[victim].start()
        return [(due, victim) for due, victim in coming_back if due > slot]

    def _all_acknowledged(self) -> bool:
        return unacknowledged(self.plant.gateway_database) == 0

    def failure(self, problem: str) -> DemoFailed:
        told = "\n".join(f"--- {child.name}\n{child.last_lines()}" for child in self.children.values())
        return DemoFailed(problem, remedy=f"The ends of the logs:\n{told}")


@asynccontextmanager
async def stage(
    town: Town, plant: Plant, *, with_pages: bool, broker: str | None = None
) -> AsyncIterator[Stage]:
    """Bring everything up; end every child by its pid when the context ends."""
    children: dict[str, Child] = {}
    async with keep_time(plant.clock, town.start) as keeper:
        try:
            chosen = choose_broker(plant.sockets, broker)
            chosen.child.log = plant.log("broker")
            data = {"KAUKOLUENTA_DATA": str(plant.data)}
            children = {
                "town": Child("town", _town_command(town, plant), plant.log("town")),
                BROKER: chosen.child,
                COLLECTOR: _room("collector", plant.collector_config, plant, data),
                GATEWAY: _room("gateway", plant.gateway_config, plant, data),
            }
            port = _pages_port() if with_pages else 0
            write_office_configs(plant, chosen.mqtt, port)
            if with_pages:
                children["dashboards"] = _room("dashboards", plant.dashboards_config, plant, data)
            address = f"http://127.0.0.1:{port}/" if with_pages else None
            made = Stage(town, plant, chosen, keeper, {}, children, address, config_changes(town))
            for name in [name for name in children if name != GATEWAY]:
                children[name].start()
            await _until(plant.ports_file.exists, _START_S, "the town's meters to listen", made)
            made.ports = json.loads(plant.ports_file.read_text())
            write_gateway_config(plant, chosen.mqtt, town, made.ports, town.start)
            children[GATEWAY].start()
            yield made
        finally:
            for child in reversed(children.values()):
                child.stop()


def _room(room: str, config: Path, plant: Plant, environment: dict[str, str]) -> Child:
    return Child(room, our_command(room, "run", "--config", str(config)), plant.log(room), environment)


def _town_command(town: Town, plant: Plant) -> list[str]:
    size = sum(len(line.meters) for line in town.lines) - (1 if town.exchange else 0)
    return [
        sys.executable, "-m", "simulator", "town",
        "--seed", str(town.seed), "--meters", str(size), "--hours", str(town.hours),
        "--clock", str(plant.clock), "--ports", str(plant.ports_file),
    ]  # fmt: skip


def _pages_port() -> int:
    """The usual port where it is free, else another."""
    for port in (_USUAL_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    raise DemoFailed("No port is free on 127.0.0.1.", remedy="End some program that listens.")


async def _until(done: Callable[[], bool], seconds: float, what: str, made: Stage) -> None:
    """Look again until `done()`."""
    try:
        async with asyncio.timeout(seconds):
            while not done():
                await asyncio.sleep(_LOOK_AGAIN_S)
    except TimeoutError:
        raise made.failure(f"Waited {seconds:.0f} s for {what}.") from None
