"""The JSON form of a run: the file door's contract for programs. Decimals are plain strings."""

from __future__ import annotations

from typing import Any

from billing.extract import Extract, Refusal, Row
from billing.period_use import Leg
from billing.rounding import plain
from kaukoluenta.periods import instant_text

UNIT = "kWh"
"""The unit of every row's energy, and of every leg's part of it."""


def run_document(name: str, extract: Extract) -> dict[str, Any]:
    return {
        "run": name,
        "period": {"from": instant_text(extract.period.start), "to": instant_text(extract.period.end)},
        "rows": [row_document(row) for row in extract.rows],
        "refused": [refusal_document(refusal) for refusal in extract.refused],
    }


def row_document(row: Row) -> dict[str, Any]:
    return {
        "contract": row.contract,
        "customer_number": row.customer_number,
        "delivery_point": row.delivery_point,
        "from": instant_text(row.since),
        "to": instant_text(row.until),
        "energy": plain(row.energy),
        "unit": UNIT,
        "legs": [_leg_document(leg) for leg in row.legs],
    }


def refusal_document(refusal: Refusal) -> dict[str, Any]:
    return {
        "delivery_point": refusal.delivery_point,
        "contract": refusal.contract,
        "meter": refusal.meter,
        "reason": str(refusal.reason),
        "detail": refusal.detail,
    }


def _leg_document(leg: Leg) -> dict[str, Any]:
    """`start` and `end` are registers in `unit`, the meter's own; `energy` is in the row's unit, kWh."""
    return {
        "meter": leg.meter,
        "from": instant_text(leg.since),
        "to": instant_text(leg.until),
        "start": plain(leg.start),
        "end": plain(leg.end),
        "unit": leg.unit,
        "energy": plain(leg.energy),
    }
