"""Every backend keeps what it is given: exactly, once, and beside it whatever contradicts it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store import Added, EnergyRead
from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.quantities import QUANTITIES, UNITS, Amount, register_name
from kaukoluenta.reading import Quality, Reading, Source
from tests.store.some_readings import (
    ARRIVAL,
    CORRECTION,
    DME,
    EVER,
    HOUR,
    KAM,
    LUG,
    MIDNIGHT,
    energy,
    everything,
    thorough,
)

# What goes in comes out ---------------------------------------------------------------------------

decimals = st.builds(
    lambda steps, exponent: Decimal(steps).scaleb(exponent),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-18, 18),
)
register_names = st.builds(
    register_name, st.sampled_from(sorted(QUANTITIES)), st.sampled_from([0, 0, 0, 1, 2, 999_999_999])
)


@st.composite
def amounts(draw, register: str) -> Amount:
    families = QUANTITIES[register.partition("_tariff_")[0]].families
    unit = draw(st.sampled_from([name for name, unit in UNITS.items() if unit.family in families]))
    return Amount(draw(decimals), unit)


instants = st.datetimes(datetime(2000, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))
readings = st.builds(
    Reading,
    st.sampled_from([KAM, LUG, DME]),
    instants | st.integers(0, 30).map(lambda hours: MIDNIGHT + hours * HOUR),
    st.sampled_from(Source),
    st.lists(register_names, min_size=1, max_size=12, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: amounts(name) for name in names})
    ),
    st.integers(0, 31).map(Quality),
    st.none() | instants,
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
keyed = st.lists(readings, max_size=30, unique_by=lambda r: (r.meter, r.read_at, r.source))


def exact(reading: Reading) -> tuple[object, ...]:
    """The reading with its decimals as text: Decimal("1.0") equals Decimal("1.00"), their texts differ."""
    registers = {name: (str(amount.value), amount.unit) for name, amount in reading.registers.items()}
    return (
        reading.meter,
        reading.read_at,
        list(Source).index(reading.source),
        registers,
        reading.quality,
        reading.asked_at,
        reading.meter_time,
        reading.info_code,
    )


def in_order(readings: list[Reading]) -> list[Reading]:
    return sorted(readings, key=lambda r: (r.read_at, r.meter, list(Source).index(r.source)))


@thorough
@given(given_readings=keyed, cut=st.integers(0, 30))
def test_what_goes_in_comes_out_in_any_order_and_any_cut(new_store, given_readings, cut):
    store = new_store()
    for part in (given_readings[:cut], given_readings[cut:]):
        assert store.add(part, ARRIVAL) == Added(new=len(part))
    assert [*map(exact, everything(store))] == [*map(exact, in_order(given_readings))]
    store.close()


@thorough
@given(given_readings=keyed, data=st.data())
def test_every_question_agrees_with_the_list_of_all_readings(new_store, given_readings, data):
    store = new_store()
    store.add(given_readings, ARRIVAL)
    start, end = sorted([data.draw(instants), data.draw(st.sampled_from([MIDNIGHT, EVER[1]]))])
    inside = in_order([r for r in given_readings if start <= r.read_at <= end])
    assert list(store.readings(start, end)) == [r for r in inside if r.read_at < end]
    assert store.meters(start, end) == sorted({r.meter for r in inside})
    assert store.series(KAM, start, end) == [r for r in inside if r.meter == KAM]
    assert store.instants(KAM, start, end) == sorted({r.read_at for r in inside if r.meter == KAM})
    assert list(store.energies([LUG, KAM, LUG], start, end)) == [
        EnergyRead(meter, r.read_at, r.registers["energy"])
        for meter in (KAM, LUG)
        for r in inside
        if r.meter == meter and "energy" in r.registers
    ]
    newest = {r.meter: r.read_at for r in in_order(given_readings) if r.read_at <= end}
    assert [(r.meter, r.read_at) for r in store.latest(end)] == sorted(newest.items())
    store.close()


@thorough
@given(given_readings=keyed, repeats=st.lists(st.integers(0, 29), max_size=60))
def test_a_redelivered_reading_changes_nothing(new_store, given_readings, repeats):
    store = new_store()
    store.add(given_readings, ARRIVAL)
    before = everything(store)
    again = [given_readings[place] for place in repeats if place < len(given_readings)]
    assert store.add(again, ARRIVAL) == Added(duplicate=len(again))
    assert everything(store) == before
    store.close()


# Boundaries ---------------------------------------------------------------------------------------


def test_both_ends_of_a_series_are_in_and_the_end_of_an_export_is_out(store):
    hours = [energy(read_at=MIDNIGHT + n * HOUR, value=str(100 + n)) for n in range(4)]
    store.add(hours, ARRIVAL)
    assert store.series(KAM, MIDNIGHT, MIDNIGHT + 2 * HOUR) == hours[:3]
    assert list(store.readings(MIDNIGHT, MIDNIGHT + 2 * HOUR)) == hours[:2]
    assert list(store.energies([KAM], MIDNIGHT + HOUR, MIDNIGHT + HOUR)) == [
        EnergyRead(KAM, MIDNIGHT + HOUR, Amount(Decimal(101), "kWh"))
    ]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)])
def test_an_instant_is_that_instant_to_the_microsecond(store, off):
    store.add([energy(read_at=MIDNIGHT + off)], ARRIVAL)
    found = store.at(MIDNIGHT, [KAM, LUG])
    assert found == ({KAM: [energy()]} if not off else {})


def test_a_meter_that_nobody_knows_is_absent_everywhere(store):
    store.add([energy()], ARRIVAL)
    assert store.at(MIDNIGHT, [DME]) == {}
    assert store.series(DME, *EVER) == []
    assert list(store.energies([DME], *EVER)) == []


def test_an_empty_store_answers_every_question_with_nothing(store):
    assert store.add([], ARRIVAL) == Added()
    assert (store.latest(), store.meters(*EVER), everything(store)) == ([], [], [])


# Conflicts ----------------------------------------------------------------------------------------

SAME = [
    (("100", "kWh"), ("100", "kWh")),
    (("100", "kWh"), ("100.0", "kWh")),
    (("100", "kWh"), ("0.1", "MWh")),
    (("3.6", "GJ"), ("3600", "MJ")),
    (("0", "kWh"), ("-0", "Wh")),
]


OTHER = [
    (("100", "kWh"), ("101", "kWh")),
    (("100", "kWh"), ("0.36", "GJ")),
    (("0", "kWh"), ("0", "GJ")),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_energy_in_another_unit_of_its_family_is_a_duplicate(store, first, second):
    store.add([energy(value=first[0], unit=first[1])], ARRIVAL)
    assert store.add([energy(value=second[0], unit=second[1])], ARRIVAL) == Added(duplicate=1)
    assert store.at(MIDNIGHT, [KAM])[KAM] == [energy(value=first[0], unit=first[1])]


@pytest.mark.parametrize(("first", "second"), OTHER)
@pytest.mark.parametrize("at_once", [True, False])
def test_another_value_under_the_same_key_is_kept_beside_the_first(store, first, second, at_once):
    stands = energy(value=first[0], unit=first[1])
    differs = energy(value=second[0], unit=second[1])
    if at_once:
        assert store.add([stands, differs], ARRIVAL) == Added(new=1, conflicting=1)
    else:
        store.add([stands], ARRIVAL)
        assert store.add([differs], ARRIVAL) == Added(conflicting=1)
    assert everything(store) == [stands]
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [stands, differs]}


def test_a_conflict_that_is_known_is_counted_again_and_kept_once(store):
    store.add([energy(value="100"), energy(value="101")], ARRIVAL)
    assert store.add([energy(value="101"), energy(value="0.101", unit="MWh")], ARRIVAL) == Added(
        conflicting=2
    )
    assert len(store.at(MIDNIGHT, [KAM])[KAM]) == 2


def test_a_register_more_or_less_is_a_conflict(store):
    wide = replace(energy(), registers={**energy().registers, "volume": Amount(Decimal("1.5"), "m3")})
    store.add([wide], ARRIVAL)
    assert store.add([energy()], ARRIVAL) == Added(conflicting=1)


def test_a_doubt_more_or_less_is_no_conflict(store):
    store.add([replace(energy(), quality=Quality.IMPLAUSIBLE)], ARRIVAL)
    assert store.add([energy()], ARRIVAL) == Added(duplicate=1)


def test_sources_stand_side_by_side(store):
    live, manual = energy(value="100"), energy(value="99", source=Source.MANUAL)
    assert store.add([manual, live], ARRIVAL) == Added(new=2)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [live, manual]}
    assert store.latest() == [live]


# All or nothing -----------------------------------------------------------------------------------

REFUSED = [
    ("NaN", "kWh"),
    ("sNaN", "kWh"),
    ("Infinity", "kWh"),
    ("-Infinity", "kWh"),
    ("1234567890123456", "kWh"),
    ("0.1234567890123456", "kWh"),
    ("5", "m3"),
    ("5", "parsec"),
]


@pytest.mark.parametrize(("value", "unit"), REFUSED)
def test_one_reading_that_no_store_may_keep_refuses_all_of_the_call(store, value, unit):
    with pytest.raises(KaukoluentaError):
        store.add([energy(meter=LUG), energy(value=value, unit=unit), energy(meter=DME)], ARRIVAL)
    assert everything(store) == []
    assert store.add([energy(meter=DME), energy(meter=LUG)], ARRIVAL) == Added(new=2)
    assert store.meters(*EVER) == [DME, LUG]


@pytest.mark.parametrize("read_at", [datetime(2026, 10, 1), datetime(1970, 1, 1, tzinfo=UTC)])
def test_a_naive_or_ancient_instant_is_refused(store, read_at):
    with pytest.raises(KaukoluentaError):
        store.add([energy(read_at=read_at)], ARRIVAL)


def test_a_reading_without_registers_is_refused(store):
    with pytest.raises(KaukoluentaError):
        store.add([replace(energy(), registers={})], ARRIVAL)


def test_coverage_counts_instants_and_not_sources_conflicts_or_corrections(store):
    hours = [MIDNIGHT + n * HOUR for n in range(10)]
    store.add([energy(read_at=at) for at in hours[:6]], ARRIVAL)
    store.add([energy(read_at=hours[0], source=Source.MANUAL), energy(read_at=hours[1], value="7")], ARRIVAL)
    store.correct([energy(read_at=at, value="9") for at in (hours[2], hours[7])], ARRIVAL, CORRECTION)
    store.add([energy(LUG, hours[9])], ARRIVAL)
    assert store.coverage(hours[0], hours[9]) == {KAM: 7, LUG: 1}
    assert store.coverage(hours[5], hours[7]) == {KAM: 2}
    assert store.coverage(hours[8], hours[8]) == {}
