"""Wildcard search on a bus of meters that collide, have close serial numbers, or the same one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mbus import encode
from gateway.mbus.addressing import SecondaryAddress, address_of, secondary_address
from gateway.mbus.dialogue import Heard, Request
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import Ack, Garbled, LongFrame, ShortFrame
from gateway.mbus.search import Found, Search, probe_primary, search_step
from gateway.mbus.telegram import decode_frame

Converse = Callable[..., Any]  # the fixture of conftest.py
SearchAll = Callable[..., Search]

COLLISION = Garbled(b"\xa5", "start_byte")


class Bus:
    """Meters that know only their secondary address. `acks_collide`: two E5 at once are not heard as one."""

    def __init__(self, meters: list[Identity], *, acks_collide: bool = False, mute: bool = False) -> None:
        self.meters, self.selected = meters, list[Identity]()
        self.acks_collide, self.mute = acks_collide, mute
        self.questions = 0

    def __call__(self, request: Request) -> list[Heard]:
        if isinstance(request, LongFrame) and request.ci == 0x52:
            self.questions += 1
            mask = _mask(request.user_data)
            self.selected = [meter for meter in self.meters if mask.matches(meter)]
            collide = len(self.selected) > 1 and self.acks_collide
            return [COLLISION if collide else Ack()] if self.selected else []
        if self.mute:
            return []
        if len(self.selected) > 1:
            return [COLLISION]
        return [encode.variable_response(0, meter, []) for meter in self.selected]


def _mask(octets: bytes) -> SecondaryAddress:
    return secondary_address(f"{octets[3::-1].hex()}.{octets[5:3:-1].hex()}.{octets[6:8].hex('.')}")


@pytest.fixture(scope="session")
def search_all(converse: Converse) -> SearchAll:
    def until_nothing_is_pending(bus: Bus, *, hex_digits: bool = False) -> Search:
        search = Search()
        while search.pending:
            converse(search_step(search, attempts=1, hex_digits=hex_digits), bus)
        return search

    return until_nothing_is_pending


def found_by(search: Search) -> list[Identity | None]:
    return [decode_frame(probe.answer).identity for probe in search.found if probe.answer]


def meter(number: str, medium: int = 4, version: int = 0x21) -> Identity:
    return identity_of(number, "KLU", version, medium)


serials = st.lists(st.integers(0, 99_999_999), unique=True, max_size=12)


@given(serials, st.booleans())
def test_every_meter_is_found_once_and_in_order(
    search_all: SearchAll, numbers: list[int], acks_collide: bool
) -> None:
    meters = [meter(f"{number:08d}") for number in numbers]
    found = found_by(search_all(Bus(meters, acks_collide=acks_collide)))
    assert found == sorted(meters, key=lambda one: one.id)


def test_an_empty_bus_costs_one_question(search_all: SearchAll) -> None:
    bus = Bus([])
    search_all(bus)
    assert bus.questions == 1


def test_meters_of_one_batch_are_told_apart_at_the_last_digit(search_all: SearchAll) -> None:
    bus = Bus([meter(f"7041223{n}") for n in range(10)])
    assert len(found_by(search_all(bus))) == 10
    assert bus.questions == 1 + 8 * 10


def test_two_meters_with_the_same_number_are_told_apart_by_medium_or_version(search_all: SearchAll) -> None:
    same = [meter("70412233", medium=4), meter("70412233", medium=7), meter("70412233", 4, version=0x22)]
    found = found_by(search_all(Bus(same)))
    assert {address_of(one) for one in found if one} == {address_of(one) for one in same}


def test_what_cannot_be_told_apart_is_reported_and_not_lost(search_all: SearchAll) -> None:
    search = search_all(Bus([meter("70412233"), meter("70412233")]))
    assert search.found == []
    assert [str(probe.mask) for probe in search.unresolved] == ["70412233.FFFF.21.04"]


def test_a_meter_that_acknowledges_and_gives_nothing_is_reported_with_its_number(
    search_all: SearchAll,
) -> None:
    search = search_all(Bus([meter("70412233")], mute=True))
    assert {(str(probe.mask)[:8], probe.found) for probe in search.unresolved} == {("70412233", Found.MUTE)}


def test_serial_numbers_with_letters_are_found_when_asked_for(search_all: SearchAll) -> None:
    meters = [meter("0500023E"), meter("05000231")]
    assert found_by(search_all(Bus(meters))) == [meters[1]]
    assert found_by(search_all(Bus(meters), hex_digits=True)) == [meters[1], meters[0]]


def test_a_search_can_stop_and_go_on_from_its_state(converse: Converse) -> None:
    bus = Bus([meter(f"1000000{n}") for n in range(4)])
    search = Search()
    for _ in range(5):
        converse(search_step(search, attempts=1), bus)
    rest = Search(pending=[secondary_address(str(mask)) for mask in search.pending], found=search.found)
    while rest.pending:
        converse(search_step(rest, attempts=1), bus)
    assert len(found_by(rest)) == 4


def test_one_lost_acknowledgement_does_not_hide_a_meter(converse: Converse) -> None:
    turns = iter([[], [Ack()], [encode.variable_response(0, meter("70412233"), [])]])
    probe, sent = converse(search_step(Search(), attempts=2), lambda request: next(turns))
    assert probe.found is Found.ONE
    assert len(sent) == 3


class Primary:
    """What one primary address answers to SND_NKE and to REQ_UD2."""

    def __init__(self, greeting: list[Heard], telegram: list[Heard]) -> None:
        self.answers = {0x40: greeting, 0x7B: telegram}

    def __call__(self, request: Request) -> list[Heard]:
        assert isinstance(request, ShortFrame)
        return self.answers[request.control]


ANSWER = encode.variable_response(3, meter("70412233"), [])


@pytest.mark.parametrize(
    ("greeting", "telegram", "found"),
    [
        ([], [], Found.NOBODY),
        ([Ack()], [ANSWER], Found.ONE),
        ([COLLISION], [], Found.SEVERAL),
        ([Ack()], [COLLISION], Found.SEVERAL),
        ([Ack()], [], Found.MUTE),
    ],
)
def test_a_primary_address_is_silent_answered_or_collided(
    converse: Converse, greeting: list[Heard], telegram: list[Heard], found: Found
) -> None:
    probe, _ = converse(probe_primary(3, attempts=1), Primary(greeting, telegram))
    assert probe.found is found
