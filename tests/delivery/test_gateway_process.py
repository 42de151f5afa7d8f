"""The gateway as a process: what it keeps under kills, and how it starts and ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from kaukoluenta.gateway_state import GatewayState, decode_state
from kaukoluenta.runtime.mqtt import MqttSession
from kaukoluenta.runtime.settings import MqttSettings
from tests.delivery.running_gateway import (
    HOUR,
    PATIENCE_S,
    START,
    RunningGateway,
    run_beside,
    with_gateway,
)
from tests.polling.fake_bus import FakeBus, late


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
