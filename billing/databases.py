"""The three databases that billing opens: the registry, the readings, and its own books of runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from billing.schema import MIGRATIONS
from billing.settings import BillingSettings
from collector.store import ReadingStore
from collector.store.backends import open_store
from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.database import available, open_database
from kaukoluenta.runtime.settings import load_settings
from registry.database import open_registry


@dataclass(frozen=True, slots=True)
class Databases:
    """Open databases; `as_of` is when they were opened."""

    registry: sqlite3.Connection
    store: ReadingStore
    books: sqlite3.Connection
    as_of: datetime


@contextmanager
def open_databases(config: Path | None) -> Iterator[Databases]:
    """Raises ConfigurationInvalid when one cannot be used."""
    settings = load_settings(BillingSettings, config).billing
    as_of = open_clock(settings.clock, "billing").now()
    registry_path = _path("registry.db", settings.registry_database, "registry_database")
    readings_path = _path("collector.db", settings.collector_database, "collector_database")
    books_path = _path("billing.db", settings.database, "database")
    with (
        available("A database of billing"),
        open_registry(registry_path) as registry,
        closing(open_store(settings.store, readings_path)) as store,
        closing(open_database(books_path, MIGRATIONS)) as books,
    ):
        yield Databases(registry, store, books, as_of)


def _path(file: str, configured: Path | None, key: str) -> Path:
    return database_path(file, configured, f"write [billing] {key} in a file given with --config")
