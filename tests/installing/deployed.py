"""What stands in deploy/ and docker-compose.yml, read as systemd and Compose read it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.installing.pages import ROOT

DEPLOY = ROOT / "deploy"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file: `all("Service.Environment")` are that key's values in order."""

    name: str
    entries: tuple[tuple[str, str], ...]

    def all(self, key: str) -> list[str]:
        return [value for name, value in self.entries if name == key]

    def one(self, key: str) -> str:
        (value,) = self.all(key)
        return value

    def environment(self, credentials: Path | str) -> dict[str, str]:
        text = " ".join(self.all("Service.Environment")).replace("%d", str(credentials))
        return dict(pair.split("=", 1) for pair in shlex.split(text))

    def credentials(self) -> dict[str, Path]:
        pairs = (value.split(":", 1) for value in self.all("Service.LoadCredential"))
        return {name: Path(path) for name, path in pairs}


def read_unit(path: Path) -> Unit:
    section, entries = "", []
    for line in filter(None, map(str.strip, path.read_text(encoding="utf-8").splitlines())):
        if line.startswith("["):
            section = line.strip("[]")
        elif not line.startswith("#"):
            key, _, value = line.partition("=")
            entries.append((f"{section}.{key}", value))
    return Unit(path.name, tuple(entries))


def units() -> list[Unit]:
    return [read_unit(path) for path in sorted(DEPLOY.glob("*.service"))]


def compose(folder: Path = ROOT, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The Compose file with its ${NAME:-default} filled in."""
    text = (folder / "docker-compose.yml").read_text(encoding="utf-8")
    known = variables or {}
    filled = re.sub(r"\$\{(\w+):-([^}]*)\}", lambda match: known.get(match[1], match[2]), text)
    loaded: dict[str, Any] = yaml.safe_load(filled)
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def mounts(service: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """(volume or path on the host, path inside, may be written)."""
    for volume in service.get("volumes", ()):
        outside, inside, *options = volume.split(":")
        yield outside, inside, "ro" not in options


def clean_environment() -> dict[str, str]:
    """This process's, without what would stand over a config."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KAUKOLUENTA_")}
