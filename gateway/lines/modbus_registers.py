"""From the answers of a readout to registers, by the map of a profile. Values stay as the meter gave them.

A value that is an error value, or that the map gives no unit, makes its register absent, with the reason.
Every product is exact: one that outgrew the digits a store can hold is absent too, never rounded.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway.lines.modbus_map import (
    CLOCK,
    CLOCK_FIELDS,
    INFO_CODE,
    SERIAL,
    ModbusProfile,
    Place,
    Point,
    UnitText,
)
from gateway.modbus import words
from gateway.modbus.ground import Span
from gateway.modbus.plan import Wanted
from gateway.modbus.probe import Evidence, Layout
from gateway.modbus.units import ScaledUnit, unit_named, unit_of_vif, unit_within
from gateway.modbus.words import Words
from kaukoluenta.quantities import MOST_DIGITS, Amount, UnitError, check_unit
from kaukoluenta.reading import EARLIEST, NO_DOUBT, Quality

FARTHEST_EXPONENT = 18
ONE_READOUT = timedelta(minutes=1)
"""A converter reads the values of a meter within it; what is older was not refreshed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS: Mapping[bool, tuple[Callable[[Sequence[int], Words], str], Callable[[str], ScaledUnit | None]]] = {
    False: (words.read_text, unit_named),
    True: (words.read_characters, unit_within),
}
"""How a unit in letters is read: alone, or anywhere among other octets."""
_TEMPERATURES = ("flow_temperature", "return_temperature", "temperature_difference")


class Image:
    """The registers that a readout brought. Where several answers have a register, the first counts."""

    def __init__(self, answers: Iterable[tuple[Span, Sequence[int]]]) -> None:
        self._answers = tuple(answers)

    def at(self, function: int, address: int, count: int) -> Sequence[int]:
        """So many registers from an address on; none when no one answer has them all."""
        for where, registers in self._answers:
            start = address - where.address
            if where.function == function and 0 <= start <= where.count - count:
                return registers[start : start + count]
        return ()

    def all_at(self, span: Span) -> list[Sequence[int]]:
        """The registers of a span in every answer that has them all."""
        return [
            registers[span.address - where.address : span.end - where.address]
            for where, registers in self._answers
            if where.holds(span)
        ]


@dataclass(slots=True)
class Found:
    """What the registers of one readout say."""

    registers: dict[str, Amount] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    quality: Quality = NO_DOUBT
    info_code: str | None = None
    meter_time: str | None = None
    read_at: datetime | None = None


class Map:
    """A profile's map laid over the registers of one readout."""

    def __init__(self, profile: ModbusProfile, image: Image, layout: Layout) -> None:
        self.profile, self.layout, self._image = profile, layout, image

    def registers(self, point: Point, place: Place | UnitText) -> Sequence[int]:
        """The registers of a place. None at all when the device did not give them."""
        function = point.fc or self.layout.function
        return self._image.at(function, place.addr - self.layout.base, place.width)

    def number(self, point: Point, place: Place) -> Decimal | None:
        """The number at a place: None when it is none, or not there."""
        registers = self.registers(point, place)
        order = Words(point.word_order or self.layout.words.words, self.layout.words.octets)
        return words.read_number(place.type, registers, order) if registers else None

    def text(self, point: Point, place: Place | UnitText) -> str:
        return words.read_text(self.registers(point, place), self.layout.words)


def find_registers(laid: Map) -> Found:
    """Apply a map to the registers of a readout."""
    found = Found()
    stamps: dict[str, datetime] = {}
    for point in laid.profile.registers:
        try:
            found.registers[point.name] = _amount(laid, point)
            if point.time_from:
                stamps[point.name] = _timestamp(laid, point, point.time_from)
        except _Absent as why:
            found.registers.pop(point.name, None)
            found.absent[point.name] = str(why)
            continue
        if point.type in words.FLOATS or (point.plus and point.plus.type in words.FLOATS):
            found.quality |= Quality.FROM_FLOAT
    _keep_one_readout(found, stamps)
    _complaints(laid, found)
    found.meter_time = _meter_time(laid)
    return found


class _Absent(Exception):
    """Why a register has no value. Does not leave this module."""


def _amount(laid: Map, point: Point) -> Amount:
    raw = laid.number(point, point)
    if raw is None:
        raise _Absent("no number" if laid.registers(point, point) else "the device has no such register")
    if raw in point.invalid or raw in laid.profile.read.invalid:
        raise _Absent(f"error value {raw:f}")
    value = raw * point.scale
    if point.plus:
        value += _present(laid, point, point.plus, "fraction") * point.plus.scale
    if point.exp_from:
        value = _shifted(value, _present(laid, point, point.exp_from, "exponent") + point.exp_from.offset)
    unit = _unit(laid, point)
    return _checked(point.name, Amount(value * unit.factor, unit.unit))


def _present(laid: Map, point: Point, place: Place, what: str) -> Decimal:
    number = laid.number(point, place)
    if number is None:
        raise _Absent(f"its {what} is no number")
    return number


def _shifted(value: Decimal, exponent: Decimal) -> Decimal:
    if abs(exponent) > FARTHEST_EXPONENT or exponent % 1:
        raise _Absent(f"exponent {exponent:f}")
    return value.scaleb(int(exponent))


def _unit(laid: Map, point: Point) -> ScaledUnit:
    """The unit that the map, or a register that it names, gives this value."""
    unit, written = None, ""
    if point.unit_from:
        code = int(_present(laid, point, point.unit_from, "unit code")) & point.unit_from.mask
        written = laid.profile.codes.get(point.unit_from.codes, {}).get(str(code), "")
        if not written:
            raise _Absent(f"the profile does not know unit code {code}")
        unit = unit_named(written)
    elif point.unit_ascii:
        registers = laid.registers(point, point.unit_ascii)
        read, named = _TEXTS[point.unit_ascii.anywhere]
        written = read(registers, laid.layout.words)
        unit = named(written)
    elif point.unit_vif:
        code = int(_present(laid, point, point.unit_vif, "unit"))
        written, unit = f"VIF {code & 0xFF:02X}h", unit_of_vif(code)
    elif point.unit:
        written, unit = point.unit, unit_named(point.unit)
    else:
        raise _Absent("the profile does not know its unit")
    if unit is None:
        raise _Absent(f"its unit is {written[:20]!r}")
    return unit


def _checked(register: str, amount: Amount) -> Amount:
    try:
        check_unit(register, amount.unit)
    except UnitError as error:
        raise _Absent(error.problem) from None
    digits, exponent = amount.value.as_tuple()[1:]
    if len(digits) > MOST_DIGITS or not isinstance(exponent, int) or abs(exponent) > FARTHEST_EXPONENT:
        raise _Absent(f"more than {MOST_DIGITS} digits")
    return amount


def _timestamp(laid: Map, point: Point, place: Place) -> datetime:
    instant = _EPOCH + timedelta(seconds=int(_present(laid, point, place, "time-stamp")))
    if instant < EARLIEST:
        raise _Absent(f"its time-stamp says {instant:%Y-%m-%d}: the converter's clock is not set")
    return instant


def _keep_one_readout(found: Found, stamps: Mapping[str, datetime]) -> None:
    """Values that a converter read at different times are no reading of one instant: the latest stand."""
    found.read_at = max(stamps.values(), default=None)
    for register, instant in stamps.items():
        if found.read_at and found.read_at - instant > ONE_READOUT:
            del found.registers[register]
            found.absent[register] = f"not refreshed since {instant:%Y-%m-%dT%H:%M:%SZ}"


def _complaints(laid: Map, found: Found) -> None:
    """What the meter says of its own state. A fault, where the map tells which codes are none."""
    point = laid.profile.role(INFO_CODE)
    if point is None:
        return
    if point.type.startswith("ascii"):
        found.info_code = laid.text(point, point) or None
        return
    code = laid.number(point, point)
    if code is None or code == 0 or code in point.ok:
        return
    found.info_code = f"{int(code):04X}h" if point.type.startswith("bits") else f"{code:f}"
    if point.ok:
        found.quality |= Quality.METER_FAULT


def _meter_time(laid: Map) -> str | None:
    point = laid.profile.role(CLOCK)
    registers = laid.registers(point, point) if point else ()
    if point is None or not registers:
        return None
    try:
        if len(registers) == CLOCK_FIELDS:
            year, month, day, hour, minute = registers
            year = year if year > 99 else 2000 + year
            return datetime(year, month, day, hour, minute).isoformat()  # noqa: DTZ001 - a meter's clock has no zone
        seconds = laid.number(point, point)
        return (_EPOCH + timedelta(seconds=int(seconds or 0))).replace(tzinfo=None).isoformat()
    except ValueError:
        return None


def have_changed(image: Image, items: Iterable[Wanted]) -> bool:
    """Whether a register that some value needs was not the same in every answer."""
    needs = {need for item in items for need in item.needs}
    return any(len({tuple(registers) for registers in image.all_at(need)}) > 1 for need in needs)


def serial_in(laid: Map) -> str | None:
    """The serial number that the meter gives. None: its map has none, or there is no number."""
    point = laid.profile.role(SERIAL)
    if point is None:
        return None
    if point.type.startswith("ascii"):
        return laid.text(point, point) or None
    number = laid.number(point, point)
    return None if number is None else f"{number:f}"


def serial_fits(laid: Map, plate: str | None) -> bool | None:
    """Whether it is the meter with this number on its plate. None: its map has none, or no plate was seen.

    Leading zeros do not count. A number kept in a float is as good as the float is: 24 bits of it.
    """
    point, said = laid.profile.role(SERIAL), serial_in(laid)
    if point is None or plate is None:
        return None
    if said is None:
        return False
    if point.type == "f32" and plate.isdecimal():
        kept = struct.unpack(">f", struct.pack(">f", int(plate)))[0]
        return said == f"{words.shortest_decimal('f32', kept):f}"
    return said.upper().lstrip("0") == plate.upper().lstrip("0")


def evidence(
    profile: ModbusProfile, function: int, base: int, image: Image, plate: str | None
) -> list[Evidence]:
    """What the registers say in each order of words that could be; in one where the map leaves none open.

    Temperatures are evidence where something is open, or no plate is at hand.
    """
    orders = [Words(order, profile.read.byte_order) for order in profile.read.word_orders]
    maps = [Map(profile, image, Layout(function, base, order)) for order in orders]
    tells = _TEMPERATURES if profile.has_to_be_probed or plate is None else ()
    points = [point for point in profile.registers if point.name in tells]
    return [
        Evidence(
            laid.layout, {point.name: _scaled(laid, point) for point in points}, serial_fits(laid, plate)
        )
        for laid in maps
    ]


def _scaled(laid: Map, point: Point) -> Decimal | None:
    number = laid.number(point, point)
    return None if number is None else number * point.scale
