"""The extract as a file: the rows' names as columns, decimal commas, and a control record of its bytes."""

import csv
import hashlib
import io
import json
import stat
from dataclasses import replace
from decimal import Decimal

import pytest

from billing.export import export_run, extract_file
from billing.runs import Run, RunName
from kaukoluenta.errors import UsageError


@pytest.fixture
def run(simple):
    return Run(RunName("2026-10", 1), "", simple.bill())


def test_the_file_is_what_a_finnish_spreadsheet_opens(run):
    assert extract_file(run.extract).decode() == (
        "\ufeffcontract;customer_number;delivery_point;from;to;energy;unit\r\n"
        "S-1;customer of S-1;P-1;2026-09-30T21:00:00Z;2026-10-31T22:00:00Z;250,5;kWh\r\n"
    )


def test_a_name_with_a_separator_or_quote_comes_back_as_it_was(run):
    odd = replace(run.extract.rows[0], contract='a;"b"', delivery_point="ä, ö")
    text = extract_file(replace(run.extract, rows=(odd,))).decode("utf-8-sig")
    _, row = csv.reader(io.StringIO(text, newline=""), delimiter=";")
    assert (row[0], row[2]) == ('a;"b"', "ä, ö")


def test_the_control_record_is_of_the_files_bytes(run, tmp_path):
    more = replace(run.extract.rows[0], energy=Decimal("0.0001"))
    run = replace(run, extract=replace(run.extract, rows=(*run.extract.rows, more)))
    control = export_run(run, tmp_path / "october.csv")
    assert control == tmp_path / "october.csv.control.json"
    octets = (tmp_path / "october.csv").read_bytes()
    assert json.loads(control.read_text()) == {
        "run": "2026-10-1",
        "rows": 2,
        "sum": "250.5001",
        "unit": "kWh",
        "sha256": hashlib.sha256(octets).hexdigest(),
    }
    assert stat.S_IMODE((tmp_path / "october.csv").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.glob("october*")) == [
        "october.csv",
        "october.csv.control.json",
    ]


def test_an_export_twice_is_the_same_bytes(run, tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    controls = [export_run(run, out).read_bytes() for out in (first, second)]
    assert first.read_bytes() == second.read_bytes()
    assert controls[0] == controls[1]
    export_run(run, first)
    assert first.read_bytes() == second.read_bytes()


def test_an_empty_extract_is_a_heading(run, tmp_path):
    control = export_run(replace(run, extract=replace(run.extract, rows=())), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().count(b"\r\n") == 1
    assert json.loads(control.read_text())["sum"] == "0"


@pytest.mark.parametrize("out", [".", "folder", "nowhere/a.csv", "file/a.csv"])
def test_a_place_that_cannot_be_written_is_a_usage_error(run, tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--out"):
        export_run(run, (tmp_path / out).relative_to(tmp_path))
