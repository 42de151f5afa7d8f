"""The four files of the registry's door: columns, keys, and how a row becomes an entry."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from kaukoluenta.file_door import BadCell, Fault, FileRefused, Row, read_table
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import ENERGY_UNITS
from registry.identity import identity_code
from registry.model import Contract, Customer, CustomerKind, DeliveryPoint, Entry, Installation, Lasting

Kind = TypeVar("Kind", bound=Entry)

_LONGEST_KEY = 64
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Door(Generic[Kind]):
    """One file: `key` names the columns that tell its rows apart."""

    file: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    read: Callable[[Row], Kind]


@dataclass(frozen=True, slots=True)
class Arrived(Generic[Kind]):
    """A file's entries by key, the row of each, and the columns that nobody asked for."""

    file: str
    entries: dict[Hashable, Kind]
    rows: dict[Hashable, int]
    unknown_columns: list[str]


def read_file(door: Door[Kind], octets: bytes) -> Arrived[Kind]:
    """All rows of a file. Raises FileRefused with every fault in it; a key that comes twice is one."""
    table = read_table(door.file, octets, door.columns)
    arrived: Arrived[Kind] = Arrived(door.file, {}, {}, table.unknown_columns)
    for row, entry in table.entries(door.read):
        first = arrived.rows.setdefault(entry.key, row.number)
        arrived.entries[entry.key] = entry
        if first != row.number:
            table.fault(row, ", ".join(door.key), f"Row {first} has the same key.", "Keep one of them.")
    if table.faults:
        raise FileRefused(sorted(table.faults, key=_row))
    return arrived


def _row(fault: Fault) -> int:
    return fault.row


def _customer(row: Row) -> Customer:
    kind = CustomerKind(row.one_of("kind", tuple(CustomerKind)))
    return Customer(
        _key(row, "customer_number"),
        kind,
        row.text("name"),
        _identity_code(row, kind),
        row.optional_text("email"),
        row.optional_text("phone"),
        row.optional_text("address"),
    )


def _delivery_point(row: Row) -> DeliveryPoint:
    return DeliveryPoint(_key(row, "delivery_point"), row.optional_text("line"), row.optional_text("address"))


def _contract(row: Row) -> Contract:
    contract = Contract(
        _key(row, "contract"),
        _key(row, "customer_number"),
        _key(row, "delivery_point"),
        row.instant("valid_from"),
        row.optional_instant("valid_to"),
    )
    _check_order(contract, "valid_from", "valid_to")
    return contract


def _installation(row: Row) -> Installation:
    with row.cell("meter"):
        meter = meter_id(row.text("meter"))
    installation = Installation(
        _key(row, "delivery_point"),
        meter,
        row.instant("installed_at"),
        _optional_number(row, "start_energy"),
        row.optional_instant("removed_at"),
        _optional_number(row, "end_energy"),
        row.one_of("energy_unit", ENERGY_UNITS),
    )
    _check_order(installation, "installed_at", "removed_at")
    if installation.end_energy is not None and installation.removed_at is None:
        raise BadCell(
            "removed_at", "An end_energy without the instant of removal.", "Fill in removed_at too."
        )
    return installation


def _key(row: Row, column: str) -> str:
    """A name that goes into extracts: printable, short, and no formula to a spreadsheet."""
    text = row.text(column)
    if not text.isprintable() or len(text) > _LONGEST_KEY or text.startswith(_FORMULA):
        raise BadCell(
            column,
            "This cannot be a key.",
            f"Use at most {_LONGEST_KEY} printable characters, the first none of {' '.join(_FORMULA)}",
        )
    return text


def _identity_code(row: Row, kind: CustomerKind) -> str | None:
    text = row.optional_text("identity")
    if not text:
        return None
    with row.cell("identity"):
        return identity_code(kind, text)


def _optional_number(row: Row, column: str) -> Decimal | None:
    return row.number_in(column) if row.optional_text(column) else None


def _check_order(entry: Lasting, first: str, last: str) -> None:
    if entry.until < entry.since:
        raise BadCell(last, f"This is before {first}.", f"Write an instant no earlier than {first}.")


CUSTOMERS = Door(
    "customers.csv",
    ("customer_number", "kind", "name", "identity", "email", "phone", "address"),
    ("customer_number",),
    _customer,
)
DELIVERY_POINTS = Door(
    "delivery_points.csv", ("delivery_point", "line", "address"), ("delivery_point",), _delivery_point
)
CONTRACTS = Door(
    "contracts.csv",
    ("contract", "customer_number", "delivery_point", "valid_from", "valid_to"),
    ("contract",),
    _contract,
)
INSTALLATIONS = Door(
    "installations.csv",
    ("delivery_point", "meter", "installed_at", "start_energy", "removed_at", "end_energy", "energy_unit"),
    ("delivery_point", "meter", "installed_at"),
    _installation,
)
FILES = (CUSTOMERS.file, DELIVERY_POINTS.file, CONTRACTS.file, INSTALLATIONS.file)
