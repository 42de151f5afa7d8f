"""Synthetic customers. Nobody real: the names say so, the numbers come from ranges that nobody has.

Persons have a temporary identity code (individual number 900 to 999: never a person's own), organisations a
business id from a series not in use. Check characters are right, so that the registry takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from simulator.chance import between

_CHECK_CHARACTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FIRST_BIRTHDAY, _BIRTHDAYS, _DAYS_APART = date(1940, 1, 1), 22_000, 7919  # a prime: no birthday comes twice
_BUSINESS_WEIGHTS = (7, 9, 10, 5, 8, 4, 2)
_FIRST_BUSINESS_NUMBER = 9_900_000
_ONE_ORGANISATION_IN = 5


@dataclass(frozen=True, slots=True)
class Customer:
    """A row of customers.csv."""

    customer_number: str
    kind: str
    name: str
    identity: str
    email: str
    phone: str
    address: str


def synthetic_customer(seed: int, number: int) -> Customer:
    """Customer `number` of the town with this seed; number, name and identity differ for each number."""
    organisation = between(1, _ONE_ORGANISATION_IN, seed, "organisation", number) == 1
    return Customer(
        customer_number=f"A-{number:05d}",
        kind="organisation" if organisation else "person",
        name=f"Testiyhteisö {number} Oy" if organisation else f"Testi Asiakas {number}",
        identity=_business_id(number) if organisation else _identity_code(number),
        email=f"asiakas.{number}@example.com",
        phone=f"+358 00 000 {number % 10_000:04d}",
        address=f"Esimerkkikatu {number}, 99999 Testilä",
    )


def _identity_code(number: int) -> str:
    born = _FIRST_BIRTHDAY + timedelta(days=number * _DAYS_APART % _BIRTHDAYS)
    digits = f"{born:%d%m%y}{900 + number % 100}"
    sign = "-" if born.year < 2000 else "A"
    return f"{digits[:6]}{sign}{digits[6:]}{_CHECK_CHARACTERS[int(digits) % 31]}"


def _business_id(number: int) -> str:
    """The number-th business id of the series whose check digit exists (a remainder of 1 has none)."""
    candidate = _FIRST_BUSINESS_NUMBER + 2 * number
    return _with_check_digit(candidate) or _with_check_digit(candidate + 1)


def _with_check_digit(number: int) -> str:
    remainder = sum(w * int(d) for w, d in zip(_BUSINESS_WEIGHTS, str(number), strict=True)) % 11
    return "" if remainder == 1 else f"{number}-{(11 - remainder) % 11}"
