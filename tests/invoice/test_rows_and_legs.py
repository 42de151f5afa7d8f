"""A row is one contract's part of a month; its legs are what each installation measured of it."""

from decimal import Decimal

import pytest

from billing.rounding import plain
from kaukoluenta.periods import instant_text


def rows(extract):
    assert not extract.refused
    return [
        (row.contract, instant_text(row.since), instant_text(row.until), plain(row.energy))
        for row in extract.rows
    ]


def legs(row):
    return [
        (leg.meter[-1], plain(leg.start), plain(leg.end), leg.unit, plain(leg.energy)) for leg in row.legs
    ]


START, END = "2026-09-30T21:00:00Z", "2026-10-31T22:00:00Z"


def test_a_whole_month_by_readings(simple):
    extract = simple.bill()
    assert rows(extract) == [("S-1", START, END, "250.5")]
    assert legs(extract.rows[0]) == [("1", "100", "350.5", "kWh", "250.5")]
    assert not extract.warnings


@pytest.mark.parametrize(
    ("name", "hours"), [("2026-02", 672), ("2026-03", 743), ("2026-04", 720), ("2026-10", 745)]
)
def test_a_month_is_local_in_march_and_october_too(office, name, hours):
    """The meter counts 1 kWh an hour: the energy is the month's length."""
    office.contract("S-1")
    office.installed("KAM-00000001")
    year, number = map(int, name.split("-"))
    office.read("KAM-00000001", f"{year}-{number:02}-01", "5000")
    office.read("KAM-00000001", f"{year}-{number + 1:02}-01", str(5000 + hours))
    assert office.bill(name).rows[0].energy == hours


def test_an_exchange_cuts_legs_at_its_instant(office):
    office.contract("S-1")
    office.installed("KAM-00000001", until="2026-10-10T09:30:00+03:00", end="12999.9")
    office.installed("KAM-00000002", since="2026-10-10T09:30:00+03:00", start="0.3")
    office.read("KAM-00000001", "2026-10-01", "12345.6")
    office.read("KAM-00000002", "2026-11-01", "512.8")
    extract = office.bill()
    assert rows(extract) == [("S-1", START, END, "1166.8")]
    assert legs(extract.rows[0]) == [
        ("1", "12345.6", "12999.9", "kWh", "654.3"),
        ("2", "0.3", "512.8", "kWh", "512.5"),
    ]
    assert [instant_text(leg.until) for leg in extract.rows[0].legs] == ["2026-10-10T06:30:00Z", END]


def test_legs_of_different_units_make_one_row(office):
    office.contract("S-1")
    office.installed("KAM-00000001", until="2026-10-10", end="123.45", unit="GJ")
    office.installed(
        "KAM-00000002", since="2026-10-10", start="0", until="2026-10-20", end="1.25", unit="MWh"
    )
    office.installed("KAM-00000003", since="2026-10-20", start="10")
    office.read("KAM-00000001", "2026-10-01", "123.0", "GJ")
    office.read("KAM-00000003", "2026-11-01", "10.0001")
    extract = office.bill()
    assert legs(extract.rows[0]) == [
        ("1", "123.0", "123.45", "GJ", "125.000"),
        ("2", "0", "1.25", "MWh", "1250"),
        ("3", "10", "10.0001", "kWh", "0.0001"),
    ]
    assert rows(extract)[0][3] == "1375.0001"


def test_a_tenant_change_cuts_rows_at_a_reading(simple):
    simple.contracts.clear()
    simple.contract("S-1", until="2026-10-17")
    simple.contract("S-2", since="2026-10-17")
    simple.read("KAM-00000001", "2026-10-17", "200.25")
    assert rows(simple.bill()) == [
        ("S-1", START, "2026-10-16T21:00:00Z", "100.25"),
        ("S-2", "2026-10-16T21:00:00Z", END, "150.25"),
    ]


def test_a_tenant_change_at_an_exchange_needs_no_reading(office):
    office.contract("S-1", until="2026-10-17")
    office.contract("S-2", since="2026-10-17")
    office.installed("KAM-00000001", until="2026-10-17", end="90")
    office.installed("KAM-00000002", since="2026-10-17", start="5")
    office.read("KAM-00000001", "2026-10-01", "40")
    office.read("KAM-00000002", "2026-11-01", "25")
    assert [row[3] for row in rows(office.bill())] == ["50", "20"]


def test_a_part_of_the_month_is_billed_as_such(simple):
    simple.contracts.clear()
    simple.contract("S-1", since="2026-10-05", until="2026-10-20")
    simple.read("KAM-00000001", "2026-10-05", "110")
    simple.read("KAM-00000001", "2026-10-20", "130")
    assert rows(simple.bill()) == [("S-1", "2026-10-04T21:00:00Z", "2026-10-19T21:00:00Z", "20")]


def test_meters_side_by_side_are_summed(simple):
    simple.installed("LUG-00000002", unit="MWh")
    simple.read("LUG-00000002", "2026-10-01", "1.5", "MWh")
    simple.read("LUG-00000002", "2026-11-01", "1.75", "MWh")
    extract = simple.bill()
    assert rows(extract)[0][3] == "500.5"
    assert len(extract.rows[0].legs) == 2


def test_a_meter_removed_beside_one_that_stays_leaves_no_gap(simple):
    simple.installed("LUG-00000002", until="2026-10-11", end="60")
    simple.read("LUG-00000002", "2026-10-01", "50")
    extract = simple.bill()
    assert rows(extract)[0][3] == "260.5"
    assert not extract.warnings


@pytest.mark.parametrize(
    ("first", "second", "gap"),
    [
        (("2026-10-10", "60"), "2026-10-12", "2026-10-09T21:00:00Z to 2026-10-11T21:00:00Z"),
        (("2026-10-10", "60"), "2026-11-12", f"2026-10-09T21:00:00Z to {END}"),
        (None, "2026-10-12", f"{START} to 2026-10-11T21:00:00Z"),
    ],
)
def test_a_time_without_a_meter_bills_what_was_measured_with_a_warning(office, first, second, gap):
    office.contract("S-1")
    if first:
        office.installed("KAM-00000001", until=first[0], end=first[1])
    office.installed("KAM-00000002", since=second, start="7")
    office.read("KAM-00000001", "2026-10-01", "50")
    office.read("KAM-00000002", "2026-11-01", "27")
    extract = office.bill()
    measured = (10 if first else 0) + (20 if second < "2026-11" else 0)
    assert extract.rows[0].energy == measured
    assert extract.warnings == (f"P-1, contract S-1: no meter from {gap}; what was measured is billed.",)


def test_two_exchanges_on_a_day_without_hours_lose_nothing(office):
    """The meter in the middle was there for no time that the dates can tell, and counted 3 kWh."""
    office.contract("S-1")
    office.installed("KAM-00000001", until="2026-10-10", end="60")
    office.installed("KAM-00000002", since="2026-10-10", start="0", until="2026-10-10", end="3")
    office.installed("KAM-00000003", since="2026-10-10", start="0")
    office.read("KAM-00000001", "2026-10-01", "50")
    office.read("KAM-00000003", "2026-11-01", "20")
    extract = office.bill()
    assert rows(extract)[0][3] == "33"
    assert not extract.warnings


@pytest.mark.parametrize(("at", "billed_to"), [("2026-10-01", "S-1"), ("2026-10-17", "S-2")])
def test_what_lasted_no_time_belongs_to_one_row_only(simple, at, billed_to):
    simple.contracts.clear()
    simple.contract("S-1", until="2026-10-17")
    simple.contract("S-2", since="2026-10-17")
    simple.read("KAM-00000001", "2026-10-17", "200")
    simple.installed("KAM-00000009", since=at, start="0", until=at, end="3")
    assert [row.contract for row in simple.bill().rows if len(row.legs) == 2] == [billed_to]


def test_a_void_installation_is_no_leg(simple):
    simple.installed("KAM-00000009", since="2026-10-10", until="2026-10-10")
    assert len(simple.bill().rows[0].legs) == 1


def test_a_meter_that_moves_house_is_billed_at_both(office):
    office.contract("S-1")
    office.contract("S-2", point="P-2")
    office.installed("KAM-00000001", until="2026-10-10", end="60")
    office.installed("KAM-00000002", since="2026-10-10", start="0")
    office.installed("KAM-00000001", since="2026-10-12", start="60", point="P-2")
    office.installed("KAM-00000003", until="2026-10-12", end="9", point="P-2")
    for meter, start in (("1", "50"), ("3", "4")):
        office.read(f"KAM-0000000{meter}", "2026-10-01", start)
    for meter, end in (("1", "75"), ("2", "30")):
        office.read(f"KAM-0000000{meter}", "2026-11-01", end)
    assert [row[3] for row in rows(office.bill())] == ["40", "20"]


def test_a_row_has_as_many_digits_as_its_legs_need(office):
    office.contract("S-1")
    office.installed(
        "KAM-00000001", since="2026-10-01", start="0", until="2026-10-10", end="9" * 15, unit="GWh"
    )
    office.installed("KAM-00000002", since="2026-10-10", start="0", unit="Wh")
    office.read("KAM-00000002", "2026-11-01", "0.00000000000001", "Wh")
    assert rows(office.bill())[0][3] == "999999999999999000000.00000000000000001"


def test_rows_are_sorted_by_delivery_point_start_and_contract(office):
    for point in ("P-2", "P-10", "P-1"):
        office.installed(f"KAM-{point[2:]}", point=point)
        for at, energy in (("2026-10-01", "1"), ("2026-10-09", "2"), ("2026-11-01", "3")):
            office.read(f"KAM-{point[2:]}", at, energy)
        office.contract(f"S-A-{point}", since="2026-10-09", point=point)
        office.contract(f"S-B-{point}", until="2026-10-09", point=point)
    assert [row.contract for row in office.bill().rows] == [
        "S-B-P-1",
        "S-A-P-1",
        "S-B-P-10",
        "S-A-P-10",
        "S-B-P-2",
        "S-A-P-2",
    ]


def test_neighbouring_months_share_their_boundary(office):
    office.contract("S-1")
    office.installed("LUG-00000001", unit="GJ")
    registers = ["10.001", "10.002", "10.003"]
    for at, register in zip(("2026-10-01", "2026-11-01", "2026-12-01"), registers, strict=True):
        office.read("LUG-00000001", at, register, "GJ")
    energies = [office.bill(name).rows[0].energy for name in ("2026-10", "2026-11")]
    assert energies == [Decimal("0.277"), Decimal("0.278")]
    assert sum(energies) == Decimal("2778.611") - Decimal("2778.056")
