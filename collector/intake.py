"""One round of messages made durable: readings into the store, then the books, then what may be acknowledged.

Killed between any two of these steps, the round comes again and changes nothing that stands already.
"""

from __future__ import annotations

import logging
from collections import ChainMap, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path

from collector.books import Books, open_books
from collector.entries import Entries, SetAside
from collector.ingest import Arrived, StateSaid, energy_read, enter, fork, judged, read_message
from collector.store import Added, Arrival, EnergyRead, ReadingStore
from collector.store.backends import open_store
from kaukoluenta.acknowledgement import Acknowledgement
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.reading import Quality, Reading, Source
from kaukoluenta.runtime.clock import Clock
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

Origin = tuple[GatewayName, str]
"""A gateway and its epoch."""


def open_intake(store: str, path: Path, clock: Clock, ahead: timedelta) -> Intake:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written the database."""
    with ExitStack() as opened:
        books = opened.enter_context(closing(open_books(path)))
        readings = opened.enter_context(closing(open_store(store, path)))
        intake = Intake(readings, books, clock, ahead)
        opened.pop_all()
        return intake


class Intake:
    """Store and books of one collector. Every method may raise StoreUnavailable: then nothing counts."""

    def __init__(self, store: ReadingStore, books: Books, clock: Clock, ahead: timedelta) -> None:
        self._store, self._books, self._clock, self._ahead = store, books, clock, ahead
        latest = filter(None, map(energy_read, store.latest(clock.now() + ahead)))
        self._newest: dict[MeterId, EnergyRead] = {read.meter: read for read in latest}

    def close(self) -> None:
        self._store.close()
        self._books.close()

    def take(self, messages: Iterable[tuple[str, bytes]]) -> list[tuple[GatewayName, Acknowledgement]]:
        """Make messages (topic, octets) durable, and say what their gateways may be told now."""
        now = self._clock.now()
        said = [read_message(topic, octets) for topic, octets in messages]
        arrived = [one for one in said if isinstance(one, Arrived)]
        entries = Entries(
            states=[(one.gateway, one.state) for one in said if isinstance(one, StateSaid)],
            aside=[one for one in said if isinstance(one, SetAside)],
        )
        new, forks = self._sorted_out(arrived, entries, now)
        after = self._store_readings(new, entries, now)
        self._books.record(entries, now)
        self._newest.update(after)
        _log_aside(entries.aside)
        return self._told(arrived, forks)

    def set_aside(self, topic: str, octets: bytes, reason: str) -> None:
        """Quarantine a message whole. It is not acknowledged end to end: its gateway keeps it."""
        self._books.record(Entries(aside=[SetAside(topic, reason, octets)]), self._clock.now())

    def acknowledgements(self) -> list[tuple[GatewayName, Acknowledgement]]:
        """What every gateway may be told of its newest epoch."""
        return self._books.newest_acknowledgements()

    def _told(
        self, arrived: Iterable[Arrived], forks: Iterable[Arrived]
    ) -> list[tuple[GatewayName, Acknowledgement]]:
        """One acknowledgement an epoch. Before it, of an epoch with a fork, one that ends there.

        By its digest the gateway sees the fork even when a later batch of its own has arrived since.
        """
        ends: dict[Origin, int] = {}
        for one in forks:
            origin = one.key.gateway, one.key.epoch
            ends[origin] = min(one.key.seq, ends.get(origin, one.key.seq))
        told = [
            (gateway, self._books.acknowledgement(gateway, epoch, upto))
            for gateway, epoch in dict.fromkeys((one.key.gateway, one.key.epoch) for one in arrived)
            for upto in ([ends[gateway, epoch], None] if (gateway, epoch) in ends else [None])
        ]
        return [*dict.fromkeys(told)]

    def _sorted_out(
        self, arrived: Sequence[Arrived], entries: Entries, now: datetime
    ) -> tuple[list[Arrived], list[Arrived]]:
        """Those that have not arrived before, in the order in which they were made, and the forks."""
        known = self._books.digests({one.key for one in arrived})
        new, forks = [], []
        for one in arrived:
            if one.key not in known:
                known[one.key] = one.digest
                enter(entries, one, now + self._ahead)
                new.append(one)
            elif known[one.key] != one.digest:
                entries.aside.append(fork(one))
                forks.append(one)
        return sorted(new, key=lambda one: one.key), forks

    def _store_readings(
        self, new: Iterable[Arrived], entries: Entries, now: datetime
    ) -> dict[MeterId, EnergyRead]:
        """One durable `add` for each gateway's epoch. Returns what is newest after them."""
        by_origin: defaultdict[Origin, list[Reading]] = defaultdict(list)
        for one in new:
            by_origin[one.batch.gateway, one.batch.epoch] += one.batch.readings
        after: dict[MeterId, EnergyRead] = {}
        for (gateway, epoch), readings in by_origin.items():
            flagged, newest = judged(readings, now, self._ahead, ChainMap(after, self._newest))
            added = self._store.add(flagged, Arrival(now, f"{gateway}/{epoch}"))
            after |= newest
            _note_slots(entries, gateway, flagged)
            _log_stored(gateway, added, flagged)
        return after


def _note_slots(entries: Entries, gateway: GatewayName, readings: Iterable[Reading]) -> None:
    """Only a live reading of a good clock says that its gateway reads the meter in that slot."""
    for reading in readings:
        if reading.source is Source.LIVE and not reading.quality & Quality.CLOCK_SUSPECT:
            entries.heard_of(reading.meter, gateway, reading.read_at)


def _log_stored(gateway: GatewayName, added: Added, readings: Iterable[Reading]) -> None:
    level = logging.WARNING if added.conflicting else logging.INFO
    counts = fields(gateway=gateway, new=added.new, duplicate=added.duplicate, conflicting=added.conflicting)
    log.log(level, "stored %s", counts)
    for reading in readings:
        if reading.quality & (Quality.CLOCK_SUSPECT | Quality.IMPLAUSIBLE):
            doubtful = fields(
                meter=reading.meter, read_at=instant_text(reading.read_at), quality=int(reading.quality)
            )
            log.warning("doubtful reading kept %s", doubtful)


def _log_aside(aside: Iterable[SetAside]) -> None:
    for one in aside:
        log.warning("set aside %s", fields(place=one.place, reason=one.reason))
