"""Brokers that know no better than MQTT 3.1.1: the end-to-end acknowledgement makes them do."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kaukoluenta.runtime.settings import MqttSettings

AMQTT = """\
listeners:
  default:
    type: tcp
    bind: 127.0.0.1:{port}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin:
    allow_anonymous: true
"""


@pytest.fixture
def amqtt(tmp_path, until) -> Iterator[MqttSettings]:
    """The demo's fallback broker as a child. It keeps nothing for a session that is away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    config = tmp_path / "amqtt.yaml"
    config.write_text(AMQTT.format(port=port))
    command = [str(Path(sys.executable).with_name("amqtt")), "-c", str(config)]
    with (tmp_path / "amqtt.log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(answers, "amqtt listens")
    yield MqttSettings(port=port, version="3.1.1")
    child.kill()
    child.wait()


@pytest.mark.parametrize("kind", ["amqtt", "mosquitto, 3.1.1"])
def test_a_collector_killed_beside_an_old_broker_loses_and_doubles_nothing(
    kind, request, start_collector, start_gateway
):
    if kind == "amqtt":
        settings = request.getfixturevalue("amqtt")
    else:
        settings = MqttSettings(socket=request.getfixturevalue("broker").socket, version="3.1.1")
    collector, gateway = start_collector(settings), start_gateway(settings)
    for last in (30, 60):
        gateway.send(last)
        gateway.send_until_acknowledged()
        collector.kill()
        collector.start()
    gateway.send(90)
    gateway.send_until_acknowledged()
    assert [int(one.registers["energy"].value) - 1000 for one in collector.stored()] == [*range(1, 91)]
    assert collector.conflicts() == 0
    assert collector.stop() == 0
