"""Durations as people write them in settings: `15m`, `1h`, `30s`, `40d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator

_DURATION = re.compile(r"([0-9]+)\s*(s|m|h|d)")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: object) -> timedelta:
    """`1h` as a timedelta. Raises ValueError with the form to use."""
    if isinstance(text, timedelta):
        return text
    match = _DURATION.fullmatch(str(text))
    if match is None:
        raise ValueError('write a duration as "30s", "15m", "1h" or "40d"')
    return timedelta(**{_UNIT[match[2]]: int(match[1])})


def duration_text(duration: timedelta) -> str:
    """The shortest form that `parse_duration` reads as this duration, in whole seconds."""
    seconds = int(duration.total_seconds())
    for letter, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
