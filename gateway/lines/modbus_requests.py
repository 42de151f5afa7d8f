"""From a map to what has to be read: each value with the registers that it needs, and the device's limits.

`function` is the one for points that name none, `base` the number that the map gives the first register.
"""

from __future__ import annotations

from gateway.lines.modbus_map import CLOCK, INFO_CODE, SERIAL, ModbusProfile, Place, Point, UnitText
from gateway.modbus.ground import Limits, Span
from gateway.modbus.plan import Wanted


def wanted(profile: ModbusProfile, function: int, base: int) -> list[Wanted]:
    """What one readout asks for."""
    serial = profile.role(SERIAL)
    identity = (_span(serial, serial, function, base),) if serial else ()
    values = [
        Wanted(
            point.name,
            _span(point, point, function, base),
            tuple(_span(point, place, function, base) for place in point.needs) + identity,
        )
        for point in profile.registers
    ]
    extras = [point for name in (INFO_CODE, CLOCK) if (point := profile.role(name))]
    return values + [Wanted(point.name, _span(point, point, function, base)) for point in extras]


def limits(profile: ModbusProfile, function: int, base: int) -> Limits:
    """What the device allows. A device that never refuses is asked for nothing that its map does not name."""
    facts = profile.read
    documented = [
        _span(point, place, function, base)
        for point in (*profile.point, *profile.unread)
        for place in (point, *point.needs)
    ]
    holes = [
        Span(used, first - base, last - first + 1)
        for first, last in facts.holes
        for used in {span.function for span in documented}
    ]
    gap = 0 if facts.no_exceptions else facts.max_gap
    return Limits(tuple(documented), tuple(holes), facts.max_registers, gap)


def _span(point: Point, place: Place | UnitText, function: int, base: int) -> Span:
    return Span(point.fc or function, place.addr - base, place.width)
