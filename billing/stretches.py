"""Who is billed for which meter, from when to when: contracts x installations, cut to a period.

A stretch is a row before it has energy, a span is a leg before it has registers. A tenant change cuts rows, a
meter exchange cuts legs. Meters at the same time are all counted. Pure; knows no reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import Period
from kaukoluenta.quantities import TRAVEL_UNIT, UNITS
from registry.model import Contract, Installation


@dataclass(frozen=True, slots=True)
class Span:
    """One installation's part of a row, [since, until)."""

    installation: Installation
    since: datetime
    until: datetime

    @property
    def meter(self) -> MeterId:
        return self.installation.meter

    @property
    def unit(self) -> str:
        return self.installation.energy_unit

    @property
    def travel_unit(self) -> str:
        """kWh or GJ: the unit in which registers of the installation's family meet."""
        return TRAVEL_UNIT[UNITS[self.unit].family]

    @property
    def begins_with_installation(self) -> bool:
        return self.since == self.installation.installed_at

    @property
    def ends_with_removal(self) -> bool:
        return self.until == self.installation.removed_at


@dataclass(frozen=True, slots=True)
class Stretch:
    """One contract's part of the period, [since, until). `gaps`: its times without a meter, if it had any."""

    contract: Contract
    since: datetime
    until: datetime
    spans: tuple[Span, ...]
    gaps: tuple[Period, ...]


def stretches(
    period: Period, contracts: Sequence[Contract], installations: Mapping[str, Sequence[Installation]]
) -> list[Stretch]:
    """The rows to be billed, by delivery point, start and contract.

    Args:
        contracts: those valid during any part of the period.
        installations: those that were there during any part of it, by delivery point.
    """
    cut = [
        _stretch(period, contract, installations.get(contract.delivery_point, ())) for contract in contracts
    ]
    return sorted(cut, key=lambda row: (row.contract.delivery_point, row.since, row.contract.contract))


def _stretch(period: Period, contract: Contract, installations: Sequence[Installation]) -> Stretch:
    since, until = max(contract.since, period.start), min(contract.until, period.end)
    spans = [
        Span(one, max(one.since, since), min(one.until, until))
        for one in installations
        if _takes_part(one, since, until)
    ]
    spans.sort(key=lambda span: (span.since, span.meter))
    return Stretch(contract, since, until, tuple(spans), tuple(_gaps(since, until, spans)))


def _takes_part(one: Installation, since: datetime, until: datetime) -> bool:
    """One that lasted no time is void unless its form names a register: a bare date lacks the hour."""
    if one.since < one.until:
        return one.since < until and since < one.until
    return since <= one.since < until and (one.start_energy, one.end_energy) != (None, None)


def _gaps(since: datetime, until: datetime, spans: Sequence[Span]) -> Iterator[Period]:
    """What no span covers. `spans` by start."""
    covered = since
    for span in spans:
        if covered < span.since:
            yield Period(covered, span.since)
        covered = max(covered, span.until)
    if covered < until:
        yield Period(covered, until)
