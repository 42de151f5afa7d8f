"""The network and its meters as they stand now, asked of the source once however many look."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboards.history import History, RangeName, history
from dashboards.network import MeterStatus, Network, network
from dashboards.source import Source
from kaukoluenta.identifiers import MeterId
from kaukoluenta.runtime.clock import Clock

_MOST_HISTORIES = 32


@dataclass(frozen=True, slots=True)
class _Seen:
    """A network, when it was looked at (monotonic seconds), and what it rests on."""

    at: float
    version: object
    network: Network


class Watch:
    """Keeps the last network and some histories. May be asked from many threads; they take turns.

    Args:
        grace: how long after its slot a reading is not yet late.
        keep_s: how old a network may be that is given again.
    """

    def __init__(self, source: Source, clock: Clock, grace: timedelta, keep_s: float) -> None:
        self._source, self._clock, self._grace, self._keep_s = source, clock, grace, keep_s
        self._turn = threading.Lock()
        self._network: _Seen | None = None
        self._histories: dict[tuple[MeterId, str], tuple[object, History]] = {}

    def network(self) -> Network:
        """The network as it was at most `keep_s` ago, or while another thread looks, a little longer ago.

        Raises:
            SourceUnavailable
        """
        known = self._network
        if not self._turn.acquire(blocking=known is None):
            assert known, "only who knows nothing waits for a turn"
            return known.network
        try:
            self._network = self._renewed(self._network)
            return self._network.network
        finally:
            self._turn.release()

    def _renewed(self, known: _Seen | None) -> _Seen:
        """What is known while nothing can have changed in it, else what the source says now."""
        present = time.monotonic()
        if known and present - known.at < self._keep_s:
            return known
        now = self._clock.now()
        version = (self._source.version(), _minute(now))
        if known and known.version == version:
            return known
        return _Seen(present, version, network(self._source.facts(now, self._grace), self._grace))

    def status(self, meter: str) -> MeterStatus | None:
        """One meter of the network; None for a meter that nobody has heard of. Raises SourceUnavailable."""
        return next((status for status in self.network().meters if status.meter == meter), None)

    def history(self, status: MeterStatus, range_name: RangeName) -> History:
        """A meter's history, to this minute. Raises SourceUnavailable."""
        with self._turn:
            now, question = self._clock.now(), (status.meter, range_name)
            version = (self._source.version(), _minute(now), status.place)
            known = self._histories.pop(question, None)
            if known is None or known[0] != version:
                found = history(self._source, status.meter, status.place, range_name, now, self._grace)
                known = (version, found)
            self._remember(question, known)
            return known[1]

    def _remember(self, question: tuple[MeterId, str], answer: tuple[object, History]) -> None:
        self._histories[question] = answer
        if len(self._histories) > _MOST_HISTORIES:
            del self._histories[next(iter(self._histories))]


def _minute(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)
