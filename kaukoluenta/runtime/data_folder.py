"""Where the embedded databases lie: KAUKOLUENTA_DATA stands over the path in a config file."""

from __future__ import annotations

import os
from pathlib import Path

from kaukoluenta.errors import ConfigurationInvalid

VARIABLE = "KAUKOLUENTA_DATA"


def database_path(file_name: str, configured: Path | None, config_hint: str) -> Path:
    """The path of a room's database.

    Args:
        file_name: its name in the data folder: `collector.db`.
        configured: the path from the config file, if there is one.
        config_hint: how to write that path, for the error.

    Raises:
        ConfigurationInvalid: neither is given, or the folder cannot be made.
    """
    folder = os.environ.get(VARIABLE)
    if folder:
        return _in_folder(Path(folder), file_name)
    if configured is not None:
        return _in_folder(configured.parent, configured.name)
    raise ConfigurationInvalid(
        f"Nothing says where {file_name} lies.", remedy=f"Set {VARIABLE}=FOLDER, or {config_hint}."
    )


def _in_folder(folder: Path, file_name: str) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationInvalid(
            f"The folder {folder} cannot be made: {error.strerror}.",
            remedy="Choose another or mend its rights.",
        ) from None
    return folder / file_name
