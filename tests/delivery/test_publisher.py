"""From the outbox through a real broker to a scripted collector: what is not acknowledged is sent again."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.delivery.outbox import Outbox, OutboxDamaged, SlotOutcome
from gateway.delivery.outbox_file import open_outbox
from gateway.delivery.publish import Publisher
from gateway.delivery.window import SIZE
from gateway.settings import GatewaySettings
from kaukoluenta.acknowledgement import Acknowledgement, encode_acknowledgement
from kaukoluenta.gateway_state import GatewayState, decode_state
from kaukoluenta.payload import decode, digest_of
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from kaukoluenta.runtime.mqtt import Message, MqttSession
from kaukoluenta.runtime.settings import MqttSettings
from kaukoluenta.topics import topic

NAME = "kirkonkyla-1"
SLOT = datetime(2026, 10, 1, 3, tzinfo=UTC)
PATIENCE_S = 20.0


def until(true: Callable[[], object], what: str) -> None:
    """Wait for something that another thread or process brings about."""
    give_up = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < give_up, f"still waiting for {what}"
        time.sleep(0.005)


def over_tcp(broker: Any) -> MqttSettings:
    """paho leaves a Unix socket open that nobody listens at; the tests here kill brokers."""
    return MqttSettings(port=broker.port)


class ScriptedCollector:
    """Takes batches and states; acknowledges only what a test tells it to."""

    def __init__(self, broker: Any) -> None:
        self.batches: list[bytes] = []
        self.states: list[GatewayState] = []
        self.connections = 0
        self._session = MqttSession(
            over_tcp(broker),
            "collector",
            subscriptions=[topic("+", "readings"), topic("+", "state")],
            on_message=self._received,
            on_connect=self._connected,
        )
        self._session.start()
        until(lambda: self.connections, "the collector's connection")

    def close(self) -> None:
        self._session.stop()

    def seqs(self) -> list[int]:
        return [decode(batch).seq for batch in self.batches]

    def acknowledge(self, epoch: str, upto: int, *missing: tuple[int, int]) -> None:
        self.say(encode_acknowledgement(Acknowledgement(epoch, upto, missing)))

    def say(self, octets: bytes) -> None:
        until(lambda: self._session.publish(topic(NAME, "ack"), octets, retain=True), "the broker")

    def _connected(self) -> None:
        self.connections += 1

    def _received(self, message: Message) -> None:
        message.acknowledge()
        if message.topic.endswith("/state"):
            self.states.append(decode_state(message.payload))
        else:
            self.batches.append(message.payload)


class Gateway:
    """An outbox and its publisher, whose clock a test sets."""

    def __init__(self, path: Path, broker: Any, **table: Any) -> None:
        values = {"name": NAME, "resend_after": "60s"} | table
        line = {"name": "boiler-house", "protocol": "mbus", "link": "tcp://h:1", "meter": [{"id": "KAM-1"}]}
        self.settings = GatewaySettings(gateway=values, mqtt=over_tcp(broker), line=[line])
        self.outbox: Outbox = open_outbox(path, self.settings.gateway.name, self.settings.meters(), 64)
        self.now = SLOT
        self.damage: list[OutboxDamaged] = []
        self.publisher = Publisher(self.settings, self.outbox, lambda: self.now, self.damage.append)

    def commit(self, count: int = 1) -> None:
        for _ in range(count):
            slot = SLOT + self.outbox.span()[1] * timedelta(hours=1)
            registers = {"energy": Amount(Decimal(100), "kWh")}
            reading = Reading("KAM-1", slot, Source.LIVE, registers)
            self.outbox.commit([SlotOutcome("boiler-house", slot, (reading,))], slot)
        self.publisher.wake()


@contextmanager
def running(path: Path, broker: Any, **table: Any) -> Iterator[Gateway]:
    gateway = Gateway(path, broker, **table)
    with closing(gateway.outbox):
        gateway.publisher.start()
        try:
            yield gateway
        finally:
            gateway.publisher.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def collector(broker: Any) -> Iterator[ScriptedCollector]:
    with closing(ScriptedCollector(broker)) as collector:
        yield collector


def test_a_batch_arrives_as_the_bytes_that_lie_in_the_outbox(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        assert collector.batches == [row.octets for row in gateway.outbox.rows([1, 2, 3])]


def test_what_is_acknowledged_is_noted_for_the_next_start_and_not_sent_again(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        collector.acknowledge(gateway.outbox.epoch, 2)
        until(lambda: gateway.outbox.acknowledged() == 2, "the note")
    with running(path, broker) as gateway:
        until(lambda: len(collector.batches) >= 4, "the third again")
        gateway.commit()
        until(lambda: len(collector.batches) >= 5, "the fourth")
    assert collector.seqs() == [1, 2, 3, 3, 4]


def test_without_an_acknowledgement_everything_goes_again_after_a_while(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker, resend_after="1s") as gateway:
        gateway.commit(2)
        until(lambda: len(collector.batches) >= 4, "both twice")
    assert collector.seqs()[:4] == [1, 2, 1, 2]
    assert collector.batches[:2] == collector.batches[2:4]


def test_a_lost_connection_sends_again_what_nobody_acknowledged(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        push_out(broker, f"kaukoluenta-gateway-{NAME}")
        until(lambda: len(collector.batches) >= 6, "all three again")
    assert collector.seqs()[3:6] == [1, 2, 3]


def push_out(broker: Any, client_id: str) -> None:
    """A broker ends a session when another client comes with its name."""
    connected: list[bool] = []
    other = MqttSession(over_tcp(broker), client_id, on_connect=lambda: connected.append(True))
    other.start()
    until(lambda: connected, "the other's connection")
    other.stop()


def test_a_broker_killed_and_back_without_its_memory_loses_nothing(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(2)
        until(lambda: len(collector.batches) >= 2, "two batches")
        broker.kill()
        gateway.commit(2)
        broker.start()
        until(lambda: set(collector.seqs()) == {1, 2, 3, 4}, "all four")


def test_a_gateway_that_starts_before_its_broker_delivers_when_it_comes(path: Path, broker: Any) -> None:
    broker.kill()
    with running(path, broker) as gateway:
        gateway.commit(2)
        broker.start()
        with closing(ScriptedCollector(broker)) as collector:
            collector.acknowledge(gateway.outbox.epoch, 0)
            until(lambda: set(collector.seqs()) == {1, 2}, "what was kept meanwhile")


def test_a_hole_is_sent_again_at_once_and_nothing_else(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(6)
        until(lambda: len(collector.batches) >= 6, "six batches")
        collector.acknowledge(gateway.outbox.epoch, 6, (2, 2), (4, 5))
        until(lambda: len(collector.batches) >= 9, "the three missing")
        assert collector.seqs()[6:] == [2, 4, 5]
        assert gateway.outbox.acknowledged() <= 1


def test_no_more_than_the_window_is_under_way(path: Path, broker: Any, collector: ScriptedCollector) -> None:
    with running(path, broker) as gateway:
        gateway.commit(SIZE + 30)
        until(lambda: len(collector.batches) >= SIZE, "a full window")
        gateway.commit()
        until(lambda: collector.states, "a state")
        assert sorted(collector.seqs()) == list(range(1, SIZE + 1))
        collector.acknowledge(gateway.outbox.epoch, 100)
        until(lambda: len(collector.batches) >= SIZE + 31, "the rest")
    assert Counter(collector.seqs()) == Counter(range(1, SIZE + 32))


UNBELIEVABLE = [
    pytest.param(b'{"epoch":"another","upto":2}', id="of another epoch"),
    pytest.param(b'{"epoch":"EPOCH","upto":-1}', id="a negative number"),
    pytest.param(b'{"epoch":"EPOCH","upto":NaN}', id="no number"),
    pytest.param(b'{"epoch":"EPOCH","upto":1e999}', id="beyond all numbers"),
    pytest.param(b"\xff\xfe\x00", id="no text"),
    pytest.param(b"[" * 100_000, id="a deep nest"),
    pytest.param(b"", id="nothing"),
]


@pytest.mark.parametrize("octets", UNBELIEVABLE)
def test_an_acknowledgement_that_cannot_be_true_changes_nothing(
    path: Path, broker: Any, collector: ScriptedCollector, octets: bytes
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        collector.say(octets.replace(b"EPOCH", gateway.outbox.epoch.encode()))
        collector.acknowledge(gateway.outbox.epoch, 1)
        until(lambda: gateway.outbox.acknowledged() == 1, "the true acknowledgement")
        gateway.commit()
        until(lambda: len(collector.batches) >= 4, "the next batch")


@pytest.mark.parametrize(
    "told", [{"upto": 999}, {"upto": 2, "digest": "0" * 32}], ids=["beyond the newest batch", "another batch"]
)
def test_a_name_given_to_another_batch_begins_a_new_epoch_but_not_again_at_once(
    path: Path,
    broker: Any,
    collector: ScriptedCollector,
    caplog: pytest.LogCaptureFixture,
    told: dict[str, Any],
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        old = gateway.outbox.epoch
        collector.say(json.dumps({"epoch": old, **told}).encode())
        until(lambda: len(collector.batches) >= 6, "all three again")
        new = [decode(batch) for batch in collector.batches[3:]]
        assert [(batch.epoch, batch.seq) for batch in new] == [
            (gateway.outbox.epoch, seq) for seq in (1, 2, 3)
        ]
        assert [batch.readings for batch in new] == [decode(b).readings for b in collector.batches[:3]]
        until(lambda: collector.states and collector.states[-1].epoch == new[0].epoch, "the new state")
        collector.say(json.dumps({"epoch": new[0].epoch, **told}).encode())
        until(lambda: "an epoch has just begun" in caplog.text, "the refusal")
        collector.acknowledge(new[0].epoch, 1)
        until(lambda: gateway.outbox.acknowledged() == 1, "the true acknowledgement")
        assert gateway.outbox.epoch == new[0].epoch != old


def test_an_acknowledgement_with_the_digest_of_the_batch_is_believed(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(3)
        until(lambda: len(collector.batches) >= 3, "three batches")
        digest = digest_of(collector.batches[1]).hex()
        collector.say(encode_acknowledgement(Acknowledgement(gateway.outbox.epoch, 2, (), digest)))
        until(lambda: gateway.outbox.acknowledged() == 2, "the note")


def test_a_collector_that_lost_its_store_gets_everything_that_is_kept(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(4)
        until(lambda: len(collector.batches) >= 4, "four batches")
        collector.acknowledge(gateway.outbox.epoch, 4)
        until(lambda: gateway.outbox.acknowledged() == 4, "the note")
        collector.acknowledge(gateway.outbox.epoch, 0)
        until(lambda: len(collector.batches) >= 8, "the replay")
    assert collector.seqs()[4:] == [1, 2, 3, 4]


def test_acknowledged_batches_go_when_they_are_old_enough_by_the_gateways_clock(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker, keep_acknowledged="2d") as gateway:
        gateway.commit(5)
        until(lambda: len(collector.batches) >= 5, "five batches")
        gateway.now = SLOT + timedelta(days=2, hours=2, minutes=30)
        collector.acknowledge(gateway.outbox.epoch, 4)
        until(lambda: gateway.outbox.span()[0] == 4, "the three oldest to go")


def test_a_row_damaged_before_it_was_sent_arrives_as_a_loss_that_names_the_meter(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    broker.kill()
    with running(path, broker) as gateway:
        gateway.commit(3)
        with gateway.outbox._writing() as connection:
            connection.execute("UPDATE batches SET octets = x'00' WHERE seq = 2")
        broker.start()
        until(lambda: {1, 2, 3} <= set(collector.seqs()), "all three")
    told = next(batch for batch in map(decode, collector.batches) if batch.seq == 2)
    assert [missed.meter for missed in told.missed] == ["KAM-1"]


def test_the_state_tells_who_is_there_how_far_and_which_meters(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        until(lambda: collector.states, "the state")
        state = collector.states[-1]
        assert (state.online, state.epoch, state.every_s) == (True, gateway.outbox.epoch, 3600)
        assert state.lines == {"boiler-house": ["KAM-1"]}
        gateway.commit(2)
        collector.acknowledge(gateway.outbox.epoch, 1)
        until(lambda: (collector.states[-1].head, collector.states[-1].acknowledged) == (2, 1), "the news")
    until(lambda: not collector.states[-1].online, "the goodbye")


def test_the_state_is_kept_by_the_broker_for_who_comes_later(path: Path, broker: Any) -> None:
    with running(path, broker) as gateway, closing(ScriptedCollector(broker)) as first:
        until(lambda: first.states and first.states[-1].online, "the state")
        with closing(ScriptedCollector(broker)) as late:
            until(lambda: late.states, "the kept state")
            assert late.states[-1].epoch == gateway.outbox.epoch


def test_a_broken_file_is_told_to_whoever_can_start_again(
    path: Path, broker: Any, collector: ScriptedCollector
) -> None:
    with running(path, broker) as gateway:
        gateway.commit(400)
        until(lambda: len(collector.batches) >= SIZE, "a full window")
        with gateway.outbox._using() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA cache_size = 1")
        octets = os.open(path, os.O_RDWR)
        os.pwrite(octets, b"\xff" * (path.stat().st_size - 8192), 8192)
        os.close(octets)
        collector.acknowledge(gateway.outbox.epoch, SIZE)
        until(lambda: gateway.damage, "the damage to be told")
