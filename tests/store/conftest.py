"""Every store there is, for the tests of the contract."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from collector.store import ReadingStore
from collector.store.backends import BACKENDS, open_store


@pytest.fixture(params=BACKENDS)
def store(request, tmp_path) -> Iterator[ReadingStore]:
    opened = open_store(request.param, tmp_path / "collector.db")
    yield opened
    opened.close()


@pytest.fixture(params=BACKENDS)
def new_store(request, tmp_path):
    """For hypothesis: a fresh store for each example."""
    numbers = itertools.count()
    return lambda: open_store(request.param, tmp_path / f"{next(numbers)}.db")
