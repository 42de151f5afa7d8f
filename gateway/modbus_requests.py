"""From a map to what has to be read: each value with the registers that it needs, and the device's limits.

Where the map leaves the number of the first register to a probe, spans reach one register further down, so
that one readout serves both.
"""

from __future__ import annotations

from gateway.modbus.ground import Limits, Span
from gateway.modbus.plan import Wanted
from gateway.modbus_map import CLOCK, INFO_CODE, SERIAL, ModbusProfile, Place, Point, UnitText


def wanted(profile: ModbusProfile, function: int) -> list[Wanted]:
    """What one readout asks for. `function` is the one for points that name none of their own."""
    serial = profile.role(SERIAL)
    identity = (_span(profile, serial, serial, function),) if serial else ()
    values = [
        Wanted(
            point.name,
            _span(profile, point, point, function),
            tuple(_span(profile, point, place, function) for place in point.needs) + identity,
        )
        for point in profile.registers
    ]
    extras = [point for name in (INFO_CODE, CLOCK) if (point := profile.role(name))]
    return values + [Wanted(point.name, _span(profile, point, point, function)) for point in extras]


def limits(profile: ModbusProfile, function: int) -> Limits:
    """What the device allows. A device that never refuses is asked for nothing that its map does not name."""
    facts = profile.read
    documented = [
        _span(profile, point, place, function)
        for point in (*profile.point, *profile.unread)
        for place in (point, *point.needs)
    ]
    holes = [
        Span(used, first - min(facts.address_bases), last - first + 1)
        for first, last in facts.holes
        for used in {span.function for span in documented}
    ]
    gap = 0 if facts.no_exceptions else facts.max_gap
    return Limits(tuple(documented), tuple(holes), facts.max_registers, gap)


def _span(profile: ModbusProfile, point: Point, place: Place | UnitText, function: int) -> Span:
    bases = profile.read.address_bases
    first, after = max(place.addr - max(bases), 0), place.addr - min(bases) + place.width
    return Span(point.fc or function, first, after - first)
