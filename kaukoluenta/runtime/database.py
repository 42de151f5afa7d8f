"""An embedded SQLite database: durable, owner-only, and of a schema version that this code knows.

WAL with synchronous=FULL: a simulated power cut loses nothing that was committed; NORMAL loses
hundreds of commits. A schema is a list of migrations; `user_version` counts those applied.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from kaukoluenta.errors import ConfigurationInvalid, KaukoluentaError

_BUSY_TIMEOUT_S = 30.0


class DatabaseTooNew(ConfigurationInvalid):
    """A database that a newer version has written."""


class DatabaseUnavailable(KaukoluentaError):
    """A database that was opened and cannot be used: full, locked or damaged. Nothing was written."""


def open_database(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open the database at `path`, making or upgrading it. Autocommit; use `transaction`.

    The connection may be handed to another thread, which then owns it.

    Raises:
        DatabaseTooNew: its schema is of a newer version.
        ConfigurationInvalid: no database, or not ours to open.
    """
    try:
        _make(path)
        connection = _connect(f"file:{_uri_path(path)}?mode=rw")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            _migrate(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from None
    return connection


def open_read_only(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open an existing database for reading only. Raises as `open_database`, or when it is not there."""
    try:
        connection = _connect(f"file:{_uri_path(path)}?mode=ro")
        try:
            _check_version(connection, path, len(migrations))
        except BaseException:
            connection.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise _unusable(path, error) from None
    return connection


@contextmanager
def available(what: str) -> Iterator[None]:
    """Turn the database's errors into DatabaseUnavailable. They name tables and files, never a value."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseUnavailable(
            f"{what} cannot be used now: {error}.",
            remedy="Free the disk, end what locks it, or restore: docs/how-to/back-up-and-restore.md.",
        ) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything inside is committed together, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself when the disk is full
            connection.execute("ROLLBACK")
        raise


def _make(path: Path) -> None:
    """Make an owner-only file unless there is one.

    A file that is there is never opened: closing it would drop the locks of this process's other
    connections, and a reader elsewhere would then delete their log (sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _uri_path(path: Path) -> str:
    return str(path.resolve()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    if _check_version(connection, path, len(migrations)) == len(migrations):
        return
    with transaction(connection):
        applied = _check_version(connection, path, len(migrations))
        for script in migrations[applied:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _check_version(connection: sqlite3.Connection, path: Path, known: int) -> int:
    with closing(connection.execute("PRAGMA user_version")) as cursor:
        version = int(cursor.fetchone()[0])
    if version > known:
        raise DatabaseTooNew(
            f"{path} is of schema version {version}; this program knows {known}.",
            remedy="Start the newer program again, or restore: docs/how-to/back-up-and-restore.md.",
        )
    return version


def _statements(script: str) -> Iterator[str]:
    """Cut a migration at the semicolons that end a statement (triggers hold some inside)."""
    statement = ""
    for piece in script.split(";"):
        statement += piece + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""


def _unusable(path: Path, error: Exception) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"The database {path} cannot be used: {error}.",
        remedy="Check path, rights and disk; if it is damaged: docs/how-to/back-up-and-restore.md.",
    )
