"""A small office for each test: the collector's real database, filled by the collector's own code."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from collector.books import open_books
from collector.entries import Entries
from collector.store import Arrival
from collector.store.backends import open_store
from dashboards.app import build_app
from dashboards.collector_source import CollectorSource
from dashboards.watch import Watch
from kaukoluenta.gateway_state import GatewayState
from kaukoluenta.identifiers import GatewayName, MeterId, meter_id
from kaukoluenta.payload import Missed
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import NO_DOUBT, Quality, Reading, Source

NOON = datetime(2026, 10, 20, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
GATEWAY = GatewayName("kirkonkyla-1")


class SetClock:
    """A clock that stands where a test sets it."""

    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def sleep_until(self, instant: datetime) -> None:
        raise AssertionError("the pages never wait for a clock")


class Office:
    """Writes collector.db as the collector does. `noon` is the newest slot; the clock stands at 20 past."""

    hour = HOUR

    def __init__(self, folder: Path) -> None:
        self.path = folder / "collector.db"
        self.clock = SetClock(NOON)
        self.noon_is(NOON)

    def noon_is(self, noon: datetime) -> None:
        self.noon = noon
        self.clock.time = noon + timedelta(minutes=20)

    def named(self, lines: dict[str, list[MeterId]], every: timedelta = HOUR) -> None:
        """The gateway's state: what it reads, and how often."""
        state = GatewayState(True, "e1", 1, 1, every_s=every // timedelta(seconds=1), lines=lines)
        self._record(Entries(states=[(GATEWAY, state)]))

    def reading(
        self, meter: MeterId, hours_ago: float, quality: Quality = NO_DOUBT, **registers: str
    ) -> Reading:
        """One reading, each register written as `12.5 kWh`; by default a plausible one."""
        written = {name: text.split() for name, text in (registers or plausible(hours_ago)).items()}
        amounts = {name: Amount(Decimal(value), unit) for name, (value, unit) in written.items()}
        return Reading(meter, self.noon - hours_ago * HOUR, Source.LIVE, amounts, quality)

    def read(self, *what: Any, **registers: str) -> None:
        """Keep one `reading`."""
        self.keep(self.reading(*what, **registers))

    def keep_without_gateway(self, *readings: Reading) -> None:
        """As from a file."""
        store = open_store("sqlite", self.path)
        store.add(readings, Arrival(self.noon, "sha256:0"))
        store.close()

    def keep(self, *readings: Reading) -> None:
        self.keep_without_gateway(*readings)
        entries = Entries()
        for reading in readings:
            entries.heard_of(reading.meter, GATEWAY, reading.read_at)
        self._record(entries)

    def missed(self, meter: MeterId, hours_ago: float, reason: str) -> None:
        slot = self.noon - hours_ago * HOUR
        entries = Entries(missed=[(GATEWAY, Missed(meter, slot, reason))])
        entries.heard_of(meter, GATEWAY, slot)
        self._record(entries)

    def _record(self, entries: Entries) -> None:
        books = open_books(self.path)
        books.record(entries, self.noon)
        books.close()


def plausible(hours_ago: float) -> dict[str, str]:
    """Registers that grow by 2.5 kWh an hour."""
    energy = Decimal("12345.0") - Decimal("2.5") * Decimal(hours_ago)
    return {
        "energy": f"{energy:.1f} kWh",
        "volume": "321.45 m3",
        "power": "2.5 kW",
        "flow_temperature": "85.1 degC",
        "return_temperature": "43.6 degC",
    }


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Nothing in it yet, not even a database."""
    return Office(tmp_path)


@pytest.fixture
def village(office: Office) -> Office:
    """Three meters: one read in each of the last 30 hours, one silent with a reason, one in GJ."""
    good, silent, joules = (meter_id(m) for m in ("KAM-69183621", "LUG-70412233", "DME-41001234"))
    office.named({"koulu": [good, silent], "kirkko": [joules]})
    joule_readings = [
        office.reading(joules, n, energy=f"{Decimal(4000 - n * 9).scaleb(-3)} GJ", power="0.009 GJ/h")
        for n in range(31)
    ]
    office.keep(
        *(office.reading(good, n) for n in range(31) if n not in (5, 6)),
        *(office.reading(silent, n) for n in range(8, 31)),
        *joule_readings,
    )
    for hours_ago in range(8):
        office.missed(silent, hours_ago, "no answer")
    office.missed(good, 5, "no answer")
    return office


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application on a loopback port of its own; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.002)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def address(office: Office) -> Iterator[str]:
    """The pages over the office's database, served. They keep nothing from before."""
    source = CollectorSource(office.path)
    watch = Watch(source, office.clock, timedelta(minutes=15), keep_s=0)
    with served(build_app(watch, refresh_s=1)) as address:
        yield address
    source.close()


@pytest.fixture
def pages(address: str) -> Iterator[httpx.Client]:
    """A client that keeps cookies, as a browser does."""
    with httpx.Client(base_url=address) as client:
        yield client
