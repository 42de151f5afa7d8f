"""The systemd units: read by systemd itself where it is, and every name in them is one that is there."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.installing.deployed import DEPLOY, Unit, read_unit, units
from tests.installing.known_settings import unknown_settings
from tests.installing.pages import HOW_TO
from tests.installing.test_readme import takes

ROOMS = [unit for unit in units() if "backup" not in unit.name]
PROGRAM = "/opt/kaukoluenta/.venv/bin/kaukoluenta"
INSTALL_PAGE = (HOW_TO / "install-on-a-server.md").read_text(encoding="utf-8")


def named(unit: Unit) -> str:
    return unit.name


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze on this machine")
@pytest.mark.parametrize(
    "file", sorted(DEPLOY.glob("*.service")) + sorted(DEPLOY.glob("*.timer")), ids=lambda f: f.name
)
def test_systemd_has_nothing_to_say_against_a_unit(tmp_path: Path, file: Path) -> None:
    for one in DEPLOY.glob("kaukoluenta-*"):
        text = one.read_text(encoding="utf-8").replace(PROGRAM, sys.executable)
        (tmp_path / one.name).write_text(text.replace("/usr/bin/python3", sys.executable), encoding="utf-8")
    said = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / file.name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize("unit", ROOMS, ids=named)
def test_a_unit_starts_its_room_by_a_command_that_it_takes(unit: Unit) -> None:
    program, *words = shlex.split(unit.one("Service.ExecStart"))
    assert program == PROGRAM
    assert takes(words)
    assert f"# {words[-1]}\n" in INSTALL_PAGE  # the config that the page has one write


@pytest.mark.parametrize("unit", ROOMS, ids=named)
def test_every_variable_of_a_unit_is_a_setting_and_every_secret_is_handed_over(unit: Unit) -> None:
    environment = unit.environment("CREDENTIALS")
    assert unknown_settings(environment) == []
    assert {value for value in environment.values() if "CREDENTIALS" in value} == {
        f"CREDENTIALS/{name}" for name in unit.credentials()
    }


def test_the_page_makes_every_secret_that_a_unit_hands_over() -> None:
    (made,) = [
        line for line in INSTALL_PAGE.splitlines() if line.startswith("sh ") and "broker-passwords" in line
    ]
    *_, folder, first, second = made.split()
    files = {f"{folder}/{pair.split('=')[0]}" for pair in (first, second)}
    assert {str(path) for unit in ROOMS for path in unit.credentials().values()} == files


@pytest.mark.parametrize("unit", ROOMS, ids=named)
def test_a_room_comes_back_after_a_boot_and_after_every_failure(unit: Unit) -> None:
    assert unit.one("Install.WantedBy") == "multi-user.target"
    assert unit.one("Service.Restart") == "on-failure"
    assert unit.one("Unit.StartLimitIntervalSec") == "0"
    assert "network-online.target" in unit.one("Unit.Wants")
    assert "network-online.target" in unit.one("Unit.After")


@pytest.mark.parametrize("unit", ROOMS, ids=named)
def test_no_room_of_the_plant_can_open_the_offices_folder(unit: Unit) -> None:
    assert (
        unit.one("Service.User")
        == unit.one("Service.Group")
        == unit.one("Service.StateDirectory")
        == "kaukoluenta"
    )
    assert "-/var/lib/kaukoluenta-office" in unit.one("Service.InaccessiblePaths").split()


@pytest.mark.parametrize("unit", ROOMS, ids=named)
def test_a_room_can_do_little_to_the_machine(unit: Unit) -> None:
    assert unit.one("Service.NoNewPrivileges") == "yes"
    assert unit.one("Service.ProtectSystem") == "strict"
    assert unit.one("Service.CapabilityBoundingSet") == ""


def test_the_gateway_may_open_serial_ports_also_those_plugged_in_later() -> None:
    gateway = read_unit(DEPLOY / "kaukoluenta-gateway.service")
    assert gateway.one("Service.SupplementaryGroups") == "dialout"
    for shutting in ("PrivateDevices", "DeviceAllow", "DevicePolicy", "ProtectClock"):
        assert not gateway.all(f"Service.{shutting}")


def test_the_nightly_copies_are_those_of_the_page() -> None:
    page = (HOW_TO / "back-up-and-restore.md").read_text(encoding="utf-8")
    for command in read_unit(DEPLOY / "kaukoluenta-backup.service").all("Service.ExecStart"):
        assert f"\n{command.replace('/usr/bin/', '')}\n" in page
