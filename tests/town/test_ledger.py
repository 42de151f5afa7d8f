"""What the ledger allows, and the customer files that go with it, as the registry's door reads them."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from kaukoluenta.periods import parse_instant
from kaukoluenta.runtime.database import open_database
from registry.import_files import import_files, read_folder
from registry.schema import MIGRATIONS
from simulator.customers import synthetic_customer
from simulator.faults import READABLE
from simulator.heat import HOUR
from simulator.ledger import allowed_answers, register
from simulator.plan import plan_town
from simulator.registry_files import write_registry_files
from simulator.town import configured, town_slots


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_meter_is_allowed_in_every_slot_but_those_of_the_script() -> None:
    town = plan_town(7, 24)
    swap = town.exchange
    assert swap is not None
    asked = {
        (meter.id, slot)
        for slot in town_slots(town.start, town.hours)
        for meters in configured(town, slot).values()
        for meter in meters
    }
    assert len(asked) == 24 * 801
    unanswered = {
        (fault.meter.id, slot)
        for fault in town.faults
        if fault.kind not in READABLE
        for slot in town_slots(town.start, town.hours)
        if fault.first <= slot < fault.after
    }
    unexpected = {(swap.old.id, slot) for _, slot in asked if swap.at <= slot < swap.noticed_at}
    assert len(unanswered) == 18
    assert len(unexpected) == 5
    assert allowed_answers(town) == asked - unanswered - unexpected


def test_no_slot_is_allowed_to_both_meters_of_an_exchange() -> None:
    town = plan_town(7, 24)
    swap = town.exchange
    assert swap is not None
    old, new = (
        {slot for meter, slot in allowed_answers(town) if meter == m.id} for m in (swap.old, swap.new)
    )
    assert max(old) < swap.at < swap.noticed_at == min(new)


@pytest.mark.parametrize("seed", range(4))
def test_the_registry_takes_the_files_of_any_town(seed: int, tmp_path: Path) -> None:
    write_registry_files(plan_town(seed, 40), tmp_path)
    connection = open_database(tmp_path / "registry.db", MIGRATIONS)
    imported = import_files(connection, read_folder(tmp_path))
    connection.close()
    assert [(file.new, file.unknown_columns) for file in imported] == [(40, []), (39, []), (40, []), (41, [])]


def test_an_exchange_is_written_with_the_registers_of_the_ledger(tmp_path: Path) -> None:
    town = plan_town(7, 24)
    swap = town.exchange
    assert swap is not None
    write_registry_files(town, tmp_path)
    rows = {row["meter"]: row for row in rows_of(tmp_path / "installations.csv")}
    old, new = rows[swap.old.id], rows[swap.new.id]
    assert old["delivery_point"] == new["delivery_point"]
    assert parse_instant(old["removed_at"]) == parse_instant(new["installed_at"]) == swap.at
    assert (Decimal(old["end_energy"]), old["energy_unit"]) == register(swap.old, swap.at)
    assert (Decimal(new["start_energy"]), new["energy_unit"]) == register(swap.new, swap.at)
    assert swap.new.installed_at - HOUR < swap.at < swap.noticed_at


def test_the_tenant_change_leaves_no_gap_and_no_overlap(tmp_path: Path) -> None:
    write_registry_files(plan_town(7, 24), tmp_path)
    contracts = rows_of(tmp_path / "contracts.csv")
    [ended] = [row for row in contracts if row["valid_to"]]
    [begun] = [row for row in contracts if row["valid_from"] == ended["valid_to"]]
    assert ended["delivery_point"] == begun["delivery_point"]
    assert ended["customer_number"] != begun["customer_number"]


def test_the_same_town_gives_the_same_octets(tmp_path: Path) -> None:
    for folder in (tmp_path / "one", tmp_path / "other"):
        folder.mkdir()
        write_registry_files(plan_town(3, 12), folder)
    assert read_folder(tmp_path / "one") == read_folder(tmp_path / "other")


def test_synthetic_customers_are_nobody_and_all_different() -> None:
    customers = [synthetic_customer(7, number) for number in range(1, 2_000)]
    assert len({customer.identity for customer in customers}) == len(customers)
    for customer in customers:
        assert customer.name.startswith("Testi")
        if customer.kind == "person":
            assert 900 <= int(customer.identity[7:10]) <= 999
    assert {customer.kind for customer in customers} == {"person", "organisation"}
