"""The commands as scripts use them: exit codes, JSON on stdout, what is odd on stderr."""

import json
import sqlite3
from contextlib import closing

import pytest

from billing.__main__ import build_parser
from kaukoluenta.runtime.command import run_command
from kaukoluenta.runtime.database import open_database, transaction
from registry.model import Customer, CustomerKind, DeliveryPoint
from registry.records import save
from registry.schema import MIGRATIONS


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path / "data"))

    def run(*arguments):
        code = run_command(build_parser(), [str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def town(tmp_path, make_office):
    """The simple office with its registry on disk, where the commands look."""
    (tmp_path / "data").mkdir()
    office = make_office(tmp_path / "data" / "collector.db")

    def write():
        with closing(open_database(tmp_path / "data" / "registry.db", MIGRATIONS)) as connection:
            customers = {one.customer_number for one in office.contracts}
            points = {one.delivery_point for one in (*office.contracts, *office.installations)}
            with transaction(connection):
                save(connection, (Customer(n, CustomerKind.PERSON, "N", None, "", "", "") for n in customers))
                save(connection, (DeliveryPoint(point, "", "") for point in points))
                save(connection, office.contracts)
                save(connection, office.installations)

    office.write = write
    return office


def simple(office):
    office.contract("S-1")
    office.installed("KAM-00000001")
    office.read("KAM-00000001", "2026-10-01", "100")
    office.read("KAM-00000001", "2026-11-01", "350.5")
    office.write()


def test_a_run_in_json_is_the_documented_shape(town, command):
    simple(town)
    code, out, err = command("run", "2026-10", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "run": "2026-10-1",
        "period": {"from": "2026-09-30T21:00:00Z", "to": "2026-10-31T22:00:00Z"},
        "rows": [
            {
                "contract": "S-1",
                "customer_number": "customer of S-1",
                "delivery_point": "P-1",
                "from": "2026-09-30T21:00:00Z",
                "to": "2026-10-31T22:00:00Z",
                "energy": "250.5",
                "unit": "kWh",
                "legs": [
                    {
                        "meter": "KAM-00000001",
                        "from": "2026-09-30T21:00:00Z",
                        "to": "2026-10-31T22:00:00Z",
                        "start": "100",
                        "end": "350.5",
                        "unit": "kWh",
                        "energy": "250.5",
                    }
                ],
            }
        ],
        "refused": [],
    }
    assert command("run", "2026-10", "--json") == (0, out, "")
    assert command("show", "2026-10-1", "--json") == (0, out, "")


def test_a_refused_row_ends_with_1_and_says_why(town, command):
    simple(town)
    town.contract("S-2", point="P-2")
    town.write()
    code, out, _ = command("run", "2026-10", "--json")
    assert code == 1
    run = json.loads(out)
    assert [row["contract"] for row in run["rows"]] == ["S-1"]
    assert run["refused"] == [
        {
            "delivery_point": "P-2",
            "contract": "S-2",
            "meter": None,
            "reason": "no_installation",
            "detail": "No meter from 2026-09-30T21:00:00Z to 2026-10-31T22:00:00Z.",
        }
    ]
    code, out, _ = command("run", "2026-10")
    assert code == 1
    assert "2026-10-1: 1 rows, 250.5 kWh, 1 refused" in out
    assert "2026-10-01 00:00+03:00" in out


def test_no_contract_at_all_ends_with_1_and_keeps_no_run(command):
    code, out, err = command("run", "2026-10", "--json")
    assert (code, out) == (1, "")
    assert "No contract is valid in 2026-10" in err
    assert command("show", "2026-10-1")[0] == 2


def test_a_meter_that_no_installation_names_is_listed(town, command):
    simple(town)
    town.read("LUG-00000099", "2026-10-05", "1")
    town.read("LUG-00000098", "2026-12-05", "1")
    code, _, err = command("run", "2026-10", "--json")
    assert code == 0
    assert "LUG-00000099" in err
    assert "LUG-00000098" not in err
    assert "KAM-00000001" not in err


def test_a_gap_is_a_warning_on_stderr_and_no_refusal(town, command):
    town.contract("S-1")
    town.installed("KAM-00000001", until="2026-10-10", end="60")
    town.installed("KAM-00000002", since="2026-10-12", start="0")
    town.read("KAM-00000001", "2026-10-01", "50")
    town.read("KAM-00000002", "2026-11-01", "5")
    town.write()
    code, out, err = command("run", "2026-10", "--json")
    assert code == 0
    assert json.loads(out)["rows"][0]["energy"] == "15"
    assert "no meter from 2026-10-09T21:00:00Z to 2026-10-11T21:00:00Z" in err
    assert command("show", "2026-10-1", "--json") == (0, out, err)


def test_export_writes_the_file_and_says_what_is_not_in_it(town, command, tmp_path):
    simple(town)
    town.contract("S-2", point="P-2")
    town.write()
    command("run", "2026-10")
    code, out, err = command("export", "2026-10-1", "--out", tmp_path / "october.csv")
    assert code == 0
    assert (tmp_path / "october.csv").read_text(encoding="utf-8-sig").count("\n") == 2
    assert "october.csv.control.json" in out
    assert "refused" in err


def test_verify_ends_with_1_when_the_inputs_have_changed(town, command):
    simple(town)
    command("run", "2026-10")
    assert command("verify", "2026-10-1")[0] == 0
    town.corrected("KAM-00000001", "2026-11-01", "351")
    code, out, err = command("verify", "2026-10-1", "--json")
    assert code == 1
    assert json.loads(out)["intact"] is True
    assert "250.5 kWh in the run, 251 kWh now" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "2026-13"),
        ("run", "october"),
        ("run", "0000-01"),
        ("show", "2026-10-1"),
        ("show", "2026-10"),
        ("export", "2026-10-1", "--out", "x.csv"),
        ("verify", "2026-10-9"),
    ],
)
def test_a_month_or_run_that_is_none_is_a_usage_error(command, arguments):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert err


def test_without_databases_the_command_says_both_ways(command, monkeypatch):
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    code, _, err = command("run", "2026-10")
    assert code == 3
    assert "KAUKOLUENTA_DATA" in err
    assert "--config" in err


@pytest.mark.parametrize("file", ["registry.db", "collector.db", "billing.db"])
def test_a_database_of_a_newer_schema_is_refused(town, command, tmp_path, file):
    simple(town)
    command("run", "2026-10")
    with closing(sqlite3.connect(tmp_path / "data" / file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    code, _, err = command("run", "2026-10")
    assert code == 3
    assert f"{file} is of schema version 99" in err


def test_a_database_that_cannot_be_used_is_told_and_not_raised(town, command, tmp_path):
    simple(town)
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db")) as connection:
        connection.execute("DROP TABLE contracts")
    code, out, err = command("run", "2026-10", "--json")
    assert (code, out) == (1, "")
    assert "cannot be used now" in err


def test_a_config_file_says_where_the_databases_lie(town, command, monkeypatch, tmp_path):
    simple(town)
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    config = tmp_path / "billing.toml"
    places = {
        "registry_database": "registry.db",
        "collector_database": "collector.db",
        "database": "books.db",
    }
    config.write_text(
        "[billing]\n" + "".join(f'{key} = "{tmp_path}/data/{file}"\n' for key, file in places.items())
    )
    assert command("run", "2026-10", "--config", config)[0] == 0
    assert (tmp_path / "data" / "books.db").is_file()
    config.write_text('[billing]\nstore = "clay tablets"\n')
    code, _, err = command("run", "2026-10", "--config", config)
    assert code == 3
    assert "[billing] store" in err
