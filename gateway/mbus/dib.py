"""Data information block: which register a record holds, and how its data are coded (EN 13757-3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.mbus.vib import EXTENSION, RecordBroken

MOST_DIFE: Final = 10
FUNCTIONS: Final = ("instantaneous", "maximum", "minimum", "error")


@dataclass(frozen=True, slots=True)
class Dib:
    """The block and what it says. `field` is the low half of the DIF: the coding of the data."""

    octets: bytes
    field: int
    function: str
    storage: int
    tariff: int
    subunit: int


def cut_dib(octets: bytes, start: int) -> Dib:
    """The DIB that begins at `start`. Each DIFE adds four bits of storage, two of tariff, one of subunit.

    Raises:
        RecordBroken: the octets end first, or there are more than ten DIFE.
    """
    dif = octets[start]
    storage, tariff, subunit = dif >> 6 & 1, 0, 0
    end = start + 1
    while octets[end - 1] & EXTENSION:
        if end >= len(octets):
            raise RecordBroken("records:premature_end_of_dib")
        nth = end - start - 1
        if nth == MOST_DIFE:
            raise RecordBroken("records:too_many_dife")
        dife = octets[end]
        storage |= (dife & 0x0F) << (4 * nth + 1)
        tariff |= (dife >> 4 & 0x03) << (2 * nth)
        subunit |= (dife >> 6 & 0x01) << nth
        end += 1
    return Dib(octets[start:end], dif & 0x0F, FUNCTIONS[dif >> 4 & 0x03], storage, tariff, subunit)
