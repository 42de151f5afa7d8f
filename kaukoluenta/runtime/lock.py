"""One process to a database: two of a kind would ask the same meters, or push each other from the broker."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaukoluenta.errors import ConfigurationInvalid


@contextmanager
def only_one(room: str, database: Path, *, remedy: str) -> Iterator[None]:
    """Hold the lock beside a database. It ends with the process, however that ends.

    Args:
        room: what there may be only one of, for the error: `gateway`.
        remedy: what to do when another holds it.

    Raises:
        ConfigurationInvalid: another process holds it, or the lock cannot be made.
    """
    path = database.with_name(database.name + ".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationInvalid(
            f"{path} cannot be opened: {error.strerror}.", remedy="Mend the rights of the folder."
        ) from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationInvalid(f"Another {room} runs with {database}.", remedy=remedy) from None
        yield
    finally:
        os.close(lock)
