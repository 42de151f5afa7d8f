"""`gateway scan`: who is on the line, row by row; cut and gone on with; never a write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import build_parser
from gateway.mbus.link import LongFrame, ShortFrame
from gateway.meters_file import load_gateway_settings, load_meters_file
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.command import run_command
from tests.commissioning.bench import Bench, bench_meter, on_pty, on_tcp

SND_NKE, SELECT_CI = 0x40, 0x52


def scan(*arguments: str) -> int:
    return run_command(build_parser(), ["scan", *arguments])


def rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def greeted(bench: Bench) -> list[int]:
    """The primary addresses that a scan asked, in order."""
    return [f.address for f in bench.heard if isinstance(f, ShortFrame) and f.control == SND_NKE]


@pytest.fixture
def bench() -> Bench:
    """A meter with a profile, one without, and two at one address."""
    return Bench(
        bench_meter("69183621", 2, maker="KAM", version=0x40),
        bench_meter("00000017", 3),
        bench_meter("11111111", 5),
        bench_meter("12222222", 5),
    )


@pytest.fixture
def link(bench: Bench) -> Iterator[str]:
    with on_tcp(bench) as url:
        yield url


def test_each_address_gets_a_row_that_says_who_is_there(
    link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan("--link", link, "--addresses", "1-5", "--json") == 1, "two meters share an address"
    told = rows(capsys.readouterr().out)
    assert [row["address"] for row in told] == [1, 2, 3, 4, 5]
    assert [row["state"] for row in told] == ["silent", "decoded", "decoded", "silent", "collision"]
    assert told[1] == {
        "asked": "2",
        "address": 2,
        "state": "decoded",
        "meter": "KAM-69183621",
        "manufacturer": "KAM",
        "serial": "69183621",
        "version": 0x40,
        "medium": 4,
        "medium_text": "heat (outlet)",
        "profile": "kamstrup-multical-303",
        "note": None,
    }
    assert (told[2]["meter"], told[2]["profile"]) == ("KLU-00000017", None)


def test_a_silent_address_costs_one_question_and_a_collision_is_asked_once_more(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scan("--link", link, "--addresses", "1-5")
    assert greeted(bench) == [1, 2, 3, 4, 5, 5]
    assert "No profile of its own: KLU version 21h medium 04h." in capsys.readouterr().err


def test_a_secondary_search_finds_meters_that_share_an_address_or_have_none(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters.append(bench_meter("70412233", 0))
    found = tmp_path / "line.toml"
    assert scan("--link", link, "--secondary", "--json", "--out", str(found)) == 0
    decoded = [row["meter"] for row in rows(capsys.readouterr().out) if row["state"] == "decoded"]
    assert decoded == ["KLU-00000017", "KLU-11111111", "KLU-12222222", "KAM-69183621", "KLU-70412233"]
    assert [(meter.id, meter.address) for meter in load_meters_file(found).meter] == [
        (meter, None) for meter in decoded
    ]


def test_a_mask_narrows_a_secondary_search(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan("--link", link, "--secondary", "1FFFFFFF.KLU", "--json") == 0
    asked = [row["asked"] for row in rows(capsys.readouterr().out)]
    assert asked[0] == "1FFFFFFF.2D95.FF.FF"
    assert all(mask.startswith("1") for mask in asked)


def test_a_scan_writes_to_no_meter(bench: Bench, link: str) -> None:
    scan("--link", link, "--addresses", "1-5")
    scan("--link", link, "--secondary", "1FFFFFFF")
    assert bench.writes == 0
    assert all(frame.ci == SELECT_CI for frame in bench.heard if isinstance(frame, LongFrame))


def test_a_scan_that_was_cut_goes_on_where_it_stopped(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "line.toml"
    bench.hangs_up_after = 4  # greets 1, 2, reads 2, greets 3; then the converter is gone
    assert scan("--link", link, "--addresses", "1-5", "--out", str(found)) == 4
    assert "Stopped before 3-5. The same command goes on there." in capsys.readouterr().err
    assert load_meters_file(found).scan is not None
    bench.heard.clear()
    assert scan("--link", link, "--addresses", "1-5", "--out", str(found)) == 1
    assert greeted(bench) == [3, 4, 5, 5]
    content = load_meters_file(found)
    assert [(meter.id, meter.address) for meter in content.meter] == [
        ("KAM-69183621", 2),
        ("KLU-00000017", 3),
    ]
    assert content.scan is not None
    assert (content.scan.pending, content.scan.collision) == ((), ("5",))


def test_a_scan_of_something_else_does_not_go_on_with_a_cut_one(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "line.toml"
    bench.hangs_up_after = 4
    scan("--link", link, "--addresses", "1-5", "--out", str(found))
    bench.heard.clear()
    assert scan("--link", link, "--addresses", "3-3", "--out", str(found)) == 0
    assert greeted(bench) == [3]


@pytest.mark.parametrize("questions", [1, 2, 4, 7])
def test_a_secondary_search_that_was_cut_anywhere_finds_all_in_the_end(
    bench: Bench, link: str, tmp_path: Path, questions: int
) -> None:
    found = tmp_path / "line.toml"
    asked = ("--link", link, "--secondary", "1FFFFFFF", "--out", str(found))
    bench.hangs_up_after = questions
    assert scan(*asked) == 4
    assert scan(*asked) == 0
    assert [meter.id for meter in load_meters_file(found).meter] == ["KLU-11111111", "KLU-12222222"]


def test_a_finished_scan_begins_anew_and_keeps_what_people_wrote(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "line.toml"
    found.write_text(
        '# the meters of the boiler house\n[[meter]]\nid = "KAM-69183621"  # in the cellar\naddress = 2\n'
        'area = "keskusta"\n\n[scan]\npending = []\n'
    )
    scan("--link", link, "--addresses", "1-3", "--out", str(found))
    text = found.read_text()
    assert text.startswith(
        '# the meters of the boiler house\n[[meter]]\nid = "KAM-69183621"  # in the cellar'
    )
    assert text.count("KAM-69183621") == 1
    assert 'area = "keskusta"' in text
    assert [meter.id for meter in load_meters_file(found).meter] == ["KAM-69183621", "KLU-00000017"]
    assert text.count("[scan]") == 1


def test_where_the_file_says_otherwise_than_the_bus_the_row_says_so_and_the_file_stays(
    link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tmp_path / "line.toml"
    found.write_text(
        '[[meter]]\nid = "KAM-69183621"\naddress = 9\n[[meter]]\nid = "KLU-99999999"\naddress = 3\n'
    )
    scan("--link", link, "--addresses", "2-3", "--json", "--out", str(found))
    notes = [row["note"] for row in rows(capsys.readouterr().out)]
    assert notes == ["listed with address 9", "not listed: the config has KLU-99999999 at this address"]
    assert [(meter.id, meter.address) for meter in load_meters_file(found).meter] == [
        ("KAM-69183621", 9),
        ("KLU-99999999", 3),
    ]


CONFIG = """
[gateway]
name = "kirkonkyla-1"
[[line]]
name = "boiler-house"
protocol = "mbus"
link = "{link}"
meters_file = "boiler-house.toml"
[[line.meter]]
id = "KLU-11111111"
"""


def test_a_line_of_the_config_takes_its_meters_from_the_file_that_the_scan_wrote(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(link=link))
    with pytest.raises(ConfigurationInvalid, match=r"scan --config .*gateway.toml --line boiler-house"):
        load_gateway_settings(config)
    assert scan("--config", str(config), "--secondary") == 0
    (line,) = load_gateway_settings(config).line
    assert [meter.id for meter in line.meter] == [
        "KLU-11111111",
        "KLU-00000017",
        "KLU-12222222",
        "KAM-69183621",
    ]


FAULTS = [
    ('[[meter]]\nid = "KLU-11111111"\n', "meter KLU-11111111 is there twice"),
    ('[[meter]]\nid = "KLU-3"\n[[meter]]\nid = "KLU-00000003"\n', "meter KLU-00000003 is there twice"),
    (
        '[[meter]]\nid = "KLU-3"\naddress = 5\n[[meter]]\nid = "KLU-4"\naddress = 5\n',
        "address 5 is there twice",
    ),
    ('[[meter]]\nid = "KLU-3"\nadress = 5\n', "boiler-house.toml:3: .*adress: this key is not known"),
    ("[[meter]\n", "boiler-house.toml: "),
]


@pytest.mark.parametrize(("text", "complaint"), FAULTS)
def test_a_meters_file_is_checked_as_the_config_is(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG.format(link="tcp://127.0.0.1:1"))
    (tmp_path / "boiler-house.toml").write_text(text)
    with pytest.raises(ConfigurationInvalid, match=complaint):
        load_gateway_settings(tmp_path / "gateway.toml")


def test_a_meter_that_is_listed_without_its_leading_zeros_is_not_added_again(
    link: str, tmp_path: Path
) -> None:
    found = tmp_path / "line.toml"
    found.write_text('[[meter]]\nid = "KLU-17"\n')
    assert scan("--link", link, "--addresses", "3", "--out", str(found)) == 0
    assert [meter.id for meter in load_meters_file(found).meter] == ["KLU-17"]


def test_a_search_with_hexadecimal_digits_does_not_go_on_with_one_of_decimal_digits(
    bench: Bench, link: str, tmp_path: Path
) -> None:
    bench.meters[0].identity = bench_meter("B0000001", maker="KAM", version=0x40).identity
    found = tmp_path / "line.toml"
    found.write_text('[scan]\nasked = "FFFFFFFF"\npending = ["9FFFFFFF"]\n')
    scan("--link", link, "--secondary", "--hex-digits", "--out", str(found))
    assert "KAM-B0000001" in [meter.id for meter in load_meters_file(found).meter]


def test_a_meter_that_cannot_be_named_is_left_to_the_person(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].identity = bench_meter("69183621", maker="[[]").identity
    found = tmp_path / "line.toml"
    assert scan("--link", link, "--addresses", "2-3", "--out", str(found)) == 1
    assert '# id = "...-69183621"\n# address = 2\n' in found.read_text()
    assert [meter.id for meter in load_meters_file(found).meter] == ["KLU-00000017"]


def test_a_meter_that_cannot_be_named_is_not_left_to_the_person_twice(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].identity = bench_meter("69183621", maker="[[]").identity
    found = tmp_path / "line.toml"
    found.write_text('[[meter]]\nid = "KAM-69183621"\naddress = 2\n')
    scan("--link", link, "--addresses", "2-2", "--json", "--out", str(found))
    assert rows(capsys.readouterr().out)[0]["note"] is None
    assert "..." not in found.read_text()


def test_nobody_on_the_line_is_a_problem_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with on_tcp(Bench()) as link:
        assert scan("--link", link, "--addresses", "1-2") == 1
    assert "look at the converter" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--link", "tcp://127.0.0.1:1", "--addresses", "5-1"),
        ("--link", "tcp://127.0.0.1:1", "--addresses", "1-251"),
        ("--link", "tcp://127.0.0.1:1", "--addresses", "all"),
        ("--link", "tcp://127.0.0.1:1", "--secondary", "6918"),
        ("--config", "{config}", "--line", "cellar"),
        ("--link", "tcp://127.0.0.1:1", "--line", "cellar"),
        ("--config", "{config}", "--line", "substations", "--secondary"),
    ],
)
def test_a_scan_that_cannot_be_is_refused_before_anything_connects(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        CONFIG.format(link="tcp://127.0.0.1:1")
        + '[[line]]\nname = "substations"\nprotocol = "modbus"\nlink = "tcp://127.0.0.1:2"\n'
    )
    assert scan(*(argument.format(config=config) for argument in arguments)) == 2


def test_ctrl_c_stops_a_scan_and_says_how_to_go_on(link: str, tmp_path: Path) -> None:
    found = tmp_path / "line.toml"
    command = [sys.executable, "-m", "gateway", "scan", "--link", link, "--json", "--out", str(found)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        asked = [json.loads(process.stdout.readline())["address"] for _ in range(3)]
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=60)
    assert process.returncode == 130
    next_one = asked[-1] + len(rest.splitlines()) + 1
    assert f"Stopped before {next_one}-250. The same command goes on there." in said
    content = load_meters_file(found)
    assert content.scan is not None
    assert content.scan.pending == (f"{next_one}-250",)


def scanned_at(terminal: bool, *arguments: str) -> bytes:
    """What the command shows: on a terminal, or into a pipe."""
    command = [sys.executable, "-m", "gateway", "scan", *arguments]
    if not terminal:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).stdout
    screen, end = os.openpty()
    subprocess.run(command, stdout=end, stderr=subprocess.DEVNULL, check=False, timeout=60)
    os.close(end)
    shown = b""
    try:
        while more := os.read(screen, 65536):
            shown += more
    except OSError:
        pass
    os.close(screen)
    return shown


def test_on_a_terminal_a_silent_address_makes_room_for_the_next_and_in_a_pipe_each_has_its_line(
    link: str,
) -> None:
    asked = ("--link", link, "--addresses", "1-4")
    shown, piped = scanned_at(True, *asked), scanned_at(False, *asked)
    assert b"\r4" in shown
    assert (
        len([line for line in shown.split(b"\n") if line.strip()]) == 3 + 1
    )  # heading, two meters, the last
    assert b"\r" not in piped
    assert [line.split()[:2] for line in piped.splitlines()[1:]] == [
        [b"1", b"silent"],
        [b"2", b"decoded"],
        [b"3", b"decoded"],
        [b"4", b"silent"],
    ]


def test_a_line_on_a_serial_port_is_scanned_too(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with on_pty(bench) as device:
        link = f"serial://{device}?parity=N&latency_s=0.01"
        assert scan("--link", link, "--addresses", "2-3", "--json") == 0
    assert [row["meter"] for row in rows(capsys.readouterr().out)] == ["KAM-69183621", "KLU-00000017"]


def test_a_meter_that_acknowledges_and_gives_nothing_is_noted(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].mute = True
    found = tmp_path / "line.toml"
    assert scan("--link", link, "--addresses", "2-3", "--json", "--out", str(found)) == 1
    told = rows(capsys.readouterr().out)
    assert (told[0]["state"], told[0]["note"]) == (
        "answered",
        "acknowledges, but gives no telegram of its own",
    )
    content = load_meters_file(found)
    assert content.scan is not None
    assert content.scan.answered == ("2",)
