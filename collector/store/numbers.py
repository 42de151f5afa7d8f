"""Small numbers for what comes again and again (meters, layouts), kept in a table and remembered here."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Numbers(Generic[Key]):
    """Keys and their numbers, both ways. Another process may add to the table: a miss looks there.

    `forget` after a rollback, since a number given in it may be given again to another key.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: str,
        column: str,
        to_text: Callable[[Key], str],
        from_text: Callable[[str], Key],
    ) -> None:
        self._connection, self._to_text, self._from_text = connection, to_text, from_text
        self._number_of: dict[Key, int] = {}
        self._key_of: dict[int, Key] = {}
        self._select_number = f"SELECT number FROM {table} WHERE {column} = ?"  # noqa: S608  our own names
        self._select_key = f"SELECT {column} FROM {table} WHERE number = ?"  # noqa: S608  our own names
        self._insert = f"INSERT INTO {table} ({column}) VALUES (?)"  # noqa: S608  our own names

    def number(self, key: Key) -> int | None:
        """The key's number; None when it has none yet."""
        return self._number_of.get(key) or self._look_up(key)

    def give(self, key: Key) -> int:
        """A number for a key that has none yet. Inside a transaction that writes."""
        number = self._connection.execute(self._insert, (self._to_text(key),)).lastrowid
        assert number is not None, "an INSERT gives a row id"
        return self._remember(key, number)

    def key(self, number: int) -> Key:
        if number not in self._key_of:
            (text,) = self._connection.execute(self._select_key, (number,)).fetchone()
            self._remember(self._from_text(text), number)
        return self._key_of[number]

    def forget(self) -> None:
        self._number_of.clear()
        self._key_of.clear()

    def _look_up(self, key: Key) -> int | None:
        row = self._connection.execute(self._select_number, (self._to_text(key),)).fetchone()
        return self._remember(key, row[0]) if row else None

    def _remember(self, key: Key, number: int) -> int:
        self._number_of[key], self._key_of[number] = number, key
        return number
