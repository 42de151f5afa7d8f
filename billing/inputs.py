"""Where registry and readings meet: the extract of a period from both, and what does not fit together."""

from __future__ import annotations

import sqlite3

from billing.extract import Extract, make_extract
from collector.store import ReadingStore
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import Period
from kaukoluenta.runtime.database import transaction
from registry.queries import contracts_in, installations_in, installed_meters


def extract_of(period: Period, registry: sqlite3.Connection, store: ReadingStore) -> Extract:
    """Bill a period from the registry as it is now. Raises StoreUnavailable."""
    with transaction(registry):
        contracts, installations = contracts_in(registry, period), installations_in(registry, period)
    return make_extract(period, contracts, installations, store)


def unnamed_meters(period: Period, registry: sqlite3.Connection, store: ReadingStore) -> list[MeterId]:
    """Meters with readings in the period that no installation names, whenever it was."""
    named = installed_meters(registry)
    return [meter for meter in store.meters(period.start, period.end) if meter not in named]
