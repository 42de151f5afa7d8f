"""A line without wires: it runs a dialogue against a function that tells what is heard after each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import pytest

from gateway.mbus.dialogue import LISTEN, Dialogue, Heard, Request, Silence, T

Line = Callable[[Request], Iterable[Heard]]


class Converse(Protocol):
    """Returns what the dialogue returned, and the requests it made."""

    def __call__(self, dialogue: Dialogue[T], line: Line) -> tuple[T, list[Request]]: ...


@pytest.fixture(scope="session")
def converse() -> Converse:
    return _converse


def _converse(dialogue: Dialogue[T], line: Line) -> tuple[T, list[Request]]:
    sent: list[Request] = []
    heard: list[Heard] = []
    try:
        request = next(dialogue)
        while True:
            if request != LISTEN:
                sent.append(request)
                heard = list(line(request))
            request = dialogue.send(heard.pop(0) if heard else Silence())
    except StopIteration as done:
        result: T = done.value
        return result, sent
