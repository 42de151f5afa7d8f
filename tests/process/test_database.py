"""A database is durable, for its owner only, and of a schema version that this program knows."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.database import DatabaseTooNew, open_database, open_read_only, transaction

FIRST = (
    "CREATE TABLE meter (id TEXT); CREATE TRIGGER once BEFORE UPDATE ON meter BEGIN SELECT 1; SELECT 2; END;"
)
SECOND = "ALTER TABLE meter ADD COLUMN area TEXT;"


def test_a_new_database_is_durable_and_for_its_owner_only(tmp_path):
    path = tmp_path / "room.db"
    with closing(open_database(path, [FIRST])) as connection:
        pragma = lambda name: connection.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: E731
        assert (pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")) == ("wal", 2, 1)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_an_older_database_is_upgraded_and_keeps_its_rows(tmp_path):
    path = tmp_path / "room.db"
    with closing(open_database(path, [FIRST])) as connection:
        connection.execute("INSERT INTO meter VALUES ('KAM-1')")
    with closing(open_database(path, [FIRST, SECOND])) as connection:
        assert connection.execute("SELECT id, area FROM meter").fetchall() == [("KAM-1", None)]


def test_a_newer_database_is_refused_with_a_remedy(tmp_path):
    path = tmp_path / "room.db"
    open_database(path, [FIRST, SECOND]).close()
    for opener in (open_database, open_read_only):
        with pytest.raises(DatabaseTooNew) as error:
            opener(path, [FIRST])
        assert "newer program" in error.value.remedy
        assert error.value.exit_code == 3


def test_a_broken_migration_leaves_the_database_as_it_was(tmp_path):
    path = tmp_path / "room.db"
    open_database(path, [FIRST]).close()
    with pytest.raises(ConfigurationInvalid):
        open_database(path, [FIRST, "CREATE TABLE extra (id); SELEKT;"])
    with closing(open_database(path, [FIRST, SECOND])) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone() == (
            0,
        )


def test_a_transaction_is_whole_or_nothing(tmp_path):
    with closing(open_database(tmp_path / "room.db", [FIRST])) as connection:
        with pytest.raises(KeyError), transaction(connection):
            connection.execute("INSERT INTO meter VALUES ('KAM-1')")
            raise KeyError
        with transaction(connection):
            connection.execute("INSERT INTO meter VALUES ('KAM-2')")
        assert connection.execute("SELECT id FROM meter").fetchall() == [("KAM-2",)]


@pytest.mark.parametrize("content", [b"this is no database, whatever its name says" * 30])
def test_a_file_that_is_no_database_is_named(tmp_path, content):
    (tmp_path / "room.db").write_bytes(content)
    with pytest.raises(ConfigurationInvalid, match=r"room\.db cannot be used"):
        open_database(tmp_path / "room.db", [FIRST])


def test_reading_only_writes_nothing_and_makes_nothing(tmp_path):
    with pytest.raises(ConfigurationInvalid):
        open_read_only(tmp_path / "absent.db", [FIRST])
    assert not (tmp_path / "absent.db").exists()
    open_database(tmp_path / "room.db", [FIRST]).close()
    with (
        closing(open_read_only(tmp_path / "room.db", [FIRST])) as connection,
        pytest.raises(sqlite3.OperationalError),
    ):
        connection.execute("INSERT INTO meter VALUES ('KAM-1')")


def test_the_data_folder_stands_over_the_config(tmp_path, monkeypatch):
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path / "data"))
    assert database_path("collector.db", tmp_path / "x.db", "") == tmp_path / "data" / "collector.db"
    monkeypatch.delenv("KAUKOLUENTA_DATA")
    assert database_path("collector.db", tmp_path / "x.db", "") == tmp_path / "x.db"
    with pytest.raises(ConfigurationInvalid, match=r"collector\.db") as error:
        database_path("collector.db", None, "write [collector] database")
    assert "KAUKOLUENTA_DATA" in error.value.remedy
    assert "write [collector] database" in error.value.remedy
