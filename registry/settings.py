"""`registry.toml`: where the registry lies. With KAUKOLUENTA_DATA set it needs no file."""

from __future__ import annotations

from pathlib import Path

from kaukoluenta.runtime.settings import ProcessSettings, Table


class RegistryTable(Table):
    """`[registry]`."""

    database: Path | None = None


class RegistrySettings(ProcessSettings, env_prefix="KAUKOLUENTA_REGISTRY__"):
    """`registry.toml`."""

    registry: RegistryTable = RegistryTable()
