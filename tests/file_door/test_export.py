"""`collector export`: what stands, exactly, as CSV that comes in again or as JSON lines."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.__main__ import build_parser
from collector.store import Arrival, Correction
from collector.store.backends import open_store
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality, Reading, Source
from kaukoluenta.runtime.command import run_command

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def reading(meter: str, hour: int, source: Source = Source.LIVE, **registers: tuple[str, str]) -> Reading:
    amounts = {name: Amount(Decimal(value), unit) for name, (value, unit) in registers.items()}
    return Reading(meter, NOON + timedelta(hours=hour), source, amounts)


@pytest.fixture
def export(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path))
    with closing(open_store("sqlite", tmp_path / "collector.db")) as store:
        store.add(
            [
                reading("KAM-1", 0, energy=("100.0", "kWh"), power=("1.2E+1", "kW")),
                reading("KAM-1", 1, energy=("101", "kWh"), energy_tariff_1=("5", "kWh")),
                reading("LUG-2", 0, Source.MANUAL, energy=("1.50", "GJ")),
            ],
            Arrival(NOON, "test"),
        )
        wrong = reading("KAM-1", 1, Source.MANUAL, energy=("102", "kWh"))
        store.correct([wrong], Arrival(NOON, "test"), Correction("aino", "misread"))

    def run(*options: str) -> str:
        assert run_command(build_parser(), ["export", *options]) == 0
        return capsys.readouterr().out

    return run


def test_csv_has_one_row_a_reading_and_two_columns_a_register(export):
    assert export().splitlines() == [
        "meter,read_at,source,energy,energy_unit,power,power_unit",
        "KAM-1,2026-10-01T12:00:00Z,live,100.0,kWh,12,kW",
        "LUG-2,2026-10-01T12:00:00Z,manual,1.50,GJ,,",
        "KAM-1,2026-10-01T13:00:00Z,manual,102,kWh,,",
    ]


@pytest.mark.parametrize(
    ("options", "meters"),
    [
        (("--from", "2026-10-01T13:00:00Z"), ["KAM-1"]),
        (("--to", "2026-10-01T13:00:00Z"), ["KAM-1", "LUG-2"]),
        (("--meter", "KAM-1"), ["KAM-1", "KAM-1"]),
        (("--meter", "KAM-1", "--to", "2026-10-01T13:00:00Z"), ["KAM-1"]),
        (("--from", "2026-10-02"), []),
    ],
)
def test_a_part_may_be_asked_for(export, options, meters):
    assert [line.split(",")[0] for line in export(*options).splitlines()[1:]] == meters


def test_json_lines_keep_what_csv_has_no_column_for(export):
    lines = [json.loads(line) for line in export("--json").splitlines()]
    assert lines[0] == {
        "meter": "KAM-1",
        "read_at": "2026-10-01T12:00:00Z",
        "source": "live",
        "quality": int(Quality(0)),
        "asked_at": None,
        "meter_time": None,
        "info_code": None,
        "registers": {"energy": {"value": "100.0", "unit": "kWh"}, "power": {"value": "12", "unit": "kW"}},
    }
    assert len(lines) == 3


def test_an_exported_file_comes_in_again_elsewhere(export, tmp_path, monkeypatch, capsys):
    file = tmp_path / "out.csv"
    file.write_text(export())
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path / "other"))
    assert run_command(build_parser(), ["import", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["new"] == 3


@pytest.mark.parametrize("options", [("--from", "noon"), ("--meter", "17")])
def test_a_wrong_argument_says_how_to_write_it(export, options, capsys):
    with pytest.raises(SystemExit) as ended:
        export(*options)
    assert ended.value.code == 2
    assert "Write" in capsys.readouterr().err
