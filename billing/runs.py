"""Runs: each extract of a month under a number of its own, for ever.

A run is known by the digest of all that decided it: contracts, installations, boundary registers, and what
was found wrong. So the same inputs give the same run again, a reading that decides nothing makes no new one,
and `2026-10-1` holds the same figures on any machine that was asked the same.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

import msgspec

from billing.documents import run_document
from billing.extract import Extract
from billing.run_books import read_lines, write_lines
from kaukoluenta.errors import KaukoluentaError, UsageError
from kaukoluenta.periods import BadInstant, Period, instant_text, month
from kaukoluenta.runtime.database import transaction

RULES = 1
"""Raised when the same inputs come to other figures; runs made by older rules stay as they are."""

_NAME = re.compile(r"([0-9]{4}-[0-9]{2})-([1-9][0-9]{0,8})")


class NothingToBill(KaukoluentaError):
    """No contract is valid in the month. No run is kept of that."""


@dataclass(frozen=True, slots=True)
class RunName:
    """`2026-10-1`: the first run of October."""

    month: str
    number: int

    def __str__(self) -> str:
        return f"{self.month}-{self.number}"


@dataclass(frozen=True, slots=True)
class Run:
    """`digest` is that of its making; `digest_of(extract)` differs if someone touched its lines since."""

    name: RunName
    digest: str
    extract: Extract


def billed_month(text: str) -> Period:
    """The month that a command names. Raises UsageError."""
    try:
        return month(text)
    except BadInstant as error:
        raise UsageError(error.problem, remedy=error.remedy) from None


def run_name(text: str) -> RunName:
    """Raises UsageError when the text names no run."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:30]!r} names no run.", remedy="Write it as it was printed: 2026-10-1.")
    billed_month(match[1])
    return RunName(match[1], int(match[2]))


def digest_of(extract: Extract) -> str:
    """SHA-256 over the rules and everything in the extract, as hex."""
    decided = [RULES, run_document("", extract), extract.warnings]
    return hashlib.sha256(msgspec.json.encode(decided)).hexdigest()


def keep_run(books: sqlite3.Connection, month_text: str, extract: Extract, as_of: datetime) -> Run:
    """The run that has these figures already, or else the month's next."""
    digest = digest_of(extract)
    with transaction(books):
        known = _one(books, "SELECT number FROM runs WHERE month = ? AND digest = ?", month_text, digest)
        if known:
            return Run(RunName(month_text, known), digest, extract)
        last = _one(books, "SELECT max(number) FROM runs WHERE month = ?", month_text) or 0
        name = RunName(month_text, last + 1)
        books.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?)", (name.month, name.number, digest, instant_text(as_of))
        )
        write_lines(books, (name.month, name.number), extract)
    return Run(name, digest, extract)


def read_run(books: sqlite3.Connection, name: RunName) -> Run:
    """A run as it was made. Raises UsageError when there is none of this name."""
    key = name.month, name.number
    found = books.execute("SELECT digest FROM runs WHERE month = ? AND number = ?", key).fetchone()
    if found is None:
        raise UsageError(f"There is no run {name}.", remedy=f"Make one with `billing run {name.month}`.")
    return Run(name, found[0], read_lines(books, key, month(name.month)))


def _one(books: sqlite3.Connection, statement: str, *values: str) -> int | None:
    found = books.execute(statement, values).fetchone()
    return found[0] if found else None
