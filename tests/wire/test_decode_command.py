"""`kaukoluenta gateway decode`: the contract's JSON, one object a line, whatever the line is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.decode import decode_line, decode_lines
from gateway.mbus import encode
from gateway.mbus.header import identity_of
from gateway.mbus.link import LongFrame
from gateway.telegram_view import plain_decimal, value_text

ROOT = Path(__file__).parents[2]
METER = identity_of("01234567", "KLU", 0x21, 0x04)
ENERGY_AND_POWER = [encode.integer_record(b"\x06", 12345), encode.integer_record(b"\x2d", -16, 2)]
TELEGRAM = encode.variable_response(5, METER, ENERGY_AND_POWER, access_no=7, status=16, more=True)

EXPECTED: dict[str, Any] = {
    "outcome": "ok",
    "frame": "long",
    "c": "08",
    "a": "05",
    "ci": "72",
    "direction": "to_master",
    "manufacturer": "KLU",
    "manufacturer_hex": "2D95",
    "id": "01234567",
    "version": 33,
    "medium": 4,
    "medium_hex": "04",
    "medium_text": "heat (outlet)",
    "access_no": 7,
    "status": 16,
    "config_word": "0000",
    "more_records_follow": True,
    "records": [
        {
            "index": 0,
            "kind": "value",
            "dib": "04",
            "vib": "06",
            "data": "39300000",
            "function": "instantaneous",
            "storage": 0,
            "tariff": 0,
            "subunit": 0,
            "norm": {"quantity": "energy", "unit": "Wh", "value": "12345000", "coding": "int"},
        },
        {
            "index": 1,
            "kind": "value",
            "dib": "02",
            "vib": "2D",
            "data": "F0FF",
            "function": "instantaneous",
            "storage": 0,
            "tariff": 0,
            "subunit": 0,
            "norm": {
                "quantity": "power",
                "unit": "W",
                "value": "-1600",
                "coding": "int",
                "value_if_unsigned": "6552000",
            },
        },
        {"index": 2, "kind": "manufacturer_data", "dib": "1F", "data": "", "more_records_follow": True},
    ],
}


def test_a_telegram_is_told_in_the_contracts_words() -> None:
    assert decode_line(TELEGRAM.to_bytes().hex()) == EXPECTED


OTHER_FRAMES: list[tuple[str, dict[str, Any]]] = [
    ("E5", {"outcome": "ok", "frame": "ack"}),
    ("10 7b 01 7c 16", {"outcome": "ok", "frame": "short", "c": "7B", "a": "01"}),
    (
        "68 03 03 68 53 FE BD 0E 16",
        {
            "outcome": "command",
            "frame": "control",
            "c": "53",
            "a": "FE",
            "ci": "BD",
            "direction": "to_slave",
            "command": "set_baud",
        },
    ),
    (
        "68 04 04 68 08 01 70 08 81 16",
        {
            "outcome": "app_error",
            "frame": "long",
            "c": "08",
            "a": "01",
            "ci": "70",
            "direction": "to_master",
            "app_error": "application_busy",
        },
    ),
    (
        "68 04 04 68 08 01 71 08 82 16",
        {
            "outcome": "alarm",
            "frame": "long",
            "c": "08",
            "a": "01",
            "ci": "71",
            "direction": "to_master",
            "alarm": "08",
        },
    ),
    ("10 7B 01 7C 16 E5", {"outcome": "stream", "frames": ["short", "ack"]}),
    ("10 7B 01 7D 16", {"outcome": "reject", "reason": "link:checksum"}),
]


@pytest.mark.parametrize(("line", "answer"), OTHER_FRAMES)
def test_other_frames_are_told_as_far_as_they_go(line: str, answer: dict[str, Any]) -> None:
    assert decode_line(line) == answer


def test_the_fixed_structure_is_told_without_what_it_does_not_have() -> None:
    old = LongFrame(0x08, 5, 0x73, bytes.fromhex("67452301 0A 00 E9 7E 01000000 35010000"))
    answer = decode_line(old.to_bytes().hex())
    assert answer["structure"] == "fixed"
    assert (answer["medium"], answer["medium_text"]) == (7, "water")
    assert not answer.keys() & {"manufacturer", "version", "config_word"}
    assert not answer["records"][0].keys() & {"dib", "vib"}


def test_a_request_for_everything_is_told() -> None:
    answer = decode_line(LongFrame(0x53, 5, 0x51, b"\x7f").to_bytes().hex())
    assert answer["records"] == [{"index": 0, "kind": "global_readout_request", "dib": "7F"}]


NOTES = [
    ("0C 2A DD B4 EB DD", {"value": None, "invalid": "bcd_invalid_digit", "bcd_digits": "DDEBB4DD"}),
    ("04 AB 3C 01 00 00 00", {"value": "1", "modifiers": ["accumulation_negative_abs"]}),
    ("04 7F 01 00 00 00", {"value": "1", "manufacturer_specific": True}),
]


@pytest.mark.parametrize(("record", "notes"), NOTES)
def test_what_applies_to_a_record_is_told_and_the_rest_is_absent(record: str, notes: dict[str, Any]) -> None:
    frame = LongFrame(0x08, 5, 0x78, bytes.fromhex(record))
    (told,) = decode_line(frame.to_bytes().hex())["records"]
    norm = {key: told["norm"][key] for key in told["norm"] if key not in ("quantity", "unit", "coding")}
    assert norm == notes


VALUES = [
    (Decimal("1.500"), "int", "1.5"),
    (Decimal("5E+4"), "int", "50000"),
    (Decimal("-0.000"), "int", "0"),
    (Decimal("1E-9"), "int", "0.000000001"),
    (Decimal("100"), "int", "100"),
    ("0065 ", "text", "0065 "),
    (date(2026, 11, 24), "date_g", "2026-11-24"),
    (datetime(2026, 11, 24, 8, 33), "datetime_f", "2026-11-24T08:33"),
    (datetime(2026, 11, 24, 8, 33), "datetime_i", "2026-11-24T08:33:00"),
    (time(8, 33), "time_j", "08:33:00"),
    (None, "int", None),
]


@pytest.mark.parametrize(("value", "coding", "text"), VALUES)
def test_a_value_is_plain_text(value: Any, coding: str, text: str | None) -> None:
    assert value_text(value, coding) == text


def test_a_decimal_never_shows_an_exponent() -> None:
    assert plain_decimal(Decimal("1E+30")) == "1" + "0" * 30


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "input:the line is empty"),
        ("   ", "input:the line is empty"),
        ("hello", "input:not an even number of hexadecimal digits"),
        ("E5E", "input:not an even number of hexadecimal digits"),
        ("E5E5 0011", "input:more than a telegram and its key, which has 32 hexadecimal digits"),
        pytest.param("E5" * 500_001, "input:longer than 1000000 characters", id="too long"),
        ("E5 " + "0G" * 16, "input:not an even number of hexadecimal digits"),
    ],
)
def test_a_line_that_is_no_telegram_is_rejected_with_its_reason(line: str, reason: str) -> None:
    assert decode_line(line) == {"outcome": "reject", "reason": reason}


def test_a_key_stands_behind_its_telegram_also_when_octets_stand_apart() -> None:
    key = " 000102030405060708090A0B0C0D0E0F"
    assert decode_line(TELEGRAM.to_bytes().hex(" ") + key) == EXPECTED
    assert decode_line(TELEGRAM.to_bytes().hex() + key) == EXPECTED


def test_every_line_has_one_answer_line_also_when_it_is_not_even_text() -> None:
    answers = io.StringIO()
    decode_lines(
        io.BytesIO(b"\xef\xbb\xbfE5\n\n\xff\xfe\x00\n" + TELEGRAM.to_bytes().hex().encode()), answers
    )
    outcomes = [json.loads(line)["outcome"] for line in answers.getvalue().splitlines()]
    assert outcomes == ["ok", "reject", "reject", "ok"]


def test_the_command_answers_line_by_line_and_ends_with_0() -> None:
    command = [sys.executable, "-m", "gateway", "decode"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in (b"E5\n", b"nonsense\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["outcome"] in ("ok", "reject")
        process.stdin.close()
        assert process.wait() == 0


def test_plain_telegrams_are_decoded_without_loading_the_cipher() -> None:
    code = (
        "import sys, gateway.decode; gateway.decode.decode_line('E5'); print('cryptography' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
