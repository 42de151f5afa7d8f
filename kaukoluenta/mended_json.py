"""JSON that other programs write and no standard knows, made into JSON: NaN, Infinity, half a surrogate pair.

The slow path, for what the strict reader has refused as a whole. Its purpose is to find the row at fault, so
what is no number becomes something that no field takes: its text, alone in an array.
"""

from __future__ import annotations

import json
from math import isfinite

_LONGEST_INTEGER = 40
"""Python refuses to read thousands of digits, and with them the whole text."""


def mended(octets: bytes) -> bytes:
    """The same values as strict JSON in UTF-8. What is no text is written as the replacement character.

    Raises:
        ValueError: not even this makes JSON of it.
        RecursionError: nested too deeply.
    """
    value = json.loads(
        octets.decode("utf-8", "replace"),
        parse_constant=_no_number,
        parse_float=_number,
        parse_int=_integer,
    )
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _no_number(text: str) -> list[str]:
    return [text]


def _number(text: str) -> float | list[str]:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def _integer(text: str) -> int | list[str]:
    return int(text) if len(text) <= _LONGEST_INTEGER else _no_number(text)
