"""Which meters miss which slots: what the gateways said they missed, and what nobody said anything about.

A meter is expected from the first slot of which its gateway spoke, or since the gateway's state names it.
It is no longer expected when the state stopped naming it: its last slot is then the end, since a gateway says
something of every slot of its meters.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from collector.books import Books
from collector.entries import Watched
from collector.store import ReadingStore
from kaukoluenta.gateway_state import GatewayState
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.slots import slots

USUAL_CADENCE = timedelta(hours=1)
"""Of a gateway that never said how often it reads."""

GRACE = timedelta(minutes=15)
"""How long a slot may take to arrive before anybody misses it."""

LOOK_BACK = timedelta(days=40)
"""How far back a gateway can still send again."""

SILENCE = "nothing was heard"

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gap:
    """Slots of one meter, one after another, missing for one reason: the gateway's own, or SILENCE."""

    meter: MeterId
    reason: str
    slots: tuple[datetime, ...]

    @property
    def silent(self) -> bool:
        return self.reason == SILENCE


@dataclass(frozen=True, slots=True)
class Expectation:
    """The slots in [start, end), one `every`, in which a meter should have been read."""

    start: datetime
    end: datetime
    every: timedelta

    def slots(self) -> Iterator[datetime]:
        return slots(self.start, self.end, self.every)


def window(
    books: Books, now: datetime, start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    """The slots to look at, [start, end): by default the last 40 days up to what should be here by now."""
    if end is None:
        newest = [watched.last_slot for watched in books.watched() if watched.last_slot]
        end = max([now - GRACE, *newest])
    return (end - LOOK_BACK if start is None else start), end


def find_gaps(
    store: ReadingStore, books: Books, start: datetime, end: datetime, every: timedelta | None = None
) -> Iterator[Gap]:
    """The missing slots in [start, end), by meter, then slot; those in a row for one reason as one gap."""
    states = {gateway.name: gateway.state for gateway in books.gateways()}
    told: dict[MeterId, dict[datetime, str]] = {}
    for _, missed in books.missed(start, end):
        told.setdefault(missed.meter, {}).setdefault(missed.slot, missed.reason)
    for meter, watched in groupby(books.watched(), key=lambda one: one.meter):
        expectations = [expectation(one, states, start, end, every) for one in watched]
        expected = {slot for expected in expectations for slot in expected.slots()}
        present = {*store.instants(meter, start, end)}
        yield from _runs(meter, sorted(expected | told.get(meter, {}).keys()), present, told.get(meter, {}))


def expectation(
    watched: Watched,
    states: Mapping[GatewayName, GatewayState],
    start: datetime,
    end: datetime,
    every: timedelta | None = None,
) -> Expectation:
    """In which slots a gateway should have said something of a meter."""
    state = states.get(watched.gateway)
    if every is None:
        every = timedelta(seconds=state.every_s) if state and state.every_s else USUAL_CADENCE
    if watched.line is None and state and state.lines:
        end = min(end, watched.last_slot + _MOMENT if watched.last_slot else start)
    known_since = [instant for instant in (watched.first_slot, watched.named_since) if instant]
    return Expectation(max(start, min(known_since, default=end)), end, every)


def _runs(
    meter: MeterId, slots: Iterable[datetime], present: Container[datetime], told: Mapping[datetime, str]
) -> Iterator[Gap]:
    """Neighbouring slots that are missing for the same reason, as one gap."""

    def why(slot: datetime) -> str | None:
        return None if slot in present else told.get(slot, SILENCE)

    for reason, run in groupby(slots, key=why):
        if reason is not None:
            missing = tuple(run)
            yield Gap(meter, reason, missing)


def singly(gaps: Iterable[Gap]) -> Iterator[Gap]:
    """Each slot as a gap of its own."""
    return (Gap(gap.meter, gap.reason, (slot,)) for gap in gaps for slot in gap.slots)


def as_json(gap: Gap) -> dict[str, object]:
    """`first` and `last` are slots that are missing themselves."""
    return {
        "meter": gap.meter,
        "first": instant_text(gap.slots[0]),
        "last": instant_text(gap.slots[-1]),
        "slots": len(gap.slots),
        "silent": gap.silent,
        "reason": gap.reason,
    }
