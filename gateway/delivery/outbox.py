"""The gateway's outbox: every batch on disk, as the bytes that travel, until the collector has stored it.

Insert first, publish later. A commit holds slots' batches and their lines' progress together, so that a
restart neither forgets a slot nor reads one twice. `seq` never returns (AUTOINCREMENT) and `epoch` is made
with the database, so that an outbox made anew is not mistaken for this one. What the collector has not
acknowledged is never deleted: an outbox at its limit takes nothing more and says so.

Every row carries a checksum. A damaged row is never sent: under its seq goes a batch that names the slot as
missed for every meter of its line.

An outbox put back from an old copy would give names that are given already: it begins a new epoch, in which
all that it keeps is sent anew. What the collector holds of it is a duplicate there.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from typing import NamedTuple
from uuid import uuid4
from zlib import crc32

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import MOST_OCTETS, Batch, Missed, encode, renamed, within_limits
from kaukoluenta.periods import BadInstant, instant_text, parse_instant
from kaukoluenta.reading import EARLIEST, Reading
from kaukoluenta.runtime.database import transaction
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

MIGRATIONS = (
    """
    CREATE TABLE identity (epoch TEXT NOT NULL);
    INSERT INTO identity VALUES (lower(hex(randomblob(16))));
    CREATE TABLE batches (
        seq     INTEGER PRIMARY KEY AUTOINCREMENT,
        line    TEXT    NOT NULL,
        slot    TEXT    NOT NULL,
        made_at TEXT    NOT NULL,
        crc     INTEGER NOT NULL,
        octets  BLOB    NOT NULL
    );
    CREATE TABLE progress (line TEXT PRIMARY KEY, slot TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE acknowledged (upto INTEGER NOT NULL);
    INSERT INTO acknowledged VALUES (0);
    """,
)

PRUNED_AT_ONCE = 200
LOST = "lost: its row in the outbox was damaged"
TOO_LARGE = "the reading has more registers than a message may carry"

ROW = """
    SELECT seq, coalesce(CAST(line AS BLOB), x''), coalesce(CAST(slot AS BLOB), x''),
           coalesce(CAST(made_at AS BLOB), x''), crc, coalesce(CAST(octets AS BLOB), x'')
    FROM batches WHERE seq = ?
"""


class OutboxUnavailable(KaukoluentaError):
    """Nothing of the call was written. The caller keeps what it has and tries again."""


class OutboxFull(OutboxUnavailable):
    """The database is at its limit, or the disk is full."""


class OutboxDamaged(KaukoluentaError):
    """The file itself is broken. Opening it again sets it aside and saves what can be read."""


@dataclass(frozen=True, slots=True)
class SlotOutcome:
    """What a line gives for one slot: from every meter a reading or a reason."""

    line: str
    slot: datetime
    readings: tuple[Reading, ...] = ()
    missed: tuple[Missed, ...] = ()


class Row(NamedTuple):
    """A batch as it travels."""

    seq: int
    octets: bytes


class KeptRow(NamedTuple):
    """A row as it lies on disk, in octets: damage may have made anything of it."""

    seq: int
    line: bytes
    slot: bytes
    made_at: bytes
    crc: int
    octets: bytes

    def is_sound(self) -> bool:
        return self.crc == _checksum(*self[:4], self.octets)


class Outbox:
    """One open outbox. Safe to call from several threads.

    Args:
        connection: a database of `MIGRATIONS`, given over.
        lines: the meters of each line, for the loss record of a damaged row.
    """

    def __init__(
        self, connection: sqlite3.Connection, gateway: GatewayName, lines: Mapping[str, Sequence[MeterId]]
    ) -> None:
        self._connection, self._gateway, self._lines = connection, gateway, lines
        self._lock = threading.Lock()
        self.epoch: str = connection.execute("SELECT epoch FROM identity").fetchone()[0]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def commit(self, outcomes: Sequence[SlotOutcome], now: datetime) -> None:
        """Keep the slots' batches and the lines' progress durably, or nothing of it.

        At the database's limit the oldest acknowledged batches make room, whatever their age.

        Raises:
            OutboxUnavailable: the disk refuses; OutboxFull when nothing acknowledged is left to delete.
        """
        while True:
            try:
                with self._writing():
                    for outcome in outcomes:
                        self._insert(outcome, now)
                return
            except OutboxFull:
                if not self._prune("9999"):
                    raise

    def progress(self) -> dict[str, datetime]:
        """The latest slot of each line that is kept here."""
        with self._using() as connection:
            return {line: parse_instant(slot) for line, slot in connection.execute("SELECT * FROM progress")}

    def begin_epoch(self) -> None:
        """Give every batch a new name, from seq 1 on, as if none had ever been sent. Progress stays.

        For an outbox that is older than what it has sent: the old names are given to other batches.
        Commits wait meanwhile.

        Raises:
            OutboxUnavailable: nothing has changed.
        """
        epoch, count = uuid4().hex, 0
        with self._using() as connection:
            with transaction(connection):
                for (seq,) in connection.execute("SELECT seq FROM batches ORDER BY seq").fetchall():
                    count += 1
                    self._rename(seq, epoch, count)
                connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'batches'", (count,))
                connection.execute("UPDATE identity SET epoch = ?", (epoch,))
                connection.execute("UPDATE acknowledged SET upto = 0")
            self.epoch = epoch

    def span(self) -> tuple[int, int]:
        """The oldest seq still kept and the newest ever given: (head + 1, head) when all are pruned."""
        with self._using() as connection:
            head = _head(connection)
            (oldest,) = connection.execute("SELECT min(seq) FROM batches").fetchone()
            return head + 1 if oldest is None else oldest, head

    def rows(self, seqs: Iterable[int]) -> list[Row]:
        """The batches of these numbers. A pruned one is absent."""
        with self._using() as connection:
            kept = [KeptRow(*row) for seq in seqs for row in connection.execute(ROW, (seq,))]
        return [Row(row.seq, row.octets) if row.is_sound() else self._give_up_alone(row) for row in kept]

    def acknowledged(self) -> int:
        """The collector holds everything up to this seq."""
        with self._using() as connection:
            return int(connection.execute("SELECT upto FROM acknowledged").fetchone()[0])

    def acknowledge(self, upto: int) -> None:
        """Note that the collector holds everything up to `upto`. Raises OutboxUnavailable."""
        with self._writing() as connection:
            connection.execute("UPDATE acknowledged SET upto = ?", (upto,))

    def prune(self, before: datetime) -> int:
        """Delete a few acknowledged batches made before an instant, the oldest first; how many."""
        return self._prune(instant_text(before))

    def _insert(self, outcome: SlotOutcome, now: datetime) -> None:
        """Inside a transaction, so that the seq in the bytes is the row's own."""
        readings = tuple(sorted(outcome.readings, key=lambda reading: reading.meter))
        whole = Batch(self._gateway, self.epoch, 0, now, readings, outcome.missed)
        slot = instant_text(outcome.slot)
        for part in within_limits(whole) if readings or outcome.missed else ():
            self._put(outcome.line, slot, replace(_sendable(part), seq=_head(self._connection) + 1))
        self._connection.execute(
            "INSERT INTO progress VALUES (?, ?)"
            " ON CONFLICT (line) DO UPDATE SET slot = excluded.slot WHERE excluded.slot > slot",
            (outcome.line, slot),
        )

    def _put(self, line: str, slot: str, batch: Batch) -> Row:
        return self._write(batch.seq, line, slot, instant_text(batch.made_at), encode(batch))

    def _write(self, seq: int, line: str, slot: str, made_at: str, octets: bytes) -> Row:
        crc = _checksum(seq, line.encode(), slot.encode(), made_at.encode(), octets)
        self._connection.execute(
            "REPLACE INTO batches (seq, line, slot, made_at, crc, octets) VALUES (?, ?, ?, ?, ?, ?)",
            (seq, line, slot, made_at, crc, octets),
        )
        return Row(seq, octets)

    def _rename(self, seq: int, epoch: str, new_seq: int) -> None:
        """Inside a transaction. `new_seq` is not above `seq`, and free if it is below."""
        row = KeptRow(*self._connection.execute(ROW, (seq,)).fetchone())
        if not row.is_sound():
            self._give_up(row)
            row = KeptRow(*self._connection.execute(ROW, (seq,)).fetchone())
        self._connection.execute("DELETE FROM batches WHERE seq = ?", (seq,))
        line, slot, made_at = (text.decode() for text in (row.line, row.slot, row.made_at))
        self._write(new_seq, line, slot, made_at, renamed(row.octets, epoch, new_seq))

    def _prune(self, before: str) -> int:
        with self._writing() as connection:
            oldest = connection.execute(
                "SELECT seq, made_at FROM batches WHERE seq <= (SELECT upto FROM acknowledged)"
                " ORDER BY seq LIMIT ?",
                (PRUNED_AT_ONCE,),
            ).fetchall()
            old = list(takewhile(lambda row: row[1] < before, oldest))
            connection.executemany("DELETE FROM batches WHERE seq = ?", [(seq,) for seq, _ in old])
        return len(old)

    def _give_up_alone(self, row: KeptRow) -> Row:
        with self._writing():
            return self._give_up(row)

    def _give_up(self, row: KeptRow) -> Row:
        """Inside a transaction: put a batch that tells of the loss in a damaged row's place."""
        line, slot = (text.decode("utf-8", "replace") for text in (row.line, row.slot))
        log.error("damaged row %s", fields(seq=row.seq, line=line, slot=slot, remedy="check the disk"))
        try:
            instant = parse_instant(slot)
            missed = tuple(Missed(meter, instant, LOST) for meter in self._lines.get(line, ()))
        except BadInstant:
            instant, missed = EARLIEST, ()
        return self._put(line, slot, Batch(self._gateway, self.epoch, row.seq, instant, (), missed))

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise _refusal(error) from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._using() as connection, transaction(connection):
            yield connection


def _sendable(part: Batch) -> Batch:
    """The batch, or if its only reading is more than may travel, one that says so."""
    if len(part.readings) != 1 or len(encode(part)) <= MOST_OCTETS:
        return part
    (reading,) = part.readings
    return replace(part, readings=(), missed=(Missed(reading.meter, reading.read_at, TOO_LARGE),))


def _head(connection: sqlite3.Connection) -> int:
    found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batches'").fetchone()
    return int(found[0]) if found else 0


def _checksum(seq: int, line: bytes, slot: bytes, made_at: bytes, octets: bytes) -> int:
    return crc32(b"\0".join((str(seq).encode(), line, slot, made_at, octets)))


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, by what SQLite says."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 when the error is not SQLite's but of our use of it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _refusal(error: sqlite3.Error) -> KaukoluentaError:
    if is_damage(error):
        return OutboxDamaged(f"The outbox is damaged: {error}.", remedy="Start the gateway again.")
    if _code(error) == sqlite3.SQLITE_FULL:
        return OutboxFull(
            "The outbox has no room left.", remedy="Free the disk, raise outbox_limit_mb, or mend the uplink."
        )
    return OutboxUnavailable(
        f"The outbox cannot be written: {error}.", remedy="Check the disk and the rights of the file."
    )
