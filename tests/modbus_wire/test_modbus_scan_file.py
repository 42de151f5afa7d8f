"""A scan of a Modbus line writes the list of meters that the gateway reads, and goes on where it was cut."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import build_parser
from gateway.delivery.outbox import MIGRATIONS
from gateway.lines.modbus_profile import shipped_profiles
from gateway.meters_file import load_gateway_settings, load_meters_file
from kaukoluenta.payload import decode
from kaukoluenta.runtime.command import run_command
from kaukoluenta.runtime.database import open_read_only
from simulator.modbus_device import ModbusMeter
from simulator.timekeeper import keep_time
from tests.modbus_wire.background_line import on_tcp
from tests.modbus_wire.virtual_line import HOUR, MAP, MIDNIGHT, meter, registers_of

SHARKY = "diehl-sharky-775"
UNITS = ("--addresses", "1-5")

CONFIG = """
[gateway]
name = "k-1"
spread = "0s"
database = "{folder}/outbox.db"
{gateway}
[mqtt]
port = 1
[[line]]
name = "substations"
protocol = "modbus"
link = "tcp://127.0.0.1:{port}"
timeout_s = 0.1
meters_file = "substations.toml"
{meters}
"""


def shipped_example(unit: int) -> ModbusMeter:
    """A meter of a shipped map, its registers those of the map's own example."""
    registers = {
        int(first) + offset: int(word, 16)
        for first, run in shipped_profiles()[SHARKY].example[0].registers.items()
        for offset, word in enumerate(run.split())
    }
    return ModbusMeter(unit, lambda now: registers)


def write_config(folder: Path, port: int, meters: str = "", gateway: str = "") -> Path:
    config = folder / "gateway.toml"
    config.write_text(
        CONFIG.format(folder=folder, port=port, meters=meters, gateway=gateway), encoding="utf-8"
    )
    return config


def with_own_map(folder: Path, *units: int) -> str:
    """The config's tables of meters that a map beside it reads."""
    (folder / "own.toml").write_text(MAP.replace("s16", "u16"), encoding="utf-8")
    return "".join(
        f'[[line.meter]]\nid = "DME-{41_000_000 + unit}"\naddress = {unit}\nprofile = "own.toml"\n'
        for unit in units
    )


def scan(config: Path, *arguments: str) -> int:
    return run_command(build_parser(), ["scan", "--config", str(config), *UNITS, *arguments])


def rows(output: str) -> dict[int, dict[str, Any]]:
    """What was said of each unit that answered."""
    told = map(json.loads, output.splitlines())
    return {row["unit"]: row for row in told if row["state"] != "silent"}


def listed(config: Path) -> list[tuple[str, int | None, str | None]]:
    (line,) = load_gateway_settings(config).line
    return [(one.id, one.address, one.profile) for one in line.meter]


def test_with_the_makers_letters_a_scan_of_a_new_line_is_its_list_of_meters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_tcp([shipped_example(5)]) as port:
        config = write_config(tmp_path, port)
        assert scan(config, "--maker", "DME") == 0
    said = capsys.readouterr()
    assert said.out.startswith("unit 5: decoded, DME-41001234\n")
    assert f"5 units asked, 1 decoded. Written to {tmp_path / 'substations.toml'}." in said.err
    assert listed(config) == [("DME-41001234", 5, SHARKY)]
    assert run_command(build_parser(), ["check", "--config", str(config), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"][0]["meters"] == 1


def test_the_gateway_reads_the_meters_that_a_scan_wrote(tmp_path: Path) -> None:
    async def first_slot() -> None:
        async with keep_time(tmp_path / "clock", MIDNIGHT) as keeper:
            gateway = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "run", "--config", str(config), stderr=subprocess.DEVNULL
            )
            try:
                promised = await asyncio.wait_for(keeper.least_promise(["k-1/substations"]), 20)
                assert promised == MIDNIGHT + HOUR
            finally:
                gateway.terminate()
                await gateway.wait()

    with on_tcp([shipped_example(5)]) as port:
        config = write_config(tmp_path, port, gateway=f'clock = "stepped:{tmp_path / "clock"}"')
        assert scan(config, "--maker", "DME") == 0
        asyncio.run(first_slot())
    with closing(open_read_only(tmp_path / "outbox.db", MIGRATIONS)) as outbox:
        ((octets,),) = outbox.execute("SELECT octets FROM batches").fetchall()
    (reading,) = decode(octets).readings
    assert (reading.meter, reading.read_at) == ("DME-41001234", MIDNIGHT)
    assert f"{reading.registers['energy'].value:f}" == "123456.5"


def test_without_the_letters_each_meter_is_left_to_a_person_who_completes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_tcp([shipped_example(5)]) as port:
        config, found = write_config(tmp_path, port), tmp_path / "substations.toml"
        assert scan(config) == 1, "somebody has to do something"
        assert "1 have no id yet" in capsys.readouterr().err
        assert listed(config) == []
        block = f'\n# id = "...-41001234"\n# address = 5\n# profile = "{SHARKY}"\n'
        assert found.read_text().count(block) == 1
        assert scan(config) == 1
        assert found.read_text().count(block) == 1
        found.write_text(found.read_text().replace("# [[", "[[").replace('# id = "...', 'id = "DME'))
        found.write_text(found.read_text().replace("# address", "address").replace("# profile", "profile"))
        assert listed(config) == [("DME-41001234", 5, SHARKY)]
        assert scan(config) == 0
        assert found.read_text().count("41001234") == 1


def test_a_scan_that_was_cut_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meters = with_own_map(tmp_path, 2)
    with on_tcp([meter(2), meter(4)], gone_at=4) as port:
        assert scan(write_config(tmp_path, port, meters), "--maker", "DME", "--json") == 4
    assert "Stopped before 4-5. The same command goes on there." in capsys.readouterr().err
    with on_tcp([meter(2), meter(4)]) as port:
        assert scan(write_config(tmp_path, port, meters), "--maker", "DME", "--json") == 0
    said = capsys.readouterr()
    assert "Going on where the last scan stopped: 4-5" in said.err
    assert [json.loads(line)["unit"] for line in said.out.splitlines()] == [4, 5]
    content = load_meters_file(tmp_path / "substations.toml")
    assert [(one.id, one.address) for one in content.meter] == [("DME-41000004", 4)]
    assert content.scan is not None
    assert (content.scan.asked, content.scan.pending) == ("1-5", ())


def test_a_map_beside_the_file_is_named_from_there_and_a_listed_meter_not_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_tcp([meter(2), meter(4)]) as port:
        config = write_config(tmp_path, port, with_own_map(tmp_path, 2))
        assert scan(config, "--maker", "DME", "--json") == 0
    told = rows(capsys.readouterr().out)
    assert [told[unit]["meter"] for unit in (2, 4)] == ["DME-41000002", "DME-41000004"]
    text = (tmp_path / "substations.toml").read_text()
    assert (
        '[[meter]] # a meter of these tests\nid = "DME-41000004"\naddress = 4\nprofile = "own.toml"\n' in text
    )
    assert "41000002" not in text
    assert [(one[0], one[1]) for one in listed(config)] == [("DME-41000002", 2), ("DME-41000004", 4)]


def test_where_another_meter_answers_than_is_listed_the_row_says_so_and_the_list_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_tcp([ModbusMeter(2, registers_of(2, serial=41_999_999))]) as port:
        config = write_config(tmp_path, port, with_own_map(tmp_path, 2))
        scan(config, "--maker", "DME", "--json")
    assert (
        rows(capsys.readouterr().out)[2]["note"] == "not listed: the config has DME-41000002 at this address"
    )
    assert load_meters_file(tmp_path / "substations.toml").meter == ()


def test_a_meter_that_several_maps_fit_is_left_to_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.toml").write_text(MAP.replace("s16", "u16").replace("0.01", "0.1"), encoding="utf-8")
    meters = with_own_map(tmp_path, 7) + with_own_map(tmp_path, 8).replace("own", "other")
    with on_tcp([meter(4)]) as port:
        config = write_config(tmp_path, port, meters)
        assert scan(config, "--maker", "DME") == 1
    text = (tmp_path / "substations.toml").read_text()
    assert "its map is one of " in text
    assert '# id = "...-..."\n# address = 4\n# profile = "..."\n' in text


def test_a_unit_that_no_map_fits_is_noted_and_not_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown: Callable[[datetime], dict[int, int]] = lambda now: {0: 0}  # noqa: E731
    with on_tcp([ModbusMeter(3, unknown)]) as port:
        config = write_config(tmp_path, port, with_own_map(tmp_path, 2))
        assert scan(config, "--json") == 1
    assert rows(capsys.readouterr().out)[3]["state"] == "answered"
    content = load_meters_file(tmp_path / "substations.toml")
    assert content.scan is not None
    assert (content.meter, content.scan.answered) == ((), ("3",))


@pytest.mark.parametrize("arguments", [("--maker", "kam"), ("--maker", "KAMS"), ("--secondary",)])
def test_what_no_modbus_line_has_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    config = write_config(tmp_path, 1)
    asked = ["scan", "--config", str(config), *arguments]
    try:
        code: object = run_command(build_parser(), asked)
    except SystemExit as ended:
        code = ended.code
    assert code == 2


def test_an_mbus_meter_says_its_maker_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["scan", "--link", "tcp://127.0.0.1:1", "--maker", "KAM"]
    assert run_command(build_parser(), asked) == 2
    assert "--maker is for Modbus" in capsys.readouterr().err
