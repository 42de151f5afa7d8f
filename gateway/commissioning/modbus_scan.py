"""`kaukoluenta gateway scan` on a Modbus line: who answers at which unit id, and what its registers show.

A Modbus meter does not say what it is. So each unit that answers is read by every map that could be its own
(those of the line's meters, else all that are shipped), and the row shows what that gave: serial number,
temperatures in each layout, and which map makes sense. Whoever commissions the line decides.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.lines.modbus_known import UNITS, ways_to
from gateway.lines.modbus_line import image_of
from gateway.lines.modbus_map import ModbusProfile
from gateway.lines.modbus_master import ModbusMaster
from gateway.lines.modbus_profile import profile_for, shipped_profiles
from gateway.lines.modbus_registers import Image, Map, evidence, find_registers, serial_in
from gateway.modbus.frames import Question
from gateway.modbus.probe import Evidence, decide
from gateway.readout import LineDown, ReadFailed
from gateway.settings import LineSettings
from kaukoluenta.errors import UsageError

_SPAN = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a map says of a unit. `fits`: its layout makes sense, and registers can be read by it."""

    profile: str
    fits: bool
    serial: str | None
    evidence: tuple[str, ...]
    registers: dict[str, str]
    absent: dict[str, str]


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit id. `state` is silent, answered (no map fits) or decoded."""

    unit: int
    state: str
    candidates: tuple[Candidate, ...] = ()


def scan_modbus_line(line: LineSettings, units: str, *, as_json: bool = False) -> int:
    """Ask the units `units` (A-B, or one) and print a row for each that answers; the exit code.

    Raises:
        UsageError: no such units. LineDown: the link. ConfigurationInvalid: a profile.
    """
    return asyncio.run(_show(line, units_of(units, line), as_json))


async def scan_units(
    bus: ModbusMaster, units: Iterable[int], profiles: Sequence[ModbusProfile]
) -> AsyncIterator[UnitRow]:
    """A row for each unit, as it is asked: a silent one costs one time-out. Raises LineDown."""
    for unit in units:
        if not await bus.is_there(Question(unit, 3, 0, 1)):
            yield UnitRow(unit, "silent")
            continue
        candidates = [await _try(bus, unit, profile) for profile in profiles]
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


def profiles_of(line: LineSettings) -> list[ModbusProfile]:
    """The maps to try: those that the line's meters have, else every shipped one that can be read by."""
    shipped = shipped_profiles()
    named = list(dict.fromkeys(meter.profile for meter in line.meter))
    profiles = [profile_for(name, shipped) for name in named] or list(shipped.values())
    return [profile for profile in profiles if profile.registers]


async def _try(bus: ModbusMaster, unit: int, profile: ModbusProfile) -> Candidate:
    """Read a unit by a map, in every way that the map leaves open."""
    seen: list[tuple[Evidence, Image]] = []
    for way in ways_to(profile, unit):
        try:
            image = image_of(await bus.ask(way, 1))
        except LineDown:
            raise
        except ReadFailed:
            continue
        seen += [(piece, image) for piece in evidence(profile, way.function, way.base, image, None)]
    layout = decide([piece for piece, _ in seen])
    told = tuple(str(piece) for piece, _ in seen)
    if layout is None:
        return Candidate(profile.name, False, None, told, {}, {})
    laid = Map(profile, next(image for piece, image in seen if piece.layout == layout), layout)
    found = find_registers(laid)
    registers = {name: f"{amount.value:f} {amount.unit}" for name, amount in found.registers.items()}
    return Candidate(profile.name, bool(registers), serial_in(laid), told, registers, found.absent)


async def _show(line: LineSettings, units: range, as_json: bool) -> int:
    bus, found = ModbusMaster(line), 0
    try:
        async for row in scan_units(bus, units, profiles_of(line)):
            found += row.state == "decoded"
            if as_json or row.state != "silent":
                sys.stdout.write(json.dumps(_json(row)) + "\n" if as_json else _told(row))
                sys.stdout.flush()
    finally:
        bus.close()
    sys.stderr.write(f"Units {units[0]} to {units[-1]} asked, {found} decoded.\n")
    return 0 if found else 1


def _told(row: UnitRow) -> str:
    lines = [f"unit {row.unit}: {row.state}"]
    for candidate in row.candidates:
        serial = f", serial number {candidate.serial}" if candidate.serial else ""
        lines.append(
            f"  {candidate.profile}: {'makes sense' if candidate.fits else 'makes no sense'}{serial}"
        )
        lines += [f"    {piece}" for piece in candidate.evidence]
        lines += [f"    {name} {value}" for name, value in candidate.registers.items()]
        lines += [f"    {name} absent: {reason}" for name, reason in candidate.absent.items()]
    return "\n".join(lines) + "\n"


def _json(row: UnitRow) -> dict[str, Any]:
    return {
        "unit": row.unit,
        "state": row.state,
        "candidates": [
            {
                "profile": candidate.profile,
                "fits": candidate.fits,
                "serial": candidate.serial,
                "evidence": list(candidate.evidence),
                "registers": candidate.registers,
                "absent": candidate.absent,
            }
            for candidate in row.candidates
        ],
    }
