"""`gateway read` by hand: with a config or only a link, models that nobody knows, and what a meter keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.__main__ import build_parser
from gateway.mbus import encode
from gateway.mbus.encode import Place
from kaukoluenta.runtime.command import run_command
from tests.commissioning.bench import Bench, bench_meter, heat_records, on_pty, on_tcp


def read(*arguments: str) -> int:
    return run_command(build_parser(), ["read", *arguments])


@pytest.fixture
def bench() -> Bench:
    return Bench(bench_meter("69183621", 2))


@pytest.fixture
def link(bench: Bench) -> Iterator[str]:
    with on_tcp(bench) as url:
        yield url


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Any:
    """What the last command printed, as JSON."""
    return lambda: json.loads(capsys.readouterr().out)


def test_whoever_hangs_on_a_converter_is_read_without_knowing_anything_of_it(link: str, told: Any) -> None:
    assert read("--link", link, "--json") == 0
    answer = told()
    assert (answer["meter"], answer["profile"], answer["line"]) == ("KLU-69183621", "generic", link[:64])
    assert answer["registers"]["energy"] == {"value": "12345", "unit": "kWh"}
    assert answer["identity"] == {
        "manufacturer": "KLU",
        "serial": "69183621",
        "version": 0x21,
        "medium": 4,
        "medium_text": "heat (outlet)",
    }
    assert [octets[:2] for octets in answer["raw"]] == ["68"]


@pytest.mark.parametrize("how", [("--address", "2"), ("KLU-69183621",), ("KLU-69183621", "--address", "2")])
def test_a_meter_is_read_by_its_address_by_its_id_or_by_both(
    link: str, told: Any, how: tuple[str, ...]
) -> None:
    assert read(*how, "--link", link, "--json") == 0
    assert told()["meter"] == "KLU-69183621"


def test_a_meter_on_a_serial_port_is_read(bench: Bench, told: Any) -> None:
    with on_pty(bench) as device:
        assert read("--link", f"serial://{device}?parity=N", "--json") == 0
    assert told()["registers"]["volume"] == {"value": "678.90", "unit": "m3"}


def test_a_table_for_people_shows_registers_other_records_by_meaning_and_how_to_name_them(
    link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read("--link", link) == 0
    shown = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "register value unit" in lines
    assert "volume 678.90 m3" in lines
    assert "energy, storage 1 12000000 Wh 44 06 E0 2E 00 00" in lines
    assert "manufacturer_specific 7 02 FF 21 07 00" in lines
    assert "No profile is made for KLU version 21h medium 04h" in shown
    assert "docs/how-to/add-a-meter-model.md" in shown


def test_a_meter_without_any_known_register_shows_its_records_all_the_same(
    bench: Bench, link: str, told: Any
) -> None:
    bench.meters[0].records = [encode.integer_record(b"\xfd\x48", 2301, 2)]
    assert read("--link", link, "--json") == 1
    answer = told()
    assert answer["registers"] == {}
    assert [record["norm"]["quantity"] for record in answer["unnamed"]] == ["voltage"]
    assert "hint" in answer


CONFIG = '[gateway]\nname = "kirkonkyla-1"\nretries = 0\n[[line]]\nname = "cellar"\nprotocol = "mbus"\n'


@pytest.fixture
def config(tmp_path: Path, link: str) -> str:
    path = tmp_path / "gateway.toml"
    path.write_text(f'{CONFIG}link = "{link}"\n[[line.meter]]\nid = "KLU-69183621"\naddress = 2\n')
    return str(path)


def test_a_meter_of_the_config_is_read_as_the_poller_reads_it(config: str, told: Any) -> None:
    assert read("KLU-69183621", "--config", config, "--json") == 0
    answer = told()
    assert (answer["line"], answer["registers"]["power"]) == ("cellar", {"value": "5.1", "unit": "kW"})


def test_a_known_meter_without_any_known_register_shows_its_records_too(
    bench: Bench, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].records = [encode.integer_record(b"\xfd\x48", 2301, 2)]
    assert read("KLU-69183621", "--config", config) == 1
    assert "voltage" in capsys.readouterr().out


def test_somebody_else_at_the_address_is_told_and_not_shown(bench: Bench, config: str, told: Any) -> None:
    bench.meters[0].identity = bench_meter("69183622").identity
    assert read("KLU-69183621", "--config", config, "--json") == 4
    answer = told()
    assert answer["error"]["problem"] == "KLU-69183622 answers instead"
    assert "registers" not in answer


def test_nobody_at_the_address_is_an_error_with_its_remedy(link: str, told: Any) -> None:
    assert read("--link", link, "--address", "9", "--json") == 4
    answer = told()
    assert answer["meter"] is None
    assert "no answer" in answer["error"]["problem"]
    assert answer["error"]["remedy"]


def test_two_meters_at_once_are_noise_and_no_reading(bench: Bench, link: str, told: Any) -> None:
    bench.meters.append(bench_meter("11111111", 7))
    assert read("--link", link, "--json") == 4
    assert "noise" in told()["error"]["problem"]


def test_an_encrypted_meter_asks_for_its_key(
    bench: Bench, link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.meters[0].records, bench.meters[0].config_word = [bytes(16)], 0x0510
    assert read("--link", link) == 4
    assert "encrypted" in capsys.readouterr().err
    key = tmp_path / "key"
    key.write_text("00" * 16)
    assert read("--link", link, "KLU-69183621", "--key-file", str(key)) == 4
    assert "wrong key" in capsys.readouterr().err


def test_due_dates_are_readings_of_their_own_date(link: str, told: Any) -> None:
    assert read("--link", link, "--stored", "--json") == 0
    assert told()["stored"] == [
        {
            "storage": 1,
            "source": "due-date",
            "date": "2026-11-01",
            "registers": {"energy": {"value": "12000", "unit": "kWh"}},
            "absent": {},
        }
    ]


def test_a_stored_value_without_a_date_of_its_own_gets_none(bench: Bench, link: str, told: Any) -> None:
    second, third = Place(storage=2), Place(storage=3)
    bench.meters[0].records = [
        *heat_records(),
        encode.integer_record(b"\x06", 11000, 4, second),
        encode.date_record(date(2026, 9, 30), third),
        encode.date_record(date(2026, 8, 31), third),
        encode.integer_record(b"\x06", 10000, 4, third),
    ]
    read("--link", link, "--stored", "--json")
    stored = [(one["storage"], one["source"], one["date"]) for one in told()["stored"]]
    assert stored == [(1, "due-date", "2026-11-01"), (2, None, None), (3, None, None)]


def month(storage: int, day: date, kwh: int) -> list[bytes]:
    place = Place(storage=storage)
    return [encode.date_record(day, place), encode.integer_record(b"\x06", kwh, 4, place)]


@pytest.mark.parametrize("place", [("--address", "2"), ()])
def test_a_storage_number_is_fetched_on_demand_and_the_choice_is_undone(
    bench: Bench, link: str, told: Any, place: tuple[str, ...]
) -> None:
    bench.meters[0].kept[9] = month(9, date(2026, 3, 1), 9000)
    assert read("KLU-69183621", *place, "--link", link, "--storage", "9", "--json") == 0
    (stored,) = told()["stored"]
    assert (stored["storage"], stored["source"], stored["date"]) == (9, "log", "2026-03-01")
    assert stored["registers"] == {"energy": {"value": "9000", "unit": "kWh"}}
    assert bench.meters[0].chosen is None


def test_a_meter_that_does_not_know_selection_is_asked_for_a_storage_number_at_its_address(
    bench: Bench, link: str, told: Any
) -> None:
    bench.meters[0].knows_selection = False
    bench.meters[0].kept[9] = month(9, date(2026, 3, 1), 9000)
    assert read("KLU-69183621", "--address", "2", "--link", link, "--storage", "9", "--json") == 0
    assert [one["storage"] for one in told()["stored"]] == [9]


def test_a_storage_number_that_the_meter_does_not_keep_is_a_problem_and_the_choice_is_undone(
    bench: Bench, link: str
) -> None:
    assert read("KLU-69183621", "--link", link, "--storage", "4", "--json") == 1
    assert bench.meters[0].chosen is None


def test_a_meter_that_cannot_be_asked_for_a_storage_number_says_so(
    bench: Bench, link: str, told: Any
) -> None:
    bench.meters[0].unknown = frozenset({0x51})
    assert read("KLU-69183621", "--link", link, "--storage", "9", "--json") == 4
    error = told()["error"]
    assert error["problem"].startswith("The meter does not let itself be asked for storage 9.")
    assert "--stored" in error["remedy"]


def test_the_stored_values_have_a_table_for_people(link: str, capsys: pytest.CaptureFixture[str]) -> None:
    read("--link", link, "--stored")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "storage 1, 2026-11-01 energy 12000 kWh" in lines


def test_the_meters_own_clock_is_told(bench: Bench, link: str, told: Any) -> None:
    bench.meters[0].behind = timedelta(hours=3)
    read("--link", link, "--json")
    assert told()["meter_time"]


def test_a_profile_of_ones_own_is_tried_on_the_meter(link: str, tmp_path: Path, told: Any) -> None:
    own = tmp_path / "klu.toml"
    own.write_text(
        'protocol = "mbus"\nmodel = "KLU"\nsource = ["its manual"]\nconfidence = "vendor-doc"\n'
        '[[register]]\nregister = "cooling_energy"\nmatch = { quantity = "energy", storage = 1 }\n'
        '[[example]]\nrecords = ["44 06 01 00 00 00"]\nreads = { cooling_energy = "1 kWh" }\n'
    )
    assert read("--link", link, "--profile", str(own), "--json") == 0
    answer = told()
    assert answer["profile"] == "klu"
    assert answer["registers"]["cooling_energy"] == {"value": "12000", "unit": "kWh"}
    assert "hint" not in answer


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "{config}"),
        ("KLU-1", "--config", "{config}"),
        ("--link", "{link}", "--storage", "1"),
        ("--link", "{link}", "--key-file", "key"),
        ("klu", "--link", "{link}"),
        ("KLU-69183621", "--config", "{config}", "--address", "3"),
        ("KLU-69183621", "--link", "{link}", "--address", "253"),
    ],
)
def test_a_read_that_cannot_be_is_a_usage_error(config: str, link: str, arguments: tuple[str, ...]) -> None:
    assert read(*(argument.format(config=config, link=link) for argument in arguments)) == 2
