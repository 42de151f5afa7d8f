"""Finnish, Swedish, English: the wording in texts/*.toml, and how each writes numbers and times.

A language is chosen by the address (`?lang=sv`), else the cookie, else what the browser asks for, else
it is Finnish.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Any

from dashboards import figures
from dashboards.reasons import reason_key
from kaukoluenta.quantities import Amount

CODES = ("fi", "sv", "en")
DEFAULT = CODES[0]
COOKIE = "lang"

_UNIT_SIGNS = {"m3": "m³", "m3/h": "m³/h", "degC": "°C"}
UNKNOWN = "–"


@dataclass(frozen=True, slots=True)
class Language:
    """One language's words by dotted key, and its ways of writing."""

    code: str
    words: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """The words for a key, `{name}` filled in. KeyError on an unknown key is our bug."""
        words = self.words[key]
        return words.format(**values) if values else words

    def number(self, value: Decimal | Fraction | int | None, decimals: int | None = None) -> str:
        """A number in its own resolution, or rounded (a fraction always is); a dash for the unknown."""
        if value is None:
            return UNKNOWN
        if decimals is not None or isinstance(value, Fraction):
            value = figures.rounded(value, decimals or 0)
        return figures.number_text(value, self.words["format.decimal_mark"])

    def amount(self, amount: Amount | None) -> str:
        """A register in its own unit and resolution: `12 345,678 kWh`."""
        if amount is None:
            return UNKNOWN
        return f"{self.number(amount.value)}\u00a0{unit_sign(amount.unit)}"

    def instant(self, instant: datetime) -> str:
        return figures.instant_text(instant, self.words["format.instant"])

    def age(self, age: timedelta) -> str:
        return figures.age_text(age, self.words["format.day_unit"])

    def step(self, step: timedelta) -> str:
        return figures.step_text(step, self.words["format.day_unit"])

    def reason(self, reason: str | None) -> str:
        """Why a slot was missed. Known reasons are translated, others stand as the gateway gave them."""
        known = reason_key(reason)
        if known is None:
            return str(reason)
        key, quoted = known
        return self.text(key, **{name: self._quoted(name, text) for name, text in quoted.items()})

    def _quoted(self, name: str, text: str) -> str:
        """What a reason names, in this language if it is a reason or a register itself."""
        if name == "detail":
            return self.reason(text)
        return self.words.get(f"register.{text}", text) if name == "register" else text


def unit_sign(unit: str) -> str:
    """The unit as people write it: m³, °C."""
    return _UNIT_SIGNS.get(unit, unit)


@cache
def language(code: str) -> Language:
    """The language of a code in CODES."""
    content = resources.files("dashboards").joinpath("texts", f"{code}.toml").read_text(encoding="utf-8")
    return Language(code, dict(_flat(tomllib.loads(content))))


def choose_language(asked: str | None, remembered: str | None, accepted: str | None) -> Language:
    """The language for a request.

    Args:
        asked: `?lang=` of the address.
        remembered: the cookie's value.
        accepted: the header Accept-Language.
    """
    wanted = (asked, remembered, *_by_preference(accepted or ""), DEFAULT)
    return language(next(code for code in wanted if code in CODES))


def _by_preference(header: str) -> list[str]:
    """The languages of an Accept-Language header, best first; what cannot be read is left out."""
    weighed = []
    for part in header.split(","):
        tag, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), tag.strip().partition("-")[0].lower()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighed, key=lambda entry: entry[0]) if weight < 0]


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, str(value)
