"""`collector quarantine`: what was set aside, for people one line each, for programs whole."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

import pytest

from collector.__main__ import build_parser
from collector.books import open_books
from collector.entries import Entries, SetAside
from kaukoluenta.runtime.command import run_command

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path))
    return tmp_path


def test_an_empty_quarantine_is_an_empty_list(folder, capsys):
    assert run_command(build_parser(), ["quarantine", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_every_row_says_when_where_and_why(folder, capsys):
    with closing(open_books(folder / "collector.db")) as books:
        books.record(Entries(aside=[SetAside("hall/temperature", "none of ours", b"21.5")]), NOON)
    run_command(build_parser(), ["quarantine", "--json"])
    assert json.loads(capsys.readouterr().out) == [
        {
            "number": 1,
            "received_at": "2026-10-01T12:00:00Z",
            "place": "hall/temperature",
            "reason": "none of ours",
            "octets": 4,
            "text": "21.5",
        }
    ]
    run_command(build_parser(), ["quarantine"])
    assert "1       2026-10-01 15:00+03:00  hall/temperature  4       none of ours" in capsys.readouterr().out
