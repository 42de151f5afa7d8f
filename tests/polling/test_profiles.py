"""Every profile reads its own examples; and what a profile may not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.lines.mbus_profile import (
    GENERIC,
    Example,
    MbusProfile,
    load_profiles,
    profile_for,
    shipped_profiles,
)
from gateway.lines.mbus_registers import Found, find_registers
from gateway.lines.profile_files import ProfileInvalid
from gateway.mbus.encode import variable_response
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.telegram import decode_frame
from kaukoluenta.quantities import to_travel_unit

EXAMPLES = [
    pytest.param(profile, example, id=f"{name}-{number}")
    for name, profile in shipped_profiles().items()
    for number, example in enumerate(profile.file.example)
]


def identity(profile: MbusProfile, example: Example) -> Identity:
    """A meter that the profile is for; of the generic one's, any."""
    if not profile.file.identify:
        return identity_of("12345678", "XYZ", 0x01, example.medium or 0x04)
    known = profile.file.identify[0]
    medium = example.medium if example.medium is not None else known.medium
    return identity_of("12345678", known.manufacturer, known.version or 0, medium or 0x04)


def read(profile: MbusProfile, example: Example) -> Found:
    """The example through the wire: its telegrams are made, decoded, and their records read."""
    who = identity(profile, example)
    frames = [
        variable_response(1, who, [bytes.fromhex(records)], status=example.status)
        for records in example.records
    ]
    telegrams = [decode_frame(frame) for frame in frames]
    assert all(telegram.outcome == "ok" for telegram in telegrams)
    records = [record for telegram in telegrams for record in telegram.records]
    return find_registers(records, profile, medium=who.medium, status=example.status)


@pytest.mark.parametrize(("profile", "example"), EXAMPLES)
def test_a_profile_reads_its_example(profile: MbusProfile, example: Example) -> None:
    found = read(profile, example)
    amounts = {name: to_travel_unit(amount) for name, amount in found.registers.items()}
    assert {name: f"{amount.value:f} {amount.unit}" for name, amount in amounts.items()} == example.reads
    assert sorted(found.absent) == sorted(example.absent)
    assert (found.info_code, found.meter_time) == (example.info_code, example.meter_time)


@pytest.mark.parametrize(("profile", "example"), EXAMPLES)
def test_the_meter_of_an_example_finds_its_profile_by_itself(profile: MbusProfile, example: Example) -> None:
    assert profile_for(identity(profile, example), None, shipped_profiles()) == profile


@pytest.mark.parametrize("profile", shipped_profiles().values(), ids=shipped_profiles())
def test_every_register_that_a_profile_names_is_in_one_of_its_examples(profile: MbusProfile) -> None:
    shown = {name.partition("_tariff_")[0] for example in profile.file.example for name in example.reads}
    assert {rule.register for rule in profile.file.register} <= shown


def test_there_are_profiles_beside_the_generic_one() -> None:
    assert len(shipped_profiles()) >= 5


def test_a_meter_that_no_profile_knows_is_read_by_the_generic_one() -> None:
    unknown = identity_of("12345678", "XYZ", 0x55, 0x04)
    assert profile_for(unknown, None, shipped_profiles()).name == GENERIC
    assert profile_for(None, None, shipped_profiles()).name == GENERIC


def test_a_profile_may_be_named_in_the_settings() -> None:
    anybody = identity_of("12345678", "XYZ", 0x55, 0x0D)
    assert profile_for(anybody, "engelmann-sensostar", shipped_profiles()).name == "engelmann-sensostar"
    with pytest.raises(ProfileInvalid, match="choose one of"):
        profile_for(anybody, "engelmann", shipped_profiles())


OWN = """
protocol = "mbus"
model = "Example HM-1"
source = ["HM-1 data sheet rev. C, table 4"]
confidence = "vendor-doc"
identify = [{ manufacturer = "EXM", version = 0x41 }]
[[register]]
register = "energy"
match = { quantity = "energy", storage = 1 }
[[example]]
records = ["44 06 39 30 00 00"]
reads = { energy = "12345 kWh" }
"""


def test_a_path_to_a_file_of_ones_own_is_a_profile_too(tmp_path: Path) -> None:
    (tmp_path / "example-hm1.toml").write_text(OWN)
    profile = profile_for(None, str(tmp_path / "example-hm1.toml"), shipped_profiles())
    assert profile.name == "example-hm1"
    found = read(profile, profile.file.example[0])
    assert found.registers.keys() == {"energy"}
    assert "volume" in profile.rules, "what the file does not name is read as usual"
    assert [rule.match.storage for rule in profile.rules["energy"]][:1] == [1]


FAULTS = [
    ("confidence", "confidense"),
    ('quantity = "energy"', 'quantitty = "energy"'),
    ('"vendor-doc"', '"sure"'),
    ('register = "energy"', 'register = "warmth"'),
    ('quantity = "energy"', 'vib = "06"'),
    ("version = 0x41", "version = 0x141"),
    ("storage = 1", 'storage = "one"'),
    ('reads = { energy = "12345 kWh" }', ""),
    ("[[register]]", "[[register]"),
]


@pytest.mark.parametrize(("right", "wrong"), FAULTS)
def test_a_file_that_breaks_the_form_is_refused_by_its_name(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in OWN
    (tmp_path / "example-hm1.toml").write_text(OWN.replace(right, wrong))
    with pytest.raises(ProfileInvalid, match="example-hm1"):
        load_profiles([tmp_path / "example-hm1.toml"])


def test_two_profiles_that_claim_the_same_meter_are_refused(tmp_path: Path) -> None:
    for name, version in (("one", "version = 0x41"), ("other", "medium = 0x04")):
        (tmp_path / f"{name}.toml").write_text(OWN.replace("version = 0x41", version))
    with pytest.raises(ProfileInvalid, match="one and other claim the same meter"):
        load_profiles(sorted(tmp_path.iterdir()))


def test_profiles_of_different_versions_live_side_by_side_and_other_protocols_are_passed_over(
    tmp_path: Path,
) -> None:
    for name, version in (("one", "0x41"), ("other", "0x42")):
        (tmp_path / f"{name}.toml").write_text(OWN.replace("0x41", version))
    (tmp_path / "registers.toml").write_text('protocol = "modbus"\nanything = 1\n')
    assert load_profiles(sorted(tmp_path.iterdir())).keys() == {"one", "other"}
