"""Units convert exactly within a family, and never between Wh and J before billing."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.quantities import (
    ENERGY_UNITS,
    UNITS,
    Amount,
    UnitError,
    check_unit,
    convert,
    energy_in_kwh,
    quantity_of,
    register_name,
    to_travel_unit,
)

steps = st.integers(-(10**14), 10**14)
exponents = st.integers(-6, 6)


@pytest.mark.parametrize(
    ("amount", "unit", "expected"),
    [
        (Amount(Decimal("12.345"), "MWh"), "kWh", "12345"),
        (Amount(Decimal("12"), "MWh"), "kWh", "1.2E+4"),
        (Amount(Decimal("12345"), "Wh"), "kWh", "12.345"),
        (Amount(Decimal("3600"), "MJ"), "GJ", "3.600"),
        (Amount(Decimal("250"), "l"), "m3", "0.250"),
        (Amount(Decimal("2"), "h"), "s", "7200"),
    ],
)
def test_a_conversion_moves_the_point_and_keeps_the_resolution(amount, unit, expected):
    assert str(convert(amount, unit).value) == expected


@given(steps, exponents, st.sampled_from(sorted(UNITS)))
def test_travelling_loses_nothing(value, exponent, unit):
    amount = Amount(Decimal(value).scaleb(exponent), unit)
    travelled = to_travel_unit(amount)
    assert travelled.value * UNITS[travelled.unit].factor == amount.value * UNITS[unit].factor


def test_gigajoules_and_kilowatt_hours_do_not_convert():
    with pytest.raises(UnitError, match="different families"):
        convert(Amount(Decimal(1), "GJ"), "kWh")


@pytest.mark.parametrize(
    ("value", "unit", "kwh"),
    [
        ("1", "GJ", Fraction(2500, 9)),
        ("7.2", "GJ", Fraction(2000)),
        ("1.5", "MWh", Fraction(1500)),
        ("1", "Wh", Fraction(1, 1000)),
    ],
)
def test_energy_in_kwh_is_exact(value, unit, kwh):
    assert energy_in_kwh(Amount(Decimal(value), unit)) == kwh


@given(steps, st.sampled_from(ENERGY_UNITS))
def test_energy_in_kwh_does_not_depend_on_the_prefix(value, unit):
    amount = Amount(Decimal(value), unit)
    assert energy_in_kwh(to_travel_unit(amount)) == energy_in_kwh(amount)


@pytest.mark.parametrize("register", ["energy", "cooling_energy_tariff_2", "energy_tariff_1", "on_time"])
def test_registers_have_names_of_the_vocabulary(register):
    assert quantity_of(register).counter


@pytest.mark.parametrize(
    "register", ["", "Energy", "energy_tariff_0", "temp_flow", "energy_tariff_", "power_tariff_01"]
)
def test_other_names_are_refused(register):
    with pytest.raises(UnitError, match="No register"):
        quantity_of(register)


def test_a_register_takes_only_its_own_units():
    check_unit("power", "kW")
    with pytest.raises(UnitError, match="kWh, MWh, GWh, J"):
        check_unit("energy", "kW")


def test_tariff_zero_is_the_total():
    assert (register_name("energy"), register_name("energy", 2)) == ("energy", "energy_tariff_2")
