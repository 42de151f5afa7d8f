"""A collector as a child, and a gateway's other half: what it sends, and sends again until acknowledged."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from collector.books import open_books
from collector.entries import Quarantined
from collector.store.backends import open_store
from kaukoluenta.acknowledgement import Acknowledgement, decode_acknowledgement
from kaukoluenta.payload import Batch, encode
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from kaukoluenta.runtime.mqtt import Message, MqttSession
from kaukoluenta.runtime.settings import MqttSettings

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
PATIENCE_S = 30


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until something holds; the test fails with `what` if it does not come true."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"never came true: {what}")
        time.sleep(0.01)


def hour(seq: int) -> Reading:
    energy = Amount(Decimal(1000 + seq), "kWh")
    return Reading("KAM-1", NOON + timedelta(hours=seq), Source.LIVE, {"energy": energy})


def hour_batch(seq: int) -> bytes:
    return encode(Batch("kirkonkyla-1", "5f0c", seq, NOON, (hour(seq),)))


class CollectorChild:
    """`kaukoluenta collector run` with its data in a folder of its own."""

    def __init__(self, folder: Path, mqtt: MqttSettings) -> None:
        self.database, self.log = folder / "collector.db", folder / "collector.log"
        where = {"SOCKET": str(mqtt.socket)} if mqtt.socket else {"PORT": str(mqtt.port)}
        variables = {f"KAUKOLUENTA_COLLECTOR__MQTT__{key}": value for key, value in where.items()}
        variables["KAUKOLUENTA_COLLECTOR__MQTT__VERSION"] = mqtt.version
        self._environment = {**os.environ, "KAUKOLUENTA_DATA": str(folder), **variables}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "collector", "run"], env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def stored(self) -> list[Reading]:
        with closing(open_store("sqlite", self.database, read_only=True)) as store:
            return [*store.readings(NOON, NOON + timedelta(days=400))]

    def conflicts(self) -> int:
        with closing(sqlite3.connect(self.database)) as look:
            return int(look.execute("SELECT count(*) FROM conflict").fetchone()[0])

    def quarantine(self) -> list[Quarantined]:
        if not self.database.exists():
            return []
        with closing(open_books(self.database, read_only=True)) as books:
            return books.quarantine()


class GatewayHalf:
    """Sends batches 1 to `last`, and again whatever is not acknowledged end to end. Keeps no disk."""

    def __init__(self, mqtt: MqttSettings) -> None:
        self.upto, self.last = 0, 0
        self.told: list[Acknowledgement] = []
        self._session = MqttSession(
            mqtt, "kirkonkyla-1", subscriptions=["kaukoluenta/v1/kirkonkyla-1/ack"], on_message=self._heard
        )
        self._session.start()

    def batch(self, seq: int) -> bytes:
        return hour_batch(seq)

    def publish(
        self, octets: bytes, topic: str = "kaukoluenta/v1/kirkonkyla-1/readings", retain: bool = False
    ) -> None:
        until(lambda: self._session.publish(topic, octets, retain=retain), "a message handed to the broker")

    def send(self, last: int) -> None:
        for seq in range(self.last + 1, last + 1):
            self.publish(hour_batch(seq))
        self.last = last

    def send_until_acknowledged(self) -> None:
        """As a gateway does it: again what lies above the acknowledgement, after a time without progress."""
        again = time.monotonic() + 1

        def acknowledged() -> bool:
            nonlocal again
            if self.upto < self.last and time.monotonic() > again:
                for seq in range(self.upto + 1, min(self.last, self.upto + 200) + 1):
                    self.publish(hour_batch(seq))
                again = time.monotonic() + 1
            return self.upto >= self.last

        until(acknowledged, "every batch acknowledged end to end")

    def close(self) -> None:
        self._session.stop()

    def _heard(self, message: Message) -> None:
        told = decode_acknowledgement(message.payload)
        self.told.append(told)
        self.upto = max(self.upto, told.missing[0][0] - 1 if told.missing else told.upto)
        message.acknowledge()


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], object], str], None]:
    return until


@pytest.fixture
def start_collector(tmp_path) -> Iterator[Callable[[MqttSettings], CollectorChild]]:
    started: list[CollectorChild] = []

    def start(mqtt: MqttSettings) -> CollectorChild:
        started.append(CollectorChild(tmp_path, mqtt))
        started[-1].start()
        return started[-1]

    yield start
    for child in started:
        child.kill()


@pytest.fixture
def start_gateway() -> Iterator[Callable[[MqttSettings], GatewayHalf]]:
    with ExitStack() as started:
        yield lambda mqtt: started.enter_context(closing(GatewayHalf(mqtt)))


@pytest.fixture
def collector(broker, start_collector) -> CollectorChild:
    return start_collector(broker.settings)


@pytest.fixture
def gateway(broker, start_gateway) -> GatewayHalf:
    return start_gateway(broker.settings)
