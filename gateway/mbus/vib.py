"""Value information block: cut a VIF and its VIFEs out of the octets, and say what they mean together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gateway.mbus.vif import FB, FD, FD_FD, PRIMARY, ReadAs, Vif
from gateway.mbus.vife import combinable, extended

EXTENSION: Final = 0x80
MOST_VIFE: Final = 10  # EN 13757-3
PLAIN_TEXT: Final = 0x7C
MANUFACTURER_SPECIFIC: Final = 0x7F
SECOND_VIFE_TABLE: Final = 0xFC
SPECIFIC_VIFE: Final = "manufacturer_specific_vife"


class RecordBroken(Exception):
    """Stays inside this package: this record cannot be cut out, so no record behind it can be found."""


@dataclass(frozen=True, slots=True)
class Vib:
    """The block in its parts. `octets` is all of it as sent; `text` is the plain text of VIF 7C in mode 1."""

    octets: bytes
    chain: bytes  # VIF and VIFEs without the text
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """VIF and VIFEs taken together. The value is steps x factor x 10^exponent of the unit."""

    quantity: str
    unit: str
    factor: int
    exponent: int
    reads: ReadAs
    modifiers: tuple[str, ...] = ()
    manufacturer_specific: bool = False


def cut_vib(octets: bytes, start: int) -> Vib:
    """The VIB that begins at `start`.

    Raises:
        RecordBroken: the octets end first, or there are more than ten VIFE.
    """
    if start >= len(octets):
        raise RecordBroken("records:premature_end_of_dib (no VIF)")
    if octets[start] & ~EXTENSION == PLAIN_TEXT:
        return _cut_plain_text(octets, start)
    chain = octets[start : _end_of_chain(octets, start)]
    return Vib(chain, chain)


def meaning_of(vib: Vib, *, to_slave: bool, reversed_octets: bool = False) -> Meaning:
    """What the block says of a value in a telegram of that direction. `reversed_octets`: mode 2."""
    vif, vifes = _look_up(vib.chain)
    unit = vif.unit if vib.text is None else vib.text[:: -1 if reversed_octets else 1]
    meaning = Meaning(vif.quantity, unit, vif.factor, vif.exponent, vif.reads)
    if vib.chain[0] & ~EXTENSION == MANUFACTURER_SPECIFIC:
        return replace(meaning, manufacturer_specific=True)  # the VIFEs are the manufacturer's too
    return _combined(meaning, vifes, to_slave=to_slave)


def _end_of_chain(octets: bytes, start: int, most: int = 1 + MOST_VIFE) -> int:
    """Index behind the first octet without extension bit: VIF and VIFEs, or VIFEs alone."""
    for index in range(start, min(start + most, len(octets))):
        if octets[index] & EXTENSION == 0:
            return index + 1
    premature = len(octets) < start + most
    raise RecordBroken("records:premature_end_of_vib" if premature else "records:too_many_vife")


def _cut_plain_text(octets: bytes, start: int) -> Vib:
    """VIF 7C, or FC with its text behind the VIFEs (the standard) or right behind the VIF (many meters).

    Of the two the one that is readable text is meant, and the latter when both are.
    """
    vif = octets[start : start + 1]
    behind_vif = _text_at(octets, start + 1)
    if vif[0] & EXTENSION == 0:
        if behind_vif is None:
            raise RecordBroken("records:plain_text_vif_overrun")
        return Vib(octets[start : start + 2 + len(behind_vif)], vif, behind_vif)
    if not _readable(behind_vif) and (standard := _text_behind_vifes(octets, start)):
        return standard
    if behind_vif is None:
        raise RecordBroken("records:plain_text_vif_overrun")
    first_vife = start + 2 + len(behind_vif)
    end = _end_of_chain(octets, first_vife, MOST_VIFE)
    return Vib(octets[start:end], vif + octets[first_vife:end], behind_vif)


def _text_behind_vifes(octets: bytes, start: int) -> Vib | None:
    try:
        end_of_chain = _end_of_chain(octets, start)
    except RecordBroken:
        return None
    text = _text_at(octets, end_of_chain)
    if text is None or not _readable(text):
        return None
    return Vib(octets[start : end_of_chain + 1 + len(text)], octets[start:end_of_chain], text)


def _text_at(octets: bytes, at: int) -> str | None:
    """Length octet, then ISO 8859-1 with the last letter first. None when the octets end before it does."""
    if at >= len(octets) or at + 1 + octets[at] > len(octets):
        return None
    return octets[at + 1 : at + 1 + octets[at]][::-1].decode("latin-1")


def _readable(text: str | None) -> bool:
    return bool(text) and text is not None and text.isprintable()


def _look_up(chain: bytes) -> tuple[Vif, bytes]:
    """The VIF of a chain, through its extension tables, and the VIFEs that are left."""
    code = chain[0] & ~EXTENSION
    match chain[0]:
        case 0xFB:
            return _in_table(FB, "reserved_fb_", chain[1:])
        case 0xFD if chain[1] == 0xFD:
            return _in_table(FD_FD, "reserved_fdfd_", chain[2:])
        case 0xFD:
            return _in_table(FD, "reserved_fd_", chain[1:])
        case 0xEF:
            return _in_table({}, "reserved_ef_", chain[1:])
        case _:
            return PRIMARY[code], chain[1:]


def _in_table(table: dict[int, Vif], reserved: str, chain: bytes) -> tuple[Vif, bytes]:
    code = chain[0] & ~EXTENSION
    return table.get(code) or Vif(f"{reserved}{code:02x}"), chain[1:]


def _combined(meaning: Meaning, vifes: bytes, *, to_slave: bool) -> Meaning:
    """VIFEs are orthogonal: a scale of their own and a correction count whichever comes first."""
    names: list[str] = []
    shift = 0
    specific = False
    codes = iter(vifes)
    for octet in codes:
        if specific := octet & ~EXTENSION == MANUFACTURER_SPECIFIC:
            names.append(SPECIFIC_VIFE)
            break
        if octet == SECOND_VIFE_TABLE:
            vife = extended(next(codes) & ~EXTENSION)
        else:
            vife = combinable(octet & ~EXTENSION, to_slave=to_slave)
        names.append(vife.name)
        shift += vife.shift
        meaning = replace(
            meaning,
            unit=meaning.unit if vife.unit is None else vife.unit,
            factor=meaning.factor if vife.factor is None else vife.factor,
            exponent=meaning.exponent if vife.factor is None else 0,
            reads=vife.reads or meaning.reads,
        )
    return replace(
        meaning,
        exponent=meaning.exponent + shift,
        modifiers=tuple(names),
        manufacturer_specific=specific,
    )
