"""Which requests read a meter: few, within its limits, and none that another's answer could be taken for.

Sans-IO. A value and the registers that give it its meaning (unit, exponent, identity) are one request where
the span fits; else those registers are read before all values and after them, and must not have changed.
No value is ever split. On RTU only unit, function and length tie an answer to its request, so each request of
a meter has a length of its own: a span is widened over registers that the map knows, or by a gap within it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.modbus.frames import MOST_REGISTERS, Question
from gateway.modbus.ground import NOTHING_LEARNED, Ground, Learned, Limits, Span


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value, and the registers without which it means nothing."""

    name: str
    value: Span
    needs: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One request. `values`: values are taken from it. `twin`: another step of the plan has its length."""

    span: Span
    values: bool = True
    twin: bool = False

    def question(self, unit: int) -> Question:
        return Question(unit, self.span.function, self.span.address, self.span.count)


def make_plan(
    wanted: Sequence[Wanted], limits: Limits, learned: Learned = NOTHING_LEARNED
) -> tuple[Step, ...]:
    """The requests of one readout, in their order.

    A register that a value needs and that is in several requests must be the same in all of them. Where one
    request would do there is a second: one alone, the same in every slot, could each time be answered by the
    answer before, also by a converter on TCP that mixes up its bus; two of different lengths cannot.
    """
    ground = Ground(limits, learned)
    values = [item for item in wanted if item.name not in learned.lacking]
    homes = {item: _together(ground, item) for item in values}
    body = ground.merge(homes.values())
    apart = sorted({need for item in values for need in _apart(item, homes[item], body)})
    before, body, after = _in_order(ground, body, apart)
    if not before and not after and len(body) == 1:
        before = _fence(values, body[0])
    steps = [Step(span, values=False) for span in before]
    steps += [Step(span) for span in body]
    steps += [Step(span, values=False) for span in after]
    return tuple(_told_apart(ground, steps))


def learn(learned: Learned, refused: Span, wanted: Sequence[Wanted]) -> Learned:
    """What follows when a device refuses the registers of a request (exceptions 2 and 3): split it, once.

    First by the registers in it that nobody wants; if there are none, between its values. What is refused
    alone is not there.
    """
    inside = {span for item in wanted for span in (item.value, *item.needs) if refused.holds(span)}
    unwanted = frozenset(refused.registers()).difference(*(span.registers() for span in inside))
    if unwanted:
        return replace(learned, holes=learned.holes | unwanted)
    cuts = frozenset((span.function, span.address) for span in inside if span.address > refused.address)
    if cuts:
        return replace(learned, cuts=learned.cuts | cuts)
    lacking = {item.name for item in wanted if inside.intersection((item.value, *item.needs))}
    return replace(learned, lacking=learned.lacking | lacking)


def _together(ground: Ground, item: Wanted) -> Span:
    """The value, with as many of the registers that it needs as one request holds."""
    span = item.value
    for need in item.needs:
        span = ground.joined(span, need) or span
    return span


def _apart(item: Wanted, home: Span, body: Iterable[Span]) -> list[Span]:
    """The registers that a value needs and that the request which gives it does not give."""
    request = next(span for span in body if span.holds(home))
    return [need for need in item.needs if not request.holds(need)]


def _in_order(
    ground: Ground, body: list[Span], apart: list[Span]
) -> tuple[list[Span], list[Span], list[Span]]:
    """What is read before the values, the values, and after them. One of the values' requests may open."""
    frame = ground.merge(apart)
    with_apart = ground.merge([*body, *apart])
    opening = [span for span in with_apart if all(span.holds(need) for need in apart)]
    if opening and len(with_apart) <= len(body):
        return [], [opening[0], *(span for span in with_apart if span != opening[0])], frame
    return frame, body, frame


def _fence(values: Sequence[Wanted], span: Span) -> list[Span]:
    """A request of another length than `span`: the identity if there is one, else a value that fits."""
    parts = [part for item in values for part in (*reversed(item.needs), item.value)]
    return [part for part in parts if part.count != span.count][:1]


def _told_apart(ground: Ground, steps: list[Step]) -> list[Step]:
    """The steps, widened so that no two of one function have the same length; where that fails, twins."""
    told = list(steps)
    for function in {step.span.function for step in steps}:
        mine = [index for index, step in enumerate(steps) if step.span.function == function]
        widest = [ground.widest(steps[index].span) for index in mine]
        shortest = [steps[index].span.count for index in mine]
        lengths = _distinct(list(zip(shortest, (span.count for span in widest), strict=True)))
        for index, room, length in zip(mine, widest, lengths, strict=True):
            span = _widened(steps[index].span, room, length)
            told[index] = replace(steps[index], span=span, twin=length is None)
    return told


def _distinct(ranges: list[tuple[int, int]]) -> list[int | None]:
    """A number out of each range (both ends in), no two the same, small ones first; None where none is left.

    Whoever has the least room is served first, which serves as many as can be.
    """
    chosen: list[int | None] = [None] * len(ranges)
    waiting: list[tuple[int, int]] = []
    for number in range(MOST_REGISTERS + 1):
        for index, (low, high) in enumerate(ranges):
            if low == number:
                heapq.heappush(waiting, (high, index))
        while waiting:
            high, index = heapq.heappop(waiting)
            if high >= number:
                chosen[index] = number
                break
    return chosen


def _widened(span: Span, room: Span, length: int | None) -> Span:
    """The span at this length within `room`, widened upwards first."""
    more = (length or span.count) - span.count
    above = min(more, room.end - span.end)
    return Span(span.function, span.address - (more - above), span.count + more)
