"""Where a process takes its time from: the system, or a conductor that steps it.

A stepped clock is a folder with two entries. `now` is a file holding an ISO instant, replaced by
rename. `waiting` is a Unix socket: a process that sleeps connects, writes `NAME INSTANT` and reads a
line when the instant has come. That request is a promise, "nothing of mine is due before INSTANT", and
stays true whoever dies. Only slots, stamps, retention and quality follow this clock; wire time-outs,
MQTT and reconnects stay in real time, since under a frozen clock they would never fire.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.periods import instant_text

_LONGEST_SLEEP_S = 20.0
_SET_BACK = timedelta(minutes=1)
"""A smaller step back is a correction, and is waited for."""
_RETRY_S = 0.05
_LONGEST_INSTANT = 64


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    async def sleep_until(self, instant: datetime) -> None:
        """Return when `now() >= instant`, at once if it is already; earlier when the clock was set back."""


class SystemClock:
    """The machine's clock. Long waits look again now and then, since the clock may be set.

    One that is set back meanwhile ends the wait: what was waited for may now be months away.
    """

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251  the one place

    async def sleep_until(self, instant: datetime) -> None:
        latest = now = self.now()
        while now < instant and now > latest - _SET_BACK:
            latest = max(latest, now)
            await asyncio.sleep(min((instant - now).total_seconds(), _LONGEST_SLEEP_S))
            now = self.now()


class SteppedClock:
    """A clock in `folder`, stepped by another process. `name` marks this process's promises."""

    def __init__(self, folder: Path, name: str) -> None:
        self._now, self._waiting, self._name = folder / "now", folder / "waiting", name

    def now(self) -> datetime:
        """Opened anew, since a step replaces the file; by bare calls, since every answer of a meter asks."""
        file = os.open(self._now, os.O_RDONLY)
        try:
            return datetime.fromisoformat(os.read(file, _LONGEST_INSTANT).decode())
        finally:
            os.close(file)

    async def sleep_until(self, instant: datetime) -> None:
        while self.now() < instant:
            try:
                await self._promise(instant)
            except OSError:
                await asyncio.sleep(_RETRY_S)

    async def _promise(self, instant: datetime) -> None:
        reader, writer = await asyncio.open_unix_connection(str(self._waiting))
        try:
            writer.write(f"{self._name} {instant_text(instant)}\n".encode())
            await writer.drain()
            if not await reader.readline():
                raise ConnectionResetError("the conductor went away")
        finally:
            writer.close()


def open_clock(setting: str, name: str) -> Clock:
    """The clock of a config file: `system`, or `stepped:FOLDER`.

    Raises:
        ConfigurationInvalid: another word, or a folder without a clock in it.
    """
    if setting == "system":
        return SystemClock()
    kind, _, folder = setting.partition(":")
    if kind != "stepped" or not (Path(folder) / "now").is_file():
        raise ConfigurationInvalid(
            f"clock = {setting!r} names no clock.",
            remedy='Write "system", or "stepped:FOLDER" of a conductor.',
        )
    return SteppedClock(Path(folder), name)
