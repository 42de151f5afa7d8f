"""The config file of the operators' pages. Without one, KAUKOLUENTA_DATA says where the readings lie."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import Field

from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.durations import Duration
from kaukoluenta.runtime.settings import ProcessSettings, Table


class DashboardsTable(Table):
    """`[dashboards]`. `refresh_s`: how often a page asks for news. `grace`: a reading is not late before it.

    `host` is loopback unless the file says otherwise: the pages have no log-in of their own. Port 0
    takes a free one. `clock` is the system's, or a conductor's; a page's "now" is that clock's.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    clock: str = "system"
    collector_database: Path | None = None
    refresh_s: int = Field(default=5, ge=1, le=3600)
    grace: Duration = timedelta(minutes=15)


class DashboardsSettings(ProcessSettings, env_prefix="KAUKOLUENTA_DASHBOARDS__"):
    """`dashboards.toml`."""

    dashboards: DashboardsTable = DashboardsTable()


def collector_database(settings: DashboardsSettings) -> Path:
    """Where the collector keeps its readings. Raises ConfigurationInvalid when nothing says so."""
    return database_path(
        "collector.db",
        settings.dashboards.collector_database,
        'write [dashboards] collector_database = "FILE"',
    )
