"""What a meter keeps of days gone by: due-date registers and logged values, by their storage numbers.

A stored value stands for the date that the meter keeps beside it under the same storage number. Where it
keeps none the value is shown without a date, and is no reading: nothing here counts back or guesses a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from gateway.lines.mbus_profile import MbusProfile
from gateway.lines.mbus_registers import find_registers
from gateway.mbus.records import DataRecord
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Source

DUE_DATE: Final = 1
"""Storage 0 is now and 1 the latest due date (EN 1434-3); what lies behind is the meter's log."""
_DATES: Final = ("date", "datetime")


@dataclass(frozen=True, slots=True)
class Stored:
    """The registers of one storage number. `at` is as the meter says it, day or minute, without a zone."""

    storage: int
    at: date | None
    registers: Mapping[str, Amount]
    absent: Mapping[str, str]

    @property
    def source(self) -> Source | None:
        """What a reading of it is; None: without a date it is none."""
        if self.at is None:
            return None
        return Source.DUE_DATE if self.storage == DUE_DATE else Source.LOG


def stored_values(records: Iterable[DataRecord], profile: MbusProfile, medium: int) -> tuple[Stored, ...]:
    """All stored values of a readout, by storage number, named by the profile's rules for the present."""
    kept: dict[int, list[DataRecord]] = {}
    for record in records:
        if record.storage:
            kept.setdefault(record.storage, []).append(record)
    found = (_stored(storage, kept[storage], profile, medium) for storage in sorted(kept))
    return tuple(stored for stored in found if stored.registers or stored.absent)


def _stored(storage: int, records: list[DataRecord], profile: MbusProfile, medium: int) -> Stored:
    as_present = [replace(record, storage=0) for record in records]
    found = find_registers(as_present, profile, medium=medium, status=0)
    return Stored(storage, _date(records), found.registers, found.absent)


def _date(records: Iterable[DataRecord]) -> date | None:
    """The date of the storage number, unless it has two."""
    dates = {
        record.value
        for record in records
        if record.quantity in _DATES
        and isinstance(record.value, date)
        and (record.function, record.tariff, record.subunit) == ("instantaneous", 0, 0)
        and not [modifier for modifier in record.modifiers if modifier != "summer_time"]
    }
    return dates.pop() if len(dates) == 1 else None
