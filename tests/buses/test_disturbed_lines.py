"""Whatever a bus does to one meter: its reading is its own or none, and nobody else's reading suffers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from gateway.lines.mbus_line import MbusLine
from gateway.lines.mbus_master import MbusMaster
from gateway.links import Link, link_to
from gateway.mbus.dialogue import FrameCount, read_out
from simulator.faults import READABLE, FaultKind
from simulator.heat import HOUR
from simulator.meters import Meter
from tests.buses.simulated_line import (
    METERS,
    NOW,
    ONE,
    TWO,
    UNADDRESSED,
    HeldClock,
    asked,
    disturbed,
    on_a_pty,
    on_tcp,
    outcome,
    slaves,
    told,
    within,
)

PATIENCE_S = 60.0
Served = Callable[..., AbstractAsyncContextManager[str]]

OUTCOMES = {
    FaultKind.SILENT: "NoAnswer",
    FaultKind.GARBLED: "NoAnswer",
    FaultKind.CUT_OFF: "NoAnswer",
    FaultKind.FOREIGN: "Unreadable",
    FaultKind.NOISE: "its own",
    FaultKind.NOISE_INSIDE: "NoAnswer",
    FaultKind.LOST: "NoAnswer",
    FaultKind.COLLISION: "NoAnswer",
    FaultKind.LATE: "NoAnswer",
    FaultKind.ECHO: "its own",
}


def test_every_fault_of_a_bus_is_played_here_and_the_readable_ones_are_read() -> None:
    assert OUTCOMES.keys() == set(FaultKind)
    assert {kind for kind, what in OUTCOMES.items() if what == "its own"} == READABLE & set(FaultKind)


PLAYED = [(kind, victim, on_tcp) for kind in FaultKind for victim in (ONE, TWO)]
PLAYED += [(kind, TWO, on_a_pty) for kind in (FaultKind.ECHO, FaultKind.LATE, FaultKind.LOST)]


@pytest.mark.parametrize(("kind", "victim", "serve"), PLAYED)
def test_a_disturbed_meter_is_read_rightly_or_not_at_all_and_the_others_always(
    kind: FaultKind, victim: Meter, serve: Served
) -> None:
    async def story() -> None:
        clock = HeldClock()
        async with serve(slaves(disturbed(victim, kind)), clock) as url:
            line = MbusLine(told(url))
            for clock.instant in (NOW - HOUR, NOW, NOW + HOUR):
                for meter in METERS:
                    suffers = meter is victim and clock.instant == NOW and kind not in READABLE
                    expected = OUTCOMES[kind] if suffers else "its own"
                    attempts = 1 if suffers else 2
                    assert await outcome(line, meter, clock.instant, attempts) == expected
            await line.close()

    within(PATIENCE_S, story)


UNDER_253 = {**OUTCOMES, FaultKind.FOREIGN: "its own"}
"""At the address of the selected meter anyone may answer; who it was, its header says."""


@pytest.mark.parametrize("kind", FaultKind, ids=lambda kind: kind.name)
def test_a_selected_meter_is_known_by_its_header_and_not_by_its_address(kind: FaultKind) -> None:
    async def story() -> None:
        async with on_tcp(slaves(disturbed(UNADDRESSED, kind)), HeldClock()) as url:
            line = MbusLine(told(url))
            outcomes = [await outcome(line, meter) for meter in (UNADDRESSED, ONE, TWO)]
            assert outcomes == [UNDER_253[kind], "its own", "its own"]
            await line.close()

    within(PATIENCE_S, story)


@pytest.mark.parametrize("serve", [on_tcp, on_a_pty])
@pytest.mark.parametrize("kind", sorted(READABLE & set(FaultKind), key=str), ids=lambda kind: kind.name)
def test_octet_by_octet_it_is_the_same(kind: FaultKind, serve: Served) -> None:
    async def story() -> None:
        line_of_slaves = slaves(*(disturbed(meter, kind) for meter in METERS))
        async with serve(line_of_slaves, HeldClock(), baud=9600) as url:
            line = MbusLine(told(url, timeout_s=None))
            assert [await outcome(line, meter) for meter in METERS] == ["its own"] * len(METERS)
            await line.close()

    within(PATIENCE_S, story)


@pytest.mark.parametrize("following", [TWO, UNADDRESSED], ids=["addressed", "selected"])
def test_a_late_answer_meets_the_next_meter_and_is_never_taken_for_its_own(following: Meter) -> None:
    async def story() -> None:
        clock = HeldClock()
        async with on_tcp(slaves(disturbed(ONE, FaultKind.LATE)), clock) as url:
            line = MbusLine(told(url))
            for _ in range(3):
                assert await outcome(line, ONE) == "NoAnswer"
                assert await outcome(line, following) == "its own"
            await line.close()

    within(PATIENCE_S, story)


@pytest.mark.parametrize("serve", [on_tcp, on_a_pty])
def test_an_answer_is_not_there_before_its_last_bit(serve: Served) -> None:
    """How much later is the machine's affair."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        async with serve(slaves(), HeldClock(), baud=4800) as url:
            line = MbusLine(told(url, timeout_s=None))
            await asked(line, ONE)
            started = loop.time()
            [octets] = (await asked(line, ONE)).raw
            assert loop.time() - started >= (5 + len(octets) + 1) * 11 / 4800
            await line.close()

    within(PATIENCE_S, story)


class Watched:
    """A link that counts how often it was looked at."""

    def __init__(self, link: Link) -> None:
        self.looks, self._link = 0, link

    async def receive(self, timeout_s: float, gather_s: float = 0.0) -> bytes:
        self.looks += 1
        return await self._link.receive(timeout_s, gather_s)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


@pytest.mark.parametrize("serve", [on_tcp, on_a_pty])
def test_octets_that_cannot_be_whole_yet_are_not_looked_at_one_by_one(serve: Served) -> None:
    async def story() -> None:
        async with serve(slaves(), HeldClock(), baud=2400) as url:
            link = Watched(link_to(url))
            dialogue = read_out(ONE.address, FrameCount(bit=True), attempts=1)
            [telegram] = await MbusMaster(link).perform(dialogue)
            assert link.looks < len(telegram.to_bytes()) / 3
            await link.close()

    within(PATIENCE_S, story)
