"""An identity code is checked by its own check character and never repeated."""

import pytest

from registry.identity import BadIdentityCode, identity_code
from registry.model import Customer, CustomerKind

PERSON, ORGANISATION = CustomerKind.PERSON, CustomerKind.ORGANISATION


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        (PERSON, "131052-308T", "131052-308T"),
        (PERSON, " 131052-308t ", "131052-308T"),
        (PERSON, "131052U308T", "131052U308T"),
        (PERSON, "131052Y308T", "131052Y308T"),
        (PERSON, "290296+0025", "290296+0025"),
        (PERSON, "010101A002S", "010101A002S"),
        (PERSON, "010101F002S", "010101F002S"),
        (PERSON, "010190-999W", "010190-999W"),  # 900 to 999: no living person's
        (ORGANISATION, "0163687-9", "0163687-9"),
        (ORGANISATION, "2077474-0", "2077474-0"),
        (ORGANISATION, "01858914", "0185891-4"),
    ],
)
def test_a_good_code_is_kept_in_one_form(kind, text, kept):
    assert identity_code(kind, text) == kept


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (PERSON, "131052-308U"),
        (PERSON, "010190-999K"),
        (PERSON, "010190Y999K"),
        (PERSON, "310252-308Y"),  # 31 February
        (PERSON, "131052-001W"),  # numbers begin at 002
        (PERSON, "131052G308T"),
        (PERSON, "131052308T"),
        (PERSON, "1٣1052-308T"),
        (PERSON, "0163687-9"),
        (ORGANISATION, "2077474-1"),
        (ORGANISATION, "0163687"),
        (ORGANISATION, "131052-308T"),
    ],
)
def test_a_bad_code_is_refused_and_not_repeated(kind, text):
    with pytest.raises(BadIdentityCode) as error:
        identity_code(kind, text)
    assert text not in str(error.value)


def test_the_sign_is_part_of_the_identity():
    assert identity_code(PERSON, "131052-308T") != identity_code(PERSON, "131052X308T")


def test_a_customer_shows_nothing_personal_in_a_traceback():
    customer = Customer("1001", PERSON, "Maija Malli", "131052-308T", "m@example.fi", "040 123", "Mallitie 1")
    assert repr(customer) == "Customer(customer_number='1001', kind=<CustomerKind.PERSON: 'person'>)"
