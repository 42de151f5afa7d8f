"""Did every answer of the script arrive once, unchanged, and is the energy billed the energy metered?

Three books are held against each other: what the script allows (the ledger), what the gateway wrote to its
outbox, and what the collector's store gives back; then the bill against the ledger's registers. None of
them takes the word of another, so each promise that is broken shows as a difference of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from collector.store import ReadingStore
from collector.store.backends import open_store
from gateway.delivery.outbox import MIGRATIONS as OUTBOX
from kaukoluenta.identifiers import MeterId
from kaukoluenta.payload import decode
from kaukoluenta.periods import instant_text, month, parse_instant
from kaukoluenta.quantities import UNITS, Amount, energy_in_kwh, to_travel_unit
from kaukoluenta.reading import Reading
from kaukoluenta.runtime.database import open_read_only
from simulator.ledger import allowed_answers, register
from simulator.meters import Meter
from simulator.town import Contract, Town, town_slots

Slot = tuple[MeterId, datetime]
_MOST_SHOWN = 10
_MILLI = Decimal("0.001")


@dataclass(slots=True)
class Verdict:
    """`differences` are sentences; empty means that every promise held."""

    polled: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    energy_conserved: bool = True
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"readings polled {self.polled}, stored {self.stored}, lost {self.lost}, doubled {self.doubled}; "
            f"energy billed = energy metered: {'yes' if self.energy_conserved else 'no'}"
        )

    def differ(self, what: str, entries: Iterable[object]) -> int:
        """Note a difference for each entry, the first ones by name; gives their number."""
        found = list(entries)
        self.differences += [f"{what}: {entry}" for entry in found[:_MOST_SHOWN]]
        if len(found) > _MOST_SHOWN:
            self.differences.append(f"{what}: and {len(found) - _MOST_SHOWN} more")
        return len(found)


@dataclass(frozen=True, slots=True)
class Book:
    """How often a book names each slot of a meter, and says each reading word for word.

    `conflicts`: what a store was told beyond the first word.
    """

    slots: Counter[Slot] = field(default_factory=Counter)
    contents: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)


def read_outbox(path: Path) -> Book:
    """What the gateway sent, when the town's clock has come to its end."""
    return _book(_outbox_readings(path))


def read_store(town: Town, path: Path) -> Book:
    """What the collector stored, when it has acknowledged everything."""
    with closing(open_store("sqlite", path, read_only=True)) as readings:
        stored = _book(readings.readings(town.start, town.end + timedelta(hours=1)))
        stored.conflicts.extend(_conflicts(readings, town))
    return stored


def check_town(town: Town, sent: Book, stored: Book, bills: Mapping[str, Mapping[str, Any]]) -> Verdict:
    """Compare the books with each other, and with the ledger.

    Args:
        bills: month -> the JSON of `billing run MONTH --json`.
    """
    verdict = Verdict()
    _check_polled(verdict, allowed_answers(town), sent)
    _check_delivered(verdict, sent, stored)
    verdict.doubled += verdict.differ("conflict in the store", stored.conflicts)
    _check_energy(verdict, town, bills)
    return verdict


def unacknowledged(outbox: Path) -> int:
    """How many batches of the gateway the collector has not acknowledged yet."""
    with closing(open_read_only(outbox, OUTBOX)) as database:
        query = "SELECT coalesce(max(seq), 0) - (SELECT upto FROM acknowledged) FROM batches"
        return int(database.execute(query).fetchone()[0])


def _book(readings: Iterable[Reading]) -> Book:
    book = Book()
    for reading in readings:
        book.slots[reading.meter, reading.read_at] += 1
        book.contents[_content(reading)] += 1
    return book


def _outbox_readings(path: Path) -> Iterator[Reading]:
    with closing(open_read_only(path, OUTBOX)) as database:
        for (octets,) in database.execute("SELECT octets FROM batches ORDER BY seq"):
            yield from decode(octets).readings


def _conflicts(store: ReadingStore, town: Town) -> Iterator[str]:
    """What was said of a meter and slot beyond the first word."""
    meters = [meter.id for line in town.lines for meter in line.meters]
    for slot in town_slots(town.start, town.hours):
        for claims in store.at(slot, meters).values():
            yield from map(_content, claims[1:])


def _check_polled(verdict: Verdict, allowed: Iterable[Slot], sent: Book) -> None:
    """P: what the script allows to be answered, and the outbox holds just that."""
    script, polled = set(allowed), sent.slots
    verdict.polled = len(script)
    verdict.lost += verdict.differ("answered, not in the outbox", map(_slot_text, script - polled.keys()))
    verdict.differ("in the outbox against the script", map(_slot_text, polled.keys() - script))
    twice = [slot for slot, count in polled.items() if count > 1]
    verdict.doubled += verdict.differ("twice in the outbox", map(_slot_text, twice))


def _check_delivered(verdict: Verdict, sent: Book, stored: Book) -> None:
    """Lost: sent, not stored as sent. Doubled: stored more than once, or never sent."""
    verdict.stored = stored.contents.total()
    verdict.lost += verdict.differ("lost", (sent.contents - stored.contents).elements())
    verdict.doubled += verdict.differ("doubled or changed", (stored.contents - sent.contents).elements())


def _content(reading: Reading) -> str:
    """All that a reading says, exponents included, as text."""
    registers = sorted((name, str(a.value), a.unit) for name, a in reading.registers.items())
    return (
        f"{reading.meter} {instant_text(reading.read_at)} {reading.source} {int(reading.quality)} {registers}"
    )


def _slot_text(slot: Slot) -> str:
    return f"{slot[0]} {instant_text(slot[1])}"


# Energy -----------------------------------------------------------------------------------------------


def _check_energy(verdict: Verdict, town: Town, bills: Mapping[str, Mapping[str, Any]]) -> None:
    """Each contract's part of each month equals the difference of the ledger's registers at its ends."""
    before = len(verdict.differences)
    if not bills:
        verdict.differences.append("energy: no complete month lies in this span")
    for name, bill in bills.items():
        refused = (
            f"{entry['delivery_point']} {entry['reason']} {entry['detail']}" for entry in bill["refused"]
        )
        verdict.differ(f"{name} refused", refused)
        billed = {
            (row["contract"], parse_instant(row["from"])): Decimal(row["energy"]) for row in bill["rows"]
        }
        metered = dict(_metered(town, name))
        verdict.differ(
            f"{name} billed, metered",
            (
                f"{contract} from {instant_text(start)}: {billed.get(key)}, {metered.get(key)}"
                for key in sorted(billed.keys() | metered.keys())
                if billed.get(key) != metered.get(key)
                for contract, start in [key]
            ),
        )
    verdict.energy_conserved = len(verdict.differences) == before


def _metered(town: Town, name: str) -> Iterator[tuple[tuple[str, datetime], Decimal]]:
    period = month(name)
    for contract in town.contracts:
        start = max(period.start, contract.valid_from)
        end = min(period.end, contract.valid_to or period.end)
        if start < end:
            yield (contract.name, start), _used(town, contract, start, end)


def _used(town: Town, contract: Contract, start: datetime, end: datetime) -> Decimal:
    """kWh between two instants at a contract's delivery point, from the ledger."""
    [point] = [point for point in town.delivery_points if point.name == contract.delivery_point]
    return sum((_meter_used(meter, start, end) for meter in point.meters), Decimal(0))


def _meter_used(meter: Meter, start: datetime, end: datetime) -> Decimal:
    """The part that one meter hung there, its register in kWh at both ends."""
    first, last = max(start, meter.installed_at), min(end, meter.removed_at or end)
    if first >= last:
        return Decimal(0)
    return _kwh(register(meter, last)) - _kwh(register(meter, first))


def _kwh(energy: Amount) -> Decimal:
    """The register in kWh: exact for Wh, once rounded half up to 0.001 for J."""
    if UNITS[energy.unit].family == "Wh":
        return to_travel_unit(energy).value
    exact = energy_in_kwh(energy)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_MILLI, ROUND_HALF_UP)
