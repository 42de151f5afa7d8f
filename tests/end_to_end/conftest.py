"""Small towns that lived a month through all real processes; one plain, one under chaos."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator.children import our_command
from simulator.plan import plan_town

SEED, METERS, HOURS = 3, 8, 780


@dataclass(frozen=True)
class Lived:
    """A demo that has ended: its exit code, what it printed, its folder."""

    code: int
    output: str
    folder: Path


def live(folder, *options):
    command = our_command(
        "demo", "--headless", "--check", "--seed", str(SEED), "--meters", str(METERS), "--hours", str(HOURS)
    )
    done = subprocess.run(
        [*command, "--out", str(folder), *options], capture_output=True, text=True, check=False, timeout=300
    )
    return Lived(done.returncode, done.stdout + done.stderr, folder)


@pytest.fixture(scope="session")
def plain_town(tmp_path_factory):
    return live(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def struck_town(tmp_path_factory):
    return live(tmp_path_factory.mktemp("struck"), "--chaos")


@pytest.fixture(scope="session")
def plan():
    return plan_town(SEED, METERS, hours=HOURS)


@pytest.fixture
def copy_of_town(plain_town, tmp_path):
    """A copy whose books a test may falsify."""
    return Path(shutil.copytree(plain_town.folder, tmp_path / "town"))
