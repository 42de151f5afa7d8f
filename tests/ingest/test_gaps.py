"""Which meters miss which slots: what gateways said they missed, and what nobody said anything about."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.books import open_books
from collector.entries import Entries
from collector.gaps import SILENCE, find_gaps, singly, window
from collector.store import Arrival
from collector.store.backends import open_store
from kaukoluenta.gateway_state import GatewayState
from kaukoluenta.payload import Missed
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOWN = "kirkonkyla-1"


class Town:
    """A collector's database with what a gateway would have brought there; hours count from noon."""

    def __init__(self, store, books) -> None:
        self.store, self.books = store, books

    def read(self, meter: str, *hours: float, source: Source = Source.LIVE) -> None:
        entries = Entries()
        for hour in hours:
            reading = Reading(meter, NOON + hour * HOUR, source, {"energy": Amount(Decimal(7), "kWh")})
            self.store.add([reading], Arrival(NOON, "test"))
            if source is Source.LIVE:
                entries.heard_of(meter, TOWN, reading.read_at)
        self.books.record(entries, NOON)

    def miss(self, meter: str, hour: float, reason: str = "no answer") -> None:
        entries = Entries(missed=[(TOWN, Missed(meter, NOON + hour * HOUR, reason))])
        entries.heard_of(meter, TOWN, NOON + hour * HOUR)
        self.books.record(entries, NOON)

    def name(self, *meters: str, every: timedelta = HOUR, at: float = 0) -> None:
        state = GatewayState(online=True, every_s=int(every.total_seconds()), lines={"a": [*meters]})
        self.books.record(Entries(states=[(TOWN, state)]), NOON + at * HOUR)

    def gaps(self, start: float = 0, end: float = 6, every: timedelta | None = None):
        """(meter, hours, reason) of each gap."""
        found = find_gaps(self.store, self.books, NOON + start * HOUR, NOON + end * HOUR, every)
        return [(gap.meter, [(slot - NOON) / HOUR for slot in gap.slots], gap.reason) for gap in found]


@pytest.fixture
def town(tmp_path):
    with ExitStack() as opened:
        yield Town(
            opened.enter_context(closing(open_store("sqlite", tmp_path / "collector.db"))),
            opened.enter_context(closing(open_books(tmp_path / "collector.db"))),
        )


def test_a_town_without_gaps_has_none(town):
    town.name("KAM-1")
    town.read("KAM-1", *range(6))
    assert town.gaps() == []


def test_slots_in_a_row_for_one_reason_are_one_gap(town):
    town.read("KAM-1", 0, 5)
    for hour, reason in [(1, "no answer"), (2, "no answer"), (3, "line down")]:
        town.miss("KAM-1", hour, reason)
    assert town.gaps() == [
        ("KAM-1", [1, 2], "no answer"),
        ("KAM-1", [3], "line down"),
        ("KAM-1", [4], SILENCE),
    ]


def test_a_reading_between_parts_a_gap_and_may_come_from_any_source(town):
    town.read("KAM-1", 0, 5)
    town.read("KAM-1", 2, source=Source.MANUAL)
    assert town.gaps() == [("KAM-1", [1], SILENCE), ("KAM-1", [3, 4], SILENCE)]


def test_a_reading_stands_over_a_missed_slot(town):
    town.read("KAM-1", 0, 1, 2)
    town.miss("KAM-1", 1)
    assert town.gaps(end=3) == []


def test_a_meter_is_expected_from_its_first_slot(town):
    town.read("KAM-1", 3, 4, 5)
    assert town.gaps() == []


def test_a_meter_that_never_spoke_is_expected_since_it_was_named(town):
    town.name("KAM-1", at=2.5)
    assert town.gaps() == [("KAM-1", [3, 4, 5], SILENCE)]


def test_a_meter_taken_out_is_expected_up_to_its_last_slot_only(town):
    town.name("KAM-1", "LUG-2")
    town.read("KAM-1", 0, 1, 3)
    town.read("LUG-2", *range(6))
    town.name("LUG-2", at=4)
    assert town.gaps() == [("KAM-1", [2], SILENCE)]


def test_a_meter_taken_out_before_it_ever_spoke_is_not_expected(town):
    town.name("KAM-1", "LUG-2")
    town.name("LUG-2", at=1)
    town.read("LUG-2", *range(6))
    assert town.gaps() == []


def test_a_gateway_that_died_leaves_its_meters_expected(town):
    town.name("KAM-1")
    town.read("KAM-1", 0, 1)
    town.books.record(Entries(states=[(TOWN, GatewayState(online=False))]), NOON + 2 * HOUR)
    assert town.gaps() == [("KAM-1", [2, 3, 4, 5], SILENCE)]


def test_a_meter_of_a_file_that_no_gateway_reads_is_not_expected(town):
    town.read("KAM-1", 0, 5, source=Source.MANUAL)
    assert town.gaps() == []


@pytest.mark.parametrize(
    ("said", "asked", "missing"),
    [
        (HOUR, None, [1]),
        (timedelta(minutes=30), None, [0.5, 1, 1.5]),
        (timedelta(minutes=30), HOUR, [1]),
        (timedelta(0), None, [1]),
    ],
)
def test_slots_are_as_far_apart_as_the_gateway_says_or_as_is_asked(town, said, asked, missing):
    town.name("KAM-1", every=said)
    town.read("KAM-1", 0, 2)
    assert town.gaps(end=2.2, every=asked) == [("KAM-1", missing, SILENCE)]


def test_the_window_begins_where_it_is_told_and_ends_before_its_end(town):
    town.name("KAM-1")
    town.read("KAM-1", 0)
    assert town.gaps(start=1.5, end=4) == [("KAM-1", [2, 3], SILENCE)]


def test_each_slot_may_be_asked_for_singly(town):
    town.name("KAM-1")
    town.read("KAM-1", 0)
    found = find_gaps(town.store, town.books, NOON, NOON + 3 * HOUR)
    assert [gap.slots for gap in singly(found)] == [(NOON + HOUR,), (NOON + 2 * HOUR,)]


def test_by_default_the_window_ends_where_slots_should_have_arrived_by_now(town):
    town.read("KAM-1", 0)
    start, end = window(town.books, NOON + HOUR, None, None)
    assert (start, end) == (
        NOON + HOUR - timedelta(minutes=15) - timedelta(days=40),
        NOON + timedelta(minutes=45),
    )
    assert window(town.books, NOON - 9 * HOUR, None, None)[1] == NOON
    assert window(town.books, NOON, NOON - HOUR, NOON + HOUR) == (NOON - HOUR, NOON + HOUR)


def test_the_command_tells_programs_and_people(town, tmp_path):
    town.read("KAM-1", 0, 4)
    town.miss("KAM-1", 1)
    command = [
        sys.executable,
        "-m",
        "collector",
        "gaps",
        "--from",
        "2026-10-01T12:00:00Z",
        "--to",
        "2026-10-01T18:00:00Z",
    ]
    environment = {"KAUKOLUENTA_DATA": str(tmp_path), "PATH": ""}
    asked = subprocess.run([*command, "--json"], env=environment, capture_output=True, check=True)
    gaps = [("13", "13", 1, "no answer"), ("14", "15", 2, SILENCE), ("17", "17", 1, SILENCE)]
    assert json.loads(asked.stdout) == {
        "from": "2026-10-01T12:00:00Z",
        "to": "2026-10-01T18:00:00Z",
        "gaps": [
            {
                "meter": "KAM-1",
                "first": f"2026-10-01T{first}:00:00Z",
                "last": f"2026-10-01T{last}:00:00Z",
                "slots": slots,
                "silent": reason == SILENCE,
                "reason": reason,
            }
            for first, last, slots, reason in gaps
        ],
    }
    shown = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
    assert "KAM-1  2026-10-01 16:00+03:00  2026-10-01 16:00+03:00  1      no answer" in shown
