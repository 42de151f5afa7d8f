"""The table of stores. Each passes tests/store/test_contract*.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from collector.store import ReadingStore
from collector.store.sqlite import open_sqlite


class Backend(Protocol):
    def __call__(self, path: Path, *, read_only: bool = False) -> ReadingStore:
        """Open the store at `path`. Raises ConfigurationInvalid when it cannot be used."""


BACKENDS: Mapping[str, Backend] = {"sqlite": open_sqlite}


def open_store(name: str, path: Path, *, read_only: bool = False) -> ReadingStore:
    """Open the store that a config file names: `sqlite` at the path of its database.

    Raises:
        ConfigurationInvalid: the database cannot be used, or is of a newer schema.
    """
    return BACKENDS[name](path, read_only=read_only)
