"""`kaukoluenta collector run` beside a real broker: nothing lost, nothing doubled, nothing wedged."""

from __future__ import annotations

import random
import resource
import sqlite3
import time
from contextlib import closing

import pytest

from collector.schema import MIGRATIONS
from kaukoluenta.acknowledgement import Acknowledgement
from kaukoluenta.payload import digest_of
from kaukoluenta.runtime.mqtt import MqttSession

TOPIC = "kaukoluenta/v1/kirkonkyla-1/readings"


@pytest.fixture
def settle(collector, gateway):
    """Wait until all that the gateway sent is acknowledged, and look that it is stored, and stored once."""

    def all_is_stored_once() -> None:
        gateway.send_until_acknowledged()
        stored = [int(one.registers["energy"].value) - 1000 for one in collector.stored()]
        assert stored == [*range(1, gateway.last + 1)]
        assert collector.conflicts() == 0

    return all_is_stored_once


def test_what_arrives_is_stored_acknowledged_and_kept_over_an_orderly_end(collector, gateway, settle):
    gateway.send(30)
    settle()
    assert gateway.told[-1] == Acknowledgement("5f0c", 30, digest=digest_of(gateway.batch(30)).hex())
    assert collector.stop() == 0
    assert "collector stopped" in collector.log.read_text()


def test_duplicates_and_disorder_change_nothing(collector, gateway, settle):
    order = [*range(1, 41)] * 3
    random.Random(3).shuffle(order)
    for seq in order:
        gateway.publish(gateway.batch(seq))
    gateway.last = 40
    settle()
    assert collector.quarantine() == []


def test_a_second_collector_with_the_same_data_is_refused_and_the_first_goes_on(
    broker, start_collector, gateway
):
    first = start_collector(broker.settings)
    gateway.send(5)
    gateway.send_until_acknowledged()
    second = start_collector(broker.settings)
    assert second.process.wait(30) == 3
    assert f"Another collector runs with {second.database}.\nStop it" in second.log.read_text()
    gateway.send(10)
    gateway.send_until_acknowledged()
    assert "broker gone" not in first.log.read_text()
    assert first.stop() == 0


# Sudden ends --------------------------------------------------------------------------------------


def test_a_killed_broker_gets_sessions_and_acknowledgements_anew(broker, collector, gateway, settle, until):
    gateway.send(20)
    settle()
    broker.kill()
    broker.start()
    late = []
    listener = MqttSession(
        broker.settings,
        "late",
        subscriptions=["kaukoluenta/v1/kirkonkyla-1/ack"],
        on_message=lambda message: late.append(message.payload),
    )
    listener.start()
    until(lambda: late, "the acknowledgement is told again without any new batch")
    listener.stop()
    gateway.send(40)
    settle()


def test_a_collector_killed_anywhere_loses_and_doubles_nothing(collector, gateway, settle):
    """Between receiving, storing, writing the books, acknowledging: wherever the kill happens to fall."""
    chance = random.Random(7)
    for round_ in range(1, 13):
        gateway.send(40 * round_)
        time.sleep(chance.uniform(0.0, 0.5))
        collector.kill()
        collector.start()
    settle()
    assert collector.quarantine() == []


def test_broker_and_collector_killed_together_lose_nothing(broker, collector, gateway, settle):
    chance = random.Random(11)
    for round_ in range(1, 5):
        gateway.send(60 * round_)
        time.sleep(chance.uniform(0.1, 0.5))
        broker.kill()
        collector.kill()
        broker.start()
        collector.start()
    settle()


def test_a_broker_that_is_not_there_is_named_and_waited_for(broker, start_collector, start_gateway, until):
    broker.kill()
    collector = start_collector(broker.settings)
    until(lambda: "broker not there" in collector.log.read_text(), "the collector names the broker")
    broker.start()
    gateway = start_gateway(broker.settings)
    gateway.send(3)
    gateway.send_until_acknowledged()
    assert len(collector.stored()) == 3


# A store that cannot take anything ----------------------------------------------------------------


def test_while_the_store_is_locked_nothing_is_acknowledged_and_then_all_is(collector, gateway, settle, until):
    gateway.send(5)
    settle()
    with closing(sqlite3.connect(collector.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        gateway.send(30)
        until(lambda: "nothing acknowledged" in collector.log.read_text(), "the collector says that it waits")
        assert gateway.upto == 5
    settle()


def test_a_full_disk_acknowledges_nothing_and_heals_when_there_is_room(collector, gateway, settle, until):
    gateway.send(5)
    settle()
    limits = resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, (8192, resource.RLIM_INFINITY))
    gateway.send(30)
    until(lambda: "nothing acknowledged" in collector.log.read_text(), "the collector says that it waits")
    assert gateway.upto == 5
    resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, limits)
    settle()


def test_a_newer_database_ends_the_process_with_a_remedy(collector, gateway, settle):
    gateway.send(1)
    settle()
    collector.stop()
    with closing(sqlite3.connect(collector.database)) as hand:
        hand.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    collector.start()
    assert collector.process.wait(30) == 3
    assert "Start the newer program again" in collector.log.read_text()


# What is not ours ---------------------------------------------------------------------------------


def test_poison_of_every_kind_is_set_aside_and_the_stream_goes_on(collector, gateway, settle, until):
    """More of it than the broker sends without a PUBACK (20): an unanswered message would stop the stream."""
    gateway.send(1)
    settle()
    good = gateway.batch(1)
    poison = {
        "not JSON": b"21.5 degC",
        "NaN": good.replace(b"[1001]", b"[NaN]"),
        "no UTF-8": b"\xff\xfe\x00\x00",
        "another gateway's": good.replace(b"kirkonkyla-1", b"asema"),
        "another version": good.replace(b'"v":1', b'"v":9'),
        "a megabyte": b"x" * 1_000_000,
        **{f"number {n}": b"poison %d" % n for n in range(60)},
    }
    for octets in poison.values():
        gateway.publish(octets)
    gateway.publish(b"21.5", topic="kaukoluenta/v1/hall 7/readings")
    gateway.publish(b"up", topic="kaukoluenta/v1/kirkonkyla-1/state")
    gateway.send(10)
    settle()
    until(lambda: len(collector.quarantine()) == len(poison) + 2, "every piece of poison has its row")
    assert {aside.octets for aside in collector.quarantine()} >= {len(octets) for octets in poison.values()}


def test_bad_rows_are_set_aside_under_their_batch_which_is_acknowledged(collector, gateway, settle, until):
    gateway.send(1)
    settle()
    for seq, (old, new) in enumerate(
        [
            (b'14:00:00Z"', b'14:00:00"'),
            (b"2026-10-01T15", b"1970-01-01T15"),
            (b'"live"', b'"guess"'),
            (b"[1005]", b"[100000000000000000000]"),
        ],
        start=2,
    ):
        assert old in gateway.batch(seq)
        gateway.publish(gateway.batch(seq).replace(old, new, 1))
    until(lambda: gateway.upto == 5, "all four batches are acknowledged")
    assert len(collector.stored()) == 1
    assert [aside.place for aside in collector.quarantine()] == [
        f"kirkonkyla-1/5f0c/{seq}" for seq in range(2, 6)
    ]


def test_a_retained_message_that_is_not_ours_is_set_aside_once(collector, gateway, settle, until):
    gateway.publish(b"retained rubbish", retain=True)
    for last in (2, 4):
        gateway.send(last)
        settle()
        until(collector.quarantine, "it is set aside")
        collector.stop()
        collector.start()
    gateway.send(6)
    settle()
    assert [aside.text for aside in collector.quarantine()] == ["retained rubbish"]


def test_other_bytes_under_a_known_name_are_a_fork(collector, gateway, settle, until):
    gateway.send(2)
    settle()
    gateway.publish(gateway.batch(2).replace(b"[1002]", b"[9999]"))
    until(collector.quarantine, "the fork is set aside")
    assert "restored" in collector.quarantine()[0].reason
    gateway.send(3)
    settle()
