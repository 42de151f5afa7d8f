"""What stands before the records: the meter's identity, its state, and how the rest is secured.

EN 13757-3:2018 and EN 13757-7:2018. The long header has twelve octets, the short one four.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

LONG, SHORT = 12, 4

MEDIA: Final = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat (outlet)",
    0x06: "warm water (30-90C)",
    0x07: "water",
    0x08: "heat cost allocator",
    0x0A: "cooling (outlet)",
    0x0C: "heat (inlet)",
    0x0D: "heat/cooling",
    0x0E: "bus/system",
    0x0F: "unknown",
    0x11: "water data logger",
    0x16: "cold water",
    0x1A: "smoke detector",
    0x1B: "room sensor",
    0x1D: "CO alarm",
    0x20: "breaker (electricity)",
    0x31: "communication controller",
    0x32: "unidirectional repeater",
    0x37: "radio converter (meter)",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a meter is: what its secondary address is made of. `id` keeps leading zeros and hex nibbles."""

    id: str
    manufacturer_code: int
    version: int
    medium: int

    @property
    def manufacturer(self) -> str:
        return manufacturer_name(self.manufacturer_code)

    @property
    def medium_text(self) -> str:
        return MEDIA.get(self.medium, "reserved/unknown")


@dataclass(frozen=True, slots=True)
class Header:
    """`identity` is absent in the short header. `config_word` says how the records are secured."""

    identity: Identity | None
    access_no: int
    status: int
    config_word: int


def identity_of(number: str, manufacturer: str, version: int, medium: int) -> Identity:
    """As the plate says it: `identity_of("01234567", "KAM", 0x1B, 0x04)`."""
    return Identity(number, manufacturer_code(manufacturer), version, medium)


def long_header(octets: bytes, *, reversed_octets: bool = False) -> Header:
    """Twelve octets: identity, then as the short header. In mode 2 each field is turned round."""
    order: Literal["big", "little"] = "big" if reversed_octets else "little"
    number = octets[:4] if reversed_octets else octets[3::-1]
    maker = int.from_bytes(octets[4:6], order)
    identity = Identity(number.hex().upper(), maker, octets[6], octets[7])
    return Header(identity, octets[8], octets[9], int.from_bytes(octets[10:12], order))


def short_header(octets: bytes) -> Header:
    """Four octets: access number, status, configuration word."""
    return Header(None, octets[0], octets[1], int.from_bytes(octets[2:4], "little"))


def manufacturer_name(code: int) -> str:
    """Three letters of five bits each (FLAG code); word 0000 gives @@@."""
    return "".join(chr(0x40 + (code >> shift & 0x1F)) for shift in (10, 5, 0))


def manufacturer_code(name: str) -> int:
    """The word of three letters, the inverse of `manufacturer_name`."""
    first, second, third = (ord(letter) - 0x40 & 0x1F for letter in name)
    return first << 10 | second << 5 | third
