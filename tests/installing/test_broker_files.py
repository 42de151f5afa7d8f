"""The broker's files under a real Mosquitto: who may come in, and what each may say and hear."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kaukoluenta.runtime.mqtt import Message, MqttSession
from kaukoluenta.runtime.settings import MqttSettings
from tests.conftest import free_port
from tests.installing.deployed import DEPLOY
from tests.installing.processes import Processes

CONFIGS = ["mosquitto.conf", "mosquitto-debian.conf"]
READINGS = "kaukoluenta/v1/kirkonkyla-1/readings"


def make_passwords(folder: Path, *pairs: str) -> dict[str, str]:
    """The users of the password file, with their hashes."""
    script = ["sh", DEPLOY / "broker-passwords.sh", folder, *pairs]
    subprocess.run(script, check=True, env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin"})
    lines = (folder / "passwords").read_text().splitlines()
    return dict(line.split(":", 1) for line in lines)


@pytest.fixture(params=CONFIGS)
def broker(
    request: pytest.FixtureRequest, tmp_path: Path, mosquitto: str
) -> Iterator[Callable[[str], MqttSettings]]:
    """A broker with one of the configs; gives the settings of a user."""
    secrets, port, processes = tmp_path / "secrets", free_port(), Processes(tmp_path)
    make_passwords(secrets, "collector=collector", "gateway=kirkonkyla-1", "north=kirkonkyla-2")
    text = (DEPLOY / request.param).read_text(encoding="utf-8")
    text = re.sub(r"^listener .*", f"listener {port} 127.0.0.1", text, flags=re.MULTILINE)
    text = re.sub(r"^password_file .*", f"password_file {secrets}/passwords", text, flags=re.MULTILINE)
    text = re.sub(r"^acl_file .*", f"acl_file {DEPLOY}/mosquitto.acl", text, flags=re.MULTILINE)
    text = re.sub(r"^persistence_location .*", f"persistence_location {tmp_path}/", text, flags=re.MULTILINE)
    user = "user root\n" if os.geteuid() == 0 else ""  # it would drop root, and then our folder is shut
    (tmp_path / "mosquitto.conf").write_text(user + text)
    processes.start("broker", [mosquitto, "-c", str(tmp_path / "mosquitto.conf")], os.environ)

    def settings(user: str) -> MqttSettings:
        file = {"kirkonkyla-1": "gateway", "kirkonkyla-2": "north"}.get(user, user)
        return MqttSettings(port=port, username=user, password_file=secrets / file)

    yield settings
    processes.stop("broker")


@pytest.fixture
def client(until: Callable[..., None]) -> Iterator[Callable[..., MqttSession]]:
    """Starts a session, and waits until it is connected."""
    sessions: list[MqttSession] = []

    def start(settings: MqttSettings, name: str, *topics: str, heard: list[str] | None = None) -> MqttSession:
        connected: list[bool] = []

        def hear(message: Message) -> None:
            message.acknowledge()
            if heard is not None:
                heard.append(message.payload.decode())

        session = MqttSession(
            settings, name, subscriptions=topics, on_message=hear, on_connect=lambda: connected.append(True)
        )
        sessions.append(session)
        session.start()
        until(lambda: connected, f"{name} connected")
        return session

    yield start
    for session in sessions:
        session.stop()


def test_a_gateway_speaks_under_its_own_name_only(broker, client, until) -> None:
    heard: list[str] = []
    client(broker("collector"), "collector", "kaukoluenta/v1/+/readings", heard=heard)
    other, gateway = client(broker("kirkonkyla-2"), "other"), client(broker("kirkonkyla-1"), "gateway")
    until(lambda: other.publish(READINGS, b"forged"), "a forged batch sent")
    until(lambda: other.publish(READINGS.replace("-1", "-2"), b"its own"), "its own batch sent")
    until(lambda: "its own" in heard, "its own batch heard")
    until(lambda: gateway.publish(READINGS, b"true"), "a batch sent")
    until(lambda: "true" in heard, "the batch heard")
    assert heard == ["its own", "true"]


def test_a_gateway_hears_what_it_is_told_and_nobody_elses_readings(broker, client, until) -> None:
    told, overheard = list[str](), list[str]()
    client(broker("kirkonkyla-1"), "gateway", "kaukoluenta/v1/kirkonkyla-1/ack", heard=told)
    client(
        broker("kirkonkyla-2"), "other", "kaukoluenta/v1/+/readings", "kaukoluenta/v1/+/ack", heard=overheard
    )
    collector = client(broker("collector"), "collector")
    until(lambda: collector.publish("kaukoluenta/v1/kirkonkyla-1/ack", b"for 1"), "told")
    until(lambda: collector.publish("kaukoluenta/v1/kirkonkyla-2/ack", b"for 2"), "told")
    until(lambda: told == ["for 1"] and overheard == ["for 2"], "each hears its own")


@pytest.mark.parametrize("mistake", ["nobody", "another's password"])
def test_who_has_no_password_does_not_come_in(broker, mistake, client, until, caplog) -> None:
    client(broker("collector"), "collector")
    right = broker("kirkonkyla-1")
    change = {"username": None, "password_file": None} if mistake == "nobody" else {"username": "collector"}
    session = MqttSession(right.model_copy(update=change), "stranger")
    session.start()
    until(lambda: "broker refused" in caplog.text, "the stranger refused")
    session.stop()


def test_made_again_passwords_stay_and_users_are_added(tmp_path: Path, mosquitto: str) -> None:
    before = make_passwords(tmp_path, "collector=collector", "gateway=k.1")
    kept = (tmp_path / "gateway").read_text()
    after = make_passwords(tmp_path, "north=kx1", "gateway=k.1")
    assert (tmp_path / "gateway").read_text() == kept
    assert after.keys() == {"collector", "k.1", "kx1"}
    assert after["collector"] == before["collector"]
    assert {path.name for path in tmp_path.iterdir()} == {"passwords", "collector", "gateway", "north"}


def test_passwords_are_long_not_alike_and_for_their_owner_only(tmp_path: Path, mosquitto: str) -> None:
    make_passwords(tmp_path, "collector=collector", "gateway=kirkonkyla-1")
    first, second = ((tmp_path / name).read_text().strip() for name in ("collector", "gateway"))
    assert len(first) == len(second) == 32
    assert first != second
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_without_users_it_says_how_it_is_used(tmp_path: Path) -> None:
    said = subprocess.run(
        ["sh", DEPLOY / "broker-passwords.sh", tmp_path], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stderr) == (2, "usage: broker-passwords.sh FOLDER FILE=USER...\n")
