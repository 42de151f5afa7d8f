"""The pages on installing and on copies, followed literally on a machine in a folder."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from collector.store.backends import open_store
from gateway.delivery.outbox import SlotOutcome
from gateway.delivery.outbox_file import open_outbox
from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
from tests.installing.machine import Machine
from tests.installing.pages import HOW_TO

METER = "KAM-69183621"
LAST_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_PATIENCE_S = 60
CUSTOMERS = "customer_number,kind,name,identity,email,phone,address\n1001,person,Aino Esimerkki,,,,Tie 1\n"
POINTS = "delivery_point,line,address\nKP-1,keskusta,Tie 1\n"
CONTRACTS = "contract,customer_number,delivery_point,valid_from,valid_to\nS-1,1001,KP-1,2026-01-01,\n"
INSTALLATIONS = f"""\
delivery_point,meter,installed_at,start_energy,removed_at,end_energy,energy_unit
KP-1,{METER},2026-01-01,0,,,kWh
"""
CUSTOMER_FILES = {
    "customers.csv": CUSTOMERS,
    "delivery_points.csv": POINTS,
    "contracts.csv": CONTRACTS,
    "installations.csv": INSTALLATIONS,
}
OCTOBER = f"meter,read_at,energy,energy_unit\n{METER},2026-10-01,1000,kWh\n{METER},2026-11-01,2250,kWh\n"


def until(holds: Callable[[], object], what: str, machine: Machine) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"never came true: {what}\n{machine.logs()}")
        time.sleep(0.05)


def slots(database: Path) -> list[datetime]:
    """Of the meter's readings that its gateway brought; none while the database cannot be read."""
    try:
        with closing(open_store("sqlite", database, read_only=True)) as store:
            stored = [*store.series(METER, LAST_NEW_YEAR, datetime.now(UTC))]  # noqa: TID251
    except (KaukoluentaError, sqlite3.Error):
        return []
    return [reading.read_at for reading in stored if reading.source is Source.LIVE]


def write_customers(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in CUSTOMER_FILES.items():
        (folder / name).write_text(text, encoding="utf-8")


def import_october(machine: Machine, data: Path) -> None:
    (machine.root / "october.csv").write_text(OCTOBER)
    program = machine.source / ".venv/bin/kaukoluenta"
    machine.run(f"KAUKOLUENTA_DATA={data} {program} collector import october.csv", machine.root)


def is_ready(machine: Machine) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{machine.ports['8080']}/readyz").status_code == 200
    except httpx.TransportError:
        return False


class OnTheServer:
    """What the pages wait for, and what happens between their sections."""

    def __init__(self, server: Machine) -> None:
        self._server, self._data = server, server.root / "var/lib/kaukoluenta"
        self.events = {
            "6. First look": self.first_hour,
            "7. The office": self.readings_of_october,
            "Restore the readings": self.a_broken_disk,
        }

    def before(self, section: str) -> None:
        self.events.pop(section, lambda: None)()

    def first_hour(self) -> None:
        until(lambda: slots(self._data / "collector.db"), "a reading stored", self._server)
        until(lambda: is_ready(self._server), "the pages ready", self._server)

    def readings_of_october(self) -> None:
        write_customers(self._server.root / "srv/customers")
        import_october(self._server, self._data)

    def a_broken_disk(self) -> None:
        """After the copy a reading more is stored; then the database is destroyed."""
        run, database = self._server.run, self._data / "collector.db"
        run("systemctl stop kaukoluenta-gateway", self._server.root)
        now = min(slots(database))
        self.lost = now - timedelta(hours=1)
        reading = Reading(METER, self.lost, Source.LIVE, {"energy": Amount(Decimal(12344), "kWh")})
        with closing(open_outbox(self._data / "gateway-kirkonkyla-1.db", "kirkonkyla-1", {}, 64)) as outbox:
            outbox.commit([SlotOutcome("boiler-house", self.lost, (reading,))], now)
        run("systemctl start kaukoluenta-gateway", self._server.root)
        until(lambda: self.lost in slots(database), "a reading stored after the copy", self._server)
        for broken in (database, database.with_name("collector.db-wal")):
            broken.write_bytes(b"\0" * broken.stat().st_size)
        assert not slots(database)


def test_install_on_a_server_back_up_and_restore(server: Machine) -> None:
    events, nowhere = OnTheServer(server), server.root
    assert server.follow(HOW_TO / "install-on-a-server.md", events.before, nowhere) == 10
    extract = server.root / "var/lib/kaukoluenta-office/2026-10.csv"
    assert "S-1;1001;KP-1;" in extract.read_text(encoding="utf-8-sig")
    assert not [*extract.parents[1].glob("kaukoluenta/[rb]*.db")]  # customers lie in the office's folder only
    assert server.follow(HOW_TO / "back-up-and-restore.md", events.before, nowhere) == 6
    database = server.root / "var/lib/kaukoluenta/collector.db"
    until(lambda: events.lost in slots(database), "what came after the copy sent again", server)
    until(lambda: is_ready(server), "the pages ready again", server)
    assert events.events == {}


def test_install_with_docker_compose(server: Machine) -> None:
    volume = server.root / "var/lib/docker/volumes/kaukoluenta_readings/_data"

    def first_hour() -> None:
        until(lambda: slots(volume / "collector.db"), "a reading stored", server)
        until(lambda: is_ready(server), "the pages ready", server)

    def the_office() -> None:
        write_customers(server.source / "files")
        import_october(server, volume)

    events = {"5. First look": first_hour, "6. The office": the_office}
    page = HOW_TO / "install-with-docker-compose.md"
    commands = server.follow(page, lambda section: events.pop(section, lambda: None)(), server.source)
    assert (commands, events) == (8, {})
    assert "S-1;1001;KP-1;" in (server.source / "files/2026-10.csv").read_text(encoding="utf-8-sig")
    assert len([*(server.root / "var/backups/kaukoluenta").glob("*/*Z/*.db")]) == 3
