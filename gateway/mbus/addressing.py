"""Addresses on the bus: primary numbers with a meaning of their own; secondary addresses with wildcards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.mbus.errors import MbusError
from gateway.mbus.header import Identity, manufacturer_code

LAST_PRIMARY: Final = 250
SELECTED: Final = 0xFD  # the meter selected by its secondary address
ANY_METER: Final = 0xFE  # every meter answers: for one meter on the bench
BROADCAST: Final = 0xFF  # every meter obeys, none answers

ANY_DIGIT: Final = "F"


class BadAddress(MbusError):
    """A text that is no secondary address."""


@dataclass(frozen=True, slots=True)
class SecondaryAddress:
    """What a selection asks for. F in `id` matches any digit, None any manufacturer, version or medium."""

    id: str = ANY_DIGIT * 8
    manufacturer_code: int | None = None
    version: int | None = None
    medium: int | None = None

    def matches(self, identity: Identity) -> bool:
        """Would this meter feel selected?"""
        wanted = (self.manufacturer_code, self.version, self.medium)
        found = (identity.manufacturer_code, identity.version, identity.medium)
        rest = all(want in (None, mine) for want, mine in zip(wanted, found, strict=True))
        return rest and self.matches_id(identity.id)

    def matches_id(self, number: str) -> bool:
        """All that can be compared with an old meter, whose fixed structure has no manufacturer."""
        return all(digit in (ANY_DIGIT, its) for digit, its in zip(self.id, number, strict=True))

    def to_bytes(self) -> bytes:
        """The eight octets of a selection, least significant first; wildcards are all ones."""
        code = 0xFFFF if self.manufacturer_code is None else self.manufacturer_code
        version, medium = (0xFF if octet is None else octet for octet in (self.version, self.medium))
        return bytes.fromhex(self.id)[::-1] + code.to_bytes(2, "little") + bytes((version, medium))

    def __str__(self) -> str:
        """Digits, then manufacturer, version and medium in hexadecimal: 69183621.2C2D.1C.04; F is any."""
        number, maker, state = self.id, self.to_bytes()[5:3:-1].hex(), self.to_bytes()[6:8].hex(".")
        return f"{number}.{maker}.{state}".upper()


def secondary_address(text: str) -> SecondaryAddress:
    """The address of a text as `str` writes it; parts left out at the end are wildcards.

    The manufacturer may also be its three letters: 69183621.KAM.

    Raises:
        BadAddress
    """
    try:
        number, maker, version, medium = (text.upper().split(".") + [""] * 3)[:4]
        address = SecondaryAddress(number, _maker(maker), _octet(version), _octet(medium))
        if len(bytes.fromhex(number)) == 4 and text.count(".") <= 3:
            return address
    except ValueError:
        pass
    raise BadAddress(
        f"{text!r} is no secondary address.",
        remedy="Write eight digits, then manufacturer, version, medium in hexadecimal: 69183621.2C2D.1C.04",
    )


def address_of(identity: Identity) -> SecondaryAddress:
    """The address that selects this meter and no other."""
    return SecondaryAddress(identity.id, identity.manufacturer_code, identity.version, identity.medium)


def _maker(text: str) -> int | None:
    if len(text) == 3:
        return manufacturer_code(text)
    return None if text in ("", "FFFF") else _number(text, 0xFFFF)


def _octet(text: str) -> int | None:
    return None if text in ("", "FF") else _number(text, 0xFF)


def _number(text: str, largest: int) -> int:
    number = int(text, 16)
    if not 0 <= number <= largest:
        raise ValueError(text)
    return number
