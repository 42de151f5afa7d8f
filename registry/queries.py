"""What billing asks of the registry. No answer holds a name, an identity code or an address."""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import Period
from registry.model import Contract, Installation
from registry.records import CONTRACTS, INSTALLATIONS, contract_of, installation_of, stored_instant


def contracts_in(connection: sqlite3.Connection, period: Period) -> list[Contract]:
    """Contracts that are valid during any part of the period, by delivery point, start and contract."""
    rows = connection.execute(
        f"{CONTRACTS} WHERE valid_from < ? AND (valid_to IS NULL OR valid_to > ?)"
        " AND (valid_to IS NULL OR valid_to > valid_from) ORDER BY delivery_point, valid_from, contract",
        (stored_instant(period.end), stored_instant(period.start)),
    )
    return [contract_of(row) for row in rows]


def installations_in(connection: sqlite3.Connection, period: Period) -> dict[str, list[Installation]]:
    """Installations that were there during any part of the period, by delivery point.

    One that was removed in the instant of its installation is there at that instant.
    """
    rows = connection.execute(
        f"{INSTALLATIONS} WHERE installed_at < :end"
        " AND (removed_at IS NULL OR removed_at > :start"
        " OR (removed_at = installed_at AND installed_at >= :start))"
        " ORDER BY delivery_point, installed_at, meter",
        {"start": stored_instant(period.start), "end": stored_instant(period.end)},
    )
    found = defaultdict(list)
    for row in rows:
        found[row[0]].append(installation_of(row))
    return dict(found)


def installed_meters(connection: sqlite3.Connection) -> set[MeterId]:
    """Every meter that any installation names, whenever it was."""
    return {MeterId(meter) for (meter,) in connection.execute("SELECT DISTINCT meter FROM installations")}


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many of each there are."""
    tables = "customers", "identity_codes", "delivery_points", "contracts", "installations"
    counted = "SELECT " + ", ".join(f"(SELECT COUNT(*) FROM {table})" for table in tables)  # noqa: S608
    return dict(zip(tables, connection.execute(counted).fetchone(), strict=True))
