"""Cut time anywhere, exchange meters, change tenants: the parts add up to what the registers counted.

Every story begins and ends at a month's boundary, so that its months bill all of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.rounding import EXACT, exact_sum, register_in_kwh
from kaukoluenta.periods import instant_text, month, months_within
from kaukoluenta.quantities import Amount

FIRST, LAST = month("2026-02"), month("2026-11")
"""Across both changes to and from summer time."""

UNITS = {"Wh": 0, "kWh": -3, "MWh": -6, "kJ": 0, "MJ": -2, "GJ": -5}
"""Unit and exponent of a register."""

instants = st.integers(1, int((LAST.end - FIRST.start) / timedelta(minutes=1)) - 1).map(
    lambda minutes: FIRST.start + timedelta(minutes=minutes)
)


@dataclass(frozen=True)
class Meter:
    """One meter of a chain: it hangs in [since, until), counts in its unit, and begins at `start` steps."""

    since: datetime
    until: datetime
    unit: str
    start: int

    def register(self, steps: int) -> Decimal:
        return Decimal(self.start + steps).scaleb(UNITS[self.unit])


@st.composite
def chains(draw):
    """Meters that follow each other without a gap, from before the story until after it."""
    exchanges = sorted(draw(st.sets(instants, max_size=3)))
    ends = [datetime(2020, 1, 1, tzinfo=UTC), *exchanges, datetime(2030, 1, 1, tzinfo=UTC)]
    return [
        Meter(since, until, draw(st.sampled_from(sorted(UNITS))), draw(st.integers(0, 10**7)))
        for since, until in pairwise(ends)
    ]


@st.composite
def stories(draw):
    tenants = sorted(draw(st.sets(instants, max_size=3)))
    return {
        "chains": draw(st.lists(chains(), min_size=1, max_size=2)),
        "tenants": [FIRST.start, *tenants, LAST.end],
        "between": sorted(draw(st.sets(instants, max_size=5))),
        "rates": draw(st.lists(st.integers(0, 10**6), min_size=1, max_size=7)),
    }


def tell(office, story):
    """Write the story into an office; return what its registers counted, in kWh."""
    for number, (since, until) in enumerate(pairwise(story["tenants"])):
        office.contract(f"S-{number}", instant_text(since), instant_text(until))
    starts = [month(name).start for name in months_within(FIRST.start, LAST.end)]
    asked = sorted({*starts, LAST.end, *story["tenants"], *story["between"]})
    return exact_sum(
        _hang(office, f"KAM-{place}{number}", meter, asked, story["rates"])
        for place, chain in enumerate(story["chains"])
        for number, meter in enumerate(chain)
    )


def _hang(office, name, meter, asked, rates):
    """Install a meter and read it wherever its form does not settle the register; its kWh in the story."""
    exchanged_in, exchanged_out = meter.since > FIRST.start, meter.until < LAST.end
    way = [at for at in asked if meter.since < at < meter.until]
    way = ([meter.since] if exchanged_in else []) + way + ([meter.until] if exchanged_out else [])
    registers, steps = {}, 0
    for number, at in enumerate(way):
        registers[at] = meter.register(steps)
        steps += rates[number % len(rates)]
    office.installed(
        name,
        instant_text(meter.since),
        f"{registers[meter.since]:f}" if exchanged_in else "",
        instant_text(meter.until),
        f"{registers[meter.until]:f}" if exchanged_out else "",
        meter.unit,
    )
    for at in way:
        if meter.since < at < meter.until:
            office.read(name, instant_text(at), f"{registers[at]:f}", meter.unit)
    begin, end = (register_in_kwh(Amount(registers[at], meter.unit)) for at in (way[0], way[-1]))
    return EXACT.subtract(end, begin)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_all_months_and_tenants_together_are_what_the_registers_counted(new_office, story):
    office = new_office()
    counted = tell(office, story)
    extracts = [office.bill(name) for name in months_within(FIRST.start, LAST.end)]
    assert not any(extract.refused or extract.warnings for extract in extracts)
    assert exact_sum(extract.energy for extract in extracts) == counted


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_a_row_is_the_exact_sum_of_its_legs_and_rows_do_not_overlap(new_office, story):
    office = new_office()
    tell(office, story)
    for name in months_within(FIRST.start, LAST.end):
        period, extract = month(name), office.bill(name)
        assert [row.energy for row in extract.rows] == [
            exact_sum(leg.energy for leg in row.legs) for row in extract.rows
        ]
        cuts = [(row.since, row.until) for row in extract.rows]
        assert (cuts[0][0], cuts[-1][1]) == (period.start, period.end)
        assert all(before[1] == after[0] for before, after in pairwise(cuts))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories(), data=st.data())
def test_a_missing_boundary_is_refused_and_never_made_up_elsewhere(new_office, story, data):
    """Leave one needed reading out: its rows are refused, all other rows stay as they were."""
    whole, holed = new_office(), new_office()
    tell(whole, story)
    needed = sorted(
        {
            (leg.meter, at)
            for row in whole.bill("2026-07").rows
            for leg in row.legs
            for at in _read_ends(leg, whole)
        }
    )
    if not needed:
        return
    gone = data.draw(st.sampled_from(needed))
    read = holed.read
    holed.read = lambda meter, at, *rest: None if (meter, at) == gone else read(meter, at, *rest)
    tell(holed, story)
    before, after = whole.bill("2026-07"), holed.bill("2026-07")
    assert {refusal.reason for refusal in after.refused} == {"no_reading"}
    assert set(after.rows) < set(before.rows)
    assert len(after.rows) + len({refusal.contract for refusal in after.refused}) == len(before.rows)


def _read_ends(leg, office):
    """The ends of a leg that a reading settles, as text."""
    [form] = [one for one in office.installations if one.meter == leg.meter]
    return [
        instant_text(at) for at in (leg.since, leg.until) if at not in (form.installed_at, form.removed_at)
    ]
