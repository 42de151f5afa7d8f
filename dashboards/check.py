"""`kaukoluenta dashboards check`: whether the pages could show something, and what to do if not."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.collector_source import CollectorSource
from dashboards.network import network
from dashboards.settings import DashboardsSettings, collector_database
from dashboards.source import SourceUnavailable
from kaukoluenta.runtime.clock import Clock, open_clock


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `remedy` is empty when all is well."""

    name: str
    ok: bool
    result: str
    remedy: str = ""


def checks(settings: DashboardsSettings) -> list[Check]:
    """All checks. Raises ConfigurationInvalid for settings that cannot be used at all."""
    clock = open_clock(settings.dashboards.clock, "dashboards")
    source = CollectorSource(collector_database(settings))
    try:
        return [
            Check("settings", True, f"clock {settings.dashboards.clock}"),
            _readings(source, clock, settings),
        ]
    finally:
        source.close()


def _readings(source: CollectorSource, clock: Clock, settings: DashboardsSettings) -> Check:
    grace = settings.dashboards.grace
    try:
        seen = network(source.facts(clock.now(), grace), grace)
    except SourceUnavailable as error:
        return Check("readings", False, error.problem, error.remedy)
    return Check(
        "readings", True, f"{len(seen.meters)} meters, {seen.read} of {seen.expected} slots read in 24 h"
    )
