"""Modbus register maps as TOML files, one a meter model: shipped ones by name, others by their path.

A value without a unit is never published, a map without a serial number says what else tells its meter apart,
and every file carries registers of its own and what they read, run as a test by being there. Register lists
in the exchange form amr-modbus-profile/1 are read as they are: `schema` and `id`, points under `[read]`, and
its names of points.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from gateway.lines.modbus_map import ROLES, ModbusProfile, Place, Point, UnitText
from gateway.lines.profile_files import (
    Content,
    File,
    ProfileInvalid,
    conform,
    find_profile,
    name_of,
    read_file,
    read_files,
    shipped_files,
)
from gateway.modbus.units import unit_named
from kaukoluenta.quantities import UnitError, check_unit

_SYNONYMS = {  # names of points in amr-modbus-profile/1
    "energy_heat": "energy",
    "energy_cool": "cooling_energy",
    "flow": "volume_flow",
    "temp_flow": "flow_temperature",
    "temp_return": "return_temperature",
    "temp_diff": "temperature_difference",
    "op_hours": "on_time",
    "err_hours": "error_time",
}
_TARIFF = re.compile(r"_tariff(?=[1-9])")


def load_profiles(files: Iterable[File]) -> dict[str, ModbusProfile]:
    """Profiles by name. Files of other protocols are passed over. Raises ProfileInvalid."""
    profiles = [_profile(name, content) for name, content in read_files(files, "modbus").items()]
    return {profile.name: profile for profile in profiles}


@cache
def shipped_profiles() -> Mapping[str, ModbusProfile]:
    """The profiles of gateway/profiles."""
    return load_profiles(shipped_files())


def profile_for(configured: str | None, profiles: Mapping[str, ModbusProfile]) -> ModbusProfile:
    """The profile that a meter's settings name: a name, or a path to a file. Modbus meters must be told.

    Raises:
        ProfileInvalid: the settings name none.
    """
    if configured is None:
        raise ProfileInvalid(
            "A Modbus meter does not say what it is: its profile is missing.",
            remedy=f"Write profile = one of {', '.join(profiles)}, or a path to a TOML file.",
        )
    return find_profile(configured, profiles, _from_path, protocol="Modbus")


def _from_path(path: Path) -> ModbusProfile:
    return _profile(name_of(path), read_file(path))


def _profile(name: str, content: Content) -> ModbusProfile:
    given = conform(name, _tidied(name, content), ModbusProfile, see="docs/how-to/add-a-modbus-meter.md")
    named = [msgspec.structs.replace(point, name=_canonical(point.name)) for point in given.point]
    known = tuple(point for point in named if point.is_register or point.name in ROLES)
    unread = (*given.unread, *(point for point in named if point not in known))
    profile = msgspec.structs.replace(given, point=known, unread=unread)
    for fault in _faults(profile):
        raise ProfileInvalid(f"Profile {profile.name}: {fault}.", remedy="Mend the file.")
    return profile


def _tidied(name: str, content: Content) -> Content:
    """A file in our own form, also when it is a bare register list in the form amr-modbus-profile/1."""
    tidied = {key: value for key, value in content.items() if key not in ("schema", "id")}
    table = content.get("read")
    if isinstance(table, dict) and "point" in table:  # TOML counts a list below a heading to that table
        tidied["read"] = {key: value for key, value in table.items() if key != "point"}
        tidied["point"] = table["point"]
    return {**tidied, "name": content.get("id", name)}


def _canonical(name: str) -> str:
    """The vocabulary's name of a point: `flow_temperature` for `temp_flow`."""
    name = _TARIFF.sub("_tariff_", name)
    head, tariff, number = name.partition("_tariff_")
    return _SYNONYMS.get(head, head) + tariff + number


def _faults(profile: ModbusProfile) -> Iterable[str]:
    names = [point.name for point in profile.point]
    yield from (f"{name} is there twice" for name in set(names) if names.count(name) > 1)
    for point in (*profile.point, *profile.unread):
        if not all(map(_is_sized, (point, *point.needs))):
            yield f"{point.name} has no type that is known"
        if point.unit_from and point.unit_from.codes and point.unit_from.codes not in profile.codes:
            yield f"{point.name} names a table of codes that is not there"
    for point in profile.registers:
        yield from _unit_faults(point)


def _is_sized(place: Place | UnitText) -> bool:
    try:
        return place.width > 0
    except KeyError:
        return False


def _unit_faults(point: Point) -> Iterable[str]:
    if not point.unit:
        return
    unit = unit_named(point.unit)
    try:
        check_unit(point.name, unit.unit if unit else point.unit)
    except UnitError as error:
        yield error.problem.rstrip(".")
