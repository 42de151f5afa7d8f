"""Whole months through the file door, as users walk it: the same files in, the same bytes out.

The figures in `golden/` were worked out by hand: change them only with the arithmetic on paper.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

MONTHS = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.fixture
def kaukoluenta(tmp_path):
    def run(*command, ends_with):
        done = subprocess.run(
            [sys.executable, "-m", "kaukoluenta", *map(str, command)],
            env={**os.environ, "KAUKOLUENTA_DATA": str(tmp_path / "data")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == ends_with, done.stderr
        return done

    return run


@pytest.mark.parametrize("month", MONTHS, ids=lambda path: path.name)
def test_a_month_comes_to_the_same_bytes(month, kaukoluenta, tmp_path):
    out = tmp_path / "extract.csv"
    kaukoluenta("registry", "import", month, ends_with=0)
    kaukoluenta("collector", "import", month / "readings.csv", ends_with=0)
    billed = kaukoluenta("billing", "run", month.name, "--json", ends_with=1)
    kaukoluenta("billing", "export", f"{month.name}-1", "--out", out, ends_with=0)
    assert billed.stdout == (month / "run.json").read_text()
    assert out.read_bytes() == (month / "extract.csv").read_bytes()
    control = (month / "extract.csv.control.json").read_text()
    assert (tmp_path / "extract.csv.control.json").read_text() == control
    assert "no meter from 2026-10-20T06:40:00Z to 2026-10-20T06:55:00Z" in billed.stderr
    assert "NOT-00000001" in billed.stderr


def test_nothing_personal_leaves_the_registry(kaukoluenta, tmp_path):
    """Canaries in every personal field: none in what billing prints, writes or keeps."""
    [month] = MONTHS
    out = tmp_path / "extract.csv"
    kaukoluenta("registry", "import", month, ends_with=0)
    kaukoluenta("collector", "import", month / "readings.csv", ends_with=0)
    said = [
        kaukoluenta("billing", "run", month.name, ends_with=1),
        kaukoluenta("billing", "run", month.name, "--json", ends_with=1),
        kaukoluenta("billing", "show", f"{month.name}-1", ends_with=0),
        kaukoluenta("billing", "export", f"{month.name}-1", "--out", out, ends_with=0),
        kaukoluenta("billing", "verify", f"{month.name}-1", ends_with=0),
    ]
    kept = [path.read_bytes() for path in (tmp_path / "data").glob("billing.db*")] + [out.read_bytes()]
    everything = "".join(one.stdout + one.stderr for one in said).encode() + b"".join(kept)
    assert b"S-101" in everything
    for canary in (b"anaria", b"Kaarina", b"kustaa@", b"0400 000", b"010190", b"0163687"):
        assert canary not in everything
    registry = (tmp_path / "data" / "registry.db").read_bytes()
    assert b"Kanarialintu" in registry, "the canaries were there to be found"
