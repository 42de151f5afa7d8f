"""Durable readings a second of the embedded store, beside a bare executemany of the same rows.

    python benchmarks/store_add.py [--meters 5000] [--hours 48]

One batch is all meters of one hour: 8 registers a reading, one transaction, synchronous=FULL. The bare
rows are what the store itself writes, prepared beforehand, so the ratio is what Python objects, checks and
bookkeeping cost. Both alternate batch by batch, so that a busy machine slows both.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from collector.schema import MIGRATIONS
from collector.store import Arrival, statements
from collector.store.sqlite import SqliteStore, open_sqlite
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from kaukoluenta.runtime.database import open_database, transaction

START = datetime(2026, 9, 30, 21, tzinfo=UTC)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--meters", type=int, default=5000)
    parser.add_argument("--hours", type=int, default=48)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), chosen.meters, chosen.hours)


def compare(folder: Path, meters: int, hours: int) -> None:
    store, bare = open_sqlite(folder / "store.db"), open_database(folder / "bare.db", MIGRATIONS)
    seconds: dict[str, list[float]] = {"store": [], "bare": [], "again": []}
    for hour in range(hours):
        readings = [one_reading(meter, hour) for meter in range(meters)]
        arrival = Arrival(START, f"bench/{hour}")
        seconds["store"].append(took(store.add, readings, arrival))
        seconds["bare"].append(took(insert, bare, stored_rows(folder / "store.db", hour)))
        seconds["again"].append(took(store.add, readings, arrival))
    rates = {name: meters / statistics.median(times) for name, times in seconds.items()}
    print(f"store.add      {rates['store']:>10,.0f} readings/s durable, batches of {meters}")
    print(f"bare rows      {rates['bare']:>10,.0f} readings/s")
    print(f"               {rates['store'] / rates['bare']:>10.2f} of the bare rate")
    print(f"redelivered    {rates['again']:>10,.0f} readings/s, all duplicates")
    ask(store, meters, hours)
    store.close()
    print(f"on disk        {os.path.getsize(folder / 'store.db') / (meters * hours):>10.1f} octets a reading")


def ask(store: SqliteStore, meters: int, hours: int) -> None:
    end = START + timedelta(hours=hours)
    everyone = store.meters(START, end)
    for question, seconds in {
        "latest": took(store.latest),
        "at": took(store.at, START, everyone),
        "meters": took(store.meters, START, end),
        "series": took(store.series, everyone[0], START, end),
    }.items():
        print(f"{question:<14} {seconds * 1000:>10.1f} ms")
    rate = meters * hours / took(lambda: deque(store.energies(everyone, START, end), maxlen=0))
    print(f"energies       {rate:>10,.0f} readings/s, all meters and hours")


def one_reading(meter: int, hour: int) -> Reading:
    read_at = START + timedelta(hours=hour)
    registers = {
        "energy": Amount(Decimal(123456 + 7 * meter + 3 * hour), "kWh"),
        "volume": Amount(Decimal(4567890 + 31 * hour).scaleb(-2), "m3"),
        "volume_flow": Amount(Decimal(1234 + meter % 97).scaleb(-3), "m3/h"),
        "power": Amount(Decimal(345 + meter % 53).scaleb(-1), "kW"),
        "flow_temperature": Amount(Decimal(8123 - hour).scaleb(-2), "degC"),
        "return_temperature": Amount(Decimal(4512 + hour).scaleb(-2), "degC"),
        "temperature_difference": Amount(Decimal(3611 - 2 * hour).scaleb(-2), "K"),
        "on_time": Amount(Decimal(20000 + hour), "h"),
    }
    return Reading(
        meter_id(f"KAM-{meter:08d}"), read_at, Source.LIVE, registers, asked_at=read_at + timedelta(seconds=2)
    )


def stored_rows(path: Path, hour: int) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as reader:
        return reader.execute("SELECT * FROM reading WHERE arrival = ?", (2 * hour + 1,)).fetchall()


def insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    with transaction(connection):
        connection.executemany(statements.INSERT, rows)


def took(call: Callable[..., object], *arguments: object) -> float:
    before = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - before


if __name__ == "__main__":
    main()
