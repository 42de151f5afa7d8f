"""The image: what goes into it, that this installs, and that volumes laid on it belong to the rooms."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from kaukoluenta import __version__
from kaukoluenta.__main__ import ROOMS
from tests.installing.deployed import DEPLOY, mounts, services
from tests.installing.pages import ROOT

DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
RULES = [
    line
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


def goes_in(path: str) -> bool:
    """Whether a file goes into the build: the last rule that fits it or a folder above it decides."""
    lines = [PurePosixPath(path), *PurePosixPath(path).parents[:-1]]
    inside = True
    for rule in RULES:
        pattern = rule.removeprefix("!")
        anywhere = pattern.removeprefix("**/")
        if any(line.match(anywhere) if anywhere != pattern else _fits(line, pattern) for line in lines):
            inside = rule.startswith("!")
    return inside


def _fits(path: PurePosixPath, pattern: str) -> bool:
    return len(path.parts) == len(PurePosixPath(pattern).parts) and path.match(pattern)


def files() -> list[str]:
    """All files of the tree that go in."""
    named = [ROOT / rule.removeprefix("!") for rule in RULES if rule.startswith("!")]
    found = [file for path in named for file in (path, *path.rglob("*")) if file.is_file()]
    return [path for path in (file.relative_to(ROOT).as_posix() for file in found) if goes_in(path)]


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        ".git/config",
        ".venv/bin/python",
        "config/gateway.toml",
        "data/registry.db",
        "files/customers.csv",
        "secrets/passwords",
        "gateway.toml",
        "registry.db",
        "some-1.0-py3-none-any.whl",
        "collector/__pycache__/ingest.pyc",
        "collector/store/__pycache__/sqlite.pyc",
    ],
)
def test_nothing_of_a_plant_goes_into_the_image(path: str) -> None:
    assert not goes_in(path)


@pytest.mark.parametrize("path", ["pyproject.toml", "requirements/run.lock", "gateway/profiles/generic.toml"])
def test_the_program_does(path: str) -> None:
    assert goes_in(path)
    assert (ROOT / path).exists()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
@pytest.mark.parametrize(
    "path", ["config/gateway.toml", "files/customers.csv", "secrets/passwords", ".env", "a.whl"]
)
def test_nor_into_a_commit(path: str) -> None:
    asked = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", path], cwd=ROOT, check=False)
    assert asked.returncode == 0


def test_every_volume_is_laid_on_a_folder_that_the_rooms_own() -> None:
    (made,) = re.findall(r"install -d -m 0700 -o kaukoluenta -g kaukoluenta (.*)", DOCKERFILE)
    volumes = {
        inside
        for service in services().values()
        if "build" in service
        for source, inside, _ in mounts(service)
        if not source.startswith("./")
    }
    assert volumes == set(made.split())
    assert "useradd --uid 10001 --gid 10001" in DOCKERFILE
    assert "\nUSER 10001:10001\n" in DOCKERFILE


def test_what_goes_in_installs_and_is_all_of_the_program(tmp_path: Path) -> None:
    context, installed = tmp_path / "context", tmp_path / "installed"
    for path in files():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, context / path)
    build = "import hatchling.build as build; print(build.build_wheel('.'))"
    built = subprocess.run(
        [sys.executable, "-c", build], cwd=context, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(context / built.stdout.split()[-1]) as wheel:
        wheel.extractall(installed)
    rooms = {room for room, _ in ROOMS.values()} | {"kaukoluenta"}
    sources = [
        path.relative_to(ROOT) for room in rooms for path in (ROOT / room).rglob("*") if path.is_file()
    ]
    kept = [path for path in sources if "__pycache__" not in path.parts]
    assert [path for path in kept if not (installed / path).exists()] == []
    start = "import sys; sys.path.insert(0, '.'); import kaukoluenta.__main__ as program; program.main()"
    said = subprocess.run(
        [sys.executable, "-I", "-c", start, "--version"],
        cwd=installed,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == f"kaukoluenta {__version__}\n"
