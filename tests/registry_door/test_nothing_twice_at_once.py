"""One contract at a time on a delivery point, one place at a time for a meter, once the import is done."""

import pytest

from kaukoluenta.file_door import FileRefused

JAN, FEB, MAR, APR = "2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"

AT_ONCE = [
    # first          second        at once?
    ((JAN, ""), (FEB, ""), True),
    ((JAN, MAR), (FEB, APR), True),
    ((JAN, APR), (FEB, MAR), True),
    ((JAN, FEB), (JAN, FEB), True),
    ((JAN, ""), (JAN, FEB), True),
    ((JAN, FEB), (FEB, MAR), False),
    ((JAN, FEB), (FEB, ""), False),
    ((JAN, FEB), (MAR, APR), False),
    ((JAN, ""), (FEB, FEB), False),  # void: it lasts no time
    ((JAN, JAN), (JAN, FEB), False),
    (("2026-01-31T22:00:01Z", ""), (JAN, FEB), False),
    (("2026-01-31T21:59:59Z", ""), (JAN, FEB), True),
]


@pytest.mark.parametrize(("first", "second", "at_once"), AT_ONCE)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("in_two_imports", [False, True])
def test_contracts_of_one_delivery_point(office, first, second, at_once, swapped, in_two_imports):
    contracts = zip("AB", (first, second), strict=True)
    rows = [f"{name},1001,KP-1,{since},{until}" for name, (since, until) in contracts]
    take_both(office, "contracts.csv", rows, at_once, swapped, in_two_imports)


@pytest.mark.parametrize(("first", "second", "at_once"), AT_ONCE)
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("in_two_imports", [False, True])
def test_places_of_one_meter(office, first, second, at_once, swapped, in_two_imports):
    places = zip(("KP-1", "KP-2"), (first, second), strict=True)
    rows = [f"{place},KAM-00000007,{since},,{until},,MWh" for place, (since, until) in places]
    take_both(office, "installations.csv", rows, at_once, swapped, in_two_imports)


def take_both(office, file, rows, at_once, swapped, in_two_imports):
    office.only("contracts.csv")
    rows = rows[::-1] if swapped else rows
    if in_two_imports:
        office.only(file, rows[0])
        office.take()
        office.only(file, rows[1])
    else:
        office.only(file, *rows)
    if not at_once:
        office.take()
        return
    with pytest.raises(FileRefused) as refused:
        office.take()
    [fault] = refused.value.faults
    assert (fault.file, fault.row) == (file, 2 if in_two_imports else 3)
    assert ("registry holds already" if in_two_imports else "in row 2") in fault.what


def test_a_meter_cannot_be_installed_twice_at_one_place_either(office):
    office.add("installations.csv", "KP-2,LUG-00000002,2026-01-01,,,,GJ")
    with pytest.raises(FileRefused, match=r"installations\.csv, row 4, column installed_at"):
        office.take()


def test_one_import_closes_a_contract_and_opens_the_next(office):
    office.take()
    office.only("contracts.csv", "S-3,1001,KP-2,2026-10-01,", "S-2,1002,KP-2,2025-01-01,2026-10-01")
    office.take()
    assert len(office.holding().contracts) == 3


def test_one_import_takes_a_meter_from_one_place_to_another(office):
    office.take()
    office.only(
        "installations.csv",
        "KP-1,LUG-00000002,2026-10-01,12,,,GJ",
        "KP-2,LUG-00000002,2025-01-01,,2026-10-01,12,GJ",
    )
    office.take()
    assert len(office.holding().installations) == 3


def test_an_update_that_reopens_a_contract_meets_the_one_that_followed(office):
    office.add("contracts.csv", "S-3,1002,KP-1,2026-07-01,")
    office.take()
    office.only("contracts.csv", "S-1,1001,KP-1,2025-01-01,")
    with pytest.raises(FileRefused) as refused:
        office.take()
    [fault] = refused.value.faults
    assert (fault.file, fault.row, fault.column) == ("contracts.csv", 2, "valid_to")
    assert "registry holds already" in fault.what


def test_a_long_contract_is_held_against_every_later_one(office):
    office.only(
        "contracts.csv",
        "A,1001,KP-1,2026-01-01,2026-12-01",
        "B,1001,KP-1,2026-02-01,2026-03-01",
        "C,1001,KP-1,2026-05-01,2026-06-01",
    )
    with pytest.raises(FileRefused) as refused:
        office.take()
    assert [fault.row for fault in refused.value.faults] == [3, 4]


def test_meters_side_by_side_at_one_delivery_point_are_taken(office):
    office.add("installations.csv", "KP-2,KAM-00000003,2025-01-01,,,,MWh")
    office.take()
    assert len(office.holding().installations) == 3


def test_a_register_may_roll_over_between_installation_and_removal(office):
    office.only("installations.csv", "KP-1,KAM-00000001,2018-01-01,9999000,2026-06-01,512,kWh")
    office.take()
    assert len(office.holding().installations) == 1
