"""How numbers, instants and ages are written for people. Exact in, text out; no language is known here.

Digits are grouped by a narrow no-break space, a minus is a real minus. Instants are shown in
Europe/Helsinki, with their offset on the two days of the year on which an hour may be meant twice.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from kaukoluenta.periods import HELSINKI, local_midnight

NARROW_SPACE = "\u202f"
MINUS = "\u2212"

_DAY = timedelta(days=1)


def number_text(value: Decimal | int, decimal_mark: str) -> str:
    """`12 345,678`, in the resolution that the number has."""
    whole, _, part = f"{abs(Decimal(value)):,f}".replace(",", NARROW_SPACE).partition(".")
    sign = MINUS if value < 0 else ""
    return sign + whole + (decimal_mark + part if part else "")


def rounded(value: Decimal | Fraction | int, decimals: int) -> Decimal:
    """The value rounded half up (away from zero) to that many decimals."""
    scaled = Fraction(value) * 10**decimals
    steps = int(abs(scaled) + Fraction(1, 2))
    return Decimal(steps if scaled >= 0 else -steps).scaleb(-decimals)


def is_odd_day(day: date) -> bool:
    """Whether this local day has 23 or 25 hours."""
    return local_midnight(day + _DAY) - local_midnight(day) != _DAY


def offset_text(instant: datetime) -> str:
    """`UTC+3`: the offset of Helsinki at that instant."""
    offset = instant.astimezone(HELSINKI).utcoffset() or timedelta()
    return f"UTC+{offset // timedelta(hours=1)}"


def instant_text(instant: datetime, form: str) -> str:
    """A local instant after `form`, a format string of day, month, year, hour, minute."""
    local = instant.astimezone(HELSINKI)
    parts = {name: getattr(local, name) for name in ("day", "month", "year", "hour", "minute")}
    text = form.format(**parts)
    return f"{text} ({offset_text(instant)})" if is_odd_day(local.date()) else text


def local_iso(instant: datetime) -> str:
    """`2026-10-25T03:00:00+03:00`: local time for programs, never ambiguous."""
    return instant.astimezone(HELSINKI).isoformat()


def age_text(age: timedelta, day_unit: str) -> str:
    """`14 min`, `3 h 12 min`, `5 vrk 2 h`. Whole minutes, cut; what lies ahead is 0 min."""
    minutes = max(0, age // timedelta(minutes=1))
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} {day_unit} {minutes % 1440 // 60} h"


def step_text(step: timedelta, day_unit: str) -> str:
    """`15 min`, `6 h`, `1 vrk`: in the largest unit of which it is a whole number."""
    minutes = step // timedelta(minutes=1)
    if minutes % 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes % 1440 else f"{minutes // 1440} {day_unit}"
