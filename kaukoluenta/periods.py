"""The only calendar arithmetic: local midnights of Europe/Helsinki, and instants as text.

A period is [start, end) between two local midnights, held in UTC. Months have 743 hours in March and
745 in October; adding timedelta(days=1) to a UTC midnight is wrong twice a year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from kaukoluenta.errors import KaukoluentaError

HELSINKI = ZoneInfo("Europe/Helsinki")

_MONTH = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadInstant(KaukoluentaError):
    """Text that names no instant, or one without its offset."""


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end), both aware and in UTC."""

    start: datetime
    end: datetime


def local_midnight(day: date) -> datetime:
    """The instant at which `day` begins in Helsinki, in UTC."""
    return datetime.combine(day, time(), HELSINKI).astimezone(UTC)


def month(text: str) -> Period:
    """The local month `2026-10`. Raises BadInstant."""
    match = _MONTH.fullmatch(text)
    if match is None:
        raise BadInstant(f"{text[:20]!r} is no month.", remedy="Write it as 2026-10.")
    first = date(int(match[1]), int(match[2]), 1)
    return Period(local_midnight(first), local_midnight(_next_month(first)))


def months_within(start: datetime, end: datetime) -> list[str]:
    """The complete local months inside [start, end], as `2026-10`, in order."""
    first = start.astimezone(HELSINKI).date().replace(day=1)
    if local_midnight(first) < start:
        first = _next_month(first)
    found = []
    while local_midnight(_next_month(first)) <= end:
        found.append(f"{first:%Y-%m}")
        first = _next_month(first)
    return found


def parse_instant(text: str) -> datetime:
    """`2026-10-01T00:00:00+03:00` or with Z; a bare date is that day's local midnight. In UTC.

    Raises:
        BadInstant: no instant, or a time of day without an offset (which of two, in October?).
    """
    try:
        if _DATE.fullmatch(text):
            return local_midnight(date.fromisoformat(text))
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInstant(
            "This is no instant.", remedy="Write 2026-10-01T00:00:00+03:00, with Z for UTC, or a bare date."
        ) from None
    raise BadInstant("The instant has no offset.", remedy="Add it: 2026-10-01T00:00:00+03:00, or Z for UTC.")


def instant_text(instant: datetime) -> str:
    """ISO 8601 in UTC with Z, to the second, or to the microsecond where there is one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def local_text(instant: datetime) -> str:
    """For people: Helsinki time to the minute, with its offset, which differs twice in the October night."""
    return instant.astimezone(HELSINKI).isoformat(" ", "minutes")
