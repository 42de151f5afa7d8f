"""Which layout a meter's registers have, where its document does not say: shown by the meter itself. Sans-IO.

Read in the wrong order of words, or one register off, a temperature is hardly ever one, and a serial number
is another. So each layout that could be is tried on the same registers; one alone must make sense, and the
evidence is kept for a person to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.modbus.words import Words

COLDEST, HOTTEST = Decimal(0), Decimal(200)
"""Both excluded: registers full of zeros are no evidence."""
_DIFFERENCE_AGREES: Final = Decimal(1)
_FLOW, _RETURN, _DIFFERENCE = "flow_temperature", "return_temperature", "temperature_difference"


class Layout(NamedTuple):
    """How values lie in the registers; `base` is the number that the document gives the first register."""

    function: int
    base: int
    words: Words

    def __str__(self) -> str:
        return f"function {self.function}, first register {self.base}, {self.words.words} word first"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the same registers say in one layout. `serial_fits` is None when the map has no serial number."""

    layout: Layout
    temperatures: Mapping[str, Decimal | None]
    serial_fits: bool | None = None

    @property
    def makes_sense(self) -> bool:
        return self.serial_fits is not False and (self.serial_fits is True or _are_warm(self.temperatures))

    def __str__(self) -> str:
        told = [
            f"{name} {'is no number' if value is None else f'{value:f}'}"
            for name, value in self.temperatures.items()
        ]
        if self.serial_fits is not None:
            told.append("the serial number fits" if self.serial_fits else "the serial number is another")
        return f"{self.layout}: {', '.join(told) or 'nothing to tell by'}"


def decide(evidence: Iterable[Evidence]) -> Layout | None:
    """The one layout that makes sense; None when there is none, or more than one.

    A device that serves the same registers by both functions makes sense twice; the first will do.
    """
    sensible = [piece for piece in evidence if piece.makes_sense]
    if not sensible:
        return None
    first = sensible[0]
    same = [
        piece.layout[1:] == first.layout[1:] and piece.temperatures == first.temperatures
        for piece in sensible
    ]
    return first.layout if all(same) else None


def _are_warm(temperatures: Mapping[str, Decimal | None]) -> bool:
    """Flow and return are temperatures of a heating network, and their difference is what it should be."""
    flow, back = temperatures.get(_FLOW), temperatures.get(_RETURN)
    if not temperatures or None in temperatures.values():
        return False
    if not all(COLDEST < value < HOTTEST for value in (flow, back) if value is not None):
        return False
    difference = temperatures.get(_DIFFERENCE)
    if flow is None or back is None or difference is None:
        return flow is not None or back is not None
    return abs(flow - back - difference) <= _DIFFERENCE_AGREES
