"""The collector's config file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from collector.store.backends import BACKENDS
from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.durations import Duration
from kaukoluenta.runtime.settings import MqttSettings, ProcessSettings, Table


def _known_store(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"write one of {', '.join(BACKENDS)}")
    return name


class CollectorTable(Table):
    """`[collector]`. `database`: where collector.db lies; KAUKOLUENTA_DATA stands over it.

    `ahead`: how far in the future a reading may lie before its gateway's clock is suspect.
    """

    clock: str = "system"
    database: Path | None = None
    store: Annotated[str, AfterValidator(_known_store)] = "sqlite"
    ahead: Duration = timedelta(minutes=10)


class CollectorSettings(ProcessSettings, env_prefix="KAUKOLUENTA_COLLECTOR__"):
    """`collector.toml`."""

    collector: CollectorTable = CollectorTable()
    mqtt: MqttSettings = MqttSettings()

    def database(self) -> Path:
        """Raises ConfigurationInvalid when nothing says where it lies."""
        return database_path(
            "collector.db", self.collector.database, 'write database = "..." under [collector]'
        )
