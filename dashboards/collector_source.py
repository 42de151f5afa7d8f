"""The collector's database as the pages' source: opened for reading only, when it can be.

Whatever is wrong with it (not there yet, of a newer version, damaged) becomes SourceUnavailable, and the
next question opens it again: the pages heal by themselves. So they do when the file is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

from collector.books import Books, open_books
from collector.database import available, open_collector_database
from collector.store import ReadingStore
from collector.store.backends import open_store
from dashboards.network import DEFAULT_STEP, Facts, Place, window
from dashboards.reasons import is_spared
from dashboards.source import SourceUnavailable
from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import MeterId
from kaukoluenta.payload import Missed
from kaukoluenta.reading import Reading

_AFTER = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Opened:
    identity: tuple[int, int]
    schema: int
    store: ReadingStore
    books: Books
    watch: Connection
    closing: ExitStack


@dataclass(frozen=True, slots=True)
class _Lasting:
    """What holds until something is stored."""

    version: int
    latest: list[Reading]
    places: dict[MeterId, Place]


class CollectorSource:
    """A Source over collector.db. One question at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: _Opened | None = None
        self._lasting: _Lasting | None = None

    def close(self) -> None:
        if self._opened:
            self._opened.closing.close()
            self._opened = None

    def version(self) -> int:
        with self._database() as opened:
            return hash((opened.identity, _pragma(opened.watch, "data_version")))

    def facts(self, now: datetime, grace: timedelta) -> Facts:
        """What time alone does not change is read again only when something was stored."""
        start, end = window(now, grace)
        version = self.version()
        with self._database() as opened:
            if self._lasting is None or self._lasting.version != version:
                self._lasting = _Lasting(version, opened.store.latest(now), _places(opened.books))
            missed, spared = _missed_and_spared(opened.books, start, now)
            return Facts(
                now,
                latest=self._lasting.latest,
                places=self._lasting.places,
                tallies=opened.store.coverage(start + _AFTER, end),
                missed=missed,
                spared=spared,
            )

    def series(self, meter: MeterId, start: datetime, end: datetime) -> list[Reading]:
        with self._database() as opened:
            return opened.store.series(meter, start, end)

    def missed(self, meter: MeterId, start: datetime, end: datetime) -> Mapping[datetime, str]:
        with self._database() as opened:
            found = opened.books.missed(start, end + _AFTER, meter)
            return {missed.slot: missed.reason for _, missed in found}

    @contextmanager
    def _database(self) -> Iterator[_Opened]:
        """The database, opened anew when it is another file, was upgraded, or failed the last time."""
        try:
            if self._opened and not _is_the_same(self._opened, self._path):
                self.close()
            self._opened = self._opened or _open(self._path)
            yield self._opened
        except KaukoluentaError as error:
            self.close()
            raise SourceUnavailable(error.problem, remedy=error.remedy) from None


def _open(path: Path) -> _Opened:
    with ExitStack() as closing:
        identity = _identity(path)  # before opening: a file that comes in between is seen the next time
        watch = open_collector_database(path, read_only=True)
        closing.callback(watch.close)
        store = open_store("sqlite", path, read_only=True)
        closing.callback(store.close)
        books = open_books(path, read_only=True)
        closing.callback(books.close)
        schema = _pragma(watch, "user_version")
        return _Opened(identity, schema, store, books, watch, closing.pop_all())


def _is_the_same(opened: _Opened, path: Path) -> bool:
    return (opened.identity, opened.schema) == (_identity(path), _pragma(opened.watch, "user_version"))


def _pragma(connection: Connection, name: str) -> int:
    with available():
        return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise SourceUnavailable(
            f"The database {path} cannot be read: {error.strerror}.",
            remedy="Start the collector, or mend the path and rights.",
        ) from None
    return found.st_dev, found.st_ino


def _places(books: Books) -> dict[MeterId, Place]:
    """Where each meter is polled now. A gateway that is offline still owes its meters' readings.

    A meter that its gateway's state does not name is polled no more; while a gateway never said what it
    names, all are whose slots it told of.
    """
    states = {heard.name: heard.state for heard in books.gateways()}
    places = {}
    for watched in books.watched():
        state = states.get(watched.gateway)
        known_since = [instant for instant in (watched.first_slot, watched.named_since) if instant]
        if known_since and (watched.line or not (state and state.lines)):
            step = timedelta(seconds=state.every_s) if state and state.every_s else DEFAULT_STEP
            places[watched.meter] = Place(watched.gateway, watched.line or "", step, min(known_since))
    return places


def _missed_and_spared(
    books: Books, start: datetime, end: datetime
) -> tuple[dict[MeterId, Missed], dict[MeterId, list[datetime]]]:
    """Each meter's newest missed slot, and those in which it was spared; the books give them by slot."""
    newest: dict[MeterId, Missed] = {}
    spared: dict[MeterId, list[datetime]] = {}
    for _, missed in books.missed(start, end):
        if is_spared(missed.reason):
            spared.setdefault(missed.meter, []).append(missed.slot)
        else:
            newest[missed.meter] = missed
    return newest, spared
