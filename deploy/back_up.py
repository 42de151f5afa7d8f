"""Copies every database of a folder while it is in use: `back_up.py FOLDER TARGET [--keep N]`.

SQLite makes the copy, since what was stored last lies in a log beside the file: a plain copy misses it, or
tears it apart. A set of copies is TARGET/2026-11-24T003000Z/; it is there whole and checked, or not at all.
With `--keep` the oldest sets beyond N are deleted. Needs the standard library alone.

Exit codes: 0 done; 1 not done, and why; 2 usage.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

_SET = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
_PATIENCE_S = 60


class NotDone(Exception):
    """The problem and its remedy, for people."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Copies every database of a folder while it is in use.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where the databases lie")
    parser.add_argument("target", metavar="TARGET", type=Path, help="where sets of copies go")
    parser.add_argument("--keep", metavar="N", type=_positive, help="delete older sets beyond N")
    chosen = parser.parse_args(arguments)
    os.umask(0o077)
    try:
        back_up(chosen.folder, chosen.target, chosen.keep)
    except (NotDone, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"No copy of {chosen.folder}: {error}\n")
        return 1
    return 0


def back_up(folder: Path, target: Path, keep: int | None) -> None:
    """Make a set, and delete the oldest beyond `keep`. Raises NotDone, OSError or sqlite3.Error."""
    if not folder.is_dir():
        raise NotDone("the folder is not there. Mend the path.")
    databases = sorted(folder.glob("*.db"))
    if not databases:
        sys.stdout.write(f"{folder} holds no database yet.\n")
        return
    made = target / time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
    part = made.with_name(f"{made.name}.part")
    part.mkdir(parents=True)
    try:
        for database in databases:
            _copy(database, part / database.name)
        _to_disk(part)
        part.rename(made)
        _to_disk(target)
    except BaseException:
        shutil.rmtree(part)
        raise
    sys.stdout.write(f"{made}: {', '.join(database.name for database in databases)}\n")
    if keep:
        for old in _sets(target)[:-keep]:
            shutil.rmtree(old)


def _copy(database: Path, copy: Path) -> None:
    """As of one instant, whatever is written meanwhile; one file without a log beside it."""
    source = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=_PATIENCE_S)
    with closing(source), closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
        (verdict,) = target.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise NotDone(f"{database.name} is damaged ({verdict}). Restore it from an older set.")
    _to_disk(copy)


def _sets(target: Path) -> list[Path]:
    """The sets of a target, the oldest first. Whatever else lies there is not ours."""
    return sorted(path for path in target.iterdir() if _SET.fullmatch(path.name))


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("keep at least one")
    return number


if __name__ == "__main__":
    sys.exit(main())
