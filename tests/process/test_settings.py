"""Settings are checked before anything connects; an error says file, line, table, key and remedy."""

from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.settings import load_settings, read_secret

GOOD = """\
[gateway]
name = "kirkonkyla-1"
every = "1h"

[mqtt]
host = "127.0.0.1"

[[line]]
name = "boiler-house"
protocol = "mbus"
link = "tcp://192.0.2.10:10001"
[[line.meter]]
id = "KAM-69183621"
address = 17

[[line]]
name = "substations"
protocol = "modbus"
link = "tcp://192.0.2.11:502"
[[line.meter]]
id = "DME-41001234"
address = 5
profile = "diehl-sharky-775"
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "gateway.toml"
        path.write_text(text)
        return load_settings(GatewaySettings, path)

    return load


def test_the_documented_file_is_read(load):
    settings = load(GOOD)
    assert [meter.id for line in settings.line for meter in line.meter] == ["KAM-69183621", "DME-41001234"]
    assert settings.gateway.every.total_seconds() == 3600


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        (('address = 17', 'adress = 17'), "gateway.toml:14: [line.meter] adress", "not known"),
        (('address = 5', 'address = "five"'), "gateway.toml:22: [line.meter] address", "valid integer"),
        (('host =', 'hots ='), "gateway.toml:6: [mqtt] hots", "not known"),
        (('name = "kirkonkyla-1"\n', ''), "gateway.toml:1: [gateway] name", "missing"),
        (('every = "1h"', 'every = "an hour"'), "gateway.toml:3: [gateway] every", "30s"),
        (('every = "1h"', 'every = "7h"'), "gateway.toml", "must divide a day"),
        (('"mbus"', '"mebus"'), "gateway.toml:10: [line] protocol", "'mbus' or 'modbus'"),
        (('DME-41001234', 'KAM-69183621'), "gateway.toml", "meter KAM-69183621 is there twice"),
        (('"substations"', '"boiler-house"'), "gateway.toml", "line boiler-house is there twice"),
        (('KAM-69183621', '69183621'), "gateway.toml:13: [line.meter] id", "no meter id"),
        (('[mqtt]', '[mqtt'), "gateway.toml", "Expected"),
        (('address = 17', 'address = 253'), "gateway.toml:8: [line]", "no single meter is asked for"),
        (('address = 17', 'address = true'), "gateway.toml:14: [line.meter] address", "valid integer"),
        (('address = 5\n', ''), "gateway.toml:16: [line]", "needs an address"),
        (('profile = "diehl-sharky-775"\n', ''), "gateway.toml:16: [line]", "needs a profile"),
        (('192.0.2.11:502', '192.0.2.10:10001'), "gateway.toml", "one master) tcp://192.0.2.10:10001"),
        (('host = "127.0.0.1"', 'port = 0'), "gateway.toml:6: [mqtt] port", "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_an_error_names_the_place_and_the_remedy(load, change, place, what):
    with pytest.raises(ConfigurationInvalid) as error:
        load(GOOD.replace(*change))
    assert place in error.value.problem
    assert what in error.value.problem
    assert error.value.exit_code == 3


def test_the_environment_stands_over_the_file(load, monkeypatch):
    monkeypatch.setenv("KAUKOLUENTA_GATEWAY__MQTT__PORT", "8883")
    settings = load(GOOD)
    assert (settings.mqtt.host, settings.mqtt.port) == ("127.0.0.1", 8883)


def test_a_value_is_never_repeated(load):
    with pytest.raises(ConfigurationInvalid) as error:
        load(GOOD.replace('host = "127.0.0.1"', 'host = "127.0.0.1"\npassword = "hunter2"'))
    assert "hunter2" not in str(error.value)


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(ConfigurationInvalid, match=r"absent\.toml"):
        load_settings(GatewaySettings, tmp_path / "absent.toml")
    with pytest.raises(ConfigurationInvalid, match=r"secret.*cannot be read"):
        read_secret(Path(tmp_path / "secret"))


def test_a_secret_loses_its_line_end(tmp_path):
    (tmp_path / "secret").write_text("pass word\r\n")
    assert read_secret(tmp_path / "secret") == "pass word"
