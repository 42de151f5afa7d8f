"""The rows of a period: proven energy per contract, and a refusal with its reasons where it is not proven.

One unprovable leg refuses its whole row. Never guessed, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.boundaries import claims_at_ends, end_boundary, start_boundary
from billing.period_use import Climb, Leg, watch
from billing.reasons import Doubt, Reason
from billing.rounding import exact_sum
from billing.stretches import Span, Stretch, stretches
from collector.store import ReadingStore
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import Period, instant_text
from registry.model import Contract, Installation


@dataclass(frozen=True, slots=True)
class Row:
    """The energy of one contract in [since, until), in kWh, with its evidence."""

    contract: str
    customer_number: str
    delivery_point: str
    since: datetime
    until: datetime
    energy: Decimal
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why a row is not billed. `detail` names every place where it holds."""

    delivery_point: str
    contract: str
    meter: MeterId | None
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Extract:
    """What a period comes to. Rows by delivery point, start, contract; refusals in the same order."""

    period: Period
    rows: tuple[Row, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]

    @property
    def energy(self) -> Decimal:
        return exact_sum(row.energy for row in self.rows)


def make_extract(
    period: Period,
    contracts: Sequence[Contract],
    installations: Mapping[str, Sequence[Installation]],
    store: ReadingStore,
) -> Extract:
    """Bill the period. Arguments as of `stretches`. Raises StoreUnavailable."""
    cut = stretches(period, contracts, installations)
    legs = _legs(period, [span for stretch in cut for span in stretch.spans], store)
    rows: list[Row] = []
    refused: list[Refusal] = []
    warnings: list[str] = []
    for stretch in cut:
        outcome = _billed(stretch, [legs[span] for span in stretch.spans])
        if isinstance(outcome, Row):
            rows.append(outcome)
            warnings += _gaps(stretch)
        else:
            refused += outcome
    return Extract(period, tuple(rows), tuple(refused), tuple(warnings))


def _legs(period: Period, spans: Sequence[Span], store: ReadingStore) -> dict[Span, Leg | tuple[Doubt, ...]]:
    claims = claims_at_ends(store, spans)
    climbs = {span: Climb(span, start_boundary(span, claims)) for span in spans}
    meters = sorted({span.meter for span in spans})
    watch(climbs.values(), store.energies(meters, period.start, period.end))
    return {span: climb.leg(end_boundary(span, claims)) for span, climb in climbs.items()}


def _billed(stretch: Stretch, legs: Iterable[Leg | tuple[Doubt, ...]]) -> Row | list[Refusal]:
    proven: list[Leg] = []
    doubts = _unmetered(stretch)
    for leg in legs:
        if isinstance(leg, Leg):
            proven.append(leg)
        else:
            doubts += leg
    contract = stretch.contract
    if doubts:
        return _refusals(contract, doubts)
    return Row(
        contract.contract,
        contract.customer_number,
        contract.delivery_point,
        stretch.since,
        stretch.until,
        exact_sum(leg.energy for leg in proven),
        tuple(proven),
    )


def _unmetered(stretch: Stretch) -> list[Doubt]:
    if any(span.since < span.until for span in stretch.spans):
        return []
    return [Doubt(Reason.NO_INSTALLATION, None, f"No meter {_during(stretch.since, stretch.until)}.")]


def _gaps(stretch: Stretch) -> list[str]:
    """A row that had a meter for some of its time is billed as measured, and somebody should know."""
    return [
        f"{stretch.contract.delivery_point}, contract {stretch.contract.contract}: no meter"
        f" {_during(gap.start, gap.end)}; what was measured is billed."
        for gap in stretch.gaps
    ]


def _refusals(contract: Contract, doubts: Sequence[Doubt]) -> list[Refusal]:
    """One refusal for each reason, naming every place and the first meter."""
    refusals = []
    for reason in Reason:
        found = [doubt for doubt in doubts if doubt.reason is reason]
        if found:
            detail = " ".join(dict.fromkeys(doubt.detail for doubt in found))
            refusals.append(
                Refusal(contract.delivery_point, contract.contract, found[0].meter, reason, detail)
            )
    return refusals


def _during(since: datetime, until: datetime) -> str:
    return f"from {instant_text(since)} to {instant_text(until)}"
