"""Why a question brought no value: what was heard, as an error with its remedy."""

from __future__ import annotations

from typing import Final

from gateway.modbus.errors import (
    AnswerGarbled,
    AskFailed,
    ConnectionDropped,
    LinkLost,
    MeterSilent,
    Refused,
    WrongAnswer,
)
from gateway.modbus.frames import Misfit, Noise, Question
from gateway.modbus.link import Link
from gateway.modbus.listener import Listener


def not_connected(link: Link) -> LinkLost:
    return LinkLost(
        f"There is no connection to {link}.",
        remedy="Check host and port or the device, the cable, and that no other master holds the line.",
    )


def two_answers(question: Question) -> WrongAnswer:
    return WrongAnswer(
        f"Two answers came to one question to unit {question.unit}.", remedy="Look for a second master."
    )


def dropped(link: Link) -> ConnectionDropped:
    return ConnectionDropped(
        f"The connection to {link} was closed instead of an answer.",
        remedy="Look whether another master holds the converter's only connection.",
    )


def wrong_answer(question: Question, why: str) -> WrongAnswer:
    return WrongAnswer(
        f"Unit {question.unit} gave no answer that fits: {why}.", remedy="Look at unit ids and time-outs."
    )


def no_answer(question: Question, listener: Listener) -> AskFailed:
    """What came from this unit instead of an answer, as an error. What others said does not count."""
    unit, strays = question.unit, listener.strays
    misfits = [stray for stray in strays if isinstance(stray, Misfit)]
    wrong = [stray.reason for stray in misfits if stray.signature and stray.signature.unit == unit]
    if wrong:
        return wrong_answer(question, wrong[-1])
    if any(isinstance(stray, Noise) for stray in strays) or listener.is_mid_frame:
        return AnswerGarbled(f"Unit {unit} gave only noise.", remedy="Look at wiring, baud rate and parity.")
    return MeterSilent(f"Unit {unit} does not answer.", remedy="Look at its supply, wiring and unit id.")


def refused(question: Question, code: int) -> Refused:
    first, last = question.address, question.address + question.count - 1
    what, remedy = _EXCEPTIONS.get(code, (f"answers with exception {code}", "Look into its manual."))
    problem = what.format(function=question.function, first=first, last=last, count=question.count)
    return Refused(code, f"Unit {question.unit} {problem}.", remedy=remedy)


_EXCEPTIONS: Final = {
    1: ("does not know function {function}", "Mend the function in its profile."),
    2: ("has no registers {first} to {last}", "Mend the addresses or holes in its profile."),
    3: ("gives no {count} registers at once", "Lower max_registers in its profile."),
    4: ("reports a failure of its own", "Look at the device."),
    6: ("is busy", "Ask again later."),
    10: ("cannot be reached: its converter knows no way", "Look at the converter's routes."),
    11: ("does not answer its converter", "Look at its supply, wiring and unit id."),
}
