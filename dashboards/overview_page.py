"""The values of the overview page, and its table as a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from dashboards.csv_file import Cell, CsvFile
from dashboards.figures import local_iso
from dashboards.languages import Language, unit_sign
from dashboards.listing import COLUMNS, Question, listing
from dashboards.network import FLOW, RETURN, MeterStatus, Network, State
from kaukoluenta.quantities import Amount

MOST_SILENT = 8

_BANDS = (("good", Fraction(99, 100)), ("fair", Fraction(95, 100)))
_A_MEGAWATT = 1000
_CSV_HEADING = (
    "column.meter",
    "column.state",
    "meter.last_reading",
    "column.energy",
    "column.unit",
    "column.power",
    "column.unit",
    "column.flow_temperature",
    "column.return_temperature",
    "column.gateway",
    "column.line",
)


def overview_values(network: Network, question: Question, words: Language) -> dict[str, Any]:
    """What `_network.html` needs."""
    power, power_unit, power_decimals = _power(network.power_kw)
    return {
        "network": network,
        "band": band(network.rate),
        "power": power,
        "power_unit": power_unit,
        "power_decimals": power_decimals,
        "listing": listing(network.meters, question),
        "columns": COLUMNS,
        "question": question,
        "states": [state.value for state in State],
        "most_silent": MOST_SILENT,
        "value": lambda status, register: _value(status.register(register), words),
    }


def band(rate: Fraction | None) -> str:
    """How a read rate is called: good from 99 %, fair from 95 %."""
    return next((name for name, least in _BANDS if rate is not None and rate >= least), "poor")


def overview_csv(network: Network, question: Question, words: Language) -> CsvFile:
    """All meters that match, one a row; an energy and a power beside its unit."""
    found = listing(network.meters, question, page_size=max(1, len(network.meters))).rows
    heading = [words.text(key) for key in _CSV_HEADING]
    return CsvFile("meters.csv", heading, (list(_cells(status, words)) for status in found))


def _cells(status: MeterStatus, words: Language) -> Iterator[Cell]:
    yield status.meter
    yield words.text(f"state.{status.state}")
    yield local_iso(status.reading.read_at) if status.reading else None
    for register in ("energy", "power"):
        amount = status.register(register)
        yield amount.value if amount else None
        yield unit_sign(amount.unit) if amount else None
    for register in (FLOW, RETURN):
        amount = status.register(register)
        yield amount.value if amount else None
    yield status.place.gateway if status.place else None
    yield status.place.line if status.place else None


def _power(kw: Fraction | None) -> tuple[Fraction | None, str, int]:
    if kw is None or kw < _A_MEGAWATT:
        return kw, "kW", 1
    return kw / _A_MEGAWATT, "MW", 2


def _value(amount: Amount | None, words: Language) -> str:
    return words.number(amount.value if amount else None)
