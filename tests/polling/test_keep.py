"""Lines that finish together share a commit; a failure reaches each of them, and nothing is half kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gateway.delivery.keep import Keeper
from gateway.delivery.outbox import OutboxDamaged, OutboxFull, SlotOutcome

SLOT = datetime(2026, 10, 1, 3, tzinfo=UTC)


class FakeOutbox:
    """Commits take as long as the test holds them up."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.free = threading.Event()
        self.failure: Exception | None = None

    def commit(self, outcomes: Sequence[SlotOutcome], now: datetime) -> None:
        assert self.free.wait(20)
        if self.failure:
            raise self.failure
        self.commits.append([outcome.line for outcome in outcomes])


async def keep_together(keeper: Keeper, outbox: FakeOutbox, lines: int) -> list[BaseException | None]:
    """The first line's commit is under way when the others come."""
    tasks = []
    for number in range(lines):
        tasks.append(asyncio.create_task(keeper.keep([SlotOutcome(f"line-{number}", SLOT)])))
        await asyncio.sleep(0)
    outbox.free.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_what_comes_during_a_commit_goes_with_the_next_one_all_together() -> None:
    outbox, kept = FakeOutbox(), list[int]()
    keeper = Keeper(outbox, lambda: SLOT, lambda: kept.append(len(outbox.commits)))
    assert asyncio.run(keep_together(keeper, outbox, 5)) == [None] * 5
    assert outbox.commits == [["line-0"], ["line-1", "line-2", "line-3", "line-4"]]
    assert kept == [1, 2], "the publisher is told after each commit, never before"


FAILURES = [OutboxFull("full", remedy=""), OutboxDamaged("broken", remedy=""), ZeroDivisionError("our bug")]


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_reaches_every_line_of_the_commit_and_the_next_is_tried(failure: Exception) -> None:
    outbox, kept = FakeOutbox(), list[int]()
    keeper = Keeper(outbox, lambda: SLOT, lambda: kept.append(1))

    async def story() -> None:
        outbox.failure = failure
        assert await keep_together(keeper, outbox, 3) == [failure] * 3
        assert not kept
        outbox.failure = None
        await keeper.keep([SlotOutcome("again", SLOT)])

    asyncio.run(story())
    assert outbox.commits == [["again"]]


def test_a_line_that_gives_up_waiting_does_not_hold_up_the_others() -> None:
    outbox = FakeOutbox()
    keeper = Keeper(outbox, lambda: SLOT, lambda: None)

    async def story() -> None:
        impatient = asyncio.create_task(keeper.keep([SlotOutcome("impatient", SLOT)]))
        patient = asyncio.create_task(keeper.keep([SlotOutcome("patient", SLOT)]))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        outbox.free.set()
        await patient

    asyncio.run(story())
    assert [line for commit in outbox.commits for line in commit] == ["impatient", "patient"]
