"""Dates and times of day as meters send them: types F, G, I and J (EN 13757-3:2018, annex A).

A meter's clock knows no zone, so these values carry none: whoever stores them decides what they mean in UTC.
What is marked invalid, or is no date of the calendar, is None with the reason; nothing is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time


@dataclass(frozen=True, slots=True)
class TimePoint:
    """`summer_time`: the meter says that its clock was set forward."""

    value: date | datetime | time | None
    invalid: str | None = None
    summer_time: bool = False


def date_g(octets: bytes) -> TimePoint:
    """Type G, 16 bits: day, month, year in two digits."""
    if octets == b"\xff\xff":
        return TimePoint(None, "invalid")
    day, month, year = _calendar(octets)
    try:
        return TimePoint(date(_full_year(year), month, day))
    except ValueError:
        return TimePoint(None, f"not_a_date d={day} m={month} y={year}")


def datetime_f(octets: bytes) -> TimePoint:
    """Type F, 32 bits: minutes, hours, then as type G. Two bits may give the century."""
    minute, hour = octets[0] & 0x3F, octets[1] & 0x1F
    century = octets[1] >> 5 & 0x03
    return _datetime(octets[2:4], century, (hour, minute, 0), octets[0] & 0x80, octets[1] & 0x80)


def datetime_i(octets: bytes) -> TimePoint:
    """Type I, 48 bits: seconds, minutes, hours, then as type G. Weekday and week only repeat it."""
    second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
    return _datetime(octets[3:5], 0, (hour, minute, second), octets[1] & 0x80, octets[0] & 0x40)


def time_j(octets: bytes) -> TimePoint:
    """Type J, 24 bits: time of day in seconds, minutes, hours."""
    second, minute, hour = octets[0] & 0x3F, octets[1] & 0x3F, octets[2] & 0x1F
    try:
        return TimePoint(time(hour, minute, second))
    except ValueError:
        return TimePoint(None, f"not_a_time h={hour} mi={minute} s={second}")


def _datetime(
    calendar: bytes, century: int, clock: tuple[int, int, int], invalid_bit: int, summer_bit: int
) -> TimePoint:
    if invalid_bit:
        return TimePoint(None, "time_invalid_flag")
    day, month, year = _calendar(calendar)
    try:
        moment = datetime(_full_year(year, century), month, day, *clock)  # noqa: DTZ001 - a meter's clock has no zone
    except ValueError:
        return TimePoint(None, f"not_a_datetime d={day} m={month} y={year} h={clock[0]} mi={clock[1]}")
    return TimePoint(moment, summer_time=bool(summer_bit))


def _calendar(octets: bytes) -> tuple[int, int, int]:
    """Day, month, two-digit year: the year's bits are spread over both octets."""
    return octets[0] & 0x1F, octets[1] & 0x0F, octets[0] >> 5 | octets[1] >> 1 & 0x78


def _full_year(two_digits: int, century: int = 0) -> int:
    """Annex A: with century bits 1900 + 100 x century + yy; without, 81 to 99 are the 1900s.

    Raises:
        ValueError: no year of a century; 127 stands for every year, a rule and no date.
    """
    if two_digits > 99:
        raise ValueError(two_digits)
    if century:
        return 1900 + 100 * century + two_digits
    return two_digits + (1900 if two_digits > 80 else 2000)
