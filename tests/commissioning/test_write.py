"""`gateway write`: only what a person confirmed, only to that meter, and only believed when read again."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import termios
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.__main__ import build_parser
from kaukoluenta.runtime.command import run_command
from tests.commissioning.bench import Bench, bench_meter, on_pty, on_tcp

METER = "KLU-69183621"
YES = ("--yes-write", METER)
RESET, DATA_SEND, TO_9600 = 0x50, 0x51, 0xBD


def write(*arguments: str) -> int:
    try:
        return run_command(build_parser(), ["write", *arguments])
    finally:
        logging.getLogger().handlers.clear()  # the command sent our log to the stderr of this test


@pytest.fixture
def bench() -> Bench:
    """The meter to change, and a neighbour at the same primary address."""
    return Bench(bench_meter("69183621", 2), bench_meter("11111111", 2))


@pytest.fixture
def link(bench: Bench) -> Iterator[str]:
    with on_tcp(bench) as url:
        yield url


def test_an_address_is_set_in_the_meter_that_was_named_and_in_no_other(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(METER, "--link", link, "--set-address", "9", *YES) == 0
    assert [meter.address for meter in bench.meters] == [9, 2]
    told = capsys.readouterr()
    assert "answers at address 9" in told.out
    assert f"{METER} on {link[:64]}: set its primary address to 9.\n" in told.err
    assert f"INFO gateway.commissioning.write_meter written meter={METER}" in told.err


@pytest.mark.parametrize("confirmation", [(), ("--yes-write", "KLU-11111111"), ("--yes-write", "")])
def test_without_the_meters_id_once_more_nothing_is_even_asked(
    bench: Bench, link: str, confirmation: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())  # not a terminal
    assert write(METER, "--link", link, "--set-address", "9", *confirmation) == 2
    assert bench.heard == []


def test_the_refusal_says_how_to_confirm(
    link: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    write(METER, "--link", link, "--set-address", "9")
    assert "nothing was written.\nAdd --yes-write KLU-69183621" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "code", "address"), [(METER, 0, 9), ("yes", 2, 2), ("", 2, 2)])
def test_on_a_terminal_the_person_is_asked(
    bench: Bench, link: str, typed: str, code: int, address: int
) -> None:
    keyboard, end = os.openpty()
    attributes = termios.tcgetattr(end)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(end, termios.TCSANOW, attributes)
    command = [sys.executable, "-m", "gateway", "write", METER, "--link", link, "--set-address", "9"]
    with subprocess.Popen(command, stdin=end, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.write(keyboard, typed.encode() + b"\n")
        _, said = process.communicate(timeout=60)
    os.close(keyboard)
    os.close(end)
    assert (process.returncode, bench.meters[0].address) == (code, address)
    assert b"Type the meter's id to write" in said


def test_an_address_where_somebody_answers_is_not_given_away(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters.append(bench_meter("22222222", 9))
    assert write(METER, "--link", link, "--set-address", "9", *YES) == 1
    assert "Somebody answers at address 9 already" in capsys.readouterr().err
    assert bench.writes == 0


def test_an_address_that_it_has_already_is_no_trouble(bench: Bench, link: str) -> None:
    bench.meters[1].address = 5
    assert write(METER, "--link", link, "--set-address", "2", *YES) == 0
    assert bench.writes == 0


def test_an_address_of_another_meter_in_the_config_is_refused(
    bench: Bench, link: str, tmp_path: Path
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'[gateway]\nname = "k"\n[[line]]\nname = "cellar"\nprotocol = "mbus"\nlink = "{link}"\n'
        f'[[line.meter]]\nid = "{METER}"\n[[line.meter]]\nid = "KLU-5"\naddress = 9\n'
    )
    assert write(METER, "--config", str(config), "--set-address", "9", *YES) == 2
    assert bench.heard == []
    assert write(METER, "--config", str(config), "--set-address", "10", *YES) == 0
    assert bench.meters[0].address == 10


def test_what_was_only_acknowledged_does_not_count(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].acknowledges_only = frozenset({DATA_SEND})
    assert write(METER, "--link", link, "--set-address", "9", *YES, "--json") == 4
    answer = json.loads(capsys.readouterr().out)
    assert "no answer" in answer["error"]["problem"]
    assert "proof" not in answer


def test_an_order_whose_acknowledgement_is_lost_may_have_been_carried_out(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].obeys_in_silence = True
    assert write(METER, "--link", link, "--set-address", "9", *YES) == 1
    assert "it may have been written all the same" in capsys.readouterr().err
    assert bench.meters[0].address == 9


def test_a_number_that_stands_for_several_meters_is_never_written_to(bench: Bench, link: str) -> None:
    several = f"{METER[:-2]}FF"
    assert write(several, "--link", link, "--application-reset", "--yes-write", several) == 2
    assert bench.heard == []


def test_a_meter_that_does_not_know_selection_is_written_to_at_its_address(bench: Bench, link: str) -> None:
    bench.meters[0].knows_selection, bench.meters[1].address = False, 5
    assert write(METER, "--link", link, "--address", "2", "--set-address", "9", *YES) == 0
    assert [meter.address for meter in bench.meters] == [9, 5]


def test_somebody_else_at_its_address_is_never_written_to(bench: Bench, link: str) -> None:
    bench.meters[0].address, bench.meters[1].knows_selection = 7, False
    bench.meters[0].knows_selection = False
    assert write(METER, "--link", link, "--address", "2", "--set-address", "9", *YES) == 4
    assert bench.writes == 0


@pytest.mark.parametrize("seconds", [False, True])
@pytest.mark.parametrize(("offset", "ahead"), [((), 2), (("+03:00",), 3), (("+00:00",), 0)])
def test_a_clock_is_set_in_the_form_in_which_the_meter_shows_it(
    bench: Bench, link: str, seconds: bool, offset: tuple[str, ...], ahead: int
) -> None:
    bench.meters[0].behind, bench.meters[0].seconds = timedelta(days=100), seconds
    assert write(METER, "--link", link, *YES, "--set-clock", *offset) == 0
    behind = bench.meters[0].behind
    assert behind is not None
    assert abs(behind + timedelta(hours=ahead)) < timedelta(seconds=45)


def test_a_clock_that_does_not_move_is_found_out(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].behind = timedelta(days=100)
    bench.meters[0].acknowledges_only = frozenset({DATA_SEND})
    assert write(METER, "--link", link, "--set-clock", *YES) == 1
    assert "Acknowledged, but its clock shows" in capsys.readouterr().err


def test_a_clock_that_cannot_be_seen_is_not_called_set(
    bench: Bench, link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].acknowledges_only = frozenset({DATA_SEND})
    assert write(METER, "--link", link, "--set-clock", *YES) == 1
    assert "shows no clock" in capsys.readouterr().err


@pytest.mark.parametrize(("subcode", "sent"), [((), b""), (("10",), b"\x10")])
def test_an_application_is_reset_with_or_without_a_subcode(
    bench: Bench, link: str, subcode: tuple[str, ...], sent: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write(METER, "--link", link, "--application-reset", *subcode, *YES) == 0
    assert [meter.resets for meter in bench.meters] == [[sent], []]
    assert "its readout has 6 records in 1 telegrams" in capsys.readouterr().out


def test_a_speed_is_changed_and_the_meter_read_in_it(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    with on_pty(bench) as device:
        link = f"serial://{device}?parity=N&baud=2400"
        assert write(METER, "--link", link, "--set-baud", "9600", *YES, "--json") == 0
    assert [meter.baud for meter in bench.meters] == [9600, 2400]
    assert "answers at 9600 baud" in json.loads(capsys.readouterr().out)["proof"]


def test_a_meter_that_stays_at_its_speed_is_found_there_again(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].acknowledges_only = frozenset({TO_9600})
    with on_pty(bench) as device:
        link = f"serial://{device}?parity=N&baud=2400"
        assert write(METER, "--link", link, "--set-baud", "9600", *YES) == 1
        assert "does not answer at 9600 baud" in capsys.readouterr().err
        assert write(METER, "--link", link, "--application-reset", *YES) == 0


def test_behind_a_tcp_converter_a_speed_is_not_changed(bench: Bench, link: str) -> None:
    assert write(METER, "--link", link, "--set-baud", "9600", *YES) == 2
    assert bench.heard == []


@pytest.mark.parametrize(
    "order",
    [
        (),
        ("--set-address", "251"),
        ("--set-clock", "2h"),
        ("--set-clock", "+15:00"),
        ("--set-baud", "115200"),
        ("--set-address", "1", "--set-clock"),
        ("--application-reset", "1FF"),
        ("--application-reset", "zz"),
    ],
)
def test_an_order_that_cannot_be_is_a_usage_error(link: str, order: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as exit_:
        write(METER, "--link", link, *order, *YES)
    assert exit_.value.code == 2
