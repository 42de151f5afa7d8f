"""A run keeps its number and its figures; the same inputs give the same run, other inputs the next."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from billing.documents import run_document
from billing.runs import RunName, digest_of, keep_run, read_run, run_name
from billing.schema import MIGRATIONS
from billing.verify import verify
from kaukoluenta.errors import UsageError
from kaukoluenta.runtime.database import open_database

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


@pytest.fixture
def books(tmp_path):
    with closing(open_database(tmp_path / "billing.db", MIGRATIONS)) as connection:
        yield connection


@pytest.fixture
def rich(simple):
    """Rows with several legs, refusals with and without a meter, and a warning."""
    simple.installed("LUG-00000002", until="2026-10-10", end="2", unit="GJ")
    simple.read("LUG-00000002", "2026-10-01", "1.25", "GJ")
    simple.contract("S-2", point="P-2")
    simple.contract("S-3", point="P-3")
    simple.installed("KAM-00000003", point="P-3")
    simple.contract("S-4", point="P-4")
    simple.installed(
        "KAM-00000004", point="P-4", since="2026-10-05", start="0", until="2026-10-09", end="1e-9"
    )
    return simple


def test_the_same_inputs_give_the_same_run_whenever_it_is_made(simple, books):
    first = keep_run(books, "2026-10", simple.bill(), NOW)
    again = keep_run(books, "2026-10", simple.bill(), NOW + timedelta(days=1))
    assert str(first.name) == "2026-10-1"
    assert again == first
    assert books.execute("SELECT count(*), min(as_of) FROM runs").fetchone() == (1, "2026-11-24T03:00:00Z")


def test_other_inputs_give_the_next_run_and_old_inputs_the_old_one(simple, books):
    numbers = [keep_run(books, "2026-10", simple.bill(), NOW).name.number]
    simple.corrected("KAM-00000001", "2026-11-01", "350.6")
    numbers.append(keep_run(books, "2026-10", simple.bill(), NOW).name.number)
    simple.contracts[0] = replace(simple.contracts[0], customer_number="another")
    numbers.append(keep_run(books, "2026-10", simple.bill(), NOW).name.number)
    simple.contracts[0] = replace(simple.contracts[0], customer_number="customer of S-1")
    simple.corrected("KAM-00000001", "2026-11-01", "350.5")
    numbers.append(keep_run(books, "2026-10", simple.bill(), NOW).name.number)
    assert numbers == [1, 2, 3, 1]


def test_what_decides_nothing_makes_no_new_run(simple, books):
    keep_run(books, "2026-10", simple.bill(), NOW)
    simple.read("KAM-00000001", "2026-10-15", "200")
    simple.read("KAM-00000001", "2026-12-01", "700")
    simple.read("KAM-00000001", "2026-11-01", "350.50", source="manual")
    assert keep_run(books, "2026-10", simple.bill(), NOW).name.number == 1


def test_each_month_counts_its_own_runs(simple, books):
    keep_run(books, "2026-10", simple.bill(), NOW)
    simple.read("KAM-00000001", "2026-12-01", "700")
    assert str(keep_run(books, "2026-11", simple.bill("2026-11"), NOW).name) == "2026-11-1"


def test_a_run_is_read_as_it_was_made(rich, books):
    extract = rich.bill()
    assert extract.rows
    assert extract.refused
    assert extract.warnings
    made = keep_run(books, "2026-10", extract, NOW)
    read = read_run(books, made.name)
    assert read == made
    assert run_document("x", read.extract) == run_document("x", extract)


def test_the_digest_covers_everything_in_the_extract(rich):
    extract = rich.bill()
    row = extract.rows[0]
    leg = replace(row.legs[0], start=row.legs[0].start + 1)
    others = [
        replace(extract, rows=extract.rows[1:]),
        replace(extract, rows=(replace(row, customer_number="another"), *extract.rows[1:])),
        replace(extract, rows=(replace(row, legs=(leg, *row.legs[1:])), *extract.rows[1:])),
        replace(extract, refused=extract.refused[1:]),
        replace(extract, warnings=()),
    ]
    assert len({digest_of(one) for one in (extract, *others)}) == 1 + len(others)


def test_a_run_never_changes(rich, books):
    keep_run(books, "2026-10", rich.bill(), NOW)
    for table in ("runs", "run_rows", "run_legs", "run_refusals", "run_warnings"):
        with pytest.raises(sqlite3.IntegrityError, match="never changes"):
            books.execute(f"UPDATE {table} SET month = '2026-09'")


def test_a_run_that_nobody_made_is_named(books):
    with pytest.raises(UsageError, match="no run 2026-10-1"):
        read_run(books, RunName("2026-10", 1))


@pytest.mark.parametrize(
    "text", ["2026-10", "2026-10-0", "2026-13-1", "2026-10-1-1", "10-1", "2026-10-01", ""]
)
def test_no_run_is_guessed(text):
    with pytest.raises(UsageError):
        run_name(text)


def test_a_run_holds_while_its_inputs_come_to_the_same(rich, books):
    run = keep_run(books, "2026-10", rich.bill(), NOW)
    assert verify(read_run(books, run.name), rich.bill()).holds
    rich.corrected("KAM-00000001", "2026-11-01", "350.6")
    rich.installed("KAM-00000022", point="P-2")
    verdict = verify(read_run(books, run.name), rich.bill())
    assert verdict.intact
    assert not verdict.holds
    figures = " ".join(verdict.differences)
    assert "contract S-1" in figures
    assert "contract S-2, no_installation: refused in the run, nothing now" in figures
    assert "S-3" not in figures


def test_a_touched_run_is_found_out(rich, books):
    run = keep_run(books, "2026-10", rich.bill(), NOW)
    books.execute("DROP TRIGGER run_rows_never_change")
    books.execute("UPDATE run_rows SET energy = '1' WHERE position = 0")
    verdict = verify(read_run(books, run.name), rich.bill())
    assert not verdict.intact
    assert not verdict.holds
