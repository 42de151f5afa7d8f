"""One unprovable leg refuses its whole row, once for each reason. Never guessed, never 0."""

import pytest

from billing.reasons import REMEDIES, Reason

METER = "KAM-00000001"


def refused(extract):
    return [(refusal.contract, refusal.meter, str(refusal.reason)) for refusal in extract.refused]


def fresh(office):
    office.contract("S-1")
    office.installed(METER)


def no_start(office):
    fresh(office)
    office.read(METER, "2026-11-01", "5")


def no_end(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")


def no_reading_at_all(office):
    fresh(office)


def no_reading_at_the_tenant_change(office):
    office.contract("S-1", until="2026-10-17")
    office.installed(METER)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-10-17T01:00:00+03:00", "6")


def only_volume(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read_volume(METER, "2026-11-01", "6")


def lower_at_the_end(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-11-01", "4.999")


def lower_between(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-10-15", "90", source="walk-by")
    office.read(METER, "2026-10-15T01:00:00+03:00", "89.99")
    office.read(METER, "2026-11-01", "100")


def lower_than_the_form_said(office):
    office.contract("S-1", since="2026-10-10")
    office.installed(METER, since="2026-10-10", start="5")
    office.read(METER, "2026-10-11", "4")
    office.read(METER, "2026-11-01", "9")


def removed_lower_than_read(office):
    office.contract("S-1", until="2026-10-10")
    office.installed(METER, until="2026-10-10", end="8")
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-10-09", "9", source="manual")


def lower_on_a_form_without_hours(office):
    office.contract("S-1", until="2026-10-10T12:00:00+03:00")
    office.installed(METER, until="2026-10-10T12:00:00+03:00", end="8")
    office.installed("KAM-00000002", since="2026-10-10", start="9", until="2026-10-10", end="8")
    office.read(METER, "2026-10-01", "5")


def lower_in_another_unit(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5000")
    office.read(METER, "2026-10-15", "4.999", "MWh")
    office.read(METER, "2026-11-01", "5001")


def removed_without_a_register(office):
    office.contract("S-1")
    office.installed(METER, until="2026-10-10")
    office.installed("KAM-00000002", since="2026-10-10", start="0")
    office.read(METER, "2026-10-01", "5")
    office.read("KAM-00000002", "2026-11-01", "5")


def never_installed(office):
    office.contract("S-1")
    office.installed(METER, point="P-2")


def installed_at_other_times(office):
    office.contract("S-1")
    office.installed(METER, until="2026-10-01", end="5")
    office.installed("KAM-00000002", since="2026-11-01", start="5")


def only_for_no_time(office):
    office.contract("S-1")
    office.installed(METER, since="2026-10-10", start="0", until="2026-10-10", end="5")


def two_sources_differ(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-11-01", "9", source="live")
    office.read(METER, "2026-11-01", "10", source="manual")


def one_source_differs(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-10-01", "5.5")
    office.read(METER, "2026-11-01", "9")


def read_in_joules(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5", "GJ")
    office.read(METER, "2026-11-01", "9", "GJ")


def read_in_joules_between(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-10-15", "6", "MJ")
    office.read(METER, "2026-11-01", "9")


def installed_in_joules(office):
    office.contract("S-1", until="2026-10-10")
    office.installed(METER, until="2026-10-10", end="12", unit="GJ")
    office.read(METER, "2026-10-01", "5", "MWh")


def kilowatt_hours_and_joules_at_once(office):
    fresh(office)
    office.read(METER, "2026-10-01", "5")
    office.read(METER, "2026-11-01", "9", source="live")
    office.read(METER, "2026-11-01", "9", "GJ", source="manual")


def many_things_at_once(office):
    fresh(office)
    office.read(METER, "2026-10-02", "5")
    office.read(METER, "2026-10-03", "4")
    office.read(METER, "2026-10-04", "4", "GJ")
    office.read(METER, "2026-11-01", "9", source="live")
    office.read(METER, "2026-11-01", "10", source="manual")


CASES = [
    (no_start, ["no_reading"]),
    (no_end, ["no_reading"]),
    (no_reading_at_all, ["no_reading"]),
    (no_reading_at_the_tenant_change, ["no_reading"]),
    (only_volume, ["no_reading"]),
    (lower_at_the_end, ["went_back"]),
    (lower_between, ["went_back"]),
    (lower_than_the_form_said, ["went_back"]),
    (removed_lower_than_read, ["went_back"]),
    (lower_in_another_unit, ["went_back"]),
    (removed_without_a_register, ["no_removal_reading"]),
    (two_sources_differ, ["conflict"]),
    (one_source_differs, ["conflict"]),
    (read_in_joules, ["unit"]),
    (read_in_joules_between, ["unit"]),
    (installed_in_joules, ["unit"]),
    (kilowatt_hours_and_joules_at_once, ["conflict", "unit"]),
    (many_things_at_once, ["no_reading", "went_back", "conflict", "unit"]),
]


@pytest.mark.parametrize(("story", "reasons"), CASES, ids=lambda value: getattr(value, "__name__", None))
def test_a_leg_that_cannot_be_proven_refuses_its_row(office, story, reasons):
    story(office)
    extract = office.bill()
    assert not extract.rows
    assert refused(extract) == [("S-1", METER, reason) for reason in reasons]
    assert all(METER in refusal.detail for refusal in extract.refused)


@pytest.mark.parametrize("story", [never_installed, installed_at_other_times, only_for_no_time])
def test_a_contract_without_a_meter_is_refused_for_that(office, story):
    story(office)
    extract = office.bill()
    assert not extract.rows
    assert refused(extract) == [("S-1", None, "no_installation")]


def test_a_register_that_fell_within_a_day_without_hours_is_refused(office):
    lower_on_a_form_without_hours(office)
    assert refused(office.bill()) == [("S-1", "KAM-00000002", "went_back")]


def test_one_bad_leg_refuses_the_row_and_no_other(simple):
    simple.installed("LUG-00000002")
    simple.contract("S-2", point="P-2")
    simple.installed("KAM-00000003", point="P-2")
    simple.read("KAM-00000003", "2026-10-01", "1")
    simple.read("KAM-00000003", "2026-11-01", "3")
    extract = simple.bill()
    assert [(row.contract, row.energy) for row in extract.rows] == [("S-2", 2)]
    assert refused(extract) == [("S-1", "LUG-00000002", "no_reading")]


def test_a_reason_is_given_once_and_names_every_place(simple):
    simple.installed("LUG-00000002")
    simple.installed("LUG-00000003")
    [refusal] = simple.bill().refused
    assert refusal.meter == "LUG-00000002"
    for place in ("LUG-00000002 at 2026-09-30T21:00:00Z", "LUG-00000003 at 2026-10-31T22:00:00Z"):
        assert place in refusal.detail


def test_a_refused_row_warns_of_no_gap(office):
    office.contract("S-1")
    office.installed(METER, until="2026-10-10")
    office.read(METER, "2026-10-01", "1")
    extract = office.bill()
    assert refused(extract) == [("S-1", METER, "no_removal_reading")]
    assert not extract.warnings


def test_only_one_of_two_tenants_is_refused(simple):
    """Each row stands on its own legs: before the change all is proven, after it the register fell."""
    simple.contracts.clear()
    simple.contract("S-1", until="2026-10-17")
    simple.contract("S-2", since="2026-10-17")
    simple.read("KAM-00000001", "2026-10-17", "200")
    simple.read("KAM-00000001", "2026-10-20", "400")
    extract = simple.bill()
    assert [(row.contract, row.energy) for row in extract.rows] == [("S-1", 100)]
    assert refused(extract) == [("S-2", METER, "went_back")]


def test_two_sources_at_one_instant_between_the_ends_are_in_no_order(simple):
    simple.read("KAM-00000001", "2026-10-15", "200", source="live")
    simple.read("KAM-00000001", "2026-10-15", "199", source="manual")
    assert simple.bill().rows
    simple.read("KAM-00000001", "2026-10-16", "199.5")
    assert refused(simple.bill()) == [("S-1", METER, "went_back")]


def test_a_corrected_fall_is_no_fall(simple):
    simple.read("KAM-00000001", "2026-10-15", "99")
    assert refused(simple.bill()) == [("S-1", METER, "went_back")]
    simple.corrected("KAM-00000001", "2026-10-15", "199")
    assert simple.bill().rows


def test_a_fall_outside_the_leg_is_not_the_rows_business(simple):
    simple.read("KAM-00000001", "2026-09-30", "999")
    simple.read("KAM-00000001", "2026-11-02", "0")
    assert simple.bill().rows


def test_every_reason_has_a_remedy():
    assert set(REMEDIES) == set(Reason)
