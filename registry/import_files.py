"""Four files become the registry's new state in one transaction, or nothing of them does.

octets > entries > merged over what is there > checked as a whole > saved. A row whose key is known updates, a
row that is absent stays. Both ends of an exchange may come in one import: only the state after it must hold
together. Messages name file, row and column, never what stands there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaukoluenta.errors import UsageError
from kaukoluenta.file_door import Fault, FileRefused
from kaukoluenta.runtime.database import transaction
from registry.doors import (
    CONTRACTS,
    CUSTOMERS,
    DELIVERY_POINTS,
    FILES,
    INSTALLATIONS,
    Arrived,
    Door,
    Kind,
    read_file,
)
from registry.model import Contract, Customer, DeliveryPoint, Installation, Lasting
from registry.records import Holding, load, same, save
from registry.rules import violations


@dataclass(frozen=True, slots=True)
class Delivery:
    """The four files, read."""

    customers: Arrived[Customer]
    delivery_points: Arrived[DeliveryPoint]
    contracts: Arrived[Contract]
    installations: Arrived[Installation]


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file changed."""

    file: str
    new: int
    changed: int
    unchanged: int
    unknown_columns: list[str]


def read_folder(folder: Path) -> dict[str, bytes]:
    """The octets of the four files by name. Raises UsageError unless all are there."""
    octets, missing = {}, []
    for file in FILES:
        try:
            octets[file] = (folder / file).read_bytes()
        except OSError as error:
            missing.append(f"{folder / file}: {error.strerror}.")
    if missing:
        raise UsageError("\n".join(missing), remedy=f"Give a folder with {', '.join(FILES)}.")
    return octets


def import_files(connection: sqlite3.Connection, octets: Mapping[str, bytes]) -> list[Imported]:
    """Take the four files or nothing of them.

    Raises:
        FileRefused: with all that the rows have wrong, or else all that they would make wrong together.
    """
    delivery = _read_all(octets)
    with transaction(connection):
        before = load(connection)
        _check(_merged(before, delivery), delivery)
        return [
            _take(connection, delivery.customers, before.customers),
            _take(connection, delivery.delivery_points, before.delivery_points),
            _take(connection, delivery.contracts, before.contracts),
            _take(connection, delivery.installations, before.installations),
        ]


def _read_all(octets: Mapping[str, bytes]) -> Delivery:
    faults: list[Fault] = []

    def read(door: Door[Kind]) -> Arrived[Kind]:
        try:
            return read_file(door, octets[door.file])
        except FileRefused as refused:
            faults.extend(refused.faults)
            return Arrived(door.file, {}, {}, [])

    delivery = Delivery(read(CUSTOMERS), read(DELIVERY_POINTS), read(CONTRACTS), read(INSTALLATIONS))
    if faults:
        raise FileRefused(faults)
    return delivery


def _merged(before: Holding, delivery: Delivery) -> Holding:
    return Holding(
        {**before.customers, **delivery.customers.entries},
        {**before.delivery_points, **delivery.delivery_points.entries},
        {**before.contracts, **delivery.contracts.entries},
        {**before.installations, **delivery.installations.entries},
    )


def _check(after: Holding, delivery: Delivery) -> None:
    rows = {**delivery.contracts.rows, **delivery.installations.rows}
    faults = [
        Fault(_file(found.entry), rows.get(found.entry.key, 0), found.column, found.what, found.remedy)
        for found in violations(after, rows)
    ]
    if faults:
        raise FileRefused(sorted(dict.fromkeys(faults), key=lambda fault: (fault.file, fault.row)))


def _file(entry: Lasting) -> str:
    return CONTRACTS.file if isinstance(entry, Contract) else INSTALLATIONS.file


def _take(
    connection: sqlite3.Connection, arrived: Arrived[Kind], before: Mapping[Hashable, Kind]
) -> Imported:
    new = [entry for key, entry in arrived.entries.items() if key not in before]
    changed = [
        entry for key, entry in arrived.entries.items() if key in before and not same(entry, before[key])
    ]
    save(connection, [*new, *changed])
    unchanged = len(arrived.entries) - len(new) - len(changed)
    return Imported(arrived.file, len(new), len(changed), unchanged, arrived.unknown_columns)
