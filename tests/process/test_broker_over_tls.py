"""A password travels through TLS or with a warning; a broker that cannot show who it is gets none."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.mqtt import MqttSession
from kaukoluenta.runtime.settings import MqttSettings
from tests.conftest import REQUIRED, Broker, free_port
from tests.process.certificates import Authority

ROOT = Path(__file__).parents[2]
USERNAME, PASSWORD = "kirkonkyla-1", "only for the broker"
PATIENCE_S = 10.0


class GuardedBroker(Broker):
    """Mosquitto that lets nobody in without this password, in clear or over TLS, or without a certificate."""

    def __init__(self, program: str, folder: Path) -> None:
        super().__init__(program, folder)
        self.authority, self.stranger = Authority(folder, "authority"), Authority(folder, "stranger")
        self.tls_port, self.certified_port = free_port(), free_port()
        self.password_file = folder / "password"
        self.password_file.write_text(PASSWORD + "\n")
        known = folder / "known"
        subprocess.run(["mosquitto_passwd", "-c", "-b", str(known), USERNAME, PASSWORD], check=True)
        certificate, key = self.authority.issue("broker")
        tls = f"cafile {self.authority.file}\ncertfile {certificate}\nkeyfile {key}\n"
        user = "user root\n" if os.geteuid() == 0 else ""
        (folder / "mosquitto.conf").write_text(
            f"{user}allow_anonymous false\npassword_file {known}\nlistener 0 {self.socket}\n"
            f"listener {self.port} 127.0.0.1\nlistener {self.tls_port} 127.0.0.1\n{tls}"
            f"listener {self.certified_port} 127.0.0.1\n{tls}"
            "require_certificate true\nuse_identity_as_username true\n"
        )


@pytest.fixture(scope="module")
def guarded() -> Iterator[GuardedBroker]:
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)("install mosquitto (Debian package)")
    with tempfile.TemporaryDirectory(prefix="mq") as folder:
        running = GuardedBroker(program, Path(folder))
        running.start()
        yield running
        running.kill()


class Tap:
    """A wire to a broker's port that keeps what the client says on it."""

    def __init__(self, port: int) -> None:
        self._broker_port, self.said = port, bytearray()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._begin(self._accept)

    def close(self) -> None:
        for end in (self._server, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for end in (self._server, *self._ends):
            end.close()

    def _begin(self, call: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=call, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
                self._ends += [client, broker]
                self._begin(_pass_on, client, broker, self.said)
                self._begin(_pass_on, broker, client, bytearray())


def _pass_on(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while octets := source.recv(4096):
            kept += octets
            target.sendall(octets)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def session(settings: MqttSettings) -> Iterator[MqttSession]:
    running = MqttSession(settings, "client")
    running.start()
    try:
        yield running
    finally:
        running.stop()


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.01)


WAYS: dict[str, Callable[[GuardedBroker], dict[str, object]]] = {
    "our authority": lambda broker: {"ca_file": broker.authority.file},
    "an authority that the system trusts": lambda broker: {"tls": True},
    "a certificate of ours, the system's authorities": lambda broker: dict(
        zip(("certificate_file", "key_file"), broker.authority.issue("gateway"), strict=True)
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_whatever_names_tls_the_password_reaches_the_broker_and_nobody_else(
    guarded: GuardedBroker, way: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(guarded.authority.file))  # what the system trusts
    wire = Tap(guarded.tls_port)
    settings = MqttSettings(
        port=wire.port, username=USERNAME, password_file=guarded.password_file, **WAYS[way](guarded)
    )
    with ExitStack() as stack:
        stack.callback(wire.close)
        connection = stack.enter_context(session(settings))
        until(lambda: connection.connected, "a broker that wants the password lets us in")
        assert connection.publish("t", b"a reading")
        said = bytes(wire.said)
    assert said[:2] == b"\x16\x03"  # the first octets of a TLS handshake
    assert not any(text in said for text in (USERNAME.encode(), PASSWORD.encode(), b"a reading", b"MQTT"))
    assert "in clear" not in caplog.text


def test_the_tap_hears_a_password_that_goes_in_clear(guarded: GuardedBroker) -> None:
    wire = Tap(guarded.port)
    settings = MqttSettings(port=wire.port, username=USERNAME, password_file=guarded.password_file)
    with ExitStack() as stack:
        stack.callback(wire.close)
        connection = stack.enter_context(session(settings))
        until(lambda: connection.connected, "connected")
        assert PASSWORD.encode() in wire.said


def test_a_certificate_of_ours_is_as_good_as_a_password(guarded: GuardedBroker) -> None:
    certificate, key = guarded.authority.issue("kirkonkyla-2")
    settings = MqttSettings(
        port=guarded.certified_port,
        ca_file=guarded.authority.file,
        certificate_file=certificate,
        key_file=key,
    )
    with session(settings) as connection:
        until(lambda: connection.connected, "a broker that asks for a certificate lets us in")


dropped_by_paho = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
"""paho leaves a socket whose handshake failed to the garbage collector."""

REFUSALS = [
    #  the broker is                  what we trust          host         said
    ("certified by somebody else", "stranger", "127.0.0.1", "broker not trusted", "ca_file"),
    ("certified for another host", "authority", "localhost", "broker not trusted", "host"),
    ("not one that speaks TLS", "authority", "127.0.0.1", "no TLS with the broker", "8883"),
]  # fmt: skip


@dropped_by_paho
@pytest.mark.parametrize(("what", "trusted", "host", "said", "remedy"), REFUSALS)
def test_a_broker_that_cannot_show_who_it_is_gets_no_password(
    guarded: GuardedBroker,
    caplog: pytest.LogCaptureFixture,
    what: str,
    trusted: str,
    host: str,
    said: str,
    remedy: str,
) -> None:
    wire = Tap(guarded.port if "speaks" in what else guarded.tls_port)
    authority: Authority = getattr(guarded, trusted)
    settings = MqttSettings(
        host=host,
        port=wire.port,
        username=USERNAME,
        password_file=guarded.password_file,
        ca_file=authority.file,
    )
    with caplog.at_level(logging.WARNING), ExitStack() as stack:
        stack.callback(wire.close)
        connection = stack.enter_context(session(settings))
        until(lambda: said in caplog.text, f"{what}: {caplog.text}")
        assert not connection.connected
    (told, *_) = [record.getMessage() for record in caplog.records if said in record.getMessage()]
    assert remedy in told
    assert PASSWORD.encode() not in wire.said


@dropped_by_paho
def test_a_second_trouble_of_the_broker_is_told_too(
    guarded: GuardedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    settings = MqttSettings(port=port, ca_file=guarded.stranger.file)
    with caplog.at_level(logging.WARNING), ExitStack() as stack:
        connection = stack.enter_context(session(settings))
        until(lambda: "broker not there" in caplog.text, "told that nobody is there")
        with socket.create_server(("127.0.0.1", port)) as server:
            client, _ = server.accept()
            with client:
                client.sendall(b"\x20\x02\x00\x00\x00")  # it speaks MQTT, in clear
                until(lambda: "no TLS with the broker" in caplog.text, "told that it speaks no TLS")
        assert not connection.connected


FILES = [
    #  in [mqtt]                                     what is wrong with it
    ("ca_file = 'absent.pem'", "ca_file .*absent.pem cannot be read: No such file"),
    ("ca_file = 'client.key'", "ca_file .*client.key holds no certificate"),
    ("certificate_file = 'absent.pem'\nkey_file = 'client.key'", "certificate_file .*absent.pem cannot be"),
    ("certificate_file = 'client.pem'\nkey_file = 'absent.key'", "key_file .*absent.key cannot be read"),
    ("certificate_file = 'client.pem'\nkey_file = 'locked.key'", "locked.key are no pair"),
    ("certificate_file = 'client.pem'", r"gateway.toml:4: \[mqtt\] certificate_file and key_file go"),
    ("key_file = 'client.key'", "certificate_file and key_file go together"),
    ("tls = false\nca_file = 'client.pem'", "tls = false, but ca_file"),
    ("tls = true\nsocket = 'mqtt.sock'", "a Unix socket has no TLS"),
    ("username = 'u'\npassword_file = 'absent'", "secret file .*absent cannot be read"),
    ("password_file = 'client.key'", "a password_file needs a username"),
]


def check(folder: Path, mqtt: str) -> subprocess.CompletedProcess[str]:
    """`gateway check` of a config with this [mqtt] table, run in another folder than the config's."""
    (folder / "gateway.toml").write_text(f'[gateway]\nname = "k-1"\ndatabase = "k.db"\n[mqtt]\n{mqtt}\n')
    command = [sys.executable, "-m", "gateway", "check", "--config", str(folder / "gateway.toml")]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("conf")
    authority = Authority(folder, "ca")
    authority.issue("client")
    authority.issue("locked", passphrase=b"nobody types it")
    return folder


@pytest.mark.parametrize(("mqtt", "said"), FILES)
def test_check_refuses_what_could_not_be_used(certified: Path, mqtt: str, said: str) -> None:
    done = check(certified, mqtt)
    assert done.returncode == 3
    assert re.search(said, done.stderr), done.stderr


def test_check_is_content_with_a_certificate_beside_the_config_file(certified: Path) -> None:
    done = check(certified, "ca_file = 'ca.pem'\ncertificate_file = 'client.pem'\nkey_file = 'client.key'")
    assert (done.returncode, done.stderr) == (0, "")


CLEAR = [
    #  the broker                      warned
    ("host = '192.0.2.1'", True),
    ("host = 'broker'", True),
    ("host = '127.0.0.1'", False),
    ("host = 'localhost'", False),
    ("host = '::1'", False),
    ("socket = 'mqtt.sock'", False),
    ("host = '192.0.2.1'\ntls = true", False),
]


@pytest.mark.parametrize(("broker", "warned"), CLEAR)
def test_check_warns_of_a_password_that_others_could_read(certified: Path, broker: str, warned: bool) -> None:
    done = check(certified, f"{broker}\nusername = 'k-1'\npassword_file = 'client.key'")
    assert done.returncode == 0
    assert ("password goes in clear" in done.stderr) is warned


def test_a_session_that_cannot_be_encrypted_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid):
        MqttSession(MqttSettings(ca_file=tmp_path / "absent.pem"), "client")
