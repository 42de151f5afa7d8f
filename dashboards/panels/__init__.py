"""The chart panels of a meter's page: one TOML file each, in the order that the files say."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from kaukoluenta.runtime.settings import Table

ENERGY_USE = "energy_use"
"""The one column that is no register: the register difference from slot to slot."""


class Series(Table):
    """`[[series]]`: a register, or `energy_use`; its ink is a class `ink-NAME` of style.css."""

    column: str
    ink: str
    dash: tuple[int, ...] = ()


class Words(Table):
    """One saying in every language that the pages speak."""

    fi: str
    sv: str
    en: str

    def in_language(self, code: str) -> str:
        return str(getattr(self, code))


class Panel(Table):
    """A panel's file. Its `key` is the file's name.

    `title`, and `note` behind the unit, may say `{step}`, the time from one slot to the next; where slots are
    hourly, `title_hourly` and `note_hourly` stand for them.
    """

    key: str
    order: int
    style: Literal["bars", "lines"]
    series: Annotated[tuple[Series, ...], Field(min_length=1)]
    title: Words
    title_hourly: Words | None = None
    note: Words | None = None
    note_hourly: Words | None = None


@cache
def panels() -> tuple[Panel, ...]:
    """All panels, by their order."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".toml")]
    found = [
        Panel(key=file.name.removesuffix(".toml"), **tomllib.loads(file.read_text(encoding="utf-8")))
        for file in files
    ]
    return tuple(sorted(found, key=lambda panel: panel.order))
