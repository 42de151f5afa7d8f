"""Waiting follows the clock that a process was given; a promise is heard before the wait begins."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.periods import instant_text
from kaukoluenta.runtime.clock import SteppedClock, SystemClock, open_clock

AT = datetime(2026, 10, 1, tzinfo=UTC)


def set_now(folder, instant):
    (folder / "next").write_text(instant.isoformat())
    (folder / "next").rename(folder / "now")


def test_a_stepped_clock_shows_what_its_conductor_wrote(tmp_path):
    set_now(tmp_path, AT)
    clock = SteppedClock(tmp_path, "gateway")
    assert clock.now() == AT
    set_now(tmp_path, AT + timedelta(hours=1))
    assert clock.now() == AT + timedelta(hours=1)


def test_sleeping_is_a_promise_and_ends_when_the_instant_has_come(tmp_path):
    set_now(tmp_path, AT)
    promises = []

    async def conductor(reader, writer):
        promises.append((await reader.readline()).decode())
        if len(promises) > 1:  # the first waiter is let down, as by a conductor that dies
            set_now(tmp_path, AT + timedelta(hours=1))
            writer.write(b"go\n")
        writer.close()

    async def sleep():
        server = await asyncio.start_unix_server(conductor, str(tmp_path / "waiting"))
        async with server:
            await SteppedClock(tmp_path, "gateway-1").sleep_until(AT + timedelta(hours=1))

    asyncio.run(sleep())
    assert promises == [f"gateway-1 {instant_text(AT + timedelta(hours=1))}\n"] * 2


def test_an_instant_that_has_come_is_not_waited_for(tmp_path):
    set_now(tmp_path, AT)
    asyncio.run(SteppedClock(tmp_path, "gateway").sleep_until(AT))
    asyncio.run(SystemClock().sleep_until(AT - timedelta(days=3650)))


def test_the_system_clock_is_aware_and_waits(tmp_path):
    clock = SystemClock()
    due = clock.now() + timedelta(milliseconds=20)
    asyncio.run(clock.sleep_until(due))
    assert clock.now() >= due


def test_a_clock_that_is_set_back_ends_a_wait_that_would_now_be_long():
    class SetBack(SystemClock):
        shown = iter([AT, AT - timedelta(days=120)])

        def now(self):
            return next(self.shown)

    asyncio.run(SetBack().sleep_until(AT + timedelta(milliseconds=1)))


@pytest.mark.parametrize("setting", ["", "fast", "stepped:", "stepped:/nowhere"])
def test_a_clock_that_is_not_there_is_a_configuration_error(setting):
    with pytest.raises(ConfigurationInvalid, match="names no clock"):
        open_clock(setting, "gateway")
