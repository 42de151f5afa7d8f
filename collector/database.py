"""Opening collector.db, and saying what its trouble means: the store cannot be used now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from collector.schema import MIGRATIONS
from collector.store import StoreUnavailable
from kaukoluenta.runtime.database import open_database, open_read_only

_BUSY_TIMEOUT_MS = 2000
"""Writers hold the lock for milliseconds; a longer wait would only delay the end of a process."""


def open_collector_database(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written it."""
    connection = open_read_only(path, MIGRATIONS) if read_only else open_database(path, MIGRATIONS)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    return connection


@contextmanager
def available() -> Iterator[None]:
    """Turn the database's errors into StoreUnavailable."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreUnavailable(
            f"The store cannot be used now: {error}.",
            remedy="Check that its disk has room, that it may be written, and that nobody holds it locked.",
        ) from error
