"""Units as devices write them: in plain text, or as the value information field of M-Bus.

The vocabulary's units are those that travel; a device's unit is one of them times a factor that a decimal
holds exactly. A unit that is none (gallons, tonnes) is None: the value stays unread rather than guessed.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple


class ScaledUnit(NamedTuple):
    """`factor` turns a value in the device's unit into one in `unit`."""

    unit: str
    factor: Decimal


_PLAIN: Final = (
    *("Wh", "kWh", "MWh", "GWh", "J", "kJ", "MJ", "GJ"),
    *("W", "kW", "MW", "J/h", "kJ/h", "MJ/h", "GJ/h"),
    *("m3", "l", "m3/h", "l/h", "degC", "K", "s", "min", "h", "d"),
)
_OTHERS: Final = {
    "l/s": ("m3/h", "3.6"),
    "l/min": ("m3/h", "0.06"),
    "m3/s": ("m3/h", "3600"),
    "m3/min": ("m3/h", "60"),
    "GJ x10": ("GJ", "10"),
    "m3 x10": ("m3", "10"),
}
_NAMED: Final = {name.lower(): ScaledUnit(name, Decimal(1)) for name in _PLAIN} | {
    name.lower(): ScaledUnit(unit, Decimal(factor)) for name, (unit, factor) in _OTHERS.items()
}
_SPELLINGS: Final = (("m³", "m3"), ("m^3", "m3"), ("°c", "degc"), ("lph", "l/h"), ("m3h", "m3/h"))
_WORD: Final = re.compile(r"[A-Za-z°³^0-9/]+")

_VIF: Final = (
    # first VIF, how many, unit, exponent of the first (EN 13757-3, table 10)
    (0x00, 8, "Wh", -3),
    (0x08, 8, "J", 0),
    (0x10, 8, "m3", -6),
    (0x28, 8, "W", -3),
    (0x30, 8, "J/h", 0),
    (0x38, 8, "m3/h", -6),
    (0x58, 4, "degC", -3),
    (0x5C, 4, "degC", -3),
    (0x60, 4, "K", -3),
)
_VIF_TIMES: Final = {
    0x20: "s",
    0x21: "min",
    0x22: "h",
    0x23: "d",
    0x24: "s",
    0x25: "min",
    0x26: "h",
    0x27: "d",
}


@lru_cache(maxsize=256)
def unit_named(text: str) -> ScaledUnit | None:
    """The unit that a device writes like this, whatever its case."""
    name = text.strip().lower()
    for written, meant in _SPELLINGS:
        name = name.replace(written, meant)
    return _NAMED.get(name)


def unit_within(text: str) -> ScaledUnit | None:
    """The one unit among other characters; None when there is none, or more than one."""
    found = {unit for word in _WORD.findall(text) if len(word) > 1 and (unit := unit_named(word))}
    return found.pop() if len(found) == 1 else None


def unit_of_vif(vif: int) -> ScaledUnit | None:
    """The unit of a primary VIF, without its extension bit."""
    vif &= 0x7F
    if vif in _VIF_TIMES:
        return ScaledUnit(_VIF_TIMES[vif], Decimal(1))
    for first, count, unit, exponent in _VIF:
        if first <= vif < first + count:
            return ScaledUnit(unit, Decimal(1).scaleb(exponent + vif - first))
    return None
