"""The town's customers as the four files of the registry's door, as an office would export them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from pathlib import Path

from kaukoluenta.periods import instant_text
from simulator.customers import Customer
from simulator.ledger import register
from simulator.meters import Meter
from simulator.town import Town

Row = Sequence[str]

_CUSTOMERS = [field.name for field in fields(Customer)]
_DELIVERY_POINTS = ["delivery_point", "line", "address"]
_CONTRACTS = ["contract", "customer_number", "delivery_point", "valid_from", "valid_to"]
_INSTALLATIONS = [
    "delivery_point",
    "meter",
    "installed_at",
    "start_energy",
    "removed_at",
    "end_energy",
    "energy_unit",
]


def write_registry_files(town: Town, folder: Path) -> None:
    """Write customers.csv, delivery_points.csv, contracts.csv and installations.csv into `folder`.

    An exchange's registers are those of the ledger. A meter that was there before the town began has none:
    it is never a boundary.
    """
    for name, heading, rows in (
        ("customers.csv", _CUSTOMERS, [astuple(contract.customer) for contract in town.contracts]),
        ("delivery_points.csv", _DELIVERY_POINTS, _delivery_points(town)),
        ("contracts.csv", _CONTRACTS, _contracts(town)),
        ("installations.csv", _INSTALLATIONS, _installations(town)),
    ):
        _write(folder / name, heading, rows)


def _delivery_points(town: Town) -> Iterator[Row]:
    for point in town.delivery_points:
        yield point.name, point.area, point.address


def _contracts(town: Town) -> Iterator[Row]:
    for contract in town.contracts:
        number, point = contract.customer.customer_number, contract.delivery_point
        yield contract.name, number, point, instant_text(contract.valid_from), _instant(contract.valid_to)


def _installations(town: Town) -> Iterator[Row]:
    for point in town.delivery_points:
        for meter in point.meters:
            came_in_town = meter.installed_at >= town.start
            yield (
                point.name,
                meter.id,
                instant_text(meter.installed_at),
                _energy(meter, meter.installed_at if came_in_town else None),
                _instant(meter.removed_at),
                _energy(meter, meter.removed_at),
                meter.layout.energy_unit,
            )


def _instant(instant: datetime | None) -> str:
    return instant_text(instant) if instant else ""


def _energy(meter: Meter, instant: datetime | None) -> str:
    return f"{register(meter, instant).value:f}" if instant else ""


def _write(path: Path, heading: Row, rows: Iterable[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)
