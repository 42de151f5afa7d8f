"""The conductor's side of the stepped clock (the other is kaukoluenta/runtime/clock.py).

A folder with `now`, replaced by rename, and the Unix socket `waiting`. Who sleeps promises that nothing of
its own is due before an instant; the promise stays true whoever dies, so nobody is asked whether it lives.
A name holds one promise, the last one made: tasks of one process that sleep apart need names of their own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from kaukoluenta.errors import KaukoluentaError, UsageError
from kaukoluenta.periods import instant_text, parse_instant

_LONGEST_SOCKET_PATH = 100  # octets; Linux takes 107, macOS 103


class TimeKeeper:
    """Steps the clock of a folder. Made by `keep_time`."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self._folder = folder
        self._promises: dict[str, datetime] = {}
        self._waiting: list[tuple[datetime, asyncio.StreamWriter]] = []
        self._promised = asyncio.Condition()
        self._write_now(now)

    @property
    def now(self) -> datetime:
        return self._now

    @property
    def promises(self) -> dict[str, datetime]:
        """The last promise of each name; some may have come due."""
        return dict(self._promises)

    async def least_promise(self, names: Collection[str]) -> datetime:
        """Wait until each of these names has promised an instant ahead of now; the least of them.

        A name that is dead and owes work holds this up until it is started again and has done it.
        """
        async with self._promised:
            await self._promised.wait_for(lambda: not self.behind(names))
            return min(self._promises[name] for name in names)

    def behind(self, names: Collection[str]) -> list[str]:
        """Which of these names still owe work at now, or have never been heard."""
        return [name for name in names if self._promises.get(name, self._now) <= self._now]

    def step_to(self, instant: datetime) -> None:
        """Make it `instant`: first for all who look, then wake those who sleep until it."""
        if instant < self._now:
            raise UsageError(f"The clock cannot go back to {instant_text(instant)}.", remedy="Step onwards.")
        self._write_now(instant)
        due = [writer for until, writer in self._waiting if until <= instant]
        self._waiting = [(until, writer) for until, writer in self._waiting if until > instant]
        for writer in due:
            self._wake(writer)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One sleeper's connection: take its promise, and keep it on the line until its instant comes."""
        try:
            name, until = _promise_in(await reader.readline())
        except (ValueError, KaukoluentaError, OSError):
            writer.close()
            return
        async with self._promised:
            self._promises[name] = until
            self._promised.notify_all()
        if until <= self._now:
            self._wake(writer)
        else:
            self._waiting.append((until, writer))

    def hang_up(self) -> None:
        """Let go of every sleeper; each will look for the conductor again."""
        for _, writer in self._waiting:
            writer.close()
        self._waiting.clear()

    def _wake(self, writer: asyncio.StreamWriter) -> None:
        writer.write(instant_text(self._now).encode() + b"\n")
        writer.close()

    def _write_now(self, instant: datetime) -> None:
        new = self._folder / "now.new"
        new.write_text(instant_text(instant), encoding="ascii")
        os.replace(new, self._folder / "now")
        self._now = instant


@asynccontextmanager
async def keep_time(folder: Path, now: datetime) -> AsyncIterator[TimeKeeper]:
    """Keep the clock of `folder` (made when absent) while the context lasts, beginning at `now`.

    Raises:
        UsageError: the folder's path is too long for a Unix socket.
    """
    socket = folder / "waiting"
    if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
        raise UsageError(
            f"The clock's folder {folder} has too long a path for a Unix socket.",
            remedy=f"Take a folder of at most {_LONGEST_SOCKET_PATH - len('/waiting')} octets.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keeper = TimeKeeper(folder, now)
    socket.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(keeper.hear, path=str(socket))
    try:
        yield keeper
    finally:
        server.close()
        keeper.hang_up()
        await server.wait_closed()


def _promise_in(line: bytes) -> tuple[str, datetime]:
    name, _, until = line.decode().strip().rpartition(" ")
    if not name:
        raise ValueError("a promise needs a name and an instant")
    return name, parse_instant(until)
