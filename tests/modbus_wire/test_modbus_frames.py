"""An answer is the answer to its question, whole and to the octet, or it is an event of another kind."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modbus.frames import (
    NEED_DATA,
    Answer,
    AnswerEvent,
    AnswerReader,
    Framing,
    Misfit,
    Noise,
    Question,
    Refusal,
    crc16,
)

ASKED = Question(unit=5, function=3, address=100, count=2)
TRANSACTION = 0x1234
VALUES = (0x0001, 0xE240)


def pdu(*registers: int, function: int = 3) -> bytes:
    return bytes((function, 2 * len(registers))) + struct.pack(f">{len(registers)}H", *registers)


def rtu(body: bytes, unit: int = 5) -> bytes:
    frame = bytes((unit,)) + body
    return frame + crc16(frame).to_bytes(2, "little")


def tcp(body: bytes, unit: int = 5, transaction: int = TRANSACTION) -> bytes:
    return struct.pack(">HHHB", transaction, 0, 1 + len(body), unit) + body


def events(framing: Framing, *pieces: bytes) -> list[AnswerEvent]:
    reader = AnswerReader(framing)
    reader.expect(ASKED, TRANSACTION)
    heard = []
    for piece in pieces:
        reader.receive_data(piece)
        while (event := reader.next_event()) is not NEED_DATA:
            heard.append(event)
    return heard


def test_the_check_sum_is_that_of_the_specification() -> None:
    """Serial line V1.02, 6.2.2: its worked example 02 07 gives 12 41 hexadecimal, low octet first."""
    assert crc16(bytes.fromhex("0207")) == 0x1241
    assert crc16(bytes.fromhex("02074112")) == 0


def test_the_answer_is_its_registers() -> None:
    assert events(Framing.RTU, rtu(pdu(*VALUES))) == [Answer(VALUES, rtu(pdu(*VALUES)))]
    assert events(Framing.TCP, tcp(pdu(*VALUES))) == [Answer(VALUES, tcp(pdu(*VALUES)))]


NOT_THE_ANSWER = [
    (Framing.RTU, rtu(pdu(*VALUES), unit=6), "unit 6 answered"),
    (Framing.RTU, rtu(pdu(*VALUES, function=4)), "function 4 answered"),
    (Framing.RTU, rtu(pdu(1)), "2 octets of registers came, not 4"),
    (Framing.RTU, rtu(pdu(1, 2, 3)), "6 octets of registers came, not 4"),
    (Framing.RTU, rtu(b"\x83\x02", unit=6), "unit 6 answered"),
    (Framing.RTU, rtu(b"\x84\x02"), "function 132 answered"),
    (Framing.TCP, tcp(pdu(*VALUES), unit=6), "unit 6 answered"),
    (Framing.TCP, tcp(pdu(*VALUES, function=4)), "function 4 answered"),
    (Framing.TCP, tcp(pdu(1)), "2 octets of registers came, not 4"),
    (Framing.TCP, tcp(pdu(1, 2, 3)), "6 octets of registers came, not 4"),
    (Framing.TCP, tcp(pdu(*VALUES), transaction=0x1233), "a late answer"),
    (Framing.TCP, tcp(pdu(*VALUES), transaction=0), "a late answer"),
    (Framing.TCP, tcp(pdu(*VALUES) + b"\0"), "4 octets"),
    (Framing.TCP, tcp(b"\x01\x04" + bytes(4)), "function 1 answered"),
]


@pytest.mark.parametrize(("framing", "frame", "why"), NOT_THE_ANSWER)
def test_what_differs_in_anything_is_not_the_answer(framing: Framing, frame: bytes, why: str) -> None:
    (event,) = events(framing, frame)
    assert isinstance(event, Misfit)
    assert why in event.reason


def test_an_exception_response_answers_too() -> None:
    assert events(Framing.RTU, rtu(b"\x83\x02")) == [Refusal(2, rtu(b"\x83\x02"))]
    assert events(Framing.TCP, tcp(b"\x83\x0b")) == [Refusal(11, tcp(b"\x83\x0b"))]


def test_a_wrong_check_sum_is_noise_for_ever() -> None:
    frame = rtu(pdu(*VALUES))
    broken = frame[:4] + bytes((frame[4] ^ 0x01,)) + frame[5:]
    assert not [event for event in events(Framing.RTU, broken) if isinstance(event, Answer)]


@pytest.mark.parametrize("framing", Framing)
@given(data=st.data())
def test_an_answer_is_found_however_it_is_cut(framing: Framing, data: st.DataObject) -> None:
    frame = rtu(pdu(*VALUES)) if framing is Framing.RTU else tcp(pdu(*VALUES))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frame)), max_size=4)))
    pieces = [frame[start:end] for start, end in zip([0, *cuts], [*cuts, len(frame)], strict=True)]
    assert events(framing, *pieces) == [Answer(VALUES, frame)]


@pytest.mark.parametrize("framing", Framing)
@given(noise=st.binary(max_size=40))
def test_an_answer_is_found_behind_noise(framing: Framing, noise: bytes) -> None:
    frame = rtu(pdu(*VALUES)) if framing is Framing.RTU else tcp(pdu(*VALUES))
    answers = [event for event in events(framing, noise, frame) if isinstance(event, Answer)]
    assert [answer.registers for answer in answers] == [VALUES]


@pytest.mark.parametrize("framing", Framing)
def test_an_answer_is_found_behind_a_late_one_in_the_same_piece(framing: Framing) -> None:
    late = rtu(pdu(7, 8), unit=9) if framing is Framing.RTU else tcp(pdu(7, 8), unit=9, transaction=7)
    frame = rtu(pdu(*VALUES)) if framing is Framing.RTU else tcp(pdu(*VALUES))
    late_one, answer = events(framing, late + frame)
    assert isinstance(late_one, Misfit)
    assert answer == Answer(VALUES, frame)


@pytest.mark.parametrize("framing", Framing)
@given(octets=st.binary(max_size=600))
def test_no_octets_raise_or_become_an_answer_by_themselves(framing: Framing, octets: bytes) -> None:
    for event in events(framing, octets):
        assert isinstance(event, Noise | Misfit | Refusal)


def test_what_came_before_the_question_does_not_answer_it() -> None:
    reader = AnswerReader(Framing.RTU)
    reader.receive_data(rtu(pdu(*VALUES)))
    reader.expect(ASKED)
    assert reader.next_event() is NEED_DATA
