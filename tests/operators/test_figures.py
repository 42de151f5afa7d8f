"""Numbers, instants and ages as people write them, and the choice of language."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from dashboards.figures import rounded
from dashboards.languages import choose_language, language
from kaukoluenta.quantities import Amount

NUMBERS = [
    # language  value                  decimals  text
    ("fi",      Decimal("12345.678"),  None,     "12\u202f345,678"),
    ("sv",      Decimal("12345.678"),  None,     "12\u202f345,678"),
    ("en",      Decimal("12345.678"),  None,     "12\u202f345.678"),
    ("fi",      Decimal("6.0"),        None,     "6,0"),
    ("fi",      Decimal("1E+3"),       None,     "1\u202f000"),
    ("fi",      Decimal("-0.5"),       None,     "\u22120,5"),
    ("fi",      Decimal("2.45"),       1,        "2,5"),
    ("fi",      Decimal("-2.45"),      1,        "\u22122,5"),
    ("fi",      Fraction(2, 3),        1,        "0,7"),
    ("fi",      24,                    None,     "24"),
    ("fi",      None,                  None,     "–"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "value", "decimals", "text"), NUMBERS)
def test_a_number_reads_as_its_language_writes_it(code, value, decimals, text):
    assert language(code).number(value, decimals) == text


def test_an_amount_keeps_its_own_unit_and_resolution():
    assert language("fi").amount(Amount(Decimal("12.50"), "m3")) == "12,50\u00a0m³"


@pytest.mark.parametrize("value", [Fraction(1, 2), Decimal("0.5"), Decimal("0.49"), Fraction(-1, 2), 7])
def test_rounding_is_half_up(value):
    assert (
        rounded(value, 0)
        == {Fraction(1, 2): 1, Fraction(49, 100): 0, Fraction(-1, 2): -1, 7: 7}[Fraction(value)]
    )


INSTANTS = [
    # UTC                      in Finnish                       why
    ("2026-11-24T10:00:00Z",   "24.11.2026 klo 12.00"),         # an ordinary day
    ("2026-10-24T20:59:00Z",   "24.10.2026 klo 23.59"),         # the day before the long one
    ("2026-10-25T00:00:00Z",   "25.10.2026 klo 3.00 (UTC+3)"),  # the hour that comes
    ("2026-10-25T01:00:00Z",   "25.10.2026 klo 3.00 (UTC+2)"),  # twice
    ("2026-03-29T01:00:00Z",   "29.3.2026 klo 4.00 (UTC+3)"),   # the short day
]  # fmt: skip


@pytest.mark.parametrize(("utc", "text"), INSTANTS)
def test_an_instant_is_local_and_names_its_offset_on_the_two_odd_days(utc, text):
    assert language("fi").instant(datetime.fromisoformat(utc)) == text


@pytest.mark.parametrize(("code", "text"), [("sv", "5.1.2026 kl. 8.05"), ("en", "2026-01-05 08:05")])
def test_an_instant_is_written_in_each_languages_way(code, text):
    assert language(code).instant(datetime(2026, 1, 5, 6, 5, tzinfo=UTC)) == text


AGES = [
    (timedelta(seconds=-5), "0 min"),
    (timedelta(minutes=14, seconds=59), "14 min"),
    (timedelta(hours=3, minutes=12), "3 h 12 min"),
    (timedelta(hours=47, minutes=59), "47 h 59 min"),
    (timedelta(days=5, hours=2, minutes=40), "5 vrk 2 h"),
]


@pytest.mark.parametrize(("age", "text"), AGES)
def test_an_age_is_told_in_the_two_units_that_matter(age, text):
    assert language("fi").age(age) == text


STEPS = [(timedelta(minutes=15), "15 min"), (timedelta(hours=6), "6 h"), (timedelta(days=1), "1 vrk")]


@pytest.mark.parametrize(("step", "text"), STEPS)
def test_a_step_is_told_in_its_largest_whole_unit(step, text):
    assert language("fi").step(step) == text


CHOICES = [
    # ?lang=  cookie  Accept-Language                chosen
    ("sv",    "en",   "fi",                          "sv"),
    (None,    "en",   "fi",                          "en"),
    (None,    None,   "sv-FI,sv;q=0.9,en;q=0.8",     "sv"),
    (None,    None,   "de, en;q=0.4, sv;q=0.7",      "sv"),
    (None,    None,   "sv;q=0, en",                  "en"),
    (None,    None,   "de",                          "fi"),
    ("xx",    "yy",   "zz;q=what, *",                "fi"),
    (None,    None,   None,                          "fi"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "remembered", "accepted", "code"), CHOICES)
def test_the_address_chooses_the_language_then_the_cookie_then_the_browser(asked, remembered, accepted, code):
    assert choose_language(asked, remembered, accepted).code == code
