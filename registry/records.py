"""Rows of registry.db as entries, and back. An identity code is written beside its customer, never in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from kaukoluenta.identifiers import MeterId
from registry.model import Contract, Customer, CustomerKind, DeliveryPoint, Entry, Installation

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Holding:
    """All that the registry holds, by key."""

    customers: dict[Hashable, Customer]
    delivery_points: dict[Hashable, DeliveryPoint]
    contracts: dict[Hashable, Contract]
    installations: dict[Hashable, Installation]


def load(connection: sqlite3.Connection) -> Holding:
    return Holding(
        {entry.key: entry for entry in map(_customer, connection.execute(_CUSTOMERS))},
        {entry.key: entry for entry in map(_delivery_point, connection.execute(_DELIVERY_POINTS))},
        {entry.key: entry for entry in map(contract_of, connection.execute(CONTRACTS))},
        {entry.key: entry for entry in map(installation_of, connection.execute(INSTALLATIONS))},
    )


def same(entry: Entry, other: Entry) -> bool:
    """Would saving one over the other change nothing? 1.0 and 1.00 differ: resolution is kept."""
    return entry == other and row_of(entry) == row_of(other)


def save(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Write entries over those of the same key. The caller holds the transaction."""
    for entry in entries:
        connection.execute(_SAVE[type(entry)], row_of(entry))
        if isinstance(entry, Customer):
            _save_identity_code(connection, entry)


def row_of(entry: Entry) -> Row:
    match entry:
        case Customer():
            who = entry.customer_number, str(entry.kind), entry.name
            return (*who, entry.email, entry.phone, entry.address)
        case DeliveryPoint():
            return entry.delivery_point, entry.pipe_line, entry.address
        case Contract():
            parties = entry.contract, entry.customer_number, entry.delivery_point
            return (*parties, _text(entry.valid_from), _text(entry.valid_to))
        case Installation():
            return (
                entry.delivery_point,
                entry.meter,
                _text(entry.installed_at),
                _text(entry.start_energy),
                _text(entry.removed_at),
                _text(entry.end_energy),
                entry.energy_unit,
            )


def contract_of(row: tuple[Any, ...]) -> Contract:
    """A row of CONTRACTS."""
    contract, customer_number, delivery_point, valid_from, valid_to = row
    return Contract(
        contract, customer_number, delivery_point, _instant(valid_from), _instant_or_none(valid_to)
    )


def installation_of(row: tuple[Any, ...]) -> Installation:
    """A row of INSTALLATIONS."""
    delivery_point, meter, installed_at, start_energy, removed_at, end_energy, unit = row
    return Installation(
        delivery_point,
        MeterId(meter),
        _instant(installed_at),
        _decimal_or_none(start_energy),
        _instant_or_none(removed_at),
        _decimal_or_none(end_energy),
        unit,
    )


def stored_instant(instant: datetime) -> str:
    """Six decimals always, so that text order is time order."""
    return instant.isoformat(timespec="microseconds")


CONTRACTS = "SELECT contract, customer_number, delivery_point, valid_from, valid_to FROM contracts"
INSTALLATIONS = (
    "SELECT delivery_point, meter, installed_at, start_energy, removed_at, end_energy, energy_unit"
    " FROM installations"
)
_CUSTOMERS = (
    "SELECT customer_number, kind, name, code, email, phone, address"
    " FROM customers LEFT JOIN identity_codes USING (customer_number)"
)
_DELIVERY_POINTS = "SELECT delivery_point, pipe_line, address FROM delivery_points"


def _upsert(table: str, keys: tuple[str, ...], others: tuple[str, ...]) -> str:
    columns = (*keys, *others)
    places = ", ".join("?" * len(columns))
    changes = ", ".join(f"{column} = excluded.{column}" for column in others)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608  names from this file
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


_SAVE: dict[type[Entry], str] = {
    Customer: _upsert("customers", ("customer_number",), ("kind", "name", "email", "phone", "address")),
    DeliveryPoint: _upsert("delivery_points", ("delivery_point",), ("pipe_line", "address")),
    Contract: _upsert(
        "contracts", ("contract",), ("customer_number", "delivery_point", "valid_from", "valid_to")
    ),
    Installation: _upsert(
        "installations",
        ("delivery_point", "meter", "installed_at"),
        ("start_energy", "removed_at", "end_energy", "energy_unit"),
    ),
}


def _save_identity_code(connection: sqlite3.Connection, customer: Customer) -> None:
    connection.execute("DELETE FROM identity_codes WHERE customer_number = ?", (customer.customer_number,))
    if customer.identity_code:
        row = customer.customer_number, customer.identity_code
        connection.execute("INSERT INTO identity_codes VALUES (?, ?)", row)


def _customer(row: tuple[Any, ...]) -> Customer:
    customer_number, kind, *personal = row
    return Customer(customer_number, CustomerKind(kind), *personal)


def _delivery_point(row: tuple[Any, ...]) -> DeliveryPoint:
    return DeliveryPoint(*row)


def _text(value: datetime | Decimal | None) -> str | None:
    if isinstance(value, datetime):
        return stored_instant(value)
    return None if value is None else f"{value:f}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _instant_or_none(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _decimal_or_none(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None
