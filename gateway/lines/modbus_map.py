"""The form of a Modbus map: what a profile file may say of a meter's registers.

Which registers hold which values, in which unit, how they are read, and an example. A file states facts with
their sources and leaves out what no source gives. docs/how-to/add-a-modbus-meter.md explains the form.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from gateway.lines.profile_files import Strict
from gateway.modbus import words
from gateway.modbus.frames import MOST_REGISTERS, READ_HOLDING, READ_INPUT
from kaukoluenta.quantities import UnitError, quantity_of

PROBE: Final = "probe"
"""Written where no source tells: each meter has to show it."""

SERIAL, INFO_CODE, CLOCK = "serial", "info_code", "clock"
ROLES = (SERIAL, INFO_CODE, CLOCK)
CLOCK_FIELDS = 5
"""A clock of five registers holds year, month, day, hour and minute; one of u32 counts seconds since 1970."""

Address = Annotated[int, msgspec.Meta(ge=0, le=0x10000)]
Function = Literal[3, 4]


class Place(Strict, frozen=True):
    """Registers that hold something. `addr` is written as the maker's document writes it."""

    addr: Address
    type: str = "u16"

    @property
    def width(self) -> int:
        return words.width(self.type)


class UnitCode(Place, frozen=True):
    """A register whose number, cut by `mask`, names the unit in the table `[codes.CODES]`."""

    codes: str = ""
    mask: int = 0xFFFF_FFFF


class UnitText(Strict, frozen=True):
    """`len` registers of text. `anywhere`: the unit stands among octets of something else."""

    addr: Address
    len: int
    anywhere: bool = False

    @property
    def width(self) -> int:
        return self.len


class UnitVif(Place, frozen=True):
    """A register with an M-Bus DIF in its upper octet and a VIF in its lower one."""


class Exponent(Place, frozen=True):
    """The value is times ten to the power of this register plus `offset`."""

    type: str = "s16"
    offset: int = 0


class Fraction(Place, frozen=True):
    """What comes on top of the whole number."""

    scale: Decimal = Decimal(1)


class Timestamp(Place, frozen=True):
    """When a converter read this value from its meter: seconds since 1970 in UTC."""

    type: str = "u32"


class Point(Place, frozen=True, kw_only=True):
    """One value of the map. Without `unit` or one of the others that give it, the value is not published.

    `ok`: what an info code says when nothing is wrong. `conf` and `note` are for people.
    """

    name: str
    scale: Decimal = Decimal(1)
    unit: str = ""
    unit_from: UnitCode | None = None
    unit_ascii: UnitText | None = None
    unit_vif: UnitVif | None = None
    exp_from: Exponent | None = None
    plus: Fraction | None = None
    time_from: Timestamp | None = None
    invalid: tuple[Decimal, ...] = ()
    word_order: Literal["big", "little"] | None = None
    fc: Function | None = None
    count: int = 0
    ok: tuple[int, ...] = ()
    kind: str = ""
    conf: str = ""
    note: str = ""

    @property
    def width(self) -> int:
        return max(words.width(self.type), self.count)

    @property
    def needs(self) -> tuple[Place | UnitText, ...]:
        """The registers without which the value means nothing."""
        places = (
            self.unit_from,
            self.unit_ascii,
            self.unit_vif,
            self.exp_from,
            self.plus,
            self.time_from,
        )
        return tuple(place for place in places if place is not None)

    @property
    def is_register(self) -> bool:
        """Whether the vocabulary has a register of this name."""
        try:
            quantity_of(self.name)
        except UnitError:
            return False
        return True


class Source(Strict, frozen=True):
    url: str
    what: str


class LinkFacts(Strict, frozen=True):
    """What the meter is connected by. `unit_id`: its usual unit id, or the rule that it follows."""

    transports: tuple[str, ...] = ()
    serial: str = ""
    unit_id: int | str = ""


class ReadFacts(Strict, frozen=True):
    """How the map is read.

    `address_base`: the number of the first register in the maker's document. `max_gap`: so many registers
    that the map does not name may be read along. `no_exceptions`: the device is silent instead of refusing,
    so nothing is read along. `refresh_s`: how often the device itself asks the meter; `old_until_asked`: and
    that only after it was asked, so that the first answer is an old one. `invalid`: numbers that mean "none".
    """

    function: Function | Literal["probe"] = READ_HOLDING
    word_order: Literal["big", "little", "probe"] = "big"
    byte_order: Literal["big", "little"] = "big"
    address_base: Literal[0, 1, "probe"] = 0
    max_registers: Annotated[int, msgspec.Meta(ge=1, le=MOST_REGISTERS)] = MOST_REGISTERS
    max_gap: Annotated[int, msgspec.Meta(ge=0, le=MOST_REGISTERS)] = 16
    holes: tuple[tuple[Address, Address], ...] = ()
    no_exceptions: bool = False
    refresh_s: float = 0
    old_until_asked: bool = False
    min_poll_s: float = 0
    invalid: tuple[Decimal, ...] = ()
    address_note: str = ""

    @property
    def functions(self) -> tuple[int, ...]:
        """Those that the device may serve; the likelier first."""
        return (READ_HOLDING, READ_INPUT) if self.function == PROBE else (self.function,)

    @property
    def word_orders(self) -> tuple[words.Order, ...]:
        return ("big", "little") if self.word_order == PROBE else (self.word_order,)

    @property
    def address_bases(self) -> tuple[int, ...]:
        return (0, 1) if self.address_base == PROBE else (self.address_base,)


class Example(Strict, frozen=True):
    """Registers in hex words, by the address of the first of each run, and what they read.

    `word_order` and `address_base` are those of the meter in the example when a probe has to show them.
    """

    registers: dict[str, str]
    reads: dict[str, str] = msgspec.field(default_factory=dict)
    absent: tuple[str, ...] = ()
    serial: str = ""
    info_code: str | None = None
    meter_time: str | None = None
    read_at: str | None = None
    word_order: Literal["big", "little"] | None = None
    address_base: int | None = None


class ModbusProfile(Strict, frozen=True):
    """One file. `name` is its stem. `point`s are read, `unread` ones are facts for whoever needs them.

    `identity` says what tells this meter from another one when the map has no serial number.
    """

    name: str
    protocol: Literal["modbus"] = "modbus"
    vendor: str = ""
    model: str = ""
    confidence: str = ""
    sources: tuple[Source, ...] = ()
    not_found: tuple[str, ...] = ()
    quirks: tuple[str, ...] = ()
    identity: str = ""
    link: LinkFacts = LinkFacts()
    read: ReadFacts = ReadFacts()
    point: tuple[Point, ...] = ()
    unread: tuple[Point, ...] = ()
    codes: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    example: tuple[Example, ...] = ()

    def role(self, name: str) -> Point | None:
        """The point that has a role: serial, info_code, clock."""
        return next((point for point in self.point if point.name == name), None)

    @property
    def registers(self) -> tuple[Point, ...]:
        """The points that are registers of the vocabulary."""
        return tuple(point for point in self.point if point.name not in ROLES)

    @property
    def has_to_be_probed(self) -> bool:
        """Whether a readout must first show which layout its registers have."""
        return PROBE in (self.read.function, self.read.word_order, self.read.address_base)
