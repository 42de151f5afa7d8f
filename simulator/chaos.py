"""When `--chaos` kills what: a function of the seed, counted in slots, so that every run is struck alike.

A gateway is started again at once, since the clock waits for it. Broker and collector stay dead for some
slots. What they missed must be there in the end all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.chance import between

GATEWAY, BROKER, COLLECTOR = "gateway", "broker", "collector"

_ROUNDS = (
    (GATEWAY,),
    (COLLECTOR,),
    (BROKER,),
    (COLLECTOR, BROKER),
    (GATEWAY,),
    (GATEWAY, BROKER),
    (COLLECTOR,),
    (GATEWAY, COLLECTOR),
    (BROKER,),
    (GATEWAY, COLLECTOR, BROKER),
)
_LONGEST_DOWN = 12


@dataclass(frozen=True, slots=True)
class Strike:
    """At slot number `slot` the victims are killed; `down` slots later broker and collector come back."""

    slot: int
    victims: tuple[str, ...]
    down: int


def plan_strikes(seed: int, slots: int) -> list[Strike]:
    """Ten strikes spread over the slots, each over before the next begins."""
    return list(_strikes(seed, slots))


def _strikes(seed: int, slots: int) -> Iterator[Strike]:
    share = slots // len(_ROUNDS)
    for number, victims in enumerate(_ROUNDS):
        down = min(between(1, _LONGEST_DOWN, seed, "down", number), max(share // 2, 1))
        latest = max(share - down - 1, 0)
        yield Strike(number * share + between(0, latest, seed, "strike", number), victims, down)
