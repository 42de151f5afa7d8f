"""Chance that is the same everywhere: a number is a function of the seed and of its name.

Nothing is drawn in sequence, so no draw depends on how many came before it, on the order of the
questions or on the machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

Item = TypeVar("Item")


def draw(seed: int, *name: object) -> int:
    """64 bits that belong to this seed and name."""
    text = "|".join(map(str, (seed, *name)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def between(low: int, high: int, seed: int, *name: object) -> int:
    """A whole number from low to high, both ends in."""
    return low + draw(seed, *name) % (high - low + 1)


def shuffled(items: Sequence[Item], seed: int, *name: object) -> list[Item]:
    """The items in an order that belongs to this seed and name."""
    order = sorted(range(len(items)), key=lambda index: (draw(seed, *name, index), index))
    return [items[index] for index in order]
