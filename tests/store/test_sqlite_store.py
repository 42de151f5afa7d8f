"""What the embedded store promises beyond the contract: nothing changes, and several may share it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.schema import MIGRATIONS
from collector.store import Added, Arrival, Correction, StoreUnavailable
from collector.store.rows import SOURCE_CODES, instant_of, microseconds
from collector.store.sqlite import open_sqlite
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, ReadingRefused, Source
from kaukoluenta.runtime.database import DatabaseTooNew

MIDNIGHT = datetime(2026, 9, 30, 21, tzinfo=UTC)
ARRIVAL = Arrival(MIDNIGHT, "kirkonkyla-1/5f0c")


def energy(meter: str = "KAM-00000001", value: str = "100", unit: str = "kWh") -> Reading:
    return Reading(meter_id(meter), MIDNIGHT, Source.LIVE, {"energy": Amount(Decimal(value), unit)})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "collector.db"


@pytest.fixture
def store(path):
    with closing(open_sqlite(path)) as opened:
        yield opened


@pytest.mark.parametrize("table", ["reading", "conflict", "correction", "arrival"])
def test_no_hand_can_change_what_was_read(store, path, table):
    store.add([energy(value="100"), energy(value="101")], ARRIVAL)
    store.correct([energy(value="102")], ARRIVAL, Correction("aino", "looked again"))
    with closing(sqlite3.connect(path)) as hand, pytest.raises(sqlite3.IntegrityError, match="never changed"):
        hand.execute(f"UPDATE {table} SET {'origin' if table == 'arrival' else 'amounts'} = '0'")


def test_who_and_why_and_where_from_are_kept(store, path):
    store.correct([energy()], Arrival(MIDNIGHT, "sha256:00ff"), Correction("aino", "looked again"))
    with closing(sqlite3.connect(path)) as hand:
        kept = hand.execute(
            "SELECT who, why, origin, received_at FROM correction JOIN arrival ON arrival.number = arrival"
        ).fetchall()
    assert kept == [("aino", "looked again", "sha256:00ff", microseconds(MIDNIGHT))]


def test_every_source_has_a_code_of_its_own():
    assert sorted(SOURCE_CODES) == sorted(Source)
    assert [*SOURCE_CODES.values()] == [*range(1, len(Source) + 1)]


@pytest.mark.parametrize("year", [2000, 2026, 9999])
def test_an_instant_survives_to_the_microsecond(year):
    moment = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert instant_of(microseconds(moment)) == moment


def test_a_number_given_in_a_refused_call_is_not_remembered(store):
    with pytest.raises(ReadingRefused):
        store.add([energy("LUG-1"), energy("LUG-2", value="NaN")], ARRIVAL)
    store.add([energy("DME-1", value="1", unit="GJ")], ARRIVAL)
    store.add([energy("LUG-1")], ARRIVAL)
    assert [(r.meter, r.registers) for r in store.latest()] == [
        ("DME-1", {"energy": Amount(Decimal(1), "GJ")}),
        ("LUG-1", {"energy": Amount(Decimal(100), "kWh")}),
    ]


def test_two_processes_share_meters_and_layouts(store, path):
    with closing(open_sqlite(path)) as other, closing(open_sqlite(path, read_only=True)) as reader:
        store.add([energy("LUG-1")], ARRIVAL)
        assert other.add([energy("LUG-1"), energy("DME-1", unit="GJ")], ARRIVAL) == Added(1, 1)
        assert store.add([energy("DME-1", unit="GJ")], ARRIVAL) == Added(duplicate=1)
        assert [r.meter for r in reader.latest()] == [r.meter for r in store.latest()] == ["DME-1", "LUG-1"]


def test_a_reader_that_comes_and_goes_takes_nothing_of_a_process_with_two_connections(path, store):
    look = f"""
import sqlite3
print(sqlite3.connect({str(path)!r}).execute("SELECT count(*) FROM reading").fetchone()[0])
"""
    counts = []
    with closing(open_sqlite(path)):
        for meter in ("KAM-1", "KAM-2"):
            store.add([energy(meter)], ARRIVAL)
            counts.append(subprocess.check_output([sys.executable, "-c", look], text=True).strip())
    assert counts == ["1", "2"]


def test_a_reader_cannot_write(path, store):
    with (
        closing(open_sqlite(path, read_only=True)) as reader,
        pytest.raises(StoreUnavailable, match="readonly"),
    ):
        reader.add([energy()], ARRIVAL)


def test_a_locked_store_says_so_and_works_again(path, store):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.add([energy()], ARRIVAL)
    assert store.add([energy()], ARRIVAL) == Added(new=1)


def test_a_newer_database_is_left_alone(path, store):
    with closing(sqlite3.connect(path)) as hand:
        hand.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    for read_only in (True, False):
        with pytest.raises(DatabaseTooNew, match="newer program"):
            open_sqlite(path, read_only=read_only)


def test_a_file_that_is_no_database_is_named(path):
    path.write_bytes(b"meter;read_at;energy\n" * 100)
    with pytest.raises(ConfigurationInvalid, match=r"collector\.db"):
        open_sqlite(path)


def test_the_newest_reading_is_found_behind_years_of_silence(store):
    old = energy("LUG-1")
    recent = [
        Reading(meter_id("KAM-1"), MIDNIGHT + timedelta(days=700, hours=n), Source.LIVE, energy().registers)
        for n in range(9)
    ]
    store.add([old, *recent], ARRIVAL)
    assert store.latest() == [recent[-1], old]
    assert store.latest(recent[0].read_at - timedelta(microseconds=1)) == [old]
