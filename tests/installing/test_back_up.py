"""Copies of databases that are in use: whole, of one instant, checked; or none, with the reason."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kaukoluenta.runtime.database import open_database, transaction
from tests.installing.deployed import DEPLOY

MIGRATIONS = ("CREATE TABLE pair (number INTEGER PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL)",)


def back_up(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", DEPLOY / "back_up.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def sets(target: Path) -> list[Path]:
    return sorted(target.iterdir())


def pairs(database: Path) -> list[tuple[int, int, int]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT * FROM pair ORDER BY number").fetchall()


def write(connection: sqlite3.Connection, *numbers: int) -> None:
    for number in numbers:
        with transaction(connection):
            connection.execute("INSERT INTO pair VALUES (?, ?, 0)", (number, number))
            connection.execute("UPDATE pair SET b = ? WHERE number = ?", (-number, number))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def database(data: Path) -> Iterator[sqlite3.Connection]:
    """A database that somebody has open."""
    with closing(open_database(data / "collector.db", MIGRATIONS)) as connection:
        yield connection


def test_what_was_stored_last_is_in_the_copy_and_not_in_a_plain_one(tmp_path, data, database) -> None:
    write(database, 1, 2, 3)
    shutil.copy(data / "collector.db", tmp_path / "plain.db")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        pairs(tmp_path / "plain.db")
    assert back_up(data, tmp_path / "copies").returncode == 0
    (made,) = sets(tmp_path / "copies")
    assert pairs(made / "collector.db") == [(number, number, -number) for number in (1, 2, 3)]


def test_a_copy_under_writing_is_of_one_instant(tmp_path, data, database) -> None:
    stop, first = threading.Event(), threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            write(database, number := number + 1)
            first.set()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    first.wait()
    done = back_up(data, tmp_path / "copies")
    stop.set()
    writer.join()
    assert done.returncode == 0, done.stderr
    copied = pairs(sets(tmp_path / "copies")[0] / "collector.db")
    assert copied == [(number, number, -number) for number in range(1, len(copied) + 1)]
    assert copied


def test_a_copy_is_one_file_for_its_owner_and_opens_as_the_database_does(tmp_path, data, database) -> None:
    write(database, 1)
    back_up(data, tmp_path / "copies")
    (made,) = sets(tmp_path / "copies")
    assert [path.name for path in made.iterdir()] == ["collector.db"]
    assert (made / "collector.db").stat().st_mode & 0o777 == 0o600
    assert made.stat().st_mode & 0o777 == 0o700
    with closing(sqlite3.connect(made / "collector.db")) as looked_at:
        assert looked_at.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # no log will lie beside it
    with closing(open_database(made / "collector.db", MIGRATIONS)) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (1,)


def test_the_newest_sets_stay_and_what_is_not_a_set(tmp_path, data, database) -> None:
    copies = tmp_path / "copies"
    for name in ("2026-10-01T003000Z", "2026-10-02T003000Z", "2025-01-01T003000Z.part", "by-hand"):
        (copies / name).mkdir(parents=True)
    back_up(data, copies, "--keep", 2)
    names = [path.name for path in sets(copies)]
    assert len(names) == 4
    assert {"2026-10-02T003000Z", "2025-01-01T003000Z.part", "by-hand"} <= {*names}


def no_folder(data: Path) -> None:
    data.rmdir()


def no_database(data: Path) -> None:
    (data / "registry.db").write_bytes(b"not a database at all" * 100)


def damaged(data: Path) -> None:
    with closing(open_database(data / "registry.db", MIGRATIONS)) as connection:
        write(connection, *range(1, 2000))
    octets = bytearray((data / "registry.db").read_bytes())
    octets[8192:12288] = bytes(4096)
    (data / "registry.db").write_bytes(octets)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (no_folder, "is not there. Mend the path"),
        (no_database, "not a database"),
        (damaged, "Restore it from an older"),
    ],
)
def test_what_cannot_be_copied_is_said_and_leaves_no_set(tmp_path, data, trouble, said) -> None:
    trouble(data)
    done = back_up(data, tmp_path / "copies")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "copies").exists() or sets(tmp_path / "copies") == []


def test_a_plant_without_customers_yet_has_nothing_to_copy_and_that_is_well(tmp_path, data) -> None:
    done = back_up(data, tmp_path / "copies")
    assert (done.returncode, done.stdout) == (0, f"{data} holds no database yet.\n")


def test_older_sets_stay_when_the_new_one_fails(tmp_path, data) -> None:
    old = tmp_path / "copies" / "2026-10-01T003000Z"
    old.mkdir(parents=True)
    no_database(data)
    assert back_up(data, tmp_path / "copies", "--keep", 1).returncode == 1
    assert sets(tmp_path / "copies") == [old]


@pytest.mark.parametrize(
    "arguments", [(), ("only-a-folder",), ("a", "b", "--keep", "0"), ("a", "b", "--keep", "all")]
)
def test_a_wrong_command_line_is_usage(arguments) -> None:
    assert back_up(*arguments).returncode == 2
