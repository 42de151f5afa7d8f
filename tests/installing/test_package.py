"""What the package says of itself, built as pip builds it."""

from __future__ import annotations

import email
import tomllib
from email.message import Message
from pathlib import Path

import hatchling.build
import pytest

import kaukoluenta
from tests.installing.pages import ROOT


@pytest.fixture
def metadata(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Message:
    monkeypatch.chdir(ROOT)
    folder = hatchling.build.prepare_metadata_for_build_wheel(str(tmp_path))
    return email.message_from_bytes((tmp_path / folder / "METADATA").read_bytes())


def test_the_version_stands_once(metadata: Message) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert metadata["Version"] == kaukoluenta.__version__
    assert "version" not in project


SAID = [
    ("Author", "kaukoluenta contributors"),
    ("License-Expression", "EUPL-1.2"),
    ("License-File", "LICENSE"),
    ("Requires-Python", ">=3.11"),
    ("Description-Content-Type", "text/markdown"),
]


@pytest.mark.parametrize(("field", "value"), SAID)
def test_the_package_says_whose_it_is_and_what_it_needs(metadata: Message, field: str, value: str) -> None:
    assert metadata[field] == value


def test_its_description_is_the_readme(metadata: Message) -> None:
    assert metadata.get_payload(decode=True) == (ROOT / "README.md").read_bytes()
