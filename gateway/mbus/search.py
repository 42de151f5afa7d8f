"""Who is on the bus? Wildcard search by secondary address, and the probe of one primary address.

A search is a list of masks still to be asked. Where several meters answer at once the mask is narrowed by one
digit, from the left. The list is plain state: a search can stop after any step and go on tomorrow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from typing import Final, TypeVar

from gateway.mbus.addressing import ANY_DIGIT, SELECTED, SecondaryAddress
from gateway.mbus.dialogue import Dialogue, FrameCount, initialise, next_telegram, select
from gateway.mbus.errors import AnswerGarbled, MeterSilent, WrongAnswer
from gateway.mbus.link import LongFrame

DIGITS: Final = "0123456789"
HEX_DIGITS: Final = "ABCDE"  # F is the wildcard
OCTETS: Final = range(0xFF)  # FF is the wildcard
T = TypeVar("T")


class Found(Enum):
    """What a probe met."""

    NOBODY = auto()
    ONE = auto()
    SEVERAL = auto()  # a collision, or noise
    MUTE = auto()  # acknowledged, but gave no telegram


@dataclass(frozen=True, slots=True)
class Probe:
    """One question and its answer. `answer` is the meter's telegram when it was ONE."""

    mask: SecondaryAddress | int
    found: Found
    answer: LongFrame | None = None


@dataclass(slots=True)
class Search:
    """A wildcard search under way. `unresolved`: masks without a wildcard that still collide or stay mute."""

    pending: list[SecondaryAddress] = field(default_factory=lambda: [SecondaryAddress()])
    found: list[Probe] = field(default_factory=list)
    unresolved: list[Probe] = field(default_factory=list)


def search_step(search: Search, *, attempts: int, hex_digits: bool = False) -> Dialogue[Probe]:
    """Ask one pending mask and take the answer into the search. Call it until nothing is pending.

    `hex_digits` also looks for serial numbers with A to E in them, which costs half as many questions again.
    """
    probe = yield from probe_secondary(search.pending[-1], attempts=attempts)
    mask = search.pending.pop()
    if probe.found is Found.ONE:
        search.found.append(probe)
    elif probe.found is not Found.NOBODY:
        narrower = narrow(mask, hex_digits=hex_digits)
        search.pending.extend(reversed(narrower))
        if not narrower:
            search.unresolved.append(probe)
    return probe


def narrow(mask: SecondaryAddress, *, hex_digits: bool = False) -> list[SecondaryAddress]:
    """The masks that cover this one, one wildcard fewer: a digit, then the medium, then the version."""
    at = mask.id.find(ANY_DIGIT)
    if at >= 0:
        digits = DIGITS + (HEX_DIGITS if hex_digits else "")
        return [replace(mask, id=mask.id[:at] + digit + mask.id[at + 1 :]) for digit in digits]
    if mask.medium is None:
        return [replace(mask, medium=medium) for medium in OCTETS]
    if mask.version is None:
        return [replace(mask, version=version) for version in OCTETS]
    return []


def probe_secondary(mask: SecondaryAddress, *, attempts: int) -> Dialogue[Probe]:
    """Select by a mask and read who was selected."""
    greet = partial(select, mask, FrameCount(), attempts=1)
    ask = partial(_first_telegram, SELECTED, mask)
    return (yield from _probe(mask, greet, ask, attempts))


def probe_primary(address: int, *, attempts: int) -> Dialogue[Probe]:
    """Greet one primary address and read who is there."""
    greet = partial(initialise, address, FrameCount(), attempts=1)
    ask = partial(_first_telegram, address, None)
    return (yield from _probe(address, greet, ask, attempts))


def _first_telegram(address: int, who: SecondaryAddress | None) -> Dialogue[LongFrame]:
    """It is enough to know who sent it."""
    return next_telegram(address, FrameCount(bit=True), attempts=1, who=who)


def _probe(
    mask: SecondaryAddress | int,
    greet: Callable[[], Dialogue[None]],
    ask: Callable[[], Dialogue[LongFrame]],
    attempts: int,
) -> Dialogue[Probe]:
    try:
        yield from _unless_silent(greet, attempts)
    except MeterSilent:
        return Probe(mask, Found.NOBODY)
    except (AnswerGarbled, WrongAnswer):
        return Probe(mask, Found.SEVERAL)
    try:
        return Probe(mask, Found.ONE, (yield from _unless_silent(ask, attempts)))
    except AnswerGarbled:
        return Probe(mask, Found.SEVERAL)
    except (MeterSilent, WrongAnswer):
        return Probe(mask, Found.MUTE)


def _unless_silent(exchange: Callable[[], Dialogue[T]], attempts: int) -> Dialogue[T]:
    """Only silence is worth another attempt: a collision collides again."""
    for _ in range(attempts - 1):
        try:
            return (yield from exchange())
        except MeterSilent:
            continue
    return (yield from exchange())
