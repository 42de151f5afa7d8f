"""Writes the reference pages that follow from the code: commands, settings, registers.

python docs/generate.py           write them
python docs/generate.py --check   exit 1 when a page is stale
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from kaukoluenta.__main__ import ROOMS
from kaukoluenta.quantities import QUANTITIES, UNITS
from kaukoluenta.reading import Quality, Source
from kaukoluenta.runtime.durations import duration_text

SETTINGS = {
    "gateway": "GatewaySettings",
    "collector": "CollectorSettings",
    "dashboards": "DashboardsSettings",
    "registry": "RegistrySettings",
    "billing": "BillingSettings",
}
REFERENCE = Path(__file__).parent / "reference"
HEAD = "<!-- Written by docs/generate.py from the code. Change the code, then run `make docs`. -->\n"


def main() -> int:
    os.environ["COLUMNS"] = "100"
    stale = []
    for name, page in PAGES.items():
        path, text = REFERENCE / name, HEAD + page()
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(path.name)
        else:
            REFERENCE.mkdir(exist_ok=True)
            path.write_text(text)
    if stale:
        sys.stderr.write(f"Stale: {', '.join(stale)}. Run `make docs`.\n")
    return 1 if stale else 0


def commands() -> str:
    """Each room's help, verb by verb."""
    text = [
        "# Commands\n\nExit codes: 0 ok, 1 problem found, 2 usage, 3 configuration invalid, 4 unreachable.\n"
    ]
    for word, (room, what) in ROOMS.items():
        parser = importlib.import_module(f"{room}.__main__").build_parser()
        verbs = [(word, parser)] if word == room else []
        verbs += [(f"{word} {verb}" if word == room else verb, sub) for verb, sub in _verbs(parser)]
        text.append(f"\n## {word}: {what}\n")
        for title, sub in verbs if word == room else [entry for entry in verbs if entry[0] == word]:
            if title != word or word != room:
                sub.prog = f"kaukoluenta {title}"
                text.append(f"\n### `kaukoluenta {title}`\n\n```\n{sub.format_help().strip()}\n```\n")
    return "".join(text)


def _verbs(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def settings() -> str:
    """Each process's config file, table by table."""
    text = [
        "# Settings\n\nOne TOML file a process. `KAUKOLUENTA_<ROOM>__<TABLE>__<KEY>` in the environment "
        "stands over it. `KAUKOLUENTA_DATA=FOLDER` stands over every database path.\n\n"
        "A relative path in a file begins at the folder of that file, wherever the command is run; one in "
        "the environment, and any database's or stepped clock's, begins at the working directory.\n"
    ]
    for room, name in SETTINGS.items():
        model = getattr(importlib.import_module(f"{room}.settings"), name)
        text.append(f"\n## {room}.toml\n")
        text += [_table(title, table) for title, table in _tables("", model)]
    return "".join(text)


def _tables(title: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        inner = next(
            (part for part in (field.annotation, *_arguments(field.annotation)) if _is_table(part)), None
        )
        if inner is not None:
            many = inner is not field.annotation and bool(_arguments(field.annotation))
            path = f"{title}.{name}".lstrip(".")
            yield (f"[[{path}]]" if many else f"[{path}]"), inner
            yield from _tables(path, inner)


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _table(title: str, model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_default(field.default)} |"
        for name, field in model.model_fields.items()
        if not any(_is_table(part) for part in (field.annotation, *_arguments(field.annotation)))
    ]
    about = (model.__doc__ or "").strip().replace("\n    ", "\n")
    return f"\n### {title}\n\n{about}\n\n| key | default |\n|---|---|\n" + "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, timedelta):
        return f"`{duration_text(value)}`"
    return "none" if value is None or value == () else f"`{value}`"


def registers() -> str:
    """The words of readings: registers, units, sources, quality bits."""
    rows = [
        f"| `{q.name}` | {', '.join(name for name, unit in UNITS.items() if unit.family in q.families)} | "
        f"{'counter' if q.counter else 'momentary'} |"
        for q in QUANTITIES.values()
    ]
    bits = [f"| {bit.value} | {(bit.name or '').lower().replace('_', ' ')} |" for bit in Quality]
    return (
        "# Registers, sources, quality\n\nA register may carry a tariff: `energy_tariff_1`.\n\n"
        "| register | units | kind |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Sources: {', '.join(f'`{source.value}`' for source in Source)}.\n\n"
        "| quality bit | doubt |\n|---|---|\n" + "\n".join(bits) + "\n"
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "settings.md": settings,
    "registers.md": registers,
}

if __name__ == "__main__":
    sys.exit(main())
