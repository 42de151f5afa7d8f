"""Opening the outbox: its limit, and what happens when the file is broken.

A broken file is set aside under a new name, for people with tools. What is still sound in it goes into a
new outbox with a new epoch: the batches that the collector has not acknowledged (those that it has all the
same are duplicates to it) and how far each line has come. Batches lost with the file are counted in the log.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from gateway.delivery.outbox import MIGRATIONS, ROW, KeptRow, Outbox, SlotOutcome, is_damage
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import Batch, decode
from kaukoluenta.periods import BadInstant, parse_instant
from kaukoluenta.runtime.database import open_database
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

_MIB = 1024 * 1024
_SAVED_AT_ONCE = 200
_SMALLEST_ROW = 128


def open_outbox(
    path: Path, gateway: GatewayName, lines: Mapping[str, Sequence[MeterId]], limit_mb: int
) -> Outbox:
    """Open the outbox at `path`, making, upgrading or repairing it.

    Raises:
        ConfigurationInvalid: not ours to open, or of a newer schema.
    """
    broken = _set_aside(path) if path.exists() and _is_broken(path) else None
    connection = open_database(path, MIGRATIONS)
    page_size = int(connection.execute("PRAGMA page_size").fetchone()[0])
    connection.execute(f"PRAGMA max_page_count = {limit_mb * _MIB // page_size}")
    outbox = Outbox(connection, gateway, lines)
    if broken:
        with closing(sqlite3.connect(broken)) as old:
            saved, lost = _take_over(old, outbox, broken.stat().st_size // _SMALLEST_ROW)
        log.error("outbox was broken %s", fields(kept_as=broken, batches_saved=saved, lost=lost))
    return outbox


def _is_broken(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
    except sqlite3.Error as error:
        return is_damage(error)


def _set_aside(path: Path) -> Path:
    """Rename the database and its log to the first free name; nothing is ever written over."""
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return aside


def _take_over(old: sqlite3.Connection, outbox: Outbox, most: int) -> tuple[int, int]:
    """Copy what is sound and not acknowledged, a few batches a commit; how many, and how many are lost.

    `most`: how many batches a file of this size can hold, whatever a damaged number in it says.
    """
    acknowledged = _first_number(old, "SELECT upto FROM acknowledged")
    head = min(_first_number(old, "SELECT max(seq) FROM batches"), acknowledged + most)
    saved = 0
    for first in range(acknowledged + 1, head + 1, _SAVED_AT_ONCE):
        batches = [
            (row, decode(row.octets))
            for seq in range(first, min(first + _SAVED_AT_ONCE, head + 1))
            for row in (KeptRow(*values) for values in _read(old, ROW, (seq,)))
            if row.is_sound()
        ]
        if batches:
            outbox.commit([_outcome(row, batch) for row, batch in batches], batches[-1][1].made_at)
        saved += len(batches)
    for line, slot in _read(old, "SELECT line, slot FROM progress"):
        with suppress(BadInstant, TypeError):
            instant = parse_instant(slot)
            outbox.commit([SlotOutcome(line, instant)], instant)
    return saved, max(head - acknowledged, 0) - saved


def _outcome(row: KeptRow, batch: Batch) -> SlotOutcome:
    return SlotOutcome(row.line.decode(), parse_instant(row.slot.decode()), batch.readings, batch.missed)


def _first_number(connection: sqlite3.Connection, query: str) -> int:
    number = next((row[0] for row in _read(connection, query)), 0)
    return number if isinstance(number, int) else 0


def _read(connection: sqlite3.Connection, query: str, values: tuple[int, ...] = ()) -> Iterator[Any]:
    """The rows that can still be read."""
    with suppress(sqlite3.Error):
        yield from connection.execute(query, values)
