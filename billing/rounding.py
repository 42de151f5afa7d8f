"""Registers become kWh once, exactly or rounded once; sums and differences are exact.

A Wh register is exact in kWh. A J register is not (1 GJ is 2500/9 kWh): it is rounded half up to 0.001 kWh
at the boundary, and both neighbouring legs take that same figure. So the parts of a register's way, cut
anywhere, always add up to the whole. Rounding the parts instead would make energy appear or vanish.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from math import floor

from kaukoluenta.quantities import UNITS, Amount, convert, energy_in_kwh

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact, InvalidOperation])
"""Adds and subtracts without any limit of digits; the default context would round at 28."""


def register_in_kwh(register: Amount) -> Decimal:
    """The energy register in kWh: exact from Wh units, rounded half up to 0.001 from J units."""
    if UNITS[register.unit].family == "Wh":
        return convert(register, "kWh").value
    steps = floor(abs(energy_in_kwh(register)) * 1000 + Fraction(1, 2))
    return Decimal(steps).scaleb(-3, EXACT).copy_sign(register.value)


def exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def plain(number: Decimal) -> str:
    """Digits with a decimal point, never an exponent."""
    return f"{number:f}"
