"""The town is its seed, the same on any machine; and it has what the demo promises."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaukoluenta.errors import UsageError
from kaukoluenta.periods import instant_text, local_midnight, months_within
from simulator.heat import HOUR
from simulator.layouts import LAYOUTS
from simulator.ledger import register
from simulator.meters import NO_ADDRESS, Meter, is_installed
from simulator.modbus_layouts import MODBUS_RTU, MODBUS_TCP
from simulator.modbus_meters import image
from simulator.plan import TOWN_START, plan_town
from simulator.telegrams import readout
from simulator.town import Town, config_changes, configured, story, town_slots

SMALL_TOWN = "ef651dac7d30880df2bde6b1f9bb569a8b4c6f61dec02aca56cb27e72ad5a0dd"
"""SHA-256 over every register and answer of the town of seed 7 with 8 meters and 60 hours."""


def all_meters(town: Town) -> list[Meter]:
    return [meter for line in town.lines for meter in line.meters]


def fingerprint(town: Town) -> str:
    """Everything that the town's meters would show and answer, hour by hour."""
    digest = sha256("\n".join(story(town)).encode())
    for slot in town_slots(town.start, town.hours):
        for meter in all_meters(town):
            energy = register(meter, slot)
            digest.update(f"{meter.id} {instant_text(slot)} {energy.value} {energy.unit}\n".encode())
            if meter.layout.protocol == "modbus":
                digest.update(repr(sorted(image(meter, slot).items())).encode())
            elif is_installed(meter, slot):
                digest.update(b"".join(octets for telegram in readout(meter, slot) for octets in telegram))
    return digest.hexdigest()


def test_a_small_town_is_what_it_always_was() -> None:
    """A change here changes every demo and every check that someone wrote down: say so in the CHANGELOG."""
    assert fingerprint(plan_town(7, 8, hours=60)) == SMALL_TOWN


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_another_process_with_other_hashes_lays_out_the_same_town(hash_seed: str) -> None:
    code = "from simulator.plan import plan_town; print(repr(plan_town(7, 8, hours=60)))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told == repr(plan_town(7, 8, hours=60)) + "\n"


def test_another_seed_is_another_town() -> None:
    assert {meter.id for meter in all_meters(plan_town(1, 24))}.isdisjoint(
        meter.id for meter in all_meters(plan_town(2, 24))
    )


@pytest.mark.parametrize("meters", [6, 8, 24, 100, 1000])
def test_no_meter_and_no_address_of_a_line_is_there_twice(meters: int) -> None:
    town = plan_town(7, meters, hours=30)
    assert len({meter.id for meter in all_meters(town)}) == len(all_meters(town))
    for line in town.lines:
        hung = configured(town, town.start)[line.name]
        addresses = [meter.address for meter in hung if meter.address != NO_ADDRESS]
        unaddressed = 1 if line.protocol == "mbus" else 0
        assert sorted(addresses) == list(range(1, len(hung) + 1 - unaddressed))


@pytest.mark.parametrize(
    ("meters", "lines"),
    [
        (6, {"tcp": [1], "rtu+tcp": [1]}),
        (24, {"tcp": [3], "rtu+tcp": [3]}),
        (200, {"tcp": [12, 12, 1], "rtu+tcp": [12, 12, 1]}),
    ],
)
def test_an_eighth_of_the_meters_is_on_modbus_tcp_and_an_eighth_on_modbus_rtu(
    meters: int, lines: dict[str, list[int]]
) -> None:
    modbus = [line for line in plan_town(7, meters, hours=30).lines if line.protocol == "modbus"]
    for scheme, sizes in lines.items():
        on_scheme = [line for line in modbus if line.link(502) == f"{scheme}://127.0.0.1:502"]
        assert [len(line.meters) for line in on_scheme] == sizes
    assert sum(map(len, lines.values())) == len(modbus)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**40), st.integers(6, 60))
def test_every_town_has_what_the_demo_promises(seed: int, meters: int) -> None:
    town = plan_town(seed, meters)
    now = [meter for line in configured(town, town.start).values() for meter in line]
    assert len(now) == meters
    assert {meter.layout.name for meter in now} == {
        layout.name for layout in (*LAYOUTS, MODBUS_TCP, MODBUS_RTU)
    }
    on_mbus = [line for line in town.lines if line.protocol == "mbus"]
    assert Counter(meter.address for meter in now)[NO_ADDRESS] == len(on_mbus) >= 2
    assert Counter(len(point.meters) for point in town.delivery_points) == {1: meters - 3, 2: 2}
    assert town.exchange is not None
    assert len(town.contracts) == len(town.delivery_points) + 1
    assert months_within(town.start, town.end) == ["2026-10"]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**40), st.integers(6, 30), st.integers(1, 3_000))
def test_a_span_of_any_length_gives_a_town_whose_events_lie_inside_it(
    seed: int, meters: int, hours: int
) -> None:
    town = plan_town(seed, meters, hours=hours)
    within = config_changes(town)
    within += [contract.valid_from for contract in town.contracts if contract.valid_from > town.start]
    within += [instant for fault in town.faults for instant in (fault.first, fault.after)]
    assert all(town.start < instant <= town.end for instant in within)


def test_the_config_follows_an_exchange_some_slots_later() -> None:
    town = plan_town(7, 24)
    swap = town.exchange
    assert swap is not None
    unnoticed = [slot for slot in town_slots(town.start, town.hours) if swap.at <= slot < swap.noticed_at]
    assert len(unnoticed) >= 3
    for slot, named, other in (
        (unnoticed[0], swap.old, swap.new),
        (unnoticed[-1], swap.old, swap.new),
        (swap.noticed_at, swap.new, swap.old),
    ):
        in_config = [meter for line in configured(town, slot).values() for meter in line]
        assert named in in_config
        assert other not in in_config
    assert (swap.old.line, swap.old.address) == (swap.new.line, swap.new.address)
    assert swap.old.house == swap.new.house
    assert swap.old.layout != swap.new.layout
    assert swap.old.layout.protocol == swap.new.layout.protocol == "mbus"


def test_the_new_meter_counts_on_where_the_old_one_stopped_counting() -> None:
    town = plan_town(7, 24)
    swap = town.exchange
    assert swap is not None
    one, next_day = swap.at, swap.at + 24 * HOUR
    assert register(swap.new, one) == register(swap.new, one - HOUR)
    assert register(swap.new, next_day).value > register(swap.new, one).value


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**40))
def test_exchange_and_tenant_change_keep_away_from_month_boundaries(seed: int) -> None:
    town = plan_town(seed, 8, hours=1_600)
    boundaries = [local_midnight(date(2026, month, 1)) for month in (10, 11, 12)]
    assert town.exchange is not None
    moved = [contract.valid_from for contract in town.contracts if contract.valid_from > town.start]
    for instant in (town.exchange.at, town.exchange.noticed_at, *moved):
        assert min(abs(instant - boundary) for boundary in boundaries) >= timedelta(hours=23)


@pytest.mark.parametrize(("meters", "hours"), [(5, 800), (9_001, 800), (24, 0)])
def test_a_town_that_cannot_be_is_refused(meters: int, hours: int) -> None:
    with pytest.raises(UsageError, match="Take 6 to 9000 meters"):
        plan_town(7, meters, hours=hours)


def test_the_usual_town_begins_the_day_before_a_month() -> None:
    assert instant_text(TOWN_START) == "2026-09-29T21:00:00Z"
