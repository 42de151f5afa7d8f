"""`billing.toml`: the three databases that meet here. With KAUKOLUENTA_DATA set it needs no file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from collector.store.backends import BACKENDS
from kaukoluenta.runtime.settings import ProcessSettings, Table


def _known_store(name: str) -> str:
    if name not in BACKENDS:
        raise ValueError(f"write one of {', '.join(BACKENDS)}")
    return name


class BillingTable(Table):
    """`[billing]`. `database` keeps the runs. `clock` only stamps when a run was made."""

    database: Path | None = None
    registry_database: Path | None = None
    store: Annotated[str, AfterValidator(_known_store)] = "sqlite"
    collector_database: Path | None = None
    clock: str = "system"


class BillingSettings(ProcessSettings, env_prefix="KAUKOLUENTA_BILLING__"):
    """`billing.toml`."""

    billing: BillingTable = BillingTable()
