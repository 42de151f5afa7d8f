"""Billing learns contracts and installations of a period, and nobody's name."""

import pytest

from kaukoluenta.periods import month
from registry.queries import contracts_in, installations_in, installed_meters


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "asked"),
    [
        ("2025-01-01", "", True),
        ("2026-10-01", "2026-11-01", True),
        ("2026-10-31T23:59:59.999999+02:00", "", True),
        ("2026-09-01", "2026-10-01T00:00:00.000001+03:00", True),
        ("2026-09-01", "2026-10-01", False),
        ("2026-11-01", "", False),
        ("2026-10-10", "2026-10-10", False),  # void
    ],
)
def test_contracts_of_any_part_of_the_period(office, valid_from, valid_to, asked):
    office.only("contracts.csv", f"S-1,1001,KP-1,{valid_from},{valid_to}")
    office.take()
    assert bool(contracts_in(office.connection, month("2026-10"))) is asked


@pytest.mark.parametrize(
    ("installed_at", "removed_at", "asked"),
    [
        ("2025-01-01", "", True),
        ("2026-10-31T23:59:59+02:00", "", True),
        ("2026-09-01", "2026-10-01T00:00:01+03:00", True),
        ("2026-10-10", "2026-10-10", True),  # came and went on a day whose hours nobody wrote
        ("2026-10-01", "2026-10-01", True),
        ("2026-11-01", "2026-11-01", False),
        ("2026-09-01", "2026-10-01", False),
        ("2026-11-01", "", False),
    ],
)
def test_installations_of_any_part_of_the_period(office, installed_at, removed_at, asked):
    office.only("installations.csv", f"KP-1,KAM-00000001,{installed_at},0,{removed_at},,kWh")
    office.take()
    assert list(installations_in(office.connection, month("2026-10"))) == (["KP-1"] if asked else [])
    assert installed_meters(office.connection) == {"KAM-00000001"}


def test_no_answer_holds_anything_personal(office):
    office.take()
    october = month("2026-05")
    answers = repr((contracts_in(office.connection, october), installations_in(office.connection, october)))
    assert "S-1" in answers
    assert "KAM-00000001" in answers
    for personal in ("Maija", "131052", "maija@", "040", "Mallitie", "Koulutie"):
        assert personal not in answers
