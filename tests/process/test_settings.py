"""Settings are checked before anything connects; an error says file, line, table, key and remedy."""

from pathlib import Path

import pytest

from gateway.meters_file import load_gateway_settings
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


def test_leading_zeros_make_no_second_meter(load):
    with pytest.raises(ConfigurationInvalid, match="meter KAM-00000042 is there twice"):
        load(GOOD.replace("KAM-69183621", "KAM-42").replace("DME-41001234", "KAM-00000042"))


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


WITH_FILES = """\
[gateway]
name = "kirkonkyla-1"
database = "gateway.db"
[mqtt]
username = "kirkonkyla-1"
password_file = "secrets/password"
ca_file = "/etc/ssl/ca.pem"
certificate_file = "../client.pem"
key_file = "client.key"
[[line]]
name = "boiler-house"
protocol = "mbus"
link = "tcp://192.0.2.10:10001"
meters_file = "meters/boiler-house.toml"
[[line.meter]]
id = "EXM-20000017"
profile = "hm1.toml"
key_file = "hm1.key"
[[line.meter]]
id = "KAM-69183621"
profile = "kamstrup-multical-603"
"""
ITS_METERS = '[[meter]]\nid = "EXM-20000018"\nprofile = "hm2.toml"\nkey_file = "/keys/18"\n'


@pytest.fixture
def plant(tmp_path, monkeypatch):
    """A config in a folder of its own; whoever reads it stands somewhere else."""
    (tmp_path / "conf" / "meters").mkdir(parents=True)
    (tmp_path / "conf" / "gateway.toml").write_text(WITH_FILES)
    (tmp_path / "conf" / "meters" / "boiler-house.toml").write_text(ITS_METERS)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def test_a_relative_path_begins_at_the_folder_of_the_file_that_says_it(plant):
    settings = load_gateway_settings(Path("../conf/gateway.toml"))
    mqtt, (line,) = settings.mqtt, settings.line
    assert mqtt.password_file == Path("../conf/secrets/password")
    assert (mqtt.ca_file, mqtt.certificate_file) == (Path("/etc/ssl/ca.pem"), Path("../conf/../client.pem"))
    assert line.meters_file == Path("../conf/meters/boiler-house.toml")
    assert [(meter.profile, meter.key_file) for meter in line.meter] == [
        ("../conf/hm1.toml", Path("../conf/hm1.key")),
        ("kamstrup-multical-603", None),
        ("../conf/meters/hm2.toml", Path("/keys/18")),
    ]


def test_a_database_and_what_the_environment_says_begin_at_the_working_directory(plant, monkeypatch):
    monkeypatch.setenv("KAUKOLUENTA_GATEWAY__MQTT__KEY_FILE", "mine.key")
    settings = load_gateway_settings(plant / "conf" / "gateway.toml")
    assert settings.gateway.database == Path("gateway.db")
    assert settings.mqtt.key_file == Path("mine.key")
    assert settings.mqtt.certificate_file == plant / "conf" / "../client.pem"


@pytest.mark.parametrize("value", ["3", "[1, 'b']", "{ a = 1 }", "true"])
def test_a_path_that_is_no_text_is_refused_with_its_place(load, value):
    with pytest.raises(ConfigurationInvalid, match=r"gateway\.toml:7: \[mqtt\] ca_file"):
        load(GOOD.replace('host = "127.0.0.1"', f'host = "127.0.0.1"\nca_file = {value}'))
