"""`kaukoluenta dashboards check`: what the pages would show, asked of the database as they ask it."""

from __future__ import annotations

from dashboards.collector_source import CollectorSource
from dashboards.network import network
from dashboards.settings import DashboardsSettings, collector_database
from kaukoluenta.periods import instant_text
from kaukoluenta.runtime.clock import open_clock


def checked(settings: DashboardsSettings) -> dict[str, object]:
    """The settings that matter, and how many meters and readings the pages find.

    Raises:
        ConfigurationInvalid: no clock or database by these settings.
        SourceUnavailable: the database cannot be read.
    """
    table = settings.dashboards
    now = open_clock(table.clock, "dashboards").now()
    path = collector_database(settings)
    source = CollectorSource(path)
    try:
        seen = network(source.facts(now, table.grace), table.grace)
    finally:
        source.close()
    return {
        "address": f"{table.host}:{table.port}",
        "database": str(path),
        "now": instant_text(now),
        "meters": len(seen.meters),
        "expected": seen.expected,
        "read": seen.read,
    }
