"""Answers that a line still owes: to questions given up, which nothing but their shape tells from later ones.

Sans-IO; times are those of the caller's clock, in seconds. A debt is paid when the answer was heard, and
lapses when it is not to be expected any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gateway.modbus.frames import Signature

_MOST: Final = 3
"""A slave that was silent for days does not answer for all of them when it comes back."""


@dataclass(frozen=True, slots=True)
class _Debt:
    """`connection`: on which it was last asked. `overtaken`: a later question of its shape was answered."""

    answers: int
    until: float
    connection: int
    overtaken: bool = False


class Debts:
    """What is owed, by the shape of the answer.

    `numbered`: answers bear a number, so that a late one is known whenever it comes and is not waited for.
    """

    def __init__(self, *, numbered: bool) -> None:
        self._numbered = numbered
        self._debts: dict[Signature, _Debt] = {}

    def __bool__(self) -> bool:
        return bool(self._debts)

    def add(self, signature: Signature, until: float, connection: int) -> None:
        """A question was given up. Its answer may come until then."""
        before = self._debts.get(signature)
        answers = min((before.answers if before else 0) + 1, _MOST)
        self._debts[signature] = _Debt(answers, until, connection)

    def overtake(self, signature: Signature, until: float, connection: int) -> None:
        """A question was answered: maybe by what was owed, so that its own answer is yet to come."""
        if debt := self._debts.get(signature):
            self._debts[signature] = replace(debt, until=until, connection=connection, overtaken=True)

    def is_due(self, signature: Signature, heard: int, now: float) -> bool:
        """Whether an answer may still come, when `heard` have."""
        debt = self._debts.get(signature)
        return debt is not None and not self._numbered and heard < debt.answers and now < debt.until

    def settle(self, signature: Signature, heard: int, connection: int) -> bool:
        """Take note of what was heard, or never came. True: this connection may still bring it."""
        debt = self._debts.pop(signature, None)
        if debt is None or heard >= debt.answers:
            return False
        if not (debt.overtaken or self._numbered):  # a question in its place may yet get its answer
            self._debts[signature] = replace(debt, answers=debt.answers - heard)
        return debt.connection == connection
