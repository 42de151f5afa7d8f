"""What the pages ask of the collector's side, and the one error that it may raise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from dashboards.network import Facts
from kaukoluenta.errors import Unreachable
from kaukoluenta.identifiers import MeterId
from kaukoluenta.reading import Reading


class SourceUnavailable(Unreachable):
    """The readings cannot be had now. The next question tries again."""


class Source(Protocol):
    """Every method raises SourceUnavailable."""

    def version(self) -> int:
        """A number that changes whenever something was stored."""

    def facts(self, now: datetime, grace: timedelta) -> Facts:
        """The network as it stands at `now`."""

    def series(self, meter: MeterId, start: datetime, end: datetime) -> list[Reading]:
        """The standing readings of a meter in [start, end], by read_at."""

    def missed(self, meter: MeterId, start: datetime, end: datetime) -> Mapping[datetime, str]:
        """The reasons of the slots in [start, end] that a gateway recorded as missed."""
