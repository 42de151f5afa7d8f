"""What a register measures, and in which units it may be written.

A value stays in the meter's own unit family. Wh and J are two families: 1 GJ is 2500/9 kWh, which no
decimal holds, so nothing converts between them before billing rounds (`energy_in_kwh`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from kaukoluenta.errors import KaukoluentaError

MOST_DIGITS = 15
"""Significant digits of a register: a double holds 15 without loss, so every store can."""


class Amount(NamedTuple):
    """A register's value and unit. The decimal's exponent is the register's resolution and is kept."""

    value: Decimal
    unit: str


class UnitError(KaukoluentaError):
    """A unit that the quantity cannot have, or two units of different families."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` turns a value in this unit into the family's base unit. Always exact."""

    family: str
    factor: Decimal


UNITS = {
    name: Unit(family, Decimal(factor))
    for family, units in {
        "Wh": {"Wh": "1", "kWh": "1E+3", "MWh": "1E+6", "GWh": "1E+9"},
        "J": {"J": "1", "kJ": "1E+3", "MJ": "1E+6", "GJ": "1E+9"},
        "W": {"W": "1", "kW": "1E+3", "MW": "1E+6"},
        "J/h": {"J/h": "1", "kJ/h": "1E+3", "MJ/h": "1E+6", "GJ/h": "1E+9"},
        "m3": {"m3": "1", "l": "1E-3"},
        "m3/h": {"m3/h": "1", "l/h": "1E-3"},
        "degC": {"degC": "1"},
        "K": {"K": "1"},
        "s": {"s": "1", "min": "60", "h": "3600", "d": "86400"},
    }.items()
    for name, factor in units.items()
}

TRAVEL_UNIT = {"Wh": "kWh", "J": "GJ", "W": "kW", "J/h": "GJ/h"}
"""The unit in which a family travels over MQTT and lies in the store; elsewhere the base unit."""

ENERGY_UNITS = tuple(name for name, unit in UNITS.items() if unit.family in ("Wh", "J"))
VOLUME_UNITS = ("m3", "l")


@dataclass(frozen=True, slots=True)
class Quantity:
    """`counter`: the register only ever grows. Otherwise it is a momentary value."""

    name: str
    families: tuple[str, ...]
    counter: bool = False


QUANTITIES = {
    quantity.name: quantity
    for quantity in (
        Quantity("energy", ("Wh", "J"), counter=True),
        Quantity("cooling_energy", ("Wh", "J"), counter=True),
        Quantity("volume", ("m3",), counter=True),
        Quantity("volume_flow", ("m3/h",)),
        Quantity("power", ("W", "J/h")),
        Quantity("flow_temperature", ("degC",)),
        Quantity("return_temperature", ("degC",)),
        Quantity("temperature_difference", ("K",)),
        Quantity("on_time", ("s",), counter=True),
        Quantity("error_time", ("s",), counter=True),
    )
}

_REGISTER = re.compile(r"(?P<quantity>[a-z_]+?)(?:_tariff_(?P<tariff>[1-9][0-9]{0,8}))?")


@lru_cache(maxsize=4096)
def quantity_of(register: str) -> Quantity:
    """The quantity of a register name: `energy`, `volume_flow`, or with a tariff `energy_tariff_1`.

    Raises:
        UnitError: no such register.
    """
    match = _REGISTER.fullmatch(register)
    if match is None or match["quantity"] not in QUANTITIES:
        raise UnitError(
            f"No register is called {register[:60]!r}.", remedy=f"Known: {', '.join(QUANTITIES)}."
        )
    return QUANTITIES[match["quantity"]]


def register_name(quantity: str, tariff: int = 0) -> str:
    """The register of a quantity; tariff 0 is the total."""
    return f"{quantity}_tariff_{tariff}" if tariff else quantity


@lru_cache(maxsize=4096)
def check_unit(register: str, unit: str) -> None:
    """Raise UnitError unless `register` may be written in `unit`."""
    families = quantity_of(register).families
    if unit not in UNITS or UNITS[unit].family not in families:
        fitting = ", ".join(name for name, known in UNITS.items() if known.family in families)
        raise UnitError(f"{register} cannot be in {unit[:20]!r}.", remedy=f"Use one of {fitting}.")


def convert(amount: Amount, unit: str) -> Amount:
    """The same amount in another unit of its family, exactly, resolution kept.

    Raises:
        UnitError: the units are of different families (kWh and GJ are).
    """
    if amount.unit == unit:
        return amount
    have, want = UNITS[amount.unit], UNITS[unit]
    if have.family != want.family:
        raise UnitError(
            f"{amount.unit} and {unit} are of different families.", remedy="Bill each in its own unit."
        )
    return Amount(_rescale(amount.value, have.factor, want.factor), unit)


def to_travel_unit(amount: Amount) -> Amount:
    """The amount in the unit in which its family travels (energy: kWh or GJ)."""
    family = UNITS[amount.unit].family
    return convert(amount, TRAVEL_UNIT.get(family, family))


def energy_in_kwh(amount: Amount) -> Fraction:
    """An energy in kWh, exact: 1 kWh is 3.6 MJ, so a J amount may have no finite decimal."""
    unit = UNITS[amount.unit]
    watt_hours = Fraction(amount.value) * Fraction(unit.factor)
    return watt_hours / 1000 if unit.family == "Wh" else watt_hours / 3_600_000


def _rescale(value: Decimal, have: Decimal, want: Decimal) -> Decimal:
    """value x have / want without loss: powers of ten move the exponent, other factors multiply."""
    steps, shift = have / want, (have / want).normalize().as_tuple()
    if shift.digits == (1,):
        return value.scaleb(int(shift.exponent))
    scaled = value * steps
    if scaled * want != value * have:
        raise UnitError(f"{value} does not convert exactly.", remedy="Keep the value in its own unit.")
    return scaled
