"""What one meter said when asked, the same for every protocol; and why it said nothing usable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gateway.settings import MeterSettings
from kaukoluenta.errors import Unreachable
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import NO_DOUBT, Quality


@dataclass(frozen=True, slots=True)
class Readout:
    """One complete readout. A register that the meter did not give is absent.

    `meter_time` is the meter's own clock as it said it, ISO without a zone. `raw` is the evidence: the
    octets of each telegram or response, in order. `profile` names the profile that gave the registers.

    `absent` says why a register that the profile knows was not given: an error value, no unit. `read_at`
    (UTC) is there when the answer came from a converter's memory: the instant that it says it read the meter.
    `shown` tells what the meter itself had to show because its profile leaves it open.
    """

    registers: Mapping[str, Amount]
    profile: str
    raw: tuple[bytes, ...]
    quality: Quality = NO_DOUBT
    meter_time: str | None = None
    info_code: str | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    read_at: datetime | None = None
    shown: tuple[str, ...] = ()


class ReadFailed(Unreachable):
    """No reading from this meter now. `problem` is the reason that goes into the missed slot."""


class NoAnswer(ReadFailed):
    """The meter stayed silent, or only noise came."""


class WrongMeter(ReadFailed):
    """Somebody else answered: another serial number than the registered one. Never published."""


class Unreadable(ReadFailed):
    """The meter answered, but not with a readout that can be trusted whole. `raw` is what it sent."""

    def __init__(self, problem: str, *, remedy: str, raw: tuple[bytes, ...] = ()) -> None:
        super().__init__(problem, remedy=remedy)
        self.raw = raw


class LineDown(ReadFailed):
    """The link itself is not there: no other meter on it can be read now either."""


class Line(Protocol):
    """One bus and its only master. One read at a time; the poller sees to that."""

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        """Ask one meter, at most `attempts` times.

        Raises:
            ReadFailed: why there is no reading. After LineDown the next read connects again.
        """

    async def close(self) -> None:
        """Give the link back. Reading afterwards opens it again."""
