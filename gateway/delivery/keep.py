"""Lines that finish together share one commit: the disk syncs once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.delivery.outbox import Outbox, SlotOutcome


class Keeper:
    """Brings outcomes from the lines' loops to the outbox, on a thread.

    Args:
        kept: called after each commit.
    """

    def __init__(self, outbox: Outbox, now: Callable[[], datetime], kept: Callable[[], object]) -> None:
        self._outbox, self._now, self._kept = outbox, now, kept
        self._waiting: list[tuple[Sequence[SlotOutcome], asyncio.Future[None]]] = []
        self._commits: asyncio.Task[None] | None = None

    async def keep(self, outcomes: Sequence[SlotOutcome]) -> None:
        """Return when the outcomes are durable.

        Raises:
            OutboxUnavailable, OutboxDamaged: they are not.
        """
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((outcomes, done))
        if self._commits is None:
            self._commits = asyncio.create_task(self._commit_all())
        await done

    async def _commit_all(self) -> None:
        """One commit after another, each with all that has come meanwhile, until nothing waits."""
        while self._waiting:
            together, self._waiting = self._waiting, []
            outcomes = [outcome for some, _ in together for outcome in some]
            failure: Exception | None = None
            try:
                await asyncio.to_thread(self._outbox.commit, outcomes, self._now())
                self._kept()
            except Exception as error:  # handed on: a line that does not know it ends
                failure = error
            for _, done in together:
                if not done.cancelled():
                    done.set_exception(failure) if failure else done.set_result(None)
        self._commits = None
