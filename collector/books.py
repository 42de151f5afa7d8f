"""The books: what arrived, from whom, and what was set aside and why. In collector.db, beside the readings.

They are written after the store: a batch that stands here is stored or in quarantine.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from collector.database import available, open_collector_database
from collector.entries import (
    BatchKey,
    Entries,
    GatewayHeard,
    Quarantined,
    SetAside,
    Watched,
)
from collector.sequences import Ranges, acknowledgement, cut, with_seqs
from collector.store.rows import instant_of, microseconds
from kaukoluenta.acknowledgement import Acknowledgement
from kaukoluenta.gateway_state import GatewayState, decode_state, encode_state
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import MOST_OCTETS, Missed, digest_of
from kaukoluenta.runtime.database import transaction

_LONGEST_REASON = 300

_INSERT_EPOCH = "INSERT INTO epoch (gateway, epoch, received) VALUES (?, ?, '[]') ON CONFLICT DO NOTHING"
_INSERT_BATCH = "INSERT INTO batch VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_MISSED = "INSERT INTO missed VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_ASIDE = """
    INSERT INTO quarantine (received_at, place, reason, octets, digest, text) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_REPORTED = """
    INSERT INTO watched (meter, gateway, first_slot, last_slot) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        first_slot = min(ifnull(first_slot, excluded.first_slot), excluded.first_slot),
        last_slot = max(ifnull(last_slot, excluded.last_slot), excluded.last_slot)
"""
_NAMED = """
    INSERT INTO watched (meter, gateway, line, named_since) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        line = excluded.line, named_since = ifnull(named_since, excluded.named_since)
"""
_NAMED_NO_MORE = """
    UPDATE watched SET line = NULL, named_since = NULL
    WHERE gateway = ? AND meter NOT IN (SELECT value FROM json_each(?))
"""
_ONLINE = """
    INSERT INTO gateway VALUES (?, 1, ?, ?)
    ON CONFLICT DO UPDATE SET online = 1, heard_at = excluded.heard_at, state = excluded.state
"""
_OFFLINE = """
    INSERT INTO gateway VALUES (?, 0, ?, ?)
    ON CONFLICT DO UPDATE SET online = 0, heard_at = excluded.heard_at
"""
_DIGEST = """
    SELECT digest FROM batch JOIN epoch ON number = batch.epoch
    WHERE gateway = ? AND epoch.epoch = ? AND seq = ?
"""
_NEWEST_EPOCHS = """
    SELECT gateway, epoch, received FROM epoch
    WHERE number IN (SELECT max(number) FROM epoch GROUP BY gateway) ORDER BY gateway
"""


def open_books(path: Path, *, read_only: bool = False) -> Books:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written it."""
    return Books(open_collector_database(path, read_only=read_only))


class Books:
    """One connection, one thread at a time. Every method may raise StoreUnavailable."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        self._connection.close()

    # Writing ----------------------------------------------------------------------------------------

    def record(self, entries: Entries, received_at: datetime) -> None:
        """Write all entries durably or none. What stands already stays as it is."""
        at = microseconds(received_at)
        with available(), transaction(self._connection):
            self._record_batches(entries.batches, at)
            self._many(_INSERT_MISSED, map(_missed_row, entries.missed))
            self._many(_REPORTED, ((*key, *map(microseconds, slots)) for key, slots in entries.slots.items()))
            self._many(_INSERT_ASIDE, (_aside_row(aside, at) for aside in entries.aside))
            for gateway, state in entries.states:
                self._record_state(gateway, state, at)

    def _record_batches(self, batches: Mapping[BatchKey, bytes], at: int) -> None:
        for gateway, epoch in dict.fromkeys((key.gateway, key.epoch) for key in batches):
            self._connection.execute(_INSERT_EPOCH, (gateway, epoch))
            number, received = self._epoch(gateway, epoch)
            mine = {key.seq: digest for key, digest in batches.items() if key[:2] == (gateway, epoch)}
            self._many(_INSERT_BATCH, ((number, seq, digest, at) for seq, digest in mine.items()))
            self._connection.execute(
                "UPDATE epoch SET received = ? WHERE number = ?",
                (json.dumps(with_seqs(received, mine)), number),
            )

    def _record_state(self, gateway: GatewayName, state: GatewayState, at: int) -> None:
        """The last will says only that the gateway is gone: what it said of itself before is kept."""
        said = (gateway, at, encode_state(state).decode())
        if not state.online:
            self._connection.execute(_OFFLINE, said)
            return
        self._connection.execute(_ONLINE, said)
        named = [(meter, gateway, line, at) for line, meters in state.lines.items() for meter in meters]
        self._connection.execute(_NAMED_NO_MORE, (gateway, json.dumps([row[0] for row in named])))
        self._many(_NAMED, named)

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._connection.executemany(statement, rows)

    # Reading ----------------------------------------------------------------------------------------

    def digests(self, keys: Iterable[BatchKey]) -> dict[BatchKey, bytes]:
        """The digests of those batches that have arrived before."""
        found = {key: self._fetch(_DIGEST, *key) for key in keys}
        return {key: rows[0][0] for key, rows in found.items() if rows}

    def acknowledgement(self, gateway: GatewayName, epoch: str, upto: int | None = None) -> Acknowledgement:
        """What to tell the gateway of an epoch of which something has arrived; of no seq above `upto`."""
        with available():
            ranges = self._epoch(gateway, epoch)[1]
        return self._told(gateway, epoch, ranges if upto is None else cut(ranges, upto))

    def newest_acknowledgements(self) -> list[tuple[GatewayName, Acknowledgement]]:
        """What to tell each gateway of its newest epoch."""
        return [
            (GatewayName(gateway), self._told(gateway, epoch, _ranges(received)))
            for gateway, epoch, received in self._fetch(_NEWEST_EPOCHS)
        ]

    def _told(self, gateway: str, epoch: str, ranges: Ranges) -> Acknowledgement:
        """With the digest by which a gateway sees whether it has been restored."""
        ack = acknowledgement(epoch, ranges)
        found = self._fetch(_DIGEST, gateway, epoch, ack.upto)
        return replace(ack, digest=found[0][0].hex()) if found else ack

    def gateways(self) -> list[GatewayHeard]:
        """All gateways that ever said something of themselves, by name."""
        return [
            GatewayHeard(GatewayName(name), bool(online), instant_of(heard_at), decode_state(state.encode()))
            for name, online, heard_at, state in self._fetch("SELECT * FROM gateway ORDER BY name")
        ]

    def watched(self) -> list[Watched]:
        """Every meter that a gateway has reported or named, by meter."""
        return [
            Watched(MeterId(meter), GatewayName(gateway), line, *map(_instant_or_none, instants))
            for meter, gateway, line, *instants in self._fetch(
                "SELECT * FROM watched ORDER BY meter, gateway"
            )
        ]

    def missed(
        self, start: datetime, end: datetime, only: MeterId | None = None
    ) -> Iterator[tuple[GatewayName, Missed]]:
        """The slots in [start, end) of which a gateway said why it has no reading; by slot, then meter."""
        rows = self._fetch(
            "SELECT * FROM missed WHERE slot >= ? AND slot < ? AND meter = ifnull(?, meter) "
            "ORDER BY slot, meter, gateway",
            microseconds(start),
            microseconds(end),
            only,
        )
        for slot, meter, gateway, reason in rows:
            yield GatewayName(gateway), Missed(MeterId(meter), instant_of(slot), reason)

    def quarantine(self) -> list[Quarantined]:
        """All that was set aside, oldest first."""
        rows = self._fetch(
            "SELECT number, received_at, place, reason, octets, text FROM quarantine ORDER BY number"
        )
        return [Quarantined(number, instant_of(at), *rest) for number, at, *rest in rows]

    def _epoch(self, gateway: GatewayName, epoch: str) -> tuple[int, Ranges]:
        number, received = self._connection.execute(
            "SELECT number, received FROM epoch WHERE gateway = ? AND epoch = ?", (gateway, epoch)
        ).fetchone()
        return number, _ranges(received)

    def _fetch(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with available():
            return self._connection.execute(statement, values).fetchall()


def _ranges(received: str) -> Ranges:
    return [(first, last) for first, last in json.loads(received)]


def _instant_or_none(since_1970: int | None) -> datetime | None:
    return None if since_1970 is None else instant_of(since_1970)


def _missed_row(entry: tuple[GatewayName, Missed]) -> tuple[Any, ...]:
    gateway, missed = entry
    return microseconds(missed.slot), missed.meter, gateway, missed.reason[:_LONGEST_REASON]


def _aside_row(aside: SetAside, at: int) -> tuple[Any, ...]:
    """Octets that are no UTF-8 are written as \\xff: legible, and nothing is lost of them."""
    text = aside.octets[:MOST_OCTETS].decode("utf-8", "backslashreplace")
    reason = aside.reason[:_LONGEST_REASON]
    return at, aside.place, reason, len(aside.octets), digest_of(aside.octets), text
