"""How long a master waits, and when it lets a line come to rest first: computed, by the standard."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from gateway.lines.mbus_master import MbusMaster
from gateway.links import LinkAddress, link_address, link_to
from gateway.mbus.dialogue import Dialogue, FrameCount, initialise, next_telegram
from gateway.mbus.encode import integer_record, variable_response
from gateway.mbus.errors import MbusError
from gateway.mbus.header import identity_of
from gateway.mbus.link import LongFrame, ShortFrame

BIT_S = 1 / 2400
OCTET_S = 11 * BIT_S
REQUEST = 5 * OCTET_S
STANDARD = 330 * BIT_S + 0.05

URL = "tcp://h:1?latency_s=0.1"


def telegram(address: int) -> bytes:
    who = identity_of(f"{address:08d}", "XTA", 0x11, 0x04)
    return variable_response(address, who, [integer_record(b"\x06", 123)]).to_bytes()


@dataclass
class ScriptedLink:
    """Gives for each request what the script says, a piece at each look, then nothing. Time stands still."""

    address: LinkAddress
    script: deque[list[bytes]]
    latency_s: float = 0.1
    is_open: bool = True
    said: list[str] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    _pieces: deque[bytes] = field(default_factory=deque)

    async def open(self) -> None: ...

    async def send(self, octets: bytes) -> None:
        self.said.append("send")
        self._pieces = deque(self.script.popleft())

    async def receive(self, timeout_s: float, gather_s: float = 0.0) -> bytes:
        self.said.append("hear")
        self.waits.append((timeout_s, gather_s))
        return self._pieces.popleft() if self._pieces else b""

    async def discard(self) -> bytes:
        return b""

    async def use_baud(self, baud: int) -> None: ...

    async def close(self) -> None: ...


pytestmark = pytest.mark.usefixtures("time_stands_still")


@pytest.fixture
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.lines.mbus_master.time", SimpleNamespace(monotonic=lambda: 1000.0))


def scripted(*script: list[bytes], url: str = URL) -> ScriptedLink:
    return ScriptedLink(link_address(url), deque(script))


def perform(master: MbusMaster, *dialogues: Dialogue[object]) -> None:
    """One after another; what fails, fails."""

    async def run() -> None:
        for dialogue in dialogues:
            with suppress(MbusError):
                await master.perform(dialogue)

    asyncio.run(run())


def ask(address: int) -> Dialogue[LongFrame]:
    return next_telegram(address, FrameCount(bit=True), attempts=1)


WAITS = [
    #  link                         timeout_s  how long the answer may be awaited
    ("tcp://h:1", None, REQUEST + STANDARD + 0.1),
    ("tcp://h:1?baud=300", None, 55 / 300 + 330 / 300 + 0.05 + 0.1),
    ("tcp://h:1?baud=9600", None, 55 / 9600 + 330 / 9600 + 0.05 + 0.1),
    ("tcp://h:1", 0.5, REQUEST + 0.5),
]


@pytest.mark.parametrize(("url", "timeout_s", "wait"), WAITS)
def test_a_silent_meter_is_waited_for_as_long_as_the_standard_allows(
    url: str, timeout_s: float | None, wait: float
) -> None:
    link = scripted([], url=url)
    perform(MbusMaster(link, timeout_s), ask(17))
    assert link.waits == [(pytest.approx(wait), 0.0)]


def test_every_kind_of_link_has_its_own_latency_unless_the_url_says_another() -> None:
    urls = [
        "tcp://h:1",
        "serial:///dev/x",
        "rfc2217://h:1",
        "tcp://h:1?latency_s=0",
        "serial:///dev/x?latency_s=2",
    ]
    assert [link_to(url).latency_s for url in urls] == [0.4, 0.05, 0.4, 0.0, 2.0]


def test_the_rest_of_a_frame_is_not_looked_for_before_it_can_be_there() -> None:
    octets = telegram(17)
    link = scripted([octets[:1], octets[1:4], octets[4:]])
    perform(MbusMaster(link), ask(17))
    [first, second, third] = [gather_s for _, gather_s in link.waits]
    assert first == second == 0
    assert third == pytest.approx(REQUEST + 11 * BIT_S + (len(octets) - 3) * OCTET_S)


def test_a_wait_ends_with_the_last_octet_of_the_frame_and_not_with_a_pause_behind_it() -> None:
    link = scripted([telegram(17)], [telegram(17)])
    perform(MbusMaster(link), ask(17), ask(17))
    assert link.said == ["send", "hear"] * 2


def test_a_frame_that_breaks_off_is_waited_for_until_its_octets_are_overdue() -> None:
    octets = telegram(17)
    link = scripted([octets[:-3]])
    perform(MbusMaster(link), ask(17))
    assert link.waits[1][0] == pytest.approx(max(REQUEST + STANDARD, 3 * OCTET_S + 33 * BIT_S) + 0.1)


BEFORE_THE_NEXT = [
    #  what was heard                                    is the line let come to rest before the next request?
    ([telegram(17)], False),
    ([b"\x00\xff", telegram(17)], False),
    ([telegram(9), telegram(17)], False),
    ([ShortFrame(0x7B, 17).to_bytes(), telegram(17)], False),
    ([ShortFrame(0x7B, 17).to_bytes()], False),
    ([], False),
    ([b"\x00\xff"], True),
    ([telegram(9)], True),
    ([telegram(17)[:-3]], True),
    ([telegram(17)[:9] + b"\x00" + telegram(17)[9:]], True),
]


@pytest.mark.parametrize(("heard", "rests"), BEFORE_THE_NEXT)
def test_after_anything_but_an_answer_or_silence_the_line_comes_to_rest_first(
    heard: list[bytes], rests: bool
) -> None:
    link = scripted(heard, [telegram(18)])
    perform(MbusMaster(link), ask(17), ask(18))
    quiet = (pytest.approx(33 * BIT_S + 0.1), 0.0)
    assert (quiet in link.waits) == rests


def test_an_acknowledgement_ends_its_wait_too() -> None:
    link = scripted([b"\xe5"], [telegram(17)])
    perform(MbusMaster(link), initialise(17, FrameCount(), attempts=1), ask(17))
    assert link.said == ["send", "hear"] * 2
