"""What a line owes is counted until it was heard or is no longer to be expected."""

from __future__ import annotations

from gateway.modbus.debts import Debts
from gateway.modbus.frames import Signature

ASKED, OTHER = Signature(5, 3, 2), Signature(5, 3, 4)


def test_a_question_of_the_same_shape_waits_until_the_answer_was_heard() -> None:
    debts = Debts(numbered=False)
    debts.add(ASKED, until=2.0, connection=1)
    assert debts.is_due(ASKED, heard=0, now=1.0)
    assert not debts.is_due(ASKED, heard=1, now=1.0)
    assert not debts.is_due(OTHER, heard=0, now=1.0)
    assert not debts.settle(ASKED, heard=1, connection=1)
    assert not debts.is_due(ASKED, heard=0, now=1.0)


def test_an_answer_that_never_came_needs_a_new_connection() -> None:
    debts = Debts(numbered=False)
    debts.add(ASKED, until=2.0, connection=1)
    assert not debts.is_due(ASKED, heard=0, now=2.0)
    assert debts.settle(ASKED, heard=0, connection=1)
    assert not debts.settle(ASKED, heard=0, connection=2)


def test_an_answer_taken_instead_leaves_the_debt() -> None:
    """Two questions, one answer: whose it was nobody knows, and the other may still come."""
    debts = Debts(numbered=False)
    debts.add(ASKED, until=2.0, connection=1)
    debts.settle(ASKED, heard=0, connection=1)
    debts.overtake(ASKED, until=5.0, connection=2)
    assert debts.is_due(ASKED, heard=0, now=4.0)
    assert debts.settle(ASKED, heard=0, connection=2)
    assert not debts.settle(ASKED, heard=0, connection=2)  # it lapsed


def test_two_unanswered_questions_owe_two_answers() -> None:
    debts = Debts(numbered=False)
    debts.add(ASKED, until=2.0, connection=1)
    debts.add(ASKED, until=4.0, connection=1)
    assert debts.is_due(ASKED, heard=1, now=3.0)
    assert not debts.is_due(ASKED, heard=2, now=3.0)


def test_numbered_answers_are_not_waited_for() -> None:
    debts = Debts(numbered=True)
    debts.add(ASKED, until=2.0, connection=1)
    assert not debts.is_due(ASKED, heard=0, now=1.0)
    assert debts.settle(ASKED, heard=0, connection=1)
    assert not debts.settle(ASKED, heard=0, connection=1)
