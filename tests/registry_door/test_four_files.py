"""Four files are taken together or not at all; a known key updates, an absent row stays."""

import stat
from decimal import Decimal

import pytest

from kaukoluenta.errors import UsageError
from kaukoluenta.file_door import FileRefused
from kaukoluenta.periods import parse_instant
from registry.import_files import import_files, read_folder
from registry.queries import counts

FILES = ("customers.csv", "delivery_points.csv", "contracts.csv", "installations.csv")
SECRETS = ("Salainen", "salainen@", "999-SALA", "Salakuja", "131052-308U")


def counted(imported):
    return {file: (one.new, one.changed, one.unchanged) for file, one in imported.items()}


def test_everything_is_new_once_and_then_unchanged(office):
    assert counted(office.take()) == dict.fromkeys(FILES, (2, 0, 0))
    before = office.holding()
    assert counted(office.take()) == dict.fromkeys(FILES, (0, 0, 2))
    assert office.holding() == before


def test_what_is_written_is_what_is_held(office):
    office.take()
    held = office.holding()
    maija = held.customers["1001"]
    assert (maija.name, maija.identity_code, maija.phone) == ("Maija Malli", "131052-308T", "040 123")
    assert held.delivery_points["KP-1"].pipe_line == "pohjoinen"
    assert held.contracts["S-1"].valid_to == parse_instant("2026-07-01")
    assert held.contracts["S-2"].valid_to is None
    installed = held.installations["KP-1", "KAM-00000001", parse_instant("2025-01-01")]
    assert (installed.start_energy, installed.end_energy) == (Decimal(0), Decimal("1234.5"))
    assert installed.removed_at == parse_instant("2026-06-01T07:00:00Z")


def test_an_absent_row_stays_and_a_changed_one_updates(office):
    office.take()
    office.only("customers.csv", "1002,organisation,Uusi nimi,,,,Koulutie 2")
    office.only("delivery_points.csv", "KP-2,,Uusi osoite")
    office.only("contracts.csv", "S-2,1001,KP-2,2025-01-01,2026-12-01")
    office.only("installations.csv", "KP-2,LUG-00000002,2025-01-01,7,,,GJ")
    assert counted(office.take()) == dict.fromkeys(FILES, (0, 1, 0))
    held = office.holding()
    assert len(held.customers) == len(held.contracts) == len(held.installations) == 2
    assert (held.customers["1002"].name, held.customers["1002"].identity_code) == ("Uusi nimi", None)
    assert held.contracts["S-2"].customer_number == "1001"
    assert held.installations["KP-2", "LUG-00000002", parse_instant("2025-01-01")].start_energy == 7


def test_a_register_written_with_more_digits_is_a_change(office):
    office.take()
    office.lines["installations.csv"][1] = office.lines["installations.csv"][1].replace("1234.5", "1234.50")
    assert counted(office.take())["installations.csv"] == (0, 1, 1)


def test_an_identity_code_lies_in_a_table_of_its_own(office):
    office.take()
    codes = office.connection.execute("SELECT * FROM identity_codes ORDER BY 1").fetchall()
    assert codes == [("1001", "131052-308T"), ("1002", "0163687-9")]
    office.lines["customers.csv"][1] = "1001,person,Maija Malli,,,,"
    office.take()
    assert office.connection.execute("SELECT customer_number FROM identity_codes").fetchall() == [("1002",)]


def test_a_new_identity_code_alone_is_a_change(office):
    office.take()
    office.lines["customers.csv"][1] = office.lines["customers.csv"][1].replace("131052-308T", "010190-999W")
    assert counted(office.take())["customers.csv"] == (0, 1, 1)
    assert office.holding().customers["1001"].identity_code == "010190-999W"


def test_files_of_a_finnish_spreadsheet_read_the_same(office):
    office.take()
    before = office.holding()
    for file, lines in office.lines.items():
        text = "\r\n".join(lines).replace(",", ";").replace("1234.5", "1234,5")
        (office.folder / file).write_bytes(b"\xef\xbb\xbf" + text.encode())
    imported = import_files(office.connection, read_folder(office.folder))
    assert [one.unchanged for one in imported] == [2, 2, 2, 2]
    assert office.holding() == before


BAD_ROWS = [
    # file,                row in place of the good one,                                   column
    ("customers.csv", "1001,human,Salainen,,,,", "kind"),
    ("customers.csv", "1001,person,,,salainen@example.fi,999-SALA,Salakuja", "name"),
    ("customers.csv", "1001,person,Salainen,131052-308U,,,", "identity"),
    ("customers.csv", "1001,organisation,Salainen,131052-308T,,,", "identity"),
    ("customers.csv", "1001,person,Salainen,0163687-9,,,", "identity"),
    ("customers.csv", ",person,Salainen,,,,", "customer_number"),
    ("customers.csv", "=1001,person,Salainen,,,,", "customer_number"),
    ("customers.csv", "1001,person,Salainen", ""),
    ("delivery_points.csv", ",pohjoinen,Salakuja", "delivery_point"),
    ("contracts.csv", ",1001,KP-1,2025-01-01,", "contract"),
    ("contracts.csv", "S-1,,KP-1,2025-01-01,", "customer_number"),
    ("contracts.csv", "S-1,1001,KP-1,,", "valid_from"),
    ("contracts.csv", "S-1,1001,KP-1,2025-01-01T00:00:00,", "valid_from"),
    ("contracts.csv", "S-1,1001,KP-1,2025-02-30,", "valid_from"),
    ("contracts.csv", "S-1,1001,KP-1,2025-01-01,soon", "valid_to"),
    ("contracts.csv", "S-1,1001,KP-1,2025-01-01,2024-12-31", "valid_to"),
    ("contracts.csv", "S-1,Salainen,KP-1,2025-01-01,", "customer_number"),
    ("contracts.csv", "S-1,1001,Salainen,2025-01-01,", "delivery_point"),
    ("installations.csv", "KP-1,00000001,2025-01-01,0,,,kWh", "meter"),
    ("installations.csv", "KP-1,,2025-01-01,0,,,kWh", "meter"),
    ("installations.csv", "KP-1,KAM-00000001,yesterday,0,,,kWh", "installed_at"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,1e3,,,kWh", "start_energy"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,2026-01-01,NaN,kWh", "end_energy"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,2024-01-01,5,kWh", "removed_at"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,,5,kWh", "removed_at"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,,,kwh", "energy_unit"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,,,m3", "energy_unit"),
    ("installations.csv", "KP-1,KAM-00000001,2025-01-01,0,,,", "energy_unit"),
    ("installations.csv", "Salainen,KAM-00000001,2025-01-01,0,,,kWh", "delivery_point"),
]


@pytest.mark.parametrize(("file", "row", "column"), BAD_ROWS)
def test_one_bad_row_takes_nothing_and_is_named_without_its_value(office, file, row, column):
    office.lines[file][1] = row
    with pytest.raises(FileRefused) as refused:
        office.take()
    assert (file, 2, column) in {(fault.file, fault.row, fault.column) for fault in refused.value.faults}
    assert all(fault.what and fault.remedy for fault in refused.value.faults)
    assert not any(secret in str(refused.value) for secret in SECRETS)
    assert not any(counts(office.connection).values())


def test_a_bad_row_leaves_what_was_there(office):
    office.take()
    before = office.holding()
    office.lines["customers.csv"][1] = "1001,person,Toinen nimi,,,,"
    office.lines["installations.csv"][2] = "KP-2,LUG-00000002,2025-01-01,,,,horsepower"
    with pytest.raises(FileRefused):
        office.take()
    assert office.holding() == before


def test_faults_of_all_files_are_shown_at_once(office):
    office.add("customers.csv", "1003,robot,R,,,,")
    office.add("contracts.csv", "S-3,1001,KP-2,never,")
    office.add("installations.csv", "KP-2,X,2025-01-01,,,,GJ")
    with pytest.raises(FileRefused) as refused:
        office.take()
    found = [(fault.file, fault.row, fault.column) for fault in refused.value.faults]
    assert found == [
        ("customers.csv", 4, "kind"),
        ("contracts.csv", 4, "valid_from"),
        ("installations.csv", 4, "meter"),
    ]


@pytest.mark.parametrize(
    ("file", "row"),
    [
        ("customers.csv", "1001,person,Joku muu,,,,"),
        ("delivery_points.csv", "KP-1,,"),
        ("contracts.csv", "S-1,1002,KP-1,2026-07-01,"),
        ("installations.csv", "KP-1,KAM-00000001,2025-01-01T00:00:00+02:00,0,,,kWh"),
    ],
)
def test_a_key_that_comes_twice_in_a_file_is_refused(office, file, row):
    office.add(file, row)
    with pytest.raises(FileRefused, match=f"{file}, row 4.*Row 2 has the same key"):
        office.take()


def test_a_file_that_is_not_there_is_a_usage_error(office):
    folder = office.write()
    (folder / "contracts.csv").unlink()
    with pytest.raises(UsageError, match=r"contracts\.csv"):
        read_folder(folder)


def test_the_command_says_what_it_took(office, command, capsys):
    office.lines["contracts.csv"][0] += ",note"
    office.lines["contracts.csv"][1] += ",x"
    office.lines["contracts.csv"][2] += ",y"
    assert command("import", office.write(), "--json") == 0
    out, err = capsys.readouterr()
    assert '"file": "contracts.csv",\n      "new": 2' in out
    assert "contracts.csv" in err
    assert "note" in err
    assert command("import", office.folder) == 0
    assert "customers.csv" in capsys.readouterr().out
    assert command("show", "--json") == 0
    assert '"contracts": 2' in capsys.readouterr().out
    assert stat.S_IMODE((office.folder / "registry.db").stat().st_mode) == 0o600


def test_the_command_ends_with_1_on_a_bad_row_and_2_on_a_missing_file(office, command, capsys):
    office.add("contracts.csv", "S-3,1001,KP-1,2026-01-01,")
    assert command("import", office.write()) == 1
    out, err = capsys.readouterr()
    assert not out
    assert "contracts.csv, row 4, column valid_from" in err
    (office.folder / "customers.csv").unlink()
    assert command("import", office.folder) == 2
    assert command("import", office.folder / "nowhere") == 2


def test_without_a_place_for_the_registry_the_command_says_both_ways(office, command, monkeypatch, capsys):
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    assert command("import", office.write()) == 3
    err = capsys.readouterr().err
    assert "KAUKOLUENTA_DATA" in err
    assert "--config" in err


def test_a_registry_that_cannot_be_used_is_told_and_not_raised(office, command, capsys):
    office.connection.execute("DROP TABLE installations")
    assert command("import", office.write()) == 1
    assert "The registry cannot be used now" in capsys.readouterr().err


def test_a_registry_of_a_newer_schema_is_refused(office, command, capsys):
    office.connection.execute("PRAGMA user_version = 99")
    assert command("show") == 3
    assert "schema version 99" in capsys.readouterr().err


def test_a_config_file_may_say_where_the_registry_lies(office, command, monkeypatch, tmp_path):
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    config = tmp_path / "registry.toml"
    config.write_text(f'[registry]\ndatabase = "{tmp_path}/elsewhere/registry.db"\n')
    assert command("import", office.write(), "--config", config) == 0
    assert (tmp_path / "elsewhere" / "registry.db").is_file()
