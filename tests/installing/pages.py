"""A how-to page as blocks: `sh` to run, `toml` to save under its first line, `text` that is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOW_TO = ROOT / "docs" / "how-to"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """`section` is the heading of level two that it stands under."""

    kind: str
    text: str
    section: str


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        yield Block(match[1], match[2], text[: match.start()].rpartition("\n## ")[2].partition("\n")[0])


def compare(shown: str, printed: str) -> None:
    """The lines of `shown` are printed in this order, blanks aside, … for anything."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for wanted in filter(None, (" ".join(line.split()) for line in shown.splitlines())):
        pattern = ".*".join(re.escape(part.strip()) for part in wanted.split("…"))
        assert any(re.fullmatch(pattern, line) for line in lines), f"not printed: {wanted}\n{printed}"
