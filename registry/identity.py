"""Identity codes: a person's henkilötunnus, an organisation's Y-tunnus. No message repeats a code.

All century signs count (`+`, `-` with U to Y, A to F), and the sign is part of the identity. Individual
numbers 900 to 999 are taken as well: no person is ever given one, so they are what temporary and made-up
codes are written with, and a town of made-up customers must not carry a living person's code.
"""

from __future__ import annotations

from stdnum.exceptions import ValidationError
from stdnum.fi import hetu, ytunnus

from kaukoluenta.errors import KaukoluentaError
from registry.model import CustomerKind


class BadIdentityCode(KaukoluentaError):
    """A code that its own check character contradicts, or of the wrong kind."""


def identity_code(kind: CustomerKind, text: str) -> str:
    """The code as it is kept: `131052-308T`, `0163687-9`. Raises BadIdentityCode."""
    checked = _person if kind is CustomerKind.PERSON else _organisation
    if text.isascii():
        try:
            return checked(text)
        except ValidationError:
            pass
    what = {CustomerKind.PERSON: "henkilötunnus", CustomerKind.ORGANISATION: "Y-tunnus"}[kind]
    raise BadIdentityCode(
        f"This is no {what}.", remedy="Compare it with the contract; leave it empty if it is not known."
    )


def _person(text: str) -> str:
    return hetu.validate(text, allow_temporary=True)


def _organisation(text: str) -> str:
    return ytunnus.format(ytunnus.validate(text))
