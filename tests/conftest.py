"""A real broker for tests that need one: Mosquitto as a child, in a folder of its own, ended by its pid."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaukoluenta.runtime.settings import MqttSettings

REQUIRED = "KAUKOLUENTA_REQUIRE"
_PATIENCE_S = 10


class Broker:
    """Mosquitto with its stock limits, on a Unix socket (quick) and on a loopback port."""

    def __init__(self, program: str, folder: Path) -> None:
        self.socket, self.port = folder / "mqtt.sock", free_port()
        self.settings = MqttSettings(socket=self.socket)
        self._command = [program, "-c", str(folder / "mosquitto.conf")]
        self._log = folder / "mosquitto.log"
        user = "user root\n" if os.geteuid() == 0 else ""  # it would drop root, and then our folder is shut
        (folder / "mosquitto.conf").write_text(
            f"{user}allow_anonymous true\nlistener 0 {self.socket}\nlistener {self.port} 127.0.0.1\n"
        )

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        with self._log.open("a") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"mosquitto did not start:\n{self._log.read_text()}")
            time.sleep(0.01)

    def kill(self) -> None:
        """As a power cut does it: sessions and queues are gone."""
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A running broker. Without Mosquitto the test is skipped, or fails where everything is required."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        missing = pytest.fail if os.environ.get(REQUIRED) else pytest.skip
        missing("install mosquitto (Debian package)")
    with tempfile.TemporaryDirectory(prefix="mq") as folder:  # a socket's path has at most 107 octets
        running = Broker(program, Path(folder))
        running.start()
        yield running
        running.kill()
