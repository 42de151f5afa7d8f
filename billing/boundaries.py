"""The register of a leg at its two ends: at an exchange from its form, elsewhere from a reading.

A form's register is the boundary, whatever was read at that instant: a form with a bare date was written
later that day than its midnight. Where the form leaves start_energy empty, a reading of that very instant
stands in. Where it leaves end_energy empty only a reading of source `removal` does: a scheduled one from
before the meter came off would lose what it still counted. Everything that is claimed of the meter at an
instant without a form must agree; where there is a correction, the store gives it and what arrived after it
with other registers. Nothing is interpolated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.reasons import Doubt, Reason
from billing.rounding import plain
from billing.stretches import Span
from collector.store import ReadingStore
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import convert, to_travel_unit
from kaukoluenta.reading import Reading, Source

Claims = Mapping[tuple[MeterId, datetime], Sequence[Reading]]
"""All that is said of a meter at an instant."""


@dataclass(frozen=True, slots=True)
class Boundary:
    """The register in the installation's unit, or the doubts why there is none."""

    register: Decimal | None
    doubts: tuple[Doubt, ...] = ()


def claims_at_ends(store: ReadingStore, spans: Iterable[Span]) -> Claims:
    """What the store says at the ends that no form settles: one question for each instant."""
    asked: defaultdict[datetime, set[MeterId]] = defaultdict(set)
    for span in spans:
        if _start_on_form(span) is None:
            asked[span.since].add(span.meter)
        if _end_on_form(span) is None:
            asked[span.until].add(span.meter)
    return {
        (meter, instant): readings
        for instant in sorted(asked)
        for meter, readings in store.at(instant, sorted(asked[instant])).items()
    }


def start_boundary(span: Span, claims: Claims) -> Boundary:
    register = _start_on_form(span)
    if register is not None:
        return Boundary(register)
    return _agreed(span, span.since, claims.get((span.meter, span.since), ()), Reason.NO_READING)


def end_boundary(span: Span, claims: Claims) -> Boundary:
    register = _end_on_form(span)
    if register is not None:
        return Boundary(register)
    readings = claims.get((span.meter, span.until), ())
    if not span.ends_with_removal:
        return _agreed(span, span.until, readings, Reason.NO_READING)
    was_read_off = any(reading.source is Source.REMOVAL for reading in readings)
    return _agreed(span, span.until, readings if was_read_off else (), Reason.NO_REMOVAL_READING)


def _start_on_form(span: Span) -> Decimal | None:
    return span.installation.start_energy if span.begins_with_installation else None


def _end_on_form(span: Span) -> Decimal | None:
    return span.installation.end_energy if span.ends_with_removal else None


def _agreed(span: Span, instant: datetime, readings: Sequence[Reading], when_none: Reason) -> Boundary:
    """The one register that all claims give, in the installation's unit."""
    claimed = [reading for reading in readings if "energy" in reading.registers]
    place = f"{span.meter} at {instant_text(instant)}"
    if not claimed:
        return Boundary(None, (Doubt(when_none, span.meter, f"{place}: {_MISSING[when_none]}."),))
    registers = {to_travel_unit(reading.registers["energy"]) for reading in claimed}
    said = ", ".join(sorted({_said(reading) for reading in claimed}))
    doubts = []
    if len(registers) > 1:
        doubts.append(Doubt(Reason.CONFLICT, span.meter, f"{place}: {said}."))
    if any(register.unit != span.travel_unit for register in registers):
        doubts.append(Doubt(Reason.UNIT, span.meter, f"{place}: {said}, but installed in {span.unit}."))
    return Boundary(None, tuple(doubts)) if doubts else Boundary(convert(registers.pop(), span.unit).value)


def _said(reading: Reading) -> str:
    energy = reading.registers["energy"]
    return f"{plain(energy.value)} {energy.unit} ({reading.source})"


_MISSING = {
    Reason.NO_READING: "no reading of that very instant",
    Reason.NO_REMOVAL_READING: "removed without end_energy",
}
