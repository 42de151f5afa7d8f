"""Who is on a Modbus line: each unit id that answers, and what its registers show. Writes to no meter.

A Modbus meter does not say what it is. So each unit that answers is read by every map that could be its own
(those of the line's meters, else all that are shipped), and the row shows what that gave: serial number,
temperatures in each layout, and which map makes sense. Whoever commissions the line decides.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.commissioning.scan import ScanRow, State
from gateway.lines.modbus_known import UNITS, ways_to
from gateway.lines.modbus_line import image_of
from gateway.lines.modbus_map import ModbusProfile
from gateway.lines.modbus_master import ModbusMaster
from gateway.lines.modbus_profile import profile_for, shipped_profiles
from gateway.lines.modbus_registers import Image, Map, evidence, find_registers, serial_fits, serial_in
from gateway.modbus.frames import Question
from gateway.modbus.probe import Evidence, decide
from gateway.readout import LineDown, ReadFailed
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import UsageError
from kaukoluenta.identifiers import BadIdentifier, MeterId, meter_id_of

_SPAN = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")

Profiles = Mapping[str, ModbusProfile]
"""Maps by what a meter's settings call them: a name, or the path of a file."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a map says of a unit. `fits`: its layout makes sense, and registers can be read by it.

    `listed`: the meter that it is, where one is listed with this unit and map and the serial number is no
    other's.
    """

    profile: str
    fits: bool
    serial: str | None
    evidence: tuple[str, ...]
    registers: dict[str, str]
    absent: dict[str, str]
    model: str = ""
    listed: MeterId | None = None


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit id. `state` is silent, answered (no map fits) or decoded."""

    unit: int
    state: State
    candidates: tuple[Candidate, ...] = ()


async def scan_units(
    master: ModbusMaster,
    units: Iterable[int],
    profiles: Profiles,
    *,
    listed: Sequence[MeterSettings] = (),
    attempts: int = 1,
) -> AsyncIterator[UnitRow]:
    """A row for each unit, as it is asked: a silent one costs `attempts` time-outs. Raises LineDown."""
    for unit in units:
        if not await _is_there(master, unit, attempts):
            yield UnitRow(unit, "silent")
            continue
        here = [meter for meter in listed if meter.address == unit]
        candidates = [await _try(master, unit, named, here) for named in profiles.items()]
        fits = any(candidate.fits for candidate in candidates)
        told = tuple(candidate for candidate in candidates if candidate.evidence)
        yield UnitRow(unit, "decoded" if fits else "answered", told)


def units_of(text: str, line: LineSettings) -> range:
    """Unit ids as they are written: `1-247`, or one."""
    span = _SPAN.fullmatch(text)
    lowest, highest = UNITS[ModbusMaster(line).framing]
    first = int(span[1]) if span else -1
    last = int(span[2] or span[1]) if span else -1
    if not lowest <= first <= last or first > highest:
        raise UsageError(
            f"{text!r} are no unit ids.", remedy=f"Write --addresses A-B, from {lowest} to {highest}."
        )
    return range(first, min(last, highest) + 1)


def profiles_of(line: LineSettings, listed: Iterable[MeterSettings] = ()) -> Profiles:
    """The maps to try: those that the line's meters have, else every shipped one that can be read by.

    Besides them those of the meters `listed` elsewhere: a list that a scan writes must not narrow the scan.
    """
    shipped = shipped_profiles()
    named = [meter.profile for meter in line.meter if meter.profile] or list(shipped)
    named += [meter.profile for meter in listed if meter.profile]
    profiles: dict[str, ModbusProfile] = {}
    for name in named:
        profile = profile_for(name, shipped)
        if profile.registers and profile not in profiles.values():
            profiles[name] = profile
    return profiles


def as_listed(row: UnitRow, maker: str | None) -> ScanRow:
    """The row in the words of a list of meters.

    It names a meter where one is listed already, or where just one map fits, has a serial number, and the
    `maker` is told: no register says the letters on the plate.
    """
    asked = str(row.unit)
    fitting = [candidate for candidate in row.candidates if candidate.fits]
    known = [candidate for candidate in fitting if candidate.listed]
    if not fitting:
        return ScanRow(asked, row.state, has_to_be_told=True)
    if len(fitting) > 1 and not known:
        fits = ", ".join(candidate.profile for candidate in fitting)
        return ScanRow(asked, row.state, has_to_be_told=True, note=f"its map is one of {fits}")
    it = (known or fitting)[0]
    return ScanRow(
        asked,
        row.state,
        it.listed or _meter_id(maker, it.serial),
        it.serial,
        profile=it.profile,
        model=it.model,
        has_to_be_told=True,
    )


def _meter_id(maker: str | None, serial: str | None) -> MeterId | None:
    if maker is None or serial is None or not serial.strip("0"):
        return None
    try:
        return meter_id_of(maker, serial)
    except BadIdentifier:
        return None  # a serial number with signs that no plate has


async def _is_there(master: ModbusMaster, unit: int, attempts: int) -> bool:
    for _ in range(attempts):
        if await master.is_there(Question(unit, 3, 0, 1)):
            return True
    return False


async def _try(
    master: ModbusMaster, unit: int, named: tuple[str, ModbusProfile], here: Sequence[MeterSettings]
) -> Candidate:
    """Read a unit by a map, in every way that the map leaves open. `here`: the meters listed at this unit."""
    name, profile = named
    seen: list[tuple[Evidence, Image]] = []
    for way in ways_to(profile, unit):
        try:
            image = image_of(await master.ask(way, 1))
        except LineDown:
            raise
        except ReadFailed:
            continue
        seen += [(piece, image) for piece in evidence(profile, way.function, way.base, image, None)]
    layout = decide([piece for piece, _ in seen])
    told = tuple(str(piece) for piece, _ in seen)
    if layout is None:
        return Candidate(name, False, None, told, {}, {})
    laid = Map(profile, next(image for piece, image in seen if piece.layout == layout), layout)
    found = find_registers(laid)
    registers = {name: f"{amount.value:f} {amount.unit}" for name, amount in found.registers.items()}
    return Candidate(
        name,
        bool(registers),
        serial_in(laid),
        told,
        registers,
        found.absent,
        profile.model,
        next((meter.id for meter in here if _may_be(meter, laid)), None),
    )


def _may_be(meter: MeterSettings, laid: Map) -> bool:
    """Whether it is listed with this map, and the serial number, if the map has one, is its own."""
    is_its_map = profile_for(meter.profile, shipped_profiles()) == laid.profile
    return is_its_map and serial_fits(laid, meter.id.partition("-")[2]) is not False
