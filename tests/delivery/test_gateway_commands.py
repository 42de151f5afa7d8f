"""The gateway on the command line: what it checks, reads and decodes, and how it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.delivery.running_gateway import (
    run,
    run_beside,
    with_bus,
    write_config,
)
from tests.polling.fake_bus import FakeBus, silence

# Commands ------------------------------------------------------------------------------------------


def test_a_config_is_checked_without_connecting_to_anything(folder: Path) -> None:
    done = run("check", "--config", write_config(folder, "tcp://192.0.2.1:10001"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lines"] == [
        {"line": "boiler-house", "protocol": "mbus", "link": "tcp://192.0.2.1:10001", "meters": 2}
    ]


@pytest.mark.parametrize("verb", ["check", "run"])
def test_a_config_with_a_misspelt_key_says_file_line_and_remedy(folder: Path, verb: str) -> None:
    config = write_config(folder, "tcp://192.0.2.1:10001")
    config.write_text(config.read_text().replace("address = 17", "adress = 17"))
    done = run(verb, "--config", config)
    line = config.read_text().split("\n").index("adress = 17") + 1
    assert done.returncode == 3
    assert f"{config}:{line}: [line.meter] adress: this key is not known." in done.stderr


FAULTS = [
    ("address = 18", "address = 17", "there twice"),
    ('id = "KAM-00000017"', 'id = "LUG-00000018"', "there twice"),
    ('every = "1h"', 'every = "7h"', "must divide a day"),
    ("tcp://192.0.2.1:10001", "tcp://192.0.2.1", "host and port"),
    ('id = "KAM-00000017"', 'id = "KAM-00000017"\nprofile = "nothing"', "No M-Bus profile"),
    ('id = "KAM-00000017"', 'id = "17"', "three letters"),
    ('clock = "system"', 'clock = "stepped:/nowhere"', "names no clock"),
    ('protocol = "mbus"', 'protocol = "modbus"', "needs a profile"),
]


@pytest.mark.parametrize(("right", "wrong", "told"), FAULTS)
def test_a_config_that_cannot_work_is_refused_before_anything_runs(
    folder: Path, right: str, wrong: str, told: str
) -> None:
    config = write_config(folder, "tcp://192.0.2.1:10001")
    assert right in config.read_text()
    config.write_text(config.read_text().replace(right, wrong))
    done = run("run", "--config", config)
    assert done.returncode == 3
    assert told in done.stderr
    assert not (folder / "outbox.db").exists()


def test_a_meter_is_read_as_json(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        config = write_config(folder, bus.url)
        code, out, err = await run_beside("read", "LUG-00000018", "--config", config, "--json")
        answer = json.loads(out)
        assert code == 0, err
        assert answer["registers"] == {
            "energy": {"value": "100", "unit": "kWh"},
            "volume": {"value": "678.90", "unit": "m3"},
        }
        assert (answer["meter"], answer["line"], answer["profile"]) == (
            "LUG-00000018",
            "boiler-house",
            "generic",
        )
        assert (answer["quality"], answer["meter_time"]) == (0, None)
        assert answer["read_at"].endswith("Z")
        assert [octets[:2] for octets in answer["raw"]] == ["68"]
        assert not (folder / "outbox.db").exists()

    with_bus(story)


def test_a_meter_is_read_for_people(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        code, out, _ = await run_beside("read", "KAM-00000017", "--config", write_config(folder, bus.url))
        assert code == 0
        assert [line.split()[1:] for line in out.split("\n") if line.startswith("energy")] == [["100", "kWh"]]

    with_bus(story)


def test_a_meter_that_does_not_answer_is_an_error_with_a_remedy_and_exit_code_4(folder: Path) -> None:
    async def story(bus: FakeBus) -> None:
        bus.meters[0].misbehaves.extend([silence] * 9)
        config = write_config(folder, bus.url)
        code, out, _ = await run_beside("read", "KAM-00000017", "--config", config, "--json")
        answer = json.loads(out)
        assert (code, answer["meter"], answer["error"]["problem"]) == (4, "KAM-00000017", "no answer")
        assert answer["error"]["remedy"]

    with_bus(story)


def test_a_line_that_is_down_is_an_error_too(folder: Path) -> None:
    config = write_config(folder, "tcp://127.0.0.1:1")
    done = run("read", "KAM-00000017", "--config", config)
    assert (done.returncode, done.stdout) == (4, "")
    assert "line down: Connection refused" in done.stderr


def test_a_meter_that_the_config_does_not_name_is_a_usage_error(folder: Path) -> None:
    done = run("read", "KAM-99999999", "--config", write_config(folder, "tcp://192.0.2.1:10001"))
    assert done.returncode == 2
    assert "KAM-00000017" in done.stderr


def test_telegrams_are_decoded_line_by_line() -> None:
    done = run("decode", input="E5\nnonsense\n")
    assert done.returncode == 0
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["ok", "reject"]
