"""Telegrams of real meters, with what public decoders and the standard say of them.

They are other people's: the folder named by KAUKOLUENTA_MATERIAL holds them (corpus/wired.jsonl), and nothing
of it is kept here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.decode import decode_line

MATERIAL = "KAUKOLUENTA_MATERIAL"
OPINIONS = {"agree", "disagree", "peer_record_counts", "peer_expected_count"}
"""What the corpus notes about other decoders."""


@pytest.fixture(scope="module")
def corpus() -> list[dict[str, Any]]:
    folder = os.environ.get(MATERIAL)
    if not folder:
        pytest.skip(f"set {MATERIAL} to the folder that holds corpus/wired.jsonl")
    text = (Path(folder) / "corpus" / "wired.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_every_telegram_of_the_corpus_reads_as_expected(corpus: list[dict[str, Any]]) -> None:
    misses = [f"{case['id']}: {miss}" for case in corpus for miss in differences(case)]
    assert corpus
    assert not misses, f"{len(misses)} differences\n" + "\n".join(misses[:20])


def differences(case: dict[str, Any]) -> Iterator[str]:
    line = f"{case['hex']} {case.get('key') or ''}"
    return _differences("", decode_line(line), case["expect"])


def _differences(path: str, got: Any, want: Any) -> Iterator[str]:
    if isinstance(got, dict) and isinstance(want, dict):
        for key in sorted((got.keys() | want.keys()) - OPINIONS):
            yield from _differences(f"{path}/{key}", got.get(key, []), want.get(key, []))
    elif isinstance(got, list) and isinstance(want, list) and len(got) == len(want):
        for at, (mine, theirs) in enumerate(zip(got, want, strict=True)):
            yield from _differences(f"{path}[{at}]", mine, theirs)
    elif got != want:
        yield f"{path}: {got!r} instead of {want!r}"
