"""A reading: one meter at one instant with all its registers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntFlag, StrEnum

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import MOST_DIGITS, Amount, check_unit

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A clock that says less has lost its battery: meters and gateways restart at 1970 or 1980."""


class Source(StrEnum):
    """How a reading came to be. The order is no rank."""

    LIVE = "live"
    DUE_DATE = "due-date"
    LOG = "log"
    WALK_BY = "walk-by"
    MANUAL = "manual"
    REMOVAL = "removal"
    INSTALLATION = "installation"


class Quality(IntFlag):
    """Doubts about a reading; none is 0. The bits are part of the MQTT contract."""

    CLOCK_SUSPECT = 1
    METER_FAULT = 2
    REPEATED_FRAME = 4
    IMPLAUSIBLE = 8
    FROM_FLOAT = 16


NO_DOUBT = Quality(0)


class ReadingRefused(KaukoluentaError):
    """A reading that cannot be trusted enough to be kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one meter's registers showed at `read_at`.

    `read_at` (UTC) is what the reading stands for: its slot, its due date. `asked_at` (UTC) is when the
    meter was really asked; `meter_time` is the meter's own clock as it said it, without a zone. A
    register that the meter did not give is absent, never zero.
    """

    meter: MeterId
    read_at: datetime
    source: Source
    registers: Mapping[str, Amount]
    quality: Quality = NO_DOUBT
    asked_at: datetime | None = None
    meter_time: str | None = None
    info_code: str | None = None


def check_reading(reading: Reading) -> Reading:
    """Return the reading, or raise ReadingRefused with the reason why no store may keep it."""
    _check_instant(reading.read_at)
    if not reading.registers:
        raise ReadingRefused("The reading has no register.", remedy="Send what the meter gave.")
    for register, amount in reading.registers.items():
        check_unit(register, amount.unit)
        _check_value(register, amount)
    return reading


def _check_instant(instant: datetime) -> None:
    if instant.tzinfo is None:
        raise ReadingRefused("The instant has no offset.", remedy="Write UTC with Z.")
    if instant < EARLIEST:
        raise ReadingRefused(
            f"The instant {instant:%Y-%m-%d} is before 2000.", remedy="Set the clock of the device."
        )


def _check_value(register: str, amount: Amount) -> None:
    if not amount.value.is_finite():
        raise ReadingRefused(f"{register} is no number.", remedy="Leave out what the meter did not give.")
    if len(amount.value.as_tuple().digits) > MOST_DIGITS:
        raise ReadingRefused(
            f"{register} has more than {MOST_DIGITS} digits.", remedy="Check the register's resolution."
        )
