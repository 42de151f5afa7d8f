"""The keeper of the stepped clock and the clock that processes hold, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from kaukoluenta.errors import KaukoluentaError, UsageError
from kaukoluenta.runtime.clock import SteppedClock, open_clock
from simulator.timekeeper import TimeKeeper, keep_time

START = datetime(2026, 9, 29, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)

Scene = Callable[[TimeKeeper, Path], Coroutine[Any, Any, None]]


def play(scene: Scene) -> None:
    """Run a scene with a keeper at START, in a folder whose path is short enough for a socket."""

    async def run() -> None:
        async with short_folder() as folder, keep_time(folder, START) as keeper, asyncio.timeout(20):
            await scene(keeper, folder)

    asyncio.run(run())


@asynccontextmanager
async def short_folder() -> AsyncIterator[Path]:
    with TemporaryDirectory(prefix="kl-", dir="/tmp") as folder:
        yield Path(folder)


def test_the_clock_shows_what_the_keeper_stepped_to() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        clock = SteppedClock(folder, "gateway")
        assert clock.now() == START == keeper.now
        keeper.step_to(START + HOUR)
        assert clock.now() == START + HOUR == keeper.now

    play(scene)


def test_a_sleeper_promises_and_wakes_when_its_instant_has_come() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        clock = SteppedClock(folder, "gateway")
        sleeper = asyncio.create_task(clock.sleep_until(START + 2 * HOUR))
        assert await keeper.least_promise(["gateway"]) == START + 2 * HOUR
        keeper.step_to(START + HOUR)
        assert not sleeper.done()
        keeper.step_to(START + 2 * HOUR)
        await sleeper
        assert clock.now() == START + 2 * HOUR

    play(scene)


def test_who_sleeps_until_now_does_not_sleep() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        await SteppedClock(folder, "gateway").sleep_until(START)
        assert keeper.promises == {}

    play(scene)


def test_the_least_of_all_promises_counts_and_every_name_must_have_given_one() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        names = ["gateway/harbour", "gateway/school"]
        sleepers = [asyncio.create_task(SteppedClock(folder, names[0]).sleep_until(START + 3 * HOUR))]
        least = asyncio.create_task(keeper.least_promise(names))
        assert await keeper.least_promise(names[:1]) == START + 3 * HOUR
        assert keeper.behind(names) == ["gateway/school"]
        assert not least.done()
        sleepers.append(asyncio.create_task(SteppedClock(folder, names[1]).sleep_until(START + HOUR)))
        assert await least == START + HOUR
        keeper.step_to(START + 3 * HOUR)
        await asyncio.gather(*sleepers)

    play(scene)


def test_a_promise_that_has_come_due_is_none() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        clock = SteppedClock(folder, "gateway")
        sleeper = asyncio.create_task(clock.sleep_until(START + HOUR))
        keeper.step_to(await keeper.least_promise(["gateway"]))
        await sleeper
        assert keeper.behind(["gateway"]) == ["gateway"]
        again = asyncio.create_task(clock.sleep_until(START + 2 * HOUR))
        assert await keeper.least_promise(["gateway"]) == START + 2 * HOUR
        keeper.step_to(START + 2 * HOUR)
        await again

    play(scene)


def test_a_promise_stays_true_when_its_maker_dies_and_he_may_come_back() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        killed = asyncio.create_task(SteppedClock(folder, "gateway").sleep_until(START + HOUR))
        await keeper.least_promise(["gateway"])
        killed.cancel()
        await asyncio.wait([killed])
        assert await keeper.least_promise(["gateway"]) == START + HOUR
        keeper.step_to(START + HOUR)
        assert keeper.behind(["gateway"]) == ["gateway"]
        back = asyncio.create_task(SteppedClock(folder, "gateway").sleep_until(START + 2 * HOUR))
        assert await keeper.least_promise(["gateway"]) == START + 2 * HOUR
        keeper.step_to(START + 2 * HOUR)
        await back

    play(scene)


def test_others_than_the_pacers_sleep_by_the_same_clock() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        collector = asyncio.create_task(SteppedClock(folder, "collector").sleep_until(START + HOUR))
        gateway = asyncio.create_task(SteppedClock(folder, "gateway").sleep_until(START + 5 * HOUR))
        assert await keeper.least_promise(["gateway"]) == START + 5 * HOUR
        await keeper.least_promise(["collector"])
        keeper.step_to(START + 5 * HOUR)
        await asyncio.gather(collector, gateway)

    play(scene)


@pytest.mark.parametrize(
    "nonsense",
    [b"\n", b"gateway\n", b"gateway soon\n", b"\xff\xfe x\n", b"gateway 2026-10-01T00:00:00\n", b"half"],
)
def test_a_line_that_is_no_promise_is_hung_up_on(nonsense: bytes) -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        reader, writer = await asyncio.open_unix_connection(str(folder / "waiting"))
        writer.write(nonsense)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        assert keeper.promises == {}

    play(scene)


def test_the_clock_never_goes_back() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        with pytest.raises(UsageError, match="cannot go back"):
            keeper.step_to(START - HOUR)
        assert keeper.now == START

    play(scene)


def test_sleepers_look_for_a_conductor_who_went_away_until_one_is_back() -> None:
    async def run() -> None:
        async with short_folder() as folder, asyncio.timeout(20):
            async with keep_time(folder, START) as keeper:
                sleeper = asyncio.create_task(SteppedClock(folder, "gateway").sleep_until(START + HOUR))
                await keeper.least_promise(["gateway"])
            async with keep_time(folder, START) as keeper:
                keeper.step_to(await keeper.least_promise(["gateway"]))
                await sleeper

    asyncio.run(run())


def test_a_config_file_names_the_clock_by_its_folder() -> None:
    async def scene(keeper: TimeKeeper, folder: Path) -> None:
        assert open_clock(f"stepped:{folder}", "gateway").now() == START

    play(scene)


def test_a_folder_too_deep_for_a_socket_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async def run() -> None:
        async with keep_time(tmp_path / ("d" * 100), START):
            pass

    with pytest.raises(KaukoluentaError, match="at most 92 octets"):
        asyncio.run(run())
