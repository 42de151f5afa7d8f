"""A register becomes kWh once: exactly from Wh units, rounded half up to 0.001 from J units."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.rounding import EXACT, exact_sum, plain, register_in_kwh
from kaukoluenta.quantities import Amount, energy_in_kwh


@pytest.mark.parametrize(
    ("register", "unit", "kwh"),
    [
        ("1", "GJ", "277.778"),
        ("123.45", "GJ", "34291.667"),
        ("7.2", "GJ", "2000.000"),
        ("0.0000018", "GJ", "0.001"),  # exactly half a step, up
        ("0.00000179", "GJ", "0.000"),
        ("-0.0000018", "GJ", "-0.001"),
        ("5400", "J", "0.002"),
        ("3.6", "MJ", "1.000"),
        ("3600", "kJ", "1.000"),
        ("0", "GJ", "0.000"),
        ("12345.678", "MWh", "12345678"),
        ("1", "Wh", "0.001"),
        ("0.1", "Wh", "0.0001"),
        ("2", "GWh", "2000000"),
        ("00012.50", "kWh", "12.50"),
    ],
)
def test_worked_registers(register, unit, kwh):
    assert plain(register_in_kwh(Amount(Decimal(register), unit))) == kwh


registers = st.builds(
    lambda steps, exponent: Decimal(steps).scaleb(exponent),
    st.integers(0, 10**15 - 1),
    st.integers(-9, 3),
)


@given(registers, st.sampled_from(["J", "kJ", "MJ", "GJ"]))
def test_half_up_is_never_more_than_half_a_step_away_and_ties_go_up(register, unit):
    amount = Amount(register, unit)
    away = Fraction(register_in_kwh(amount)) - energy_in_kwh(amount)
    assert -Fraction(1, 2000) < away <= Fraction(1, 2000)


@given(registers, st.sampled_from(["Wh", "kWh", "MWh", "GWh"]))
def test_watt_hours_are_exact_however_many_digits(register, unit):
    amount = Amount(register, unit)
    assert Fraction(register_in_kwh(amount)) == energy_in_kwh(amount)


@given(st.lists(registers, min_size=2, max_size=40), st.sampled_from(["GJ", "MJ", "kWh", "MWh"]))
def test_the_parts_of_a_way_add_up_to_the_whole_wherever_it_is_cut(way, unit):
    kwh = [register_in_kwh(Amount(register, unit)) for register in sorted(way)]
    parts = [EXACT.subtract(after, before) for before, after in pairwise(kwh)]
    assert exact_sum(parts) == EXACT.subtract(kwh[-1], kwh[0])


def test_rounded_parts_would_not_add_up():
    way = [
        Decimal(number) for number in ("0", "0.0000012", "0.0000024", "0.0000036")
    ]  # GJ; a third of 0.001 kWh
    kwh = [register_in_kwh(Amount(register, "GJ")) for register in way]
    assert [plain(after - before) for before, after in pairwise(kwh)] == ["0.000", "0.001", "0.000"]
    alone = [register_in_kwh(Amount(after - before, "GJ")) for before, after in pairwise(way)]
    assert plain(exact_sum(alone)) == "0.000"


@given(st.lists(st.builds(Decimal, st.integers(-(10**40), 10**40)), max_size=20), st.integers(-60, 0))
def test_sums_have_no_limit_of_digits(numbers, exponent):
    amounts = [number.scaleb(exponent, EXACT) for number in numbers]
    assert Fraction(exact_sum(amounts)) == sum(map(Fraction, amounts))


@pytest.mark.parametrize("number", ["1E+3", "1E-9", "12.50", "-0.001"])
def test_numbers_are_written_without_an_exponent(number):
    assert "E" not in plain(Decimal(number))
    assert Decimal(plain(Decimal(number))) == Decimal(number)
