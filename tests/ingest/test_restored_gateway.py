"""A gateway whose database was put back from a copy: every reading is stored, and stored once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.delivery.outbox import Outbox, SlotOutcome
from gateway.delivery.outbox_file import open_outbox
from gateway.delivery.publish import Publisher
from gateway.settings import GatewaySettings
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Gateway:
    """A gateway's half of the delivery: its outbox, and a publisher when it is online."""

    def __init__(self, folder: Path, mqtt) -> None:
        self.path, self.copy = folder / "gateway.db", folder / "copy.db"
        line = {"name": "boiler-house", "protocol": "mbus", "link": "tcp://h:1", "meter": [{"id": "KAM-1"}]}
        table = {"name": "kirkonkyla-1", "resend_after": "1s"}
        self.settings = GatewaySettings(gateway=table, mqtt=mqtt, line=[line])

    @contextmanager
    def open(self) -> Iterator[Outbox]:
        table = self.settings.gateway
        with closing(open_outbox(self.path, table.name, self.settings.meters(), 64)) as outbox:
            yield outbox

    @contextmanager
    def online(self, outbox: Outbox) -> Iterator[Publisher]:
        publisher = Publisher(self.settings, outbox, lambda: NOON, lambda error: pytest.fail(str(error)))
        publisher.start()
        try:
            yield publisher
        finally:
            publisher.stop()

    def put_the_copy_back(self) -> None:
        for suffix in ("-wal", "-shm", ""):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.copy, self.path)


def read(outbox: Outbox, *hours: int) -> None:
    for hour in hours:
        slot = NOON + hour * HOUR
        reading = Reading("KAM-1", slot, Source.LIVE, {"energy": Amount(Decimal(100 + hour), "kWh")})
        outbox.commit([SlotOutcome("boiler-house", slot, (reading,))], slot)


@pytest.fixture
def restored(tmp_path, broker, collector, until) -> Gateway:
    """Hours 1 to 7 are stored and acknowledged; the gateway's copy knows of 1 to 3."""
    gateway = Gateway(tmp_path, broker.settings)
    with gateway.open() as outbox:
        read(outbox, 1, 2, 3)
    shutil.copy(gateway.path, gateway.copy)
    with gateway.open() as outbox, gateway.online(outbox) as publisher:
        read(outbox, 4, 5, 6, 7)
        publisher.wake()
        until(lambda: outbox.acknowledged() == 7, "all seven acknowledged")
    gateway.put_the_copy_back()
    return gateway


SINCE = [
    pytest.param([], [8, 9], id="newer than the acknowledgement says: its head is behind"),
    pytest.param([8, 9, 10, 11, 12, 13], [14], id="other batches beyond the acknowledged number"),
    pytest.param([7, 8, 9, 10], [11], id="another batch of just the acknowledged number"),
]


@pytest.mark.parametrize(("before_it_connects", "afterwards"), SINCE)
def test_a_restored_gateway_begins_a_new_epoch_and_all_is_stored_once(
    restored, collector, until, caplog, before_it_connects, afterwards
):
    with restored.open() as outbox:
        old = outbox.epoch
        read(outbox, *before_it_connects)
        with restored.online(outbox) as publisher:
            until(lambda: outbox.epoch != old, "a new epoch")
            read(outbox, *afterwards)
            publisher.wake()
            head = 3 + len(before_it_connects) + len(afterwards)
            until(lambda: outbox.acknowledged() == head, "all acknowledged under the new epoch")
    hours = sorted({*range(1, 8), *before_it_connects, *afterwards})
    assert [one.read_at for one in collector.stored()] == [NOON + hour * HOUR for hour in hours]
    assert collector.conflicts() == 0
    assert caplog.text.count("outbox older than what it has sent") == 1


def test_a_restored_gateway_is_found_out_without_a_retained_acknowledgement(
    restored, broker, collector, gateway, until
):
    """The broker forgot the old one, and of what the gateway sends now the last batch is new."""
    gateway.publish(b"", topic="kaukoluenta/v1/kirkonkyla-1/ack", retain=True)
    hours = range(8, 16)
    with restored.open() as outbox:
        old = outbox.epoch
        read(outbox, *hours)
        with restored.online(outbox):
            until(lambda: outbox.epoch != old, "a new epoch")
            until(lambda: outbox.acknowledged() == 3 + len(hours), "all acknowledged")
    assert [one.read_at for one in collector.stored()] == [NOON + hour * HOUR for hour in range(1, 16)]
    assert collector.conflicts() == 0
