"""How long an M-Bus master waits (EN 13757-2), in seconds. Edges wait, cores only compute."""

from __future__ import annotations

from typing import Final

BITS_PER_OCTET: Final = 11  # 8E1: start, eight data bits, parity, stop
SOONEST_ANSWER_BITS: Final = 11
SLOWEST_ANSWER_BITS: Final = 330
SLOWEST_ANSWER_S: Final = 0.050
IDLE_BITS: Final = 33


def soonest_answer(baud: int) -> float:
    """From the last bit of the request to the first of the answer: no meter is sooner."""
    return SOONEST_ANSWER_BITS / baud


def answer_timeout(baud: int) -> float:
    """From the last bit of the request to the first of the answer: a meter later than this is silent.

    The latency of a level converter or a network comes on top.
    """
    return SLOWEST_ANSWER_BITS / baud + SLOWEST_ANSWER_S


def transmission_time(octets: int, baud: int) -> float:
    """What so many octets take on the wire without a pause."""
    return octets * BITS_PER_OCTET / baud


def idle_time(baud: int) -> float:
    """The quiet after which whatever was being sent is over, and before a request is repeated."""
    return IDLE_BITS / baud
