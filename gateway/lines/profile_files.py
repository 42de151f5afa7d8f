"""Profiles as files, whatever protocol they are for: TOML, shipped by name or anybody's own by its path.

What a file says is its protocol's business (mbus_profile.py, modbus_profile.py).
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from gateway.settings import PROFILE_FILE
from kaukoluenta.errors import ConfigurationInvalid

File = Traversable | Path
Content = dict[str, Any]
T = TypeVar("T")


class ProfileInvalid(ConfigurationInvalid):
    """A profile that cannot be used, or that nobody has written."""


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of a profile. An unknown key is a misspelt one."""


def shipped_files() -> list[Traversable]:
    """The files of gateway/profiles."""
    folder = resources.files("gateway") / "profiles"
    return sorted((file for file in folder.iterdir() if file.name.endswith(PROFILE_FILE)), key=str)


def read_files(files: Iterable[File], protocol: str) -> dict[str, Content]:
    """What the files of a protocol say, by name. Those of others are passed over. Raises ProfileInvalid."""
    read = {name_of(file): read_file(file) for file in files}
    return {name: content for name, content in read.items() if content.get("protocol") == protocol}


def read_file(file: File) -> Content:
    """What a file says, its fractions exact. Raises ProfileInvalid."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileInvalid(f"The profile {file} cannot be read: {error}.", remedy="Mend it.") from None


def name_of(file: File) -> str:
    """A profile's name is the stem of its file."""
    return file.name.removesuffix(PROFILE_FILE)


def conform(name: str, content: Content, form: type[T], *, see: str) -> T:
    """The content in the form that it must have; `see` shows that form. Raises ProfileInvalid."""
    try:
        return msgspec.convert(content, form)
    except msgspec.ValidationError as error:
        raise ProfileInvalid(f"Profile {name}: {error}.", remedy=f"See {see} for the form.") from None


def find_profile(
    configured: str, profiles: Mapping[str, T], load: Callable[[Path], T], *, protocol: str
) -> T:
    """The profile that a meter's settings name: one of `profiles`, or a file to `load`.

    Raises:
        ProfileInvalid: neither.
    """
    if configured.endswith(PROFILE_FILE):
        return load(Path(configured))
    if configured in profiles:
        return profiles[configured]
    raise ProfileInvalid(
        f"No {protocol} profile is called {configured!r}.",
        remedy=f"Give the path of a TOML file, or choose one of {', '.join(profiles)}.",
    )
