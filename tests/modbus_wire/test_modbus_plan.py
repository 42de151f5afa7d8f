"""The planner's promises, for any map: nothing forgotten, nothing split, no limit broken, no length twice."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modbus.ground import NOTHING_LEARNED, Learned, Limits, Span
from gateway.modbus.plan import Step, Wanted, learn, make_plan

SERIAL = Span(3, 165, 2)


def span(address: int, count: int = 2, function: int = 3) -> Span:
    return Span(function, address, count)


@st.composite
def maps(draw: st.DrawFn) -> tuple[list[Wanted], Limits]:
    """A map as people draw them: values of one to four registers, some with units, some after gaps."""
    address, spans = draw(st.integers(0, 50)), []
    for _ in range(draw(st.integers(1, 14))):
        spans.append(span(address, draw(st.sampled_from((1, 2, 2, 4)))))
        address = spans[-1].end + draw(st.sampled_from((0, 0, 0, 1, 3, 8, 20, 70)))
    taken = {register for each in spans for register in each.registers()}
    holes = [
        span(place, 1) for place in range(address) if (3, place) not in taken and draw(st.integers(0, 9)) == 0
    ]
    needs = draw(st.lists(st.sampled_from(spans), max_size=2, unique=True))
    wanted = [
        Wanted(f"value {number}", each, tuple(need for need in needs if need != each))
        for number, each in enumerate(spans)
    ]
    limits = Limits(
        tuple(spans), tuple(holes), draw(st.sampled_from((4, 8, 22, 60, 125))), draw(st.integers(0, 30))
    )
    return wanted, limits


def read(steps: Iterable[Step]) -> list[Span]:
    return [step.span for step in steps]


@given(maps())
def test_every_value_is_whole_in_one_request(drawn: tuple[list[Wanted], Limits]) -> None:
    wanted, limits = drawn
    values = [step.span for step in make_plan(wanted, limits) if step.values]
    for item in wanted:
        assert any(request.holds(item.value) for request in values)


@given(maps())
def test_what_a_value_needs_comes_with_it_or_before_and_after_it(drawn: tuple[list[Wanted], Limits]) -> None:
    wanted, limits = drawn
    steps = make_plan(wanted, limits)
    for item in wanted:
        for need in item.needs:
            homes = [
                number for number, step in enumerate(steps) if step.values and step.span.holds(item.value)
            ]
            places = [number for number, step in enumerate(steps) if step.span.holds(need)]
            assert any(home in places or (min(places) < home and max(places) > home) for home in homes), (
                f"{item} in {steps}"
            )


@given(maps())
def test_no_request_breaks_a_limit(drawn: tuple[list[Wanted], Limits]) -> None:
    wanted, limits = drawn
    holes = {register for hole in limits.holes for register in hole.registers()}
    known = {register for each in limits.documented for register in each.registers()}
    for request in read(make_plan(wanted, limits)):
        assert request.count <= limits.most
        assert not holes.intersection(request.registers())
        unknown = "".join("." if register in known else "?" for register in request.registers())
        assert "?" * (limits.gap + 1) not in unknown


@given(maps())
def test_no_two_requests_have_one_length_unless_they_say_so(drawn: tuple[list[Wanted], Limits]) -> None:
    wanted, limits = drawn
    steps = make_plan(wanted, limits)
    told_apart = [step.span.count for step in steps if not step.twin]
    assert len(told_apart) == len(set(told_apart))


@given(maps())
def test_few_requests(drawn: tuple[list[Wanted], Limits]) -> None:
    """Never more than one for each value, and at most two about them for each register that they need."""
    wanted, limits = drawn
    steps = make_plan(wanted, limits)
    values = [step for step in steps if step.values]
    assert len(values) <= len(wanted)
    needs = {need for item in wanted for need in item.needs}
    assert len(steps) - len(values) <= max(2 * len(needs), 1)


@given(drawn=maps(), data=st.data())
def test_a_device_with_holes_of_its_own_is_learned_in_a_few_lessons(
    drawn: tuple[list[Wanted], Limits], data: st.DataObject
) -> None:
    """Whatever a device lacks: after some refusals all it has is read, and what it lacks is known."""
    wanted, limits = drawn
    registers = sorted(
        {register for each in read(make_plan(wanted, limits)) for register in each.registers()}
    )
    lacks = set(data.draw(st.lists(st.sampled_from(registers), max_size=6)))
    learned: Learned = NOTHING_LEARNED
    for _ in range(2 * len(wanted) + 8):
        refused = [
            each for each in read(make_plan(wanted, limits, learned)) if lacks.intersection(each.registers())
        ]
        if not refused:
            break
        before, learned = learned, learn(learned, refused[0], wanted)
        assert learned != before
    else:
        raise AssertionError("it never ends")
    has = {
        item.name
        for item in wanted
        if not any(lacks.intersection(part.registers()) for part in (item.value, *item.needs))
    }
    assert has.isdisjoint(learned.lacking)


ONE_REQUEST = [Wanted("energy", span(0), (span(165),)), Wanted("volume", span(10), (span(165),))]


def test_a_serial_number_out_of_reach_is_read_before_and_after() -> None:
    limits = Limits((span(0), span(10), SERIAL, span(164, 1)))
    steps = make_plan(ONE_REQUEST, limits)
    assert [step.span.holds(SERIAL) for step in steps] == [True, False, True]
    assert [step.values for step in steps] == [False, True, False]
    assert sorted(step.span.count for step in steps) == [2, 3, 12]


def test_a_request_that_would_be_alone_gets_a_second_of_another_length() -> None:
    wanted = [Wanted("energy", span(0), (span(6),)), Wanted("volume", span(2), (span(6),))]
    steps = make_plan(wanted, Limits((span(0), span(2), span(6))))
    assert read(steps) == [span(6), span(0, 8)]
    assert [step.values for step in steps] == [False, True]


REFUSED = {
    "registers 2 to 9 are not there": span(0, 12),
    "its two values are not there together": span(20, 4),
}


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_a_refused_request_is_split_once_and_remembered(refused: Span) -> None:
    wanted = [Wanted(str(address), span(address)) for address in (0, 10, 20, 22)]
    limits = Limits(tuple(item.value for item in wanted), most=12, gap=8)
    assert refused in read(make_plan(wanted, limits))
    after = read(make_plan(wanted, limits, learn(NOTHING_LEARNED, refused, wanted)))
    for item in wanted:
        assert any(request.holds(item.value) for request in after)
    assert not any(request.holds(refused) for request in after)


def test_a_value_refused_alone_is_lacking() -> None:
    wanted = [Wanted("energy", span(0)), Wanted("volume", span(10))]
    learned = learn(NOTHING_LEARNED, span(10), wanted)
    assert learned.lacking == {"volume"}
    steps = make_plan(wanted, Limits((span(0), span(10))), learned)
    assert not any(step.span.holds(span(10)) for step in steps if step.values)
