"""A machine to install on, with a meter that answers."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.mbus.header import identity_of
from tests.commissioning.bench import Bench, BenchMeter, on_tcp
from tests.conftest import REQUIRED
from tests.installing.machine import Machine, machine

MULTICAL_603 = 0x35
_PATIENCE_S = 60


@pytest.fixture
def until() -> Callable[[Callable[[], object], str], None]:
    """Waits until something holds; the test fails with `what` if it does not come true."""

    def wait(holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"never came true: {what}")
            time.sleep(0.02)

    return wait


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """The path of Mosquitto. Without it the test is skipped, or fails where everything is required."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        missing = pytest.fail if os.environ.get(REQUIRED) else pytest.skip
        missing("install mosquitto (Debian package)")
    return program


@pytest.fixture
def server(tmp_path: Path, mosquitto: str) -> Iterator[Machine]:
    meter = BenchMeter(identity_of("69183621", "KAM", MULTICAL_603, 0x04), 17)
    with on_tcp(Bench(meter)) as link, machine(tmp_path / "server", link, mosquitto) as made:
        yield made
