"""What a gateway is told of its batches: everything up to the last that came, except the holes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sequences import MOST_HOLES, acknowledgement, with_seqs
from kaukoluenta.acknowledgement import Acknowledgement

ARRIVED = [
    #  seqs               upto, missing
    ([], (0, ())),
    ([1, 2, 3], (3, ())),
    ([3, 1, 2, 2], (3, ())),
    ([4], (4, ((1, 3),))),
    ([1, 2, 5, 9], (9, ((3, 4), (6, 8)))),
    ([2**63 - 1], (2**63 - 1, ((1, 2**63 - 2),))),
]


@pytest.mark.parametrize(("seqs", "told"), ARRIVED)
def test_holes_are_named_and_nothing_else(seqs, told):
    assert acknowledgement("e", with_seqs([], seqs)) == Acknowledgement("e", *told)


@given(st.lists(st.sets(st.integers(1, 60)), max_size=8))
def test_any_order_and_any_repeat_of_arrival_says_the_same(rounds):
    ranges = []
    for seqs in rounds:
        ranges = with_seqs(ranges, seqs)
    arrived = set().union(*rounds)
    ack = acknowledgement("e", ranges)
    missing = {seq for first, last in ack.missing for seq in range(first, last + 1)}
    assert {*range(1, ack.upto + 1)} - missing == arrived
    assert all(last + 1 < first for (_, last), (first, _) in pairwise(ranges))


def test_an_acknowledgement_stays_small_and_true_behind_very_many_holes():
    ack = acknowledgement("e", with_seqs([], range(2, 10 * MOST_HOLES, 2)))
    assert len(ack.missing) == MOST_HOLES
    assert ack.upto == 2 * MOST_HOLES
    assert ack.missing[-1] == (2 * MOST_HOLES - 1, 2 * MOST_HOLES - 1)
