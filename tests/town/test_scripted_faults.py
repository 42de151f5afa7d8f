"""Faults are part of the script: a function of seed, meter and instant, away from every boundary."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.faults import SCRIPT, FaultKind, fault_finder, plan_faults
from simulator.heat import HOUR
from simulator.meters import NO_ADDRESS
from simulator.modbus_device import ModbusFault
from simulator.plan import plan_town
from simulator.town import configured, month_starts, town_slots

SEEDS = st.integers(0, 2**40)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(6, 60), st.integers(1, 2_500))
def test_no_fault_covers_a_boundary_that_billing_needs(seed: int, meters: int, hours: int) -> None:
    town = plan_town(seed, meters, hours=hours)
    boundaries = month_starts(town.start, town.end)
    boundaries += [contract.valid_from for contract in town.contracts if contract.valid_from > town.start]
    for fault in town.faults:
        assert not any(fault.first <= boundary < fault.after for boundary in boundaries)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_exchanged_meters_have_no_other_fault(seed: int) -> None:
    town = plan_town(seed, 24)
    assert town.exchange is not None
    ids = {town.exchange.old.id, town.exchange.new.id}
    assert not any(fault.meter.id in ids for fault in town.faults)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_every_kind_of_fault_is_played_in_an_ordinary_town(seed: int) -> None:
    kinds = Counter(fault.kind for fault in plan_town(seed, 24).faults)
    assert set(kinds) == {scripted.kind for scripted in SCRIPT} >= set(FaultKind)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_only_a_meter_with_an_address_answers_under_another(seed: int) -> None:
    foreign = [fault for fault in plan_town(seed, 24).faults if fault.kind is FaultKind.FOREIGN]
    assert all(fault.meter.address != NO_ADDRESS for fault in foreign)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(6, 60))
def test_each_meter_has_the_faults_of_its_own_protocol(seed: int, meters: int) -> None:
    for fault in plan_town(seed, meters).faults:
        kinds = {"mbus": FaultKind, "modbus": ModbusFault}[fault.meter.layout.protocol]
        assert isinstance(fault.kind, kinds)
        if fault.kind is ModbusFault.FOREIGN_FIRST:
            assert fault.meter.layout.link == "tcp"


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([8, 24, 60]))
def test_lines_of_one_protocol_get_equally_many_faults(seed: int, meters: int) -> None:
    town = plan_town(seed, meters)
    counts = Counter(fault.meter.line for fault in town.faults)
    for protocol in ("mbus", "modbus"):
        on_lines = [counts[line.name] for line in town.lines if line.protocol == protocol]
        assert max(on_lines) - min(on_lines) <= 1


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_faults_of_several_lines_begin_together_but_a_line_has_one_at_a_time(seed: int) -> None:
    """Silence costs real time: on several lines at once it costs it once."""
    faults = plan_town(seed, 24).faults
    assert len(faults) == 20
    assert len({fault.first for fault in faults}) <= 8
    by_line = sorted(faults, key=lambda fault: (fault.meter.line, fault.first))
    for one, other in pairwise(by_line):
        assert one.meter.line != other.meter.line or one.after <= other.first


def test_a_larger_town_has_more_faults() -> None:
    small, large = (len(plan_town(7, meters).faults) for meters in (24, 240))
    assert large > 5 * small


def test_a_fault_holds_for_its_whole_slot_and_for_its_meter_alone() -> None:
    town = plan_town(7, 24)
    fault_at = fault_finder(town.faults, FaultKind)
    [silent] = [fault for fault in town.faults if fault.kind is FaultKind.SILENT]
    others = [m for line in configured(town, town.start).values() for m in line if m is not silent.meter]
    assert fault_at(silent.meter, silent.first) is FaultKind.SILENT
    assert fault_at(silent.meter, silent.after - timedelta(microseconds=1)) is FaultKind.SILENT
    assert fault_at(silent.meter, silent.first - timedelta(microseconds=1)) is None
    assert fault_at(silent.meter, silent.after) is None
    assert not any(fault_at(meter, silent.first) is FaultKind.SILENT for meter in others)


def test_with_boundaries_everywhere_there_is_no_room_for_a_fault() -> None:
    start = datetime(2026, 9, 29, 21, tzinfo=UTC)
    slots = town_slots(start, 100)
    meters = [meter for line in plan_town(7, 24).lines for meter in line.meters]
    assert plan_faults(7, meters, slots, set()) != ()
    assert plan_faults(7, meters, slots, {start + hour * HOUR for hour in range(0, 101, 2)}) == ()
