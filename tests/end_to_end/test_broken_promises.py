"""The demo's check must be able to fail: each promise is broken on purpose, and seen."""

import json
import sqlite3
from contextlib import closing
from decimal import Decimal

import pytest

from simulator.check import check_town, read_outbox, read_store

MONTH = "2026-10"
SOME_READING = "SELECT span, meter, read_at, source FROM reading ORDER BY read_at, meter LIMIT 1 OFFSET 50"


def books(plan, data):
    """What the gateway sent and what the collector stored."""
    return read_outbox(data / "gateway-town-1.db"), read_store(plan, data / "collector.db")


@pytest.fixture
def verdict(copy_of_town, plan):
    """Check the copy after its store, outbox or bill was falsified."""

    def check(store=(), outbox=(), falsify_bill=None):
        data = copy_of_town / "data"
        for file, statements in (("collector.db", store), ("gateway-town-1.db", outbox)):
            with closing(sqlite3.connect(data / file, isolation_level=None)) as database:
                for statement in statements:
                    assert database.execute(statement).rowcount != 0
        bill = json.loads((copy_of_town / f"bill-{MONTH}.json").read_text())
        if falsify_bill:
            falsify_bill(bill)
        return check_town(plan, *books(plan, data), {MONTH: bill})

    return check


def test_the_untouched_town_holds_all_promises(verdict):
    found = verdict()
    assert (found.differences, found.lost, found.doubled, found.energy_conserved) == ([], 0, 0, True)


def test_a_dropped_row_is_lost(verdict):
    found = verdict(store=[f"DELETE FROM reading WHERE (span, meter, read_at, source) IN ({SOME_READING})"])
    assert (found.lost, found.doubled) == (1, 0)
    assert found.differences


def test_a_row_stored_twice_is_doubled(verdict):
    columns = "span, meter, read_at, 5, layout, quality, asked_at, meter_time, info_code, arrival, amounts"
    found = verdict(
        store=[f"INSERT INTO reading SELECT {columns} FROM reading ORDER BY read_at, meter LIMIT 1 OFFSET 50"]
    )
    assert found.doubled >= 1
    assert found.lost == 0


def test_a_conflict_kept_beside_a_row_is_doubled(verdict):
    columns = (
        "span, meter, read_at, source, layout, quality, asked_at, meter_time, info_code, arrival, amounts"
    )
    found = verdict(
        store=[f"INSERT INTO conflict ({columns}) SELECT {columns} FROM reading ORDER BY read_at LIMIT 1"]
    )
    assert (found.lost, found.doubled) == (0, 1)


def test_a_changed_value_is_one_lost_and_one_too_many(verdict):
    found = verdict(
        store=[
            "DROP TRIGGER reading_never_changes",
            "UPDATE reading SET amounts = '1' || amounts "
            f"WHERE (span, meter, read_at, source) IN ({SOME_READING})",
        ]
    )
    assert (found.lost, found.doubled) == (1, 1)


def test_a_slot_missing_from_the_outbox_is_lost(verdict):
    assert verdict(outbox=["DELETE FROM batches WHERE seq = 100"]).lost > 0


@pytest.mark.parametrize("change", [Decimal("0.001"), Decimal("-1")])
def test_energy_that_was_not_metered_is_seen(verdict, change):
    def falsify(bill):
        bill["rows"][0]["energy"] = str(Decimal(bill["rows"][0]["energy"]) + change)

    found = verdict(falsify_bill=falsify)
    assert not found.energy_conserved
    assert "energy billed = energy metered: no" in str(found)


def test_a_row_that_was_not_billed_is_seen(verdict):
    assert not verdict(falsify_bill=lambda bill: bill["rows"].pop()).energy_conserved


def test_a_refused_row_is_no_success(verdict):
    refusal = {
        "delivery_point": "KP-1",
        "contract": "S-1",
        "meter": None,
        "reason": "no_reading",
        "detail": "",
    }
    found = verdict(falsify_bill=lambda bill: bill["refused"].append(refusal))
    assert any("refused" in difference for difference in found.differences)


def test_a_span_without_a_complete_month_is_no_success(plan, plain_town):
    data = plain_town.folder / "data"
    found = check_town(plan, *books(plan, data), {})
    assert not found.energy_conserved
