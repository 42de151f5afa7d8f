"""The meter models that come with the program, and how one file may be an exception to another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.lines.mbus_profile import (
    GENERIC,
    MbusProfile,
    load_profiles,
    profile_for,
    shipped_profiles,
)
from gateway.lines.profile_files import ProfileInvalid
from gateway.mbus.header import identity_of

Load = Callable[..., dict[str, MbusProfile]]
MODELS = {name: profile for name, profile in shipped_profiles().items() if name != GENERIC}


def test_at_least_twelve_real_heat_meters_are_known() -> None:
    assert len(MODELS) >= 12
    assert (
        len({(known.manufacturer, known.version) for p in MODELS.values() for known in p.file.identify}) >= 12
    )


@pytest.mark.parametrize("profile", MODELS.values(), ids=MODELS)
def test_each_says_where_a_reviewer_can_check_it_and_shows_its_energy(profile: MbusProfile) -> None:
    assert all(len(source) > 20 for source in profile.file.source)
    assert all(
        {"energy", "cooling_energy"} & {*example.reads, *example.absent} for example in profile.file.example
    )


def profile_text(identify: str) -> str:
    return (
        'protocol = "mbus"\nmodel = "M"\nsource = ["S"]\nconfidence = "vendor-doc"\n'
        f"identify = [{{ {identify} }}]\n"
        '[[example]]\nrecords = ["04 06 01 00 00 00"]\nreads = { energy = "1 kWh" }\n'
    )


MAKER, VERSION, MEDIUM = 'manufacturer = "KLU"', "version = 0x21", "medium = 0x04"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(*identify: str) -> dict[str, MbusProfile]:
        (tmp_path / "generic.toml").write_text(profile_text('manufacturer = "ZZZ"'))
        for number, text in enumerate(identify):
            (tmp_path / f"p{number}.toml").write_text(profile_text(text))
        return load_profiles(sorted(tmp_path.iterdir()))

    return loaded


EXCEPTIONS = [
    ((MAKER, f"{MAKER}, {VERSION}"), "p1"),
    ((f"{MAKER}, {VERSION}", MAKER), "p0"),
    ((f"{MAKER}, {MEDIUM}", f"{MAKER}, {VERSION}, {MEDIUM}"), "p1"),
    ((MAKER, f"{MAKER}, {MEDIUM}", f"{MAKER}, {VERSION}, {MEDIUM}"), "p2"),
    ((MAKER, f"{MAKER}, version = 0x22"), "p0"),
]


@pytest.mark.parametrize(("identify", "chosen"), EXCEPTIONS)
def test_a_file_that_says_more_of_a_meter_stands_over_one_that_says_less(
    load: Load, identify: tuple[str, ...], chosen: str
) -> None:
    profiles = load(*identify)
    assert profile_for(identity_of("00000001", "KLU", 0x21, 0x04), None, profiles).name == chosen


@pytest.mark.parametrize(
    "identify", [(MAKER, MAKER), (f"{MAKER}, {VERSION}", f"{MAKER}, {MEDIUM}"), (f"{MAKER}, {VERSION}",) * 2]
)
def test_two_files_that_claim_a_meter_with_equal_right_are_refused(
    load: Load, identify: tuple[str, ...]
) -> None:
    with pytest.raises(ProfileInvalid, match="p0 and p1 claim the same meter"):
        load(*identify)
