"""`collector import FILE.csv`: all of a file or nothing, twice is once, and a person decides who is right."""

from __future__ import annotations

import getpass
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256

import pytest

from collector.__main__ import build_parser
from collector.store.backends import open_store
from kaukoluenta.reading import Reading, Source
from kaukoluenta.runtime.command import run_command

HEADING = "meter,read_at,energy,energy_unit"
OCTOBER_TEXT = "2026-09-30T21:00:00Z"
OCTOBER = datetime(2026, 9, 30, 21, tzinfo=UTC)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Door:
    """The import command over a data folder of its own."""

    def __init__(self, folder, capsys) -> None:
        self.folder, self._capsys = folder, capsys
        self.database = folder / "collector.db"

    def take(self, *rows: str, heading: str = HEADING, options: tuple[str, ...] = ()) -> int:
        return self.take_octets("\n".join([heading, *rows]).encode(), *options)

    def take_octets(self, octets: bytes, *options: str) -> int:
        file = self.folder / "readings.csv"
        file.write_bytes(octets)
        return self.ask("import", str(file), *options)

    def ask(self, *words: str) -> int:
        code = run_command(build_parser(), [*words])
        self.out, self.err = self._capsys.readouterr()
        return code

    def stored(self) -> list[Reading]:
        if not self.database.exists():
            return []
        with closing(open_store("sqlite", self.database, read_only=True)) as store:
            return [*store.readings(*EVER)]

    def values(self) -> list[str]:
        return [f"{one.registers['energy'].value} {one.registers['energy'].unit}" for one in self.stored()]


@pytest.fixture
def door(tmp_path, monkeypatch, capsys) -> Door:
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path))
    return Door(tmp_path, capsys)


def test_a_reading_is_stored_as_it_stands_in_the_file(door):
    assert door.take("KAM-69183621,2026-10-01,12345.60,kWh") == 0
    (stored,) = door.stored()
    assert (stored.meter, stored.read_at, stored.source) == ("KAM-69183621", OCTOBER, Source.MANUAL)
    assert door.values() == ["12345.60 kWh"]


WRITTEN = [
    #  octets
    f"{HEADING}\nKAM-1,2026-10-01,1.50,GJ\n".encode(),
    f"{HEADING}\r\nKAM-1,2026-10-01,1.50,GJ\r\n\r\n".encode(),
    f"{HEADING}\rKAM-1,2026-10-01,1.50,GJ\r".encode(),
    f"\ufeff{HEADING}\nKAM-1,2026-09-30T21:00:00Z,1.50,GJ".encode(),
    b'"meter";"read_at";"energy";"energy_unit"\n"KAM-1";2026-10-01T00:00:00+03:00;"1,50";GJ\n',
    b"energy_unit;energy;read_at;meter\nGJ;1.50;2026-10-01;KAM-1\n",
    b"meter,read_at,energy,energy_unit,source\nKAM-1,2026-10-01,1.50,GJ,\n",
]


@pytest.mark.parametrize("octets", WRITTEN)
def test_any_line_end_separator_and_order_of_columns_says_the_same(door, octets):
    assert door.take_octets(octets) == 0
    assert [(one.meter, one.read_at) for one in door.stored()] == [("KAM-1", OCTOBER)]
    assert door.values() == ["1.50 GJ"]


@pytest.mark.parametrize("source", list(Source))
def test_the_source_may_be_named(door, source):
    assert door.take(f"KAM-1,2026-10-01,1,kWh,{source}", heading=f"{HEADING},source") == 0
    assert [one.source for one in door.stored()] == [source]


def test_a_volume_may_stand_beside_the_energy(door):
    rows = ["KAM-1,2026-10-01,1,kWh,3.25,m3", "LUG-2,2026-10-01,1,kWh,,"]
    assert door.take(*rows, heading=f"{HEADING},volume,volume_unit") == 0
    with_volume, without = door.stored()
    assert with_volume.registers["volume"] == (Decimal("3.25"), "m3")
    assert [*without.registers] == ["energy"]


GOOD = "KAM-9,2026-10-01,9,kWh"
BAD = [
    #  row                                      column          what
    ("KAM-1,2026-10-01,12x,kWh",                "energy",       "no number"),
    ("KAM-1,2026-10-01,,kWh",                   "energy",       "empty"),
    ("KAM-1,2026-10-01,NaN,kWh",                "energy",       "no number"),
    ("KAM-1,2026-10-01,1e3,kWh",                "energy",       "no number"),
    ("KAM-1,2026-10-01,1234567890123456,kWh",   "energy",       "15 digits"),
    ("KAM-1,2026-10-01,5,kcal",                 "energy_unit",  "not known"),
    ("KAM-1,2026-10-01T00:00:00,5,kWh",         "read_at",      "no offset"),
    ("KAM-1,1970-01-01,5,kWh",                  "read_at",      "before 2000"),
    ("KAM-1,yesterday,5,kWh",                   "read_at",      "no instant"),
    ("69183621,2026-10-01,5,kWh",               "meter",        "no meter id"),
    ("KAM-1,2026-10-01,5",                      "",             "3 cells"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "column", "what"), BAD)
def test_a_bad_row_takes_nothing_and_is_named_without_its_value(door, row, column, what):
    assert door.take(GOOD, row, GOOD) == 1
    (line,) = [line for line in door.err.splitlines() if line.startswith("readings.csv")]
    assert line.startswith(f"readings.csv, row 3{f', column {column}' if column else ''}: ")
    assert what in line
    assert "Nothing was taken." in door.err
    assert door.stored() == []


@pytest.mark.parametrize(
    ("row", "column"),
    [("KAM-1,2026-10-01,1,kWh,guess,,", "source"), ("KAM-1,2026-10-01,1,kWh,,3,kWh", "volume_unit"),
     ("KAM-1,2026-10-01,1,kWh,,3,", "volume_unit"), ("KAM-1,2026-10-01,1,kWh,,x,m3", "volume")],
)  # fmt: skip
def test_a_bad_optional_cell_takes_nothing_either(door, row, column):
    assert door.take(row, heading=f"{HEADING},source,volume,volume_unit") == 1
    assert f"row 2, column {column}:" in door.err
    assert door.stored() == []


def test_all_that_is_wrong_is_said_at_once(door):
    assert door.take("KAM-1,2026-10-01,x,kWh", "KAM-1,2026-10-01", "KAM-1,x,1,kWh") == 1
    assert [line.split(":")[0] for line in door.err.splitlines()[:3]] == [
        "readings.csv, row 2, column energy",
        "readings.csv, row 3",
        "readings.csv, row 4, column read_at",
    ]


@pytest.mark.parametrize(
    ("heading", "what"), [("meter,read_at,energy", "missing"), (f"{HEADING},meter", "twice")]
)
def test_a_heading_that_is_off_is_refused(door, heading, what):
    assert door.take(GOOD, heading=heading) == 1
    assert what in door.err


def test_columns_that_nobody_asked_for_are_named_and_left_out(door):
    assert door.take("KAM-1,2026-10-01,5,kWh,dog bites", heading=f"{HEADING},remark") == 0
    assert "remark" in door.err
    assert "dog" not in door.err + door.out


# Repeats, conflicts, corrections ------------------------------------------------------------------


def test_the_same_file_again_changes_nothing(door):
    rows = ["KAM-1,2026-10-01,5,kWh", "KAM-1,2026-11-01,6,kWh"]
    assert door.take(*rows, options=("--json",)) == 0
    assert json.loads(door.out) == {
        "file": "readings.csv", "rows": 2, "new": 2, "duplicate": 0, "conflicting": 0, "conflicts": [],
    }  # fmt: skip
    assert door.take(*rows, options=("--json",)) == 0
    assert json.loads(door.out)["duplicate"] == 2
    assert door.values() == ["5 kWh", "6 kWh"]


def test_the_same_value_in_another_unit_of_its_family_is_no_conflict(door):
    door.take("KAM-1,2026-10-01,5,MWh")
    assert door.take("KAM-1,2026-10-01,5000.0,kWh") == 0


@pytest.mark.parametrize("files", [1, 2])
def test_another_value_is_a_conflict_the_first_stands_and_the_rest_is_taken(door, files):
    first, second = ["KAM-1,2026-10-01,5,kWh"], ["KAM-1,2026-10-01,6,kWh", "LUG-2,2026-10-01,7,kWh"]
    if files == 2:
        assert door.take(*first) == 0
        assert door.take(*second, options=("--json",)) == 1
    else:
        assert door.take(*first, *second, options=("--json",)) == 1
    row = 2 if files == 2 else 3
    assert json.loads(door.out)["conflicts"] == [
        {"row": row, "meter": "KAM-1", "read_at": "2026-09-30T21:00:00Z"}
    ]
    assert f"readings.csv, row {row}: another value stands for KAM-1" in door.err
    assert door.values() == ["5 kWh", "7 kWh"]


def test_a_conflict_stays_one_until_it_is_decided(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    assert [door.take("KAM-1,2026-10-01,6,kWh") for _ in range(2)] == [1, 1]


def test_another_source_is_no_conflict_of_the_file(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    assert door.take("KAM-1,2026-10-01,6,kWh,removal", heading=f"{HEADING},source") == 0


def test_a_correction_supersedes_with_who_and_why_and_again_changes_nothing(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    door.take("KAM-1,2026-10-01,6,kWh")
    correct = ("--correct", "form misread")
    assert door.take("KAM-1,2026-10-01,6.0,kWh", options=correct) == 0
    assert door.take("KAM-1,2026-10-01,6.0,kWh", options=(*correct, "--json")) == 0
    assert json.loads(door.out)["duplicate"] == 1
    assert door.values() == ["6.0 kWh"]
    with closing(sqlite3.connect(door.database)) as look:
        kept = look.execute("SELECT who, why FROM correction").fetchall()
        origins = {origin for (origin,) in look.execute("SELECT origin FROM arrival")}
    assert kept == [(getpass.getuser(), "form misread")]
    assert f"sha256:{sha256((door.folder / 'readings.csv').read_bytes()).hexdigest()}" in origins


def test_a_corrected_value_is_no_conflict_any_more(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    door.take("KAM-1,2026-10-01,6,kWh", options=("--correct", "form misread"))
    assert door.take("KAM-1,2026-10-01,6,kWh") == 0


SELF_CONTRADICTING = [
    #  column, the row's last cells (energy, energy_unit, source, volume, volume_unit)
    ("energy", "7,kWh,manual,1.5,m3"),
    ("energy", "7,kWh,walk-by,1.5,m3"),
    ("energy", "6,GJ,manual,1.5,m3"),
    ("volume", "6,kWh,manual,1.6,m3"),
    ("volume", "6,kWh,manual,,"),
]


@pytest.mark.parametrize(("column", "again"), SELF_CONTRADICTING)
def test_a_correction_that_contradicts_itself_is_refused_whole(door, column, again):
    rows = [
        "KAM-2,2026-10-01,1,kWh,manual,,",
        "KAM-1,2026-10-01,6,kWh,manual,1.5,m3",
        f"KAM-1,2026-10-01,{again}",
    ]
    heading = f"{HEADING},source,volume,volume_unit"
    assert door.take(*rows, heading=heading, options=("--correct", "form misread", "--json")) == 1
    assert door.stored() == []
    assert f"readings.csv, row 4, column {column}: not the value of row 3" in door.err
    assert "leave one of the two" in door.err


def test_a_correction_may_say_the_same_twice(door):
    rows = ["KAM-1,2026-10-01,6,kWh", "KAM-1,2026-10-01,0.006,MWh"]
    assert door.take(*rows, options=("--correct", "form misread", "--json")) == 0
    assert (json.loads(door.out)["new"], json.loads(door.out)["duplicate"]) == (1, 1)


def test_another_value_after_a_correction_is_a_conflict_until_the_next(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    door.take("KAM-1,2026-10-01,6,kWh", options=("--correct", "form misread"))
    assert door.take("KAM-1,2026-10-01,7,kWh", "KAM-1,2026-10-01,5,kWh", options=("--json",)) == 1
    assert [one["row"] for one in json.loads(door.out)["conflicts"]] == [2]
    assert door.values() == ["6 kWh"]
    assert door.take("KAM-1,2026-10-01,7,kWh", options=("--correct", "read again")) == 0
    assert door.take("KAM-1,2026-10-01,7,kWh", "KAM-1,2026-10-01,5,kWh") == 0
    assert door.values() == ["7 kWh"]


def test_standing_conflicts_are_listed_with_who_said_what_and_when(door):
    heading = f"{HEADING},source"
    door.take("KAM-2,2026-10-01,9,kWh,live", "KAM-1,2026-10-01,5,kWh,live", heading=heading)
    assert door.ask("conflicts", "--json") == 0
    assert json.loads(door.out) == []
    door.take("KAM-1,2026-10-01,6,kWh", options=("--correct", "form misread"))
    door.take("KAM-1,2026-10-01,0.0070,MWh,walk-by", heading=heading)
    assert door.ask("conflicts", "--json") == 0
    (conflict,) = json.loads(door.out)
    assert [conflict[key] for key in ("meter", "read_at", "differs_in")] == [
        "KAM-1",
        OCTOBER_TEXT,
        ["energy"],
    ]
    told = [
        tuple(claim[key] for key in ("source", "energy", "energy_unit", "correction"))
        for claim in conflict["claims"]
    ]
    assert told == [("manual", "6", "kWh", "form misread"), ("walk-by", "0.0070", "MWh", None)]
    assert all(claim["origin"].startswith("sha256:") and claim["received_at"] for claim in conflict["claims"])
    assert door.ask("conflicts", "--from", "2026-10-02") == 0
    assert "KAM-1" not in door.out
    assert door.ask("conflicts") == 0
    assert "manual (correction)" in door.out
    assert "0.0070" in door.out


def test_a_bad_row_takes_nothing_of_a_correction_either(door):
    door.take("KAM-1,2026-10-01,5,kWh")
    assert door.take("KAM-1,2026-10-01,6,kWh", "KAM-1,x,6,kWh", options=("--correct", "form misread")) == 1
    assert door.values() == ["5 kWh"]


# The call itself ----------------------------------------------------------------------------------


def test_an_absent_file_and_an_empty_reason_are_wrong_calls(door):
    assert run_command(build_parser(), ["import", str(door.folder / "none.csv")]) == 2
    with pytest.raises(SystemExit) as ended:
        door.take(GOOD, options=("--correct", " "))
    assert ended.value.code == 2


def test_nothing_that_says_where_the_database_lies_is_a_configuration_error(door, monkeypatch):
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    assert door.take(GOOD) == 3
    assert "KAUKOLUENTA_DATA" in door.err
    assert "[collector]" in door.err


def test_the_database_may_be_named_in_a_config_file(door, monkeypatch):
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    config = door.folder / "collector.toml"
    config.write_text(f'[collector]\ndatabase = "{door.folder}/elsewhere/c.db"\n')
    assert door.take(GOOD, options=("--config", str(config))) == 0
    assert (door.folder / "elsewhere" / "c.db").exists()


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ("[collector]\nstore = 'oracle'\n", "store"),
        ("[collector]\nstor = 'sqlite'\n", "stor"),
        ("[mqtt]\nhosts = 'x'\n", "hosts"),
    ],
)
def test_a_config_that_cannot_be_is_named_with_its_line(door, toml, named):
    config = door.folder / "collector.toml"
    config.write_text(toml)
    assert run_command(build_parser(), ["check", "--config", str(config)]) == 3
    assert f"collector.toml:2: [{toml[1 : toml.index(']')]}] {named}:" in door._capsys.readouterr().err


def test_results_and_problems_go_their_own_ways(door):
    """The real command: JSON and nothing else on stdout."""
    file = door.folder / "readings.csv"
    file.write_text(f"{HEADING},remark\n{GOOD},x\n")
    command = [sys.executable, "-m", "kaukoluenta", "collector", "import", str(file), "--json"]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(ran.stdout)["new"] == 1
    assert b"remark" in ran.stderr
