"""Opening registry.db."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kaukoluenta.runtime.database import open_database
from registry.schema import MIGRATIONS


@contextmanager
def open_registry(path: Path) -> Iterator[sqlite3.Connection]:
    """Raises ConfigurationInvalid, or DatabaseTooNew when a newer version has written it."""
    with closing(open_database(path, MIGRATIONS)) as connection:
        yield connection
