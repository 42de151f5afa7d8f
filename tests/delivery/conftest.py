"""What every test of the gateway as a process stands on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the path of a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="gw") as name:
        yield Path(name)
