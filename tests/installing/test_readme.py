"""What README and the pages say is there: commands, files they point to, and README's own first steps."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from kaukoluenta.__main__ import ROOMS
from tests.installing.machine import Machine
from tests.installing.pages import ROOT, blocks

GENERATED = {"commands.md", "settings.md", "registers.md"}
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.name not in GENERATED
]
COMMAND = re.compile(rf"\bkaukoluenta ((?:{'|'.join(ROOMS)})\b[^|&;#\n]*)")
COMPOSE_RUN = re.compile(r"docker compose run --rm (?:office|gateway|collector) ([a-z][^|&;#\n]*)")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")


def takes(words: list[str]) -> bool:
    """Whether a command line is one that its room understands."""
    room, _ = ROOMS[words[0]]
    parser = importlib.import_module(f"{room}.__main__").build_parser()
    try:
        parser.parse_args(words[1:] if room == words[0] else words)
    except SystemExit as end:
        return end.code == 0
    return True


def commands(text: str) -> list[str]:
    return [match[1].strip() for pattern in (COMMAND, COMPOSE_RUN) for match in pattern.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_is_one_that_the_program_takes(page: Path, capsys) -> None:
    shown = [command for block in blocks(page) if block.kind != "text" for command in commands(block.text)]
    assert [command for command in shown if not takes(shlex.split(command))] == []


def test_commands_that_are_not_there_are_found() -> None:
    shown = commands("kaukoluenta gateway poll\ndocker compose run --rm office billing print 2026-10\n")
    assert [takes(shlex.split(command)) for command in shown] == [False, False]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_first_steps_of_readme(server: Machine) -> None:
    assert server.follow(ROOT / "README.md", lambda section: None, server.source) == 2


def test_a_remedy_that_points_to_a_page_points_to_one_that_is_there() -> None:
    rooms = {room for room, _ in ROOMS.values()} | {"kaukoluenta"}
    sources = [path.read_text(encoding="utf-8") for room in rooms for path in (ROOT / room).rglob("*.py")]
    pages = {page for source in sources for page in re.findall(r"docs/[\w/-]+\.md", source)}
    assert "docs/how-to/back-up-and-restore.md" in pages
    assert [page for page in pages if not (ROOT / page).exists()] == []
