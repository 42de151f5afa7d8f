"""One meter's readings laid on its slots: what is known of each, and the energy used from slot to slot.

The energy of a step is the difference of two register reads, one at each of its ends. Where either is
missing the use is unknown: never interpolated, never 0. A step is named by its start.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from collector.store import same_amount
from kaukoluenta.quantities import Amount, UnitError, convert
from kaukoluenta.reading import Reading, Source
from kaukoluenta.slots import slots


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant of a meter: a slot, or a reading made between slots.

    `reading` is None where the slot has none. `spared`: then the meter was not asked, for its battery's sake.
    `disputed`: sources give different energies, so no use is made of them. `use` is the energy of the step
    that begins here, None when it is unknown.
    """

    at: datetime
    on_slot: bool
    reading: Reading | None = None
    spared: bool = False
    disputed: bool = False
    use: Amount | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Slots in a row without a reading, both ends in. `reason` is None if nothing was said of them."""

    first: datetime
    last: datetime
    slots: int
    reason: str | None


def moment_state(moment: Moment) -> str:
    """`present`, `missing`, `spared` or `disputed`."""
    if moment.reading is None:
        return "spared" if moment.spared else "missing"
    return "disputed" if moment.disputed else "present"


def timeline(
    readings: Sequence[Reading],
    start: datetime,
    end: datetime,
    step: timedelta,
    spared: Container[datetime] = (),
) -> list[Moment]:
    """Every slot in [start, end] and every reading, in order of time.

    Args:
        readings: of one meter, by read_at.
        spared: slots in which it was not asked.
    """
    known = {at: list(group) for at, group in groupby(readings, lambda reading: reading.read_at)}
    due = list(slots(start, end + timedelta.resolution, step))
    on_slot, following = set(due), dict(pairwise(due))
    chosen = {at: _chosen(claims) for at, claims in known.items()}
    energies = {at: moment for at, (moment, disputed) in chosen.items() if not disputed}
    return [
        Moment(
            at,
            on_slot=at in on_slot,
            reading=chosen[at][0] if at in chosen else None,
            spared=at in spared,
            disputed=at in chosen and chosen[at][1],
            use=energy_use(energies.get(at), energies.get(following[at])) if at in following else None,
        )
        for at in sorted(on_slot | chosen.keys())
    ]


def energy_use(first: Reading | None, last: Reading | None) -> Amount | None:
    """The difference of two energy registers, in the last one's unit.

    None when either is unknown, when the register went back, or when kWh became GJ in between.
    """
    before, after = _energy(first), _energy(last)
    if before is None or after is None:
        return None
    try:
        used = after.value - convert(before, after.unit).value
    except UnitError:
        return None
    return Amount(used, after.unit) if used >= 0 else None


def gaps(moments: Iterable[Moment], reasons: Mapping[datetime, str]) -> list[Gap]:
    """Slots without a reading, joined while they follow each other for the same reason."""
    missing = groupby(
        (moment for moment in moments if moment.on_slot),
        lambda moment: (moment.reading is None, reasons.get(moment.at)),
    )
    found = []
    for (is_missing, reason), group in missing:
        if is_missing:
            slots = [moment.at for moment in group]
            found.append(Gap(slots[0], slots[-1], len(slots), reason))
    return found


def _energy(reading: Reading | None) -> Amount | None:
    return reading.registers.get("energy") if reading else None


def _chosen(claims: list[Reading]) -> tuple[Reading, bool]:
    """Of readings at one instant, the live one or the first; and whether their energies differ."""
    live = [claim for claim in claims if claim.source is Source.LIVE]
    energies = [energy for claim in claims if (energy := _energy(claim))]
    return (live or claims)[0], any(not same_amount(energies[0], other) for other in energies[1:])
