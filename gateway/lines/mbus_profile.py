"""Meter models as TOML files: who a meter is, which of its records are which register, and an example.

Records match by meaning (quantity, function, storage, tariff, subunit, modifiers), never by position.
`gateway/profiles/generic.toml` reads any meter that gives standard records; the file of a model says what
differs, and its registers stand over the generic ones of the same name. Every file carries telegrams of its
own and what they read, run as a test by being there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.lines.profile_files import (
    Content,
    File,
    ProfileInvalid,
    Strict,
    conform,
    find_profile,
    name_of,
    read_file,
    read_files,
    shipped_files,
)
from gateway.mbus.header import Identity
from gateway.mbus.records import DataRecord
from kaukoluenta.quantities import QUANTITIES

GENERIC = "generic"
SCALING = ("correction_", "summer_time")
"""Modifiers that are in the value already."""
RECORD_STATUS = "record_status:"
"""A modifier that says why the record holds no value."""

Octet = Annotated[int, msgspec.Meta(ge=0, le=0xFF)]


class Match(Strict, frozen=True):
    """Which record is meant: by `quantity` as in gateway/mbus/vif.py, or an info code by its `vib` in hex.

    `tariff = "any"` takes every tariff but 0, each into a register named after it. `modifiers` are those of
    gateway/mbus/vife.py without scaling. `media` and `not_media` look at the medium of the meter's header.
    """

    quantity: str = ""
    vib: str = ""
    unit: str = ""
    function: Literal["instantaneous", "maximum", "minimum", "error"] = "instantaneous"
    storage: int = 0
    tariff: int | Literal["any"] = 0
    subunit: int = 0
    modifiers: tuple[str, ...] = ()
    media: tuple[Octet, ...] = ()
    not_media: tuple[Octet, ...] = ()

    def fits(self, record: DataRecord, medium: int) -> bool:
        """Whether the rule means this record of a meter of that medium."""
        meant = record.vib.hex() == self.vib.lower() if self.vib else self._meaning_fits(record)
        return (
            meant
            and (record.function, record.storage, record.subunit)
            == (self.function, self.storage, self.subunit)
            and (record.tariff != 0 if self.tariff == "any" else record.tariff == self.tariff)
            and (not self.media or medium in self.media)
            and medium not in self.not_media
        )

    def _meaning_fits(self, record: DataRecord) -> bool:
        telling = tuple(name for name in record.modifiers if not name.startswith((*SCALING, RECORD_STATUS)))
        return (
            record.quantity == self.quantity and self.unit in ("", record.unit) and telling == self.modifiers
        )


class Rule(Strict, frozen=True):
    """The record that `match` means is this register."""

    register: str
    match: Match


class Identify(Strict, frozen=True):
    """Meters that a profile is for. What is left out may be anything."""

    manufacturer: str
    version: Octet | None = None
    medium: Octet | None = None

    def fits(self, identity: Identity) -> bool:
        return (
            self.manufacturer == identity.manufacturer
            and self.version in (None, identity.version)
            and self.medium in (None, identity.medium)
        )

    @property
    def precision(self) -> int:
        """How much it says of a meter: of two that fit, the more precise counts."""
        return len(self._says()) - self._says().count(None)

    def clashes(self, other: Identify) -> bool:
        """Whether some meter is claimed by both, and neither is but an exception to the other."""
        pairs = [*zip(self._says(), other._says(), strict=True)]
        meet = self.manufacturer == other.manufacturer and all(
            None in pair or pair[0] == pair[1] for pair in pairs
        )
        mine_covers = all(mine in (None, its) for mine, its in pairs)
        its_covers = all(its in (None, mine) for mine, its in pairs)
        return meet and mine_covers == its_covers

    def _says(self) -> tuple[int | None, int | None]:
        return self.version, self.medium


class Example(Strict, frozen=True):
    """The records of one readout in hex, a text a telegram, and what they read: `energy = "12345 kWh"`."""

    records: tuple[str, ...]
    reads: dict[str, str]
    absent: tuple[str, ...] = ()
    info_code: str | None = None
    meter_time: str | None = None
    medium: Octet | None = None
    status: Octet = 0


class ProfileFile(Strict, frozen=True, kw_only=True):
    """One TOML file. `source` is where a reviewer can check every line, `confidence` how good the worst is.

    A profile without `identify` is used where the config names it.
    """

    protocol: Literal["mbus"]
    model: str
    source: tuple[str, ...]
    confidence: Literal["standard", "vendor-doc", "third-party-extract", "community-config"]
    note: str = ""
    identify: tuple[Identify, ...] = ()
    register: tuple[Rule, ...] = ()
    info_code: Match | None = None
    example: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class MbusProfile:
    """A file with the generic rules added. `rules` are by the quantity that they match."""

    name: str
    file: ProfileFile
    rules: Mapping[str, tuple[Rule, ...]]
    info_code: Match | None


def load_profiles(files: Iterable[File]) -> dict[str, MbusProfile]:
    """Profiles by name, which is the file's stem. Files of other protocols are passed over.

    Raises:
        ProfileInvalid: a file that breaks the form, or two that claim the same meter.
    """
    checked = {name: _checked(name, content) for name, content in read_files(files, "mbus").items()}
    _check_overlaps(checked)
    return {name: _with_generic(name, file, checked.get(GENERIC)) for name, file in checked.items()}


@cache
def shipped_profiles() -> Mapping[str, MbusProfile]:
    """The profiles of gateway/profiles."""
    return load_profiles(shipped_files())


def profile_for(
    identity: Identity | None, configured: str | None, profiles: Mapping[str, MbusProfile]
) -> MbusProfile:
    """The profile that a meter's settings name (a name, or a path to a file), else the one that knows it.

    Raises:
        ProfileInvalid: the settings name none.
    """
    if configured is not None:
        return find_profile(configured, profiles, _from_path, protocol="M-Bus")
    if identity is None:
        return profiles[GENERIC]
    fitting = {
        identify.precision: profile
        for profile in profiles.values()
        for identify in profile.file.identify
        if identify.fits(identity)
    }
    return fitting[max(fitting)] if fitting else profiles[GENERIC]


@cache
def _from_path(path: Path) -> MbusProfile:
    generic = shipped_profiles()[GENERIC].file
    return _with_generic(name_of(path), _checked(name_of(path), read_file(path)), generic)


def _checked(name: str, content: Content) -> ProfileFile:
    file = conform(name, content, ProfileFile, see="docs/how-to/add-a-meter-model.md")
    for rule in file.register:
        if rule.register not in QUANTITIES or not rule.match.quantity:
            raise ProfileInvalid(
                f"Profile {name}: a register {rule.register!r} cannot be.",
                remedy=f"Choose one of {', '.join(QUANTITIES)} (a tariff's number is added by itself), and "
                "match it by its quantity.",
            )
    return file


def _with_generic(name: str, file: ProfileFile, generic: ProfileFile | None) -> MbusProfile:
    own = {_claim(rule) for rule in file.register}
    inherited = generic.register if generic and generic is not file else ()
    rules: dict[str, tuple[Rule, ...]] = {}
    for rule in (*file.register, *(rule for rule in inherited if _claim(rule) not in own)):
        rules[rule.match.quantity] = (*rules.get(rule.match.quantity, ()), rule)
    return MbusProfile(name, file, rules, file.info_code or (generic.info_code if generic else None))


def _claim(rule: Rule) -> tuple[str, bool]:
    """What a rule decides: a register, or the same register in every tariff."""
    return rule.register, rule.match.tariff == "any"


def _check_overlaps(files: Mapping[str, ProfileFile]) -> None:
    for (one, mine), (other, its) in combinations(files.items(), 2):
        if any(a.clashes(b) for a in mine.identify for b in its.identify):
            raise ProfileInvalid(
                f"Profiles {one} and {other} claim the same meter.",
                remedy="Give each its version and medium in `identify`, or one of them more than the other.",
            )
