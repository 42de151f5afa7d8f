"""The worker between broker and store: what it answers, in which order, and when it stays silent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from queue import SimpleQueue

import pytest

from collector.books import open_books
from collector.intake import Intake, open_intake
from collector.schema import MIGRATIONS
from collector.store.backends import open_store
from collector.subscribe import MOST_MESSAGES, Signal, Subscriber
from kaukoluenta.acknowledgement import Acknowledgement, decode_acknowledgement
from kaukoluenta.payload import Batch, encode
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from kaukoluenta.runtime.clock import SystemClock
from kaukoluenta.runtime.database import DatabaseTooNew
from kaukoluenta.runtime.mqtt import Message

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
TOPIC = "kaukoluenta/v1/kirkonkyla-1/readings"


def batch(seq: int) -> bytes:
    reading = Reading(
        "KAM-1", NOON + timedelta(hours=seq), Source.LIVE, {"energy": Amount(Decimal(seq), "kWh")}
    )
    return encode(Batch("kirkonkyla-1", "5f0c", seq, NOON, (reading,)))


class Desk:
    """A subscriber without a broker. Everything that it says is in `said`, in order.

    It stops when it has acknowledged `until` batches end to end. What is acknowledged must be in the store
    already, seen from another connection.
    """

    def __init__(self, path, until: int, open_it=open_intake) -> None:
        self.queue: SimpleQueue[Message | Signal] = SimpleQueue()
        self.said: list[object] = []
        self._until, self._path = until, path
        self.subscriber = Subscriber(
            self.queue, lambda: open_it("sqlite", path, SystemClock(), timedelta(hours=1)), self._publish
        )

    def receive(self, octets: bytes, topic: str = TOPIC) -> None:
        number = self.queue.qsize()
        self.queue.put(Message(topic, octets, lambda: self.said.append(("PUBACK", number))))

    def _publish(self, topic: str, octets: bytes) -> None:
        told = replace(decode_acknowledgement(octets), digest=None)
        missing = sum(last - first + 1 for first, last in told.missing)
        assert told.upto - missing <= stored(self._path)
        self.said.append((topic, told))
        if told.upto >= self._until:
            self.queue.put(Signal.STOP)

    @property
    def told(self) -> list[Acknowledgement]:
        return [told for kind, told in self.said if kind != "PUBACK"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "collector.db"


def stored(path) -> int:
    with closing(open_store("sqlite", path, read_only=True)) as store:
        return len(store.series("KAM-1", NOON, NOON + timedelta(days=30)))


def test_the_broker_is_answered_last_and_in_the_order_of_arrival(path):
    desk = Desk(path, until=3)
    for seq in (2, 3, 1):
        desk.receive(batch(seq))
    desk.subscriber.serve()
    assert desk.said == [
        ("kaukoluenta/v1/kirkonkyla-1/ack", Acknowledgement("5f0c", 3)),
        ("PUBACK", 0),
        ("PUBACK", 1),
        ("PUBACK", 2),
    ]


def test_many_messages_are_cut_into_rounds(path):
    desk = Desk(path, until=2 * MOST_MESSAGES + 1)
    for seq in range(1, 2 * MOST_MESSAGES + 2):
        desk.receive(batch(seq))
    desk.subscriber.serve()
    assert [told.upto for told in desk.told] == [MOST_MESSAGES, 2 * MOST_MESSAGES, 2 * MOST_MESSAGES + 1]


def test_every_gateway_is_told_again_at_every_connect(path):
    first = Desk(path, until=1)
    first.receive(batch(1))
    first.subscriber.serve()
    again = Desk(path, until=1)
    again.queue.put(Signal.CONNECTED)
    again.subscriber.serve()
    assert again.said == [("kaukoluenta/v1/kirkonkyla-1/ack", Acknowledgement("5f0c", 1))]


def test_nothing_is_acknowledged_while_the_store_is_locked(path, caplog):
    open_store("sqlite", path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    silent: list[list[object]] = []

    def open_it(*arguments) -> Intake:
        silent.append([*desk.said])
        if len(silent) == 2:
            other.close()
        return open_intake(*arguments)

    desk = Desk(path, until=1, open_it=open_it)
    desk.receive(batch(1))
    desk.subscriber.serve()
    assert silent == [[], []]
    assert "nothing acknowledged" in caplog.text
    assert desk.told == [Acknowledgement("5f0c", 1)]
    assert stored(path) == 1


def test_a_store_that_is_not_there_is_waited_for(path, caplog):
    path.mkdir()
    tries = []

    def open_it(*arguments) -> Intake:
        tries.append(1)
        if len(tries) == 3:
            path.rmdir()
        return open_intake(*arguments)

    desk = Desk(path, until=1, open_it=open_it)
    desk.receive(batch(1))
    desk.subscriber.prepare()
    desk.subscriber.serve()
    assert len(tries) == 3
    assert "cannot be used" in caplog.text
    assert stored(path) == 1


def test_a_database_of_a_newer_version_is_no_reason_to_wait(path):
    open_store("sqlite", path).close()
    with closing(sqlite3.connect(path)) as hand:
        hand.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(DatabaseTooNew):
        Desk(path, until=1).subscriber.prepare()


class Choking(Intake):
    """An intake with a bug: one message makes it fail."""

    def take(self, messages):
        messages = [*messages]
        if any(b"choke" in octets for _, octets in messages):
            raise ZeroDivisionError("a bug of ours")
        return super().take(messages)


def test_a_message_that_hits_a_bug_is_set_aside_alone_and_answered(path, caplog):
    def open_it(store, path, clock, ahead) -> Intake:
        return Choking(open_store(store, path), open_books(path), clock, ahead)

    desk = Desk(path, until=2, open_it=open_it)
    for octets in (batch(1), b"choke", batch(2)):
        desk.receive(octets)
    desk.subscriber.serve()
    assert [number for kind, number in desk.said if kind == "PUBACK"] == [0, 1, 2]
    assert desk.told[-1] == Acknowledgement("5f0c", 2)
    with closing(open_books(path, read_only=True)) as books:
        (aside,) = books.quarantine()
    assert (aside.text, "ZeroDivisionError" in aside.reason) == ("choke", True)
    assert "a bug of ours" in caplog.text
