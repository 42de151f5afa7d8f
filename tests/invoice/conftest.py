"""An office with one month to bill: what hangs where, who pays, and what was read, on a real store."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing.extract import Extract, make_extract
from collector.store import Arrival, Correction
from collector.store.backends import open_store
from kaukoluenta.identifiers import MeterId, meter_id
from kaukoluenta.periods import month, parse_instant
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from registry.model import Contract, Installation

ARRIVAL = Arrival(datetime(2026, 12, 1, tzinfo=UTC), "test")


class Office:
    """Instants are text: a bare date is its local midnight. An empty register is one nobody wrote down."""

    def __init__(self, database: Path) -> None:
        self.store = open_store("sqlite", database)
        self.contracts: list[Contract] = []
        self.installations: list[Installation] = []

    def contract(self, name: str, since: str = "2020-01-01", until: str = "", point: str = "P-1") -> None:
        ends = parse_instant(until) if until else None
        self.contracts.append(Contract(name, f"customer of {name}", point, parse_instant(since), ends))

    def installed(
        self,
        meter: str,
        since: str = "2020-01-01",
        start: str = "",
        until: str = "",
        end: str = "",
        unit: str = "kWh",
        point: str = "P-1",
    ) -> None:
        self.installations.append(
            Installation(
                point,
                meter_id(meter),
                parse_instant(since),
                Decimal(start) if start else None,
                parse_instant(until) if until else None,
                Decimal(end) if end else None,
                unit,
            )
        )

    def read(self, meter: str, at: str, energy: str, unit: str = "kWh", source: str = "live") -> None:
        self.store.add([_reading(meter, at, energy, unit, source)], ARRIVAL)

    def read_volume(self, meter: str, at: str, volume: str) -> None:
        """A reading without its energy register."""
        register = {"volume": Amount(Decimal(volume), "m3")}
        self.store.add([Reading(MeterId(meter), parse_instant(at), Source.LIVE, register)], ARRIVAL)

    def corrected(self, meter: str, at: str, energy: str, unit: str = "kWh", source: str = "manual") -> None:
        self.store.correct(
            [_reading(meter, at, energy, unit, source)], ARRIVAL, Correction("aino", "misread")
        )

    def bill(self, name: str = "2026-10") -> Extract:
        period = month(name)
        there = defaultdict(list)
        for one in self.installations:
            there[one.delivery_point].append(one)
        valid = [one for one in self.contracts if one.since < period.end and one.until > period.start]
        return make_extract(period, valid, there, self.store)


def _reading(meter: str, at: str, energy: str, unit: str, source: str) -> Reading:
    register = {"energy": Amount(Decimal(energy), unit)}
    return Reading(MeterId(meter), parse_instant(at), Source(source), register)


@pytest.fixture
def make_office() -> Iterator[Callable[[Path], Office]]:
    """An empty office whose readings lie in the given database."""
    opened: list[Office] = []

    def make(database: Path) -> Office:
        opened.append(Office(database))
        return opened[-1]

    yield make
    for office in opened:
        office.store.close()


@pytest.fixture
def new_office(tmp_path: Path, make_office: Callable[[Path], Office]) -> Callable[[], Office]:
    """For hypothesis: an empty office for each example."""
    numbers = itertools.count()
    return lambda: make_office(tmp_path / f"{next(numbers)}.db")


@pytest.fixture
def office(new_office: Callable[[], Office]) -> Office:
    return new_office()


@pytest.fixture
def simple(office: Office) -> Office:
    """One contract, one meter, 100 kWh at the start of October and 350.5 at its end."""
    office.contract("S-1")
    office.installed("KAM-00000001")
    office.read("KAM-00000001", "2026-10-01", "100")
    office.read("KAM-00000001", "2026-11-01", "350.5")
    return office
