"""From the steps of decode plans straight to registers, once it is known which column is which register.

The long way (telegram, data records, rules of the profile) is the only source of truth. A shortcut is what it
decides of a layout as such; whatever hangs on a value and is out of the ordinary (no value, too many digits,
a complaint, two records for one register) is left to the long way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from gateway.lines.mbus_profile import profile_for, shipped_profiles
from gateway.lines.mbus_registers import (
    ALL_STATUS_BITS,
    Found,
    claims_of,
    fault_of,
    is_info_code,
    is_meter_clock,
)
from gateway.mbus.header import Identity
from gateway.mbus.plan import Plan, Step
from kaukoluenta.quantities import MOST_DIGITS, Amount
from kaukoluenta.reading import NO_DOUBT

_TOO_LARGE = 10**MOST_DIGITS


@dataclass(frozen=True, slots=True)
class Target:
    """One column's register. Its value is step x `unit_step`."""

    register: str
    column: int
    unit_step: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Shortcut:
    """The way for readouts whose telegrams have the same plans. Columns count through all of them."""

    profile: str
    targets: tuple[Target, ...]
    info_codes: tuple[int, ...]
    clocks: tuple[int, ...]

    def found(self, steps: Sequence[Step], status: int) -> Found | None:
        """What the long way would find; None when only that can tell."""
        if status & ALL_STATUS_BITS:
            return None
        registers: dict[str, Amount] = {}
        for target in self.targets:
            step = steps[target.column]
            if not isinstance(step, int) or not -_TOO_LARGE < step < _TOO_LARGE:
                return None
            registers[target.register] = Amount(target.unit_step * step, target.unit)
        if any(steps[column] for column in self.info_codes):
            return None
        times = {time for column in self.clocks if (time := _time(steps[column]))}
        return Found(registers, {}, NO_DOUBT, None, times.pop() if len(times) == 1 else None)


@lru_cache(maxsize=1024)
def shortcut_for(plans: tuple[Plan, ...], model: bytes, configured: str | None) -> Shortcut | None:
    """The shortcut for readouts of these plans; None when every one needs the long way.

    `model` is what the header says of the make: manufacturer, version, medium. `configured` is the profile
    that the settings name.
    """
    version, medium = model[2:]
    make = Identity("", int.from_bytes(model[:2], "little"), version, medium)
    profile = profile_for(make, configured, shipped_profiles())
    records = [column.record for plan in plans for column in plan.columns]
    column_of = {id(record): column for column, record in enumerate(records)}
    exponents = [column.exponent for plan in plans for column in plan.columns]
    targets = []
    for register, claims in claims_of(records, profile, medium).items():
        column = column_of[id(claims[0])]
        if len(claims) > 1 or fault_of(register, replace(claims[0], value=Decimal(0), invalid=None)):
            return None
        unit_step = Decimal((0, (1,), exponents[column]))
        targets.append(Target(register, column, unit_step, claims[0].unit))
    return Shortcut(
        profile.name,
        tuple(targets),
        tuple(column for column, record in enumerate(records) if is_info_code(record, profile, medium)),
        tuple(column for column, record in enumerate(records) if is_meter_clock(record)),
    )


def _time(step: Step) -> str | None:
    return step.isoformat() if isinstance(step, datetime) else None
