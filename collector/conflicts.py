"""`collector conflicts`: what was said differently of one meter and instant, and nobody has decided yet."""

from __future__ import annotations

from collections.abc import Iterator

from collector.store import Claim, Conflict
from kaukoluenta.periods import instant_text

HEADINGS = ("meter", "instant", "source", "energy", "unit", "differs in", "received", "origin")


def table_rows(conflict: Conflict) -> Iterator[tuple[str, ...]]:
    """One row a claim, in the order of HEADINGS; the correction that stands says so in its source."""
    for claim in conflict.claims:
        yield (
            conflict.meter,
            instant_text(conflict.read_at),
            f"{claim.reading.source}{' (correction)' if claim.correction else ''}",
            *_energy(claim),
            " ".join(conflict.registers),
            instant_text(claim.arrival.received_at),
            claim.arrival.origin,
        )


def as_json(conflict: Conflict) -> dict[str, object]:
    """Numbers as text in plain notation. `correction` is the reason of the correction that stands."""
    return {
        "meter": conflict.meter,
        "read_at": instant_text(conflict.read_at),
        "differs_in": list(conflict.registers),
        "claims": [_claim_as_json(claim) for claim in conflict.claims],
    }


def _claim_as_json(claim: Claim) -> dict[str, object]:
    energy, unit = _energy(claim)
    return {
        "source": claim.reading.source,
        "energy": energy or None,
        "energy_unit": unit or None,
        "received_at": instant_text(claim.arrival.received_at),
        "origin": claim.arrival.origin,
        "correction": claim.correction.why if claim.correction else None,
    }


def _energy(claim: Claim) -> tuple[str, str]:
    """Value and unit; both empty when nothing was said of the energy register."""
    energy = claim.reading.registers.get("energy")
    return (f"{energy.value:f}", energy.unit) if energy else ("", "")
