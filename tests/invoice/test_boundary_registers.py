"""Where a boundary comes from: the form at an exchange, a reading of that very instant elsewhere."""

import pytest

from billing.reasons import Reason
from billing.rounding import plain


def bounds(extract):
    assert not extract.refused
    return [(plain(leg.start), plain(leg.end)) for leg in extract.rows[0].legs]


def reasons(extract):
    assert not extract.rows
    return [refusal.reason for refusal in extract.refused]


@pytest.mark.parametrize(
    "source", ["live", "due-date", "log", "walk-by", "manual", "removal", "installation"]
)
def test_a_reading_of_any_source_is_a_boundary(office, source):
    office.contract("S-1")
    office.installed("KAM-00000001")
    office.read("KAM-00000001", "2026-10-01", "1", source=source)
    office.read("KAM-00000001", "2026-11-01", "2", source=source)
    assert bounds(office.bill()) == [("1", "2")]


@pytest.mark.parametrize(
    ("unit", "read", "read_in", "start"),
    [
        ("kWh", "0.1", "MWh", "100"),
        ("MWh", "100", "kWh", "0.100"),
        ("Wh", "1.5", "kWh", "1500"),
        ("GJ", "1500", "MJ", "1.500"),
        ("kJ", "1.5", "GJ", "1500000"),
    ],
)
def test_a_reading_in_another_unit_of_the_family_is_converted_exactly(office, unit, read, read_in, start):
    office.contract("S-1")
    office.installed("KAM-00000001", unit=unit)
    office.read("KAM-00000001", "2026-10-01", read, read_in)
    office.read("KAM-00000001", "2026-11-01", "1000", "GWh" if unit.endswith("Wh") else "GJ")
    assert bounds(office.bill())[0][0] == start


def test_a_reading_a_second_away_is_no_boundary(simple):
    simple.installations.clear()
    simple.installed("KAM-00000002")
    simple.read("KAM-00000002", "2026-10-01T00:00:01+03:00", "1")
    simple.read("KAM-00000002", "2026-10-31T23:59:59+02:00", "2")
    assert reasons(simple.bill()) == [Reason.NO_READING]


def test_the_form_is_the_boundary_at_an_edge_of_the_row_too(office):
    office.contract("S-1")
    office.installed("KAM-00000001", since="2026-10-01", start="3", until="2026-11-01", end="8")
    assert bounds(office.bill()) == [("3", "8")]


def test_the_form_stands_against_readings_of_its_instant(office):
    """A bare date was written later that day: at midnight the register was lower, and that is no conflict."""
    office.contract("S-1")
    office.installed("KAM-00000001", until="2026-10-10", end="60.4")
    office.installed("KAM-00000002", since="2026-10-10", start="0.3")
    office.read("KAM-00000001", "2026-10-01", "50")
    office.read("KAM-00000001", "2026-10-10", "59")
    office.read("KAM-00000001", "2026-10-10", "61", source="manual")
    office.read("KAM-00000002", "2026-10-10", "0")
    office.read("KAM-00000002", "2026-11-01", "20")
    assert bounds(office.bill()) == [("50", "60.4"), ("0.3", "20")]


def test_start_energy_may_be_empty_where_it_is_no_boundary(simple):
    assert simple.installations[0].start_energy is None
    assert simple.bill().rows


@pytest.mark.parametrize("source", ["live", "installation", "manual"])
def test_a_reading_stands_in_for_an_empty_start_energy(office, source):
    office.contract("S-1", since="2026-10-10")
    office.installed("KAM-00000001", since="2026-10-10")
    office.read("KAM-00000001", "2026-10-10", "4", source=source)
    office.read("KAM-00000001", "2026-11-01", "9")
    assert bounds(office.bill()) == [("4", "9")]


def test_an_empty_start_energy_without_a_reading_refuses(office):
    office.contract("S-1", since="2026-10-10")
    office.installed("KAM-00000001", since="2026-10-10")
    office.read("KAM-00000001", "2026-11-01", "9")
    assert reasons(office.bill()) == [Reason.NO_READING]


@pytest.mark.parametrize(
    ("source", "outcome"),
    [("removal", None), ("live", Reason.NO_REMOVAL_READING), ("manual", Reason.NO_REMOVAL_READING)],
)
def test_only_a_removal_reading_stands_in_for_an_empty_end_energy(office, source, outcome):
    """A scheduled reading from before the meter came off would lose what it still counted."""
    office.contract("S-1", until="2026-10-10T10:00:00+03:00")
    office.installed("KAM-00000001", until="2026-10-10T10:00:00+03:00")
    office.read("KAM-00000001", "2026-10-01", "4")
    office.read("KAM-00000001", "2026-10-10T10:00:00+03:00", "9", source=source)
    extract = office.bill()
    if outcome:
        assert reasons(extract) == [outcome]
    else:
        assert bounds(extract) == [("4", "9")]


@pytest.mark.parametrize(("live", "outcome"), [("9", []), ("8", [Reason.CONFLICT])])
def test_a_removal_reading_must_agree_with_all_that_is_claimed_of_its_instant(office, live, outcome):
    office.contract("S-1", until="2026-10-10T10:00:00+03:00")
    office.installed("KAM-00000001", until="2026-10-10T10:00:00+03:00")
    office.read("KAM-00000001", "2026-10-01", "4")
    office.read("KAM-00000001", "2026-10-10T10:00:00+03:00", "9", source="removal")
    office.read("KAM-00000001", "2026-10-10T10:00:00+03:00", live, source="live")
    assert [refusal.reason for refusal in office.bill().refused] == outcome


def test_end_energy_may_be_empty_when_the_removal_comes_after_the_period(simple):
    simple.installations.clear()
    simple.installed("KAM-00000001", until="2026-11-10")
    assert bounds(simple.bill()) == [("100", "350.5")]


def test_sources_that_agree_are_no_conflict(simple):
    simple.read("KAM-00000001", "2026-11-01", "0.3505", "MWh", source="manual")
    simple.read("KAM-00000001", "2026-11-01", "350.50", source="due-date")
    assert bounds(simple.bill())[0][0] == "100"


def test_a_correction_decides_a_conflict(simple):
    simple.read("KAM-00000001", "2026-11-01", "350.6", source="manual")
    assert reasons(simple.bill()) == [Reason.CONFLICT]
    simple.corrected("KAM-00000001", "2026-11-01", "350.4")
    assert bounds(simple.bill()) == [("100", "350.4")]


@pytest.mark.parametrize("source", ["live", "walk-by", "manual"])
def test_another_value_after_a_correction_refuses_until_the_next(simple, source):
    simple.corrected("KAM-00000001", "2026-11-01", "350.4")
    simple.read("KAM-00000001", "2026-11-01", "350.6", source=source)
    assert reasons(simple.bill()) == [Reason.CONFLICT]
    simple.corrected("KAM-00000001", "2026-11-01", "350.4")
    assert bounds(simple.bill()) == [("100", "350.4")]


@pytest.mark.parametrize(
    ("value", "unit", "source"), [("350.40", "kWh", "manual"), ("0.3504", "MWh", "walk-by")]
)
def test_the_corrected_value_said_again_refuses_nothing(simple, value, unit, source):
    simple.corrected("KAM-00000001", "2026-11-01", "350.4")
    simple.read("KAM-00000001", "2026-11-01", value, unit, source=source)
    assert bounds(simple.bill()) == [("100", "350.4")]
