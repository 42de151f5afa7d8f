"""The three databases that billing opens: the registry, the readings, and its own books of runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from billing.schema import MIGRATIONS
from billing.settings import BillingSettings
from collector.store import ReadingStore
from collector.store.backends import open_store
from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.database import open_database
from kaukoluenta.runtime.settings import load_settings
from registry.schema import MIGRATIONS as REGISTRY_MIGRATIONS


@dataclass(frozen=True, slots=True)
class Rooms:
    """Open databases; `as_of` is when they were opened."""

    registry: sqlite3.Connection
    store: ReadingStore
    books: sqlite3.Connection
    as_of: datetime


@contextmanager
def open_rooms(config: Path | None) -> Iterator[Rooms]:
    """Raises ConfigurationInvalid when one cannot be used."""
    settings = load_settings(BillingSettings, config).billing
    as_of = open_clock(settings.clock, "billing").now()
    with ExitStack() as open_until_done:
        registry = open_database(
            _path("registry.db", settings.registry_database, "registry_database"), REGISTRY_MIGRATIONS
        )
        open_until_done.enter_context(closing(registry))
        store = open_store(
            settings.store, _path("collector.db", settings.collector_database, "collector_database")
        )
        open_until_done.enter_context(closing(store))
        books = open_database(_path("billing.db", settings.database, "database"), MIGRATIONS)
        open_until_done.enter_context(closing(books))
        yield Rooms(registry, store, books, as_of)


def _path(file: str, configured: Path | None, key: str) -> Path:
    return database_path(file, configured, f"write [billing] {key} in a file given with --config")
