"""Opening registry.db, and saying what its trouble means: it cannot be used now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.runtime.database import open_database
from registry.schema import MIGRATIONS


class DatabaseUnavailable(KaukoluentaError):
    """A database that was opened and cannot be used: full, locked or damaged. Nothing was written."""


@contextmanager
def open_registry(path: Path) -> Iterator[sqlite3.Connection]:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written it."""
    with closing(open_database(path, MIGRATIONS)) as connection:
        yield connection


@contextmanager
def available(what: str) -> Iterator[None]:
    """Turn the database's errors into DatabaseUnavailable. They name tables and files, never a value."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailable(
            f"{what} cannot be used now: {error}.",
            remedy="Free the disk, end what locks it, or restore: docs/how-to/back-up-and-restore.md.",
        ) from error
