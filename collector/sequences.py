"""Which batches of one epoch have arrived, as a few ranges of seq, and what the gateway is told of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from kaukoluenta.acknowledgement import Acknowledgement

Ranges = Sequence[tuple[int, int]]
"""(first, last) of each unbroken run of seq, both in, ascending, never touching."""

MOST_HOLES = 500
"""An acknowledgement stays small: what lies behind more holes than this waits until some are filled."""


def with_seqs(ranges: Ranges, seqs: Iterable[int]) -> Ranges:
    """The ranges with these seqs in them as well."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted([*ranges, *((seq, seq) for seq in seqs)]):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def cut(ranges: Ranges, upto: int) -> Ranges:
    """The ranges as far as a seq."""
    return [(first, min(last, upto)) for first, last in ranges if first <= upto]


def acknowledgement(epoch: str, ranges: Ranges) -> Acknowledgement:
    """All up to the last seq that arrived, except the holes; seq counts from 1."""
    told = [(0, 0), *ranges][: MOST_HOLES + 1]
    holes = ((before + 1, after - 1) for (_, before), (after, _) in pairwise(told) if after > before + 1)
    return Acknowledgement(epoch, told[-1][1], tuple(holes))
