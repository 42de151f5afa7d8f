"""In every store a correction stands over what was said, until somebody says otherwise."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from collector.store import Added, Arrival, Claim, Conflict
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source
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

# Corrections --------------------------------------------------------------------------------------


def test_a_correction_stands_over_every_source_and_conflict(store):
    store.add([energy(value="100"), energy(value="101"), energy(value="99", source=Source.REMOVAL)], ARRIVAL)
    decided = energy(value="100.5", source=Source.MANUAL)
    assert store.correct([decided], ARRIVAL, CORRECTION) == Added(new=1)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided]}
    assert store.series(KAM, *EVER) == everything(store) == store.latest() == [decided]
    assert [read.energy.value for read in store.energies([KAM], *EVER)] == [Decimal("100.5")]


def test_a_correction_may_confirm_what_stands(store):
    store.add([energy(value="100"), energy(value="101")], ARRIVAL)
    assert store.correct([energy(value="100")], ARRIVAL, CORRECTION) == Added(new=1)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [energy(value="100")]}


def test_the_newest_correction_counts_and_the_same_again_is_a_duplicate(store):
    one, two = energy(value="1", source=Source.MANUAL), energy(value="2", source=Source.MANUAL)
    store.add([energy()], ARRIVAL)
    answers = [store.correct([reading], ARRIVAL, CORRECTION) for reading in (one, one, two, two, one)]
    assert answers == [Added(new=1), Added(duplicate=1), Added(new=1), Added(duplicate=1), Added(new=1)]
    assert everything(store) == [one]


def test_a_correction_of_an_instant_without_a_reading_stands_for_itself(store):
    store.add([energy(read_at=MIDNIGHT + HOUR, value="120")], ARRIVAL)
    far = energy(read_at=MIDNIGHT - 400 * HOUR, value="90", source=Source.MANUAL)
    store.correct([far], ARRIVAL, CORRECTION)
    assert everything(store) == [far, energy(read_at=MIDNIGHT + HOUR, value="120")]
    assert store.meters(far.read_at, far.read_at) == [KAM]


def test_a_correction_decides_what_was_said_and_not_what_comes_later(store):
    decided = energy(value="100", source=Source.MANUAL)
    store.add([energy(value="90", source=Source.MANUAL)], ARRIVAL)
    store.correct([decided], ARRIVAL, CORRECTION)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided]}
    live, manual = energy(value="70"), energy(value="80", source=Source.MANUAL)
    assert store.add([live], ARRIVAL) == Added(new=1)
    assert store.add([manual], ARRIVAL) == Added(conflicting=1)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided, live, manual]}
    assert everything(store) == store.series(KAM, *EVER) == store.latest() == [decided]
    assert [read.energy.value for read in store.energies([KAM], *EVER)] == [Decimal(100)]


def test_what_was_decided_or_says_the_same_reopens_nothing(store):
    store.add([energy(value="90"), energy(value="91")], ARRIVAL)
    decided = energy(value="100", source=Source.MANUAL)
    store.correct([decided], ARRIVAL, CORRECTION)
    known = [energy(value="90"), energy(value="91"), energy(value="0.1", unit="MWh")]
    assert store.add(known, ARRIVAL) == Added(duplicate=3)
    assert store.add([decided, energy(value="100.0", source=Source.WALK_BY)], ARRIVAL) == Added(new=2)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided]}


def test_a_claim_after_a_correction_without_a_reading_is_beside_it(store):
    decided, later = energy(value="100", source=Source.MANUAL), energy(value="90", source=Source.MANUAL)
    store.correct([decided], ARRIVAL, CORRECTION)
    assert store.add([later], ARRIVAL) == Added(new=1)
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided, later]}
    assert everything(store) == [decided]


def test_a_correction_of_the_same_value_decides_anew_what_came_since(store):
    decided = energy(value="100", source=Source.MANUAL)
    store.correct([decided], ARRIVAL, CORRECTION)
    store.add([energy(value="90")], ARRIVAL)
    answers = [store.correct([decided], ARRIVAL, CORRECTION) for _ in range(2)]
    assert answers == [Added(new=1), Added(duplicate=1)]
    assert store.at(MIDNIGHT, [KAM]) == {KAM: [decided]}
    assert store.add([energy(value="90")], ARRIVAL) == Added(duplicate=1)


def test_the_places_of_those_at_odds_are_told(store):
    store.add([energy(value="100")], ARRIVAL)
    said = [
        energy(value="101"),
        energy(value="100"),
        energy(LUG),
        energy(LUG, value="99"),
        energy(value="101"),
    ]
    assert store.add(said, ARRIVAL).at_odds == (0, 3, 4)


# Conflicts that stand -----------------------------------------------------------------------------


def test_sources_and_conflicts_that_differ_are_listed_by_instant_then_meter(store):
    first, other, form = energy(value="100"), energy(value="101"), energy(value="99", source=Source.MANUAL)
    late = Arrival(ARRIVAL.received_at + HOUR, "sha256:77")
    early = energy(LUG, MIDNIGHT - HOUR), energy(LUG, MIDNIGHT - HOUR, "1", source=Source.MANUAL)
    store.add([first, energy(DME), *early], ARRIVAL)
    store.add([other, form, energy(DME, value="0.1", unit="MWh", source=Source.MANUAL)], late)
    claims = tuple(Claim(*claim) for claim in [(first, ARRIVAL), (other, late), (form, late)])
    expected = Conflict(KAM, MIDNIGHT, ("energy",), claims)
    assert [*store.conflicts(MIDNIGHT, MIDNIGHT + HOUR)] == [expected]
    assert [*store.conflicts(MIDNIGHT - HOUR, MIDNIGHT)] == [
        Conflict(LUG, MIDNIGHT - HOUR, ("energy",), tuple(Claim(one, ARRIVAL) for one in early))
    ]
    assert [one.meter for one in store.conflicts(*EVER)] == [LUG, KAM]


def test_a_conflict_is_listed_until_decided_and_again_when_reopened(store):
    store.add([energy(value="100"), energy(value="101")], ARRIVAL)
    decided, later = energy(value="101", source=Source.MANUAL), energy(value="99", source=Source.WALK_BY)
    store.correct([decided], ARRIVAL, CORRECTION)
    assert [*store.conflicts(*EVER)] == []
    store.add([later], ARRIVAL)
    (conflict,) = store.conflicts(*EVER)
    assert conflict.claims == (Claim(decided, ARRIVAL, CORRECTION), Claim(later, ARRIVAL))


def test_a_register_that_another_source_leaves_out_is_no_conflict_but_one_that_differs_is(store):
    def wide(volume: str, source: Source = Source.LIVE, meter=KAM) -> Reading:
        registers = {**energy().registers, "volume": Amount(Decimal(volume), "m3")}
        return replace(energy(meter, source=source), registers=registers)

    store.add([wide("1.5"), energy(source=Source.MANUAL)], ARRIVAL)
    assert [*store.conflicts(*EVER)] == []
    store.add([wide("1.6", Source.WALK_BY), wide("2", meter=LUG), energy(LUG)], ARRIVAL)
    assert [(one.meter, one.registers) for one in store.conflicts(*EVER)] == [
        (KAM, ("volume",)),
        (LUG, ("volume",)),
    ]


@thorough
@given(
    corrected=st.sets(st.integers(0, 19)),
    values=st.lists(st.integers(0, 3), min_size=20, max_size=20),
)
def test_an_hour_stands_corrected_exactly_where_it_was_corrected(new_store, corrected, values):
    store = new_store()
    hours = [energy(read_at=MIDNIGHT + n * HOUR, value=str(value)) for n, value in enumerate(values)]
    fixed = [energy(read_at=MIDNIGHT + n * HOUR, value="9", source=Source.MANUAL) for n in sorted(corrected)]
    store.add(hours, ARRIVAL)
    store.correct(fixed, ARRIVAL, CORRECTION)
    wanted = {r.read_at: r for r in [*hours, *fixed]}
    assert everything(store) == [wanted[instant] for instant in sorted(wanted)]
    assert store.instants(KAM, *EVER) == sorted(wanted)
    store.close()
