"""Modbus register maps as TOML files, one a meter model: shipped ones by name, others by their path.

A value without a unit is never published, a map without a serial number says what else tells its meter apart,
and every file carries registers of its own and what they read, run as a test by being there.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec

from gateway.lines.modbus_map import ROLES, ModbusProfile, Point
from gateway.modbus.units import unit_named
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.quantities import UnitError, check_unit

_SYNONYMS = {
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


class ProfileInvalid(ConfigurationInvalid):
    """A profile that cannot be used, or that nobody has written."""


def load_profiles(files: Iterable[Traversable | Path]) -> dict[str, ModbusProfile]:
    """Profiles by name. Files of other protocols are passed over. Raises ProfileInvalid."""
    read = [_read(file) for file in files]
    return {content["name"]: _profile(content) for content in read if content.get("protocol") == "modbus"}


@cache
def shipped_profiles() -> Mapping[str, ModbusProfile]:
    """The profiles of gateway/profiles."""
    folder = resources.files("gateway") / "profiles"
    return load_profiles(sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=str))


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
    if not configured.endswith(".toml"):
        if configured in profiles:
            return profiles[configured]
        raise ProfileInvalid(
            f"No Modbus profile is called {configured!r}.",
            remedy=f"Give a path to a TOML file, or choose one of {', '.join(profiles)}.",
        )
    return _profile(_read(Path(configured)))


def _read(file: Traversable | Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileInvalid(f"The profile {file} cannot be read: {error}.", remedy="Mend it.") from None
    content.pop("schema", None)
    table = content.get("read")
    if isinstance(table, dict) and "point" in table:  # TOML counts a list below a heading to that table
        content["point"] = table.pop("point")
    name = content.pop("id", file.name.removesuffix(".toml"))
    return {**content, "name": name}


def _profile(content: dict[str, Any]) -> ModbusProfile:
    try:
        profile = msgspec.convert(content, ModbusProfile)
    except msgspec.ValidationError as error:
        raise ProfileInvalid(
            f"Profile {content['name']}: {error}.",
            remedy="See docs/how-to/add-a-modbus-meter.md for the form.",
        ) from None
    named = [msgspec.structs.replace(point, name=_canonical(point.name)) for point in profile.point]
    known = tuple(point for point in named if point.is_register or point.name in ROLES)
    unread = (*profile.unread, *(point for point in named if point not in known))
    profile = msgspec.structs.replace(profile, point=known, unread=unread)
    for fault in _faults(profile):
        raise ProfileInvalid(f"Profile {profile.name}: {fault}.", remedy="Mend the file.")
    return profile


def _canonical(name: str) -> str:
    """The vocabulary's name of a point: `flow_temperature` for `temp_flow`."""
    name = _TARIFF.sub("_tariff_", name)
    head, tariff, number = name.partition("_tariff_")
    return _SYNONYMS.get(head, head) + tariff + number


def _faults(profile: ModbusProfile) -> Iterable[str]:
    names = [point.name for point in profile.point]
    yield from (f"{name} is there twice" for name in set(names) if names.count(name) > 1)
    for point in (*profile.point, *profile.unread):
        for place in (point, *point.needs):
            try:
                place.width  # noqa: B018  raises when the type is none
            except KeyError:
                yield f"{point.name} has no type that is known"
        if point.unit_from and point.unit_from.codes and point.unit_from.codes not in profile.codes:
            yield f"{point.name} names a table of codes that is not there"
    for point in profile.registers:
        yield from _unit_faults(point)


def _unit_faults(point: Point) -> Iterable[str]:
    if not point.unit:
        return
    unit = unit_named(point.unit)
    try:
        check_unit(point.name, unit.unit if unit else point.unit)
    except UnitError as error:
        yield error.problem.rstrip(".")
