"""The demo's broker: Mosquitto where it is installed, else amqtt; a child on loopback either way.

The end-to-end acknowledgement makes both safe, whatever they forget.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kaukoluenta.errors import UsageError
from simulator.children import Child


@dataclass(frozen=True, slots=True)
class Broker:
    """`mqtt` is the `[mqtt]` table that reaches it."""

    child: Child
    mqtt: str
    what: str


def choose_broker(folder: Path, wanted: str | None = None) -> Broker:
    """Write the broker's config into `folder`; the child is not started yet.

    Args:
        wanted: a name of BROKERS; without one, Mosquitto where it is installed.
    """
    return BROKERS[wanted or ("mosquitto" if _mosquitto_program() else "amqtt")](folder)


def _mosquitto_program() -> str | None:
    return shutil.which("mosquitto", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")


def _mosquitto(folder: Path) -> Broker:
    """On a Unix socket: an acknowledgement takes 1 ms instead of 34 to 90 on TCP, and no port to race for."""
    program = _mosquitto_program()
    if program is None:
        raise UsageError("Mosquitto is not installed.", remedy="On Debian: apt-get install mosquitto.")
    path, config = folder / "mqtt.sock", folder / "mosquitto.conf"
    user = "user root\n" if os.geteuid() == 0 else ""  # dropping root would undo the parent-death signal
    config.write_text(f"listener 0 {path}\nallow_anonymous true\n{user}")
    child = Child("broker", [program, "-c", str(config)], folder / "broker.log")
    return Broker(child, f'socket = "{path}"\n', "mosquitto")


def _amqtt(folder: Path) -> Broker:
    port, config = _free_port(), folder / "amqtt.yaml"
    config.write_text(
        "listeners:\n"
        "  default:\n"
        "    type: tcp\n"
        f"    bind: 127.0.0.1:{port}\n"
        "plugins:\n"
        "  amqtt.plugins.authentication.AnonymousAuthPlugin:\n"
        "    allow_anonymous: true\n"
    )
    program = Path(sys.executable).with_name("amqtt")
    child = Child("broker", [str(program), "-c", str(config)], folder / "broker.log")
    return Broker(child, f'host = "127.0.0.1"\nport = {port}\nversion = "3.1.1"\n', "amqtt")


BROKERS: Mapping[str, Callable[[Path], Broker]] = {"mosquitto": _mosquitto, "amqtt": _amqtt}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
