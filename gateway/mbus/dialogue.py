"""The master's side of the bus as generators: they yield what to do next and are sent what was heard.

    Heard:    Ack, ShortFrame, LongFrame, Garbled or Silence (nothing more came before the answer was due)
    Request:  a frame to send, LISTEN (send nothing, hear on until the same answer is due), or UseBaud

So noise before an answer, a converter's echo, a late answer of the meter asked before and an answer from
another address are told apart here, where the request is known, and not at every edge. No time, no port, no
hidden retry: `attempts` says how often a request is sent at most. An edge throws away what it heard before it
sends, waits `timing.answer_timeout` for the first octet, and ends on what `LinkReader.octets_missing` says.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, TypeVar

from gateway.mbus.addressing import ANY_METER, BROADCAST, SELECTED, SecondaryAddress
from gateway.mbus.errors import AnswerGarbled, MbusError, MeterSilent, ReadoutBroken, WrongAnswer
from gateway.mbus.link import Ack, Garbled, LongFrame, ShortFrame
from gateway.mbus.telegram import decode_frame, same_telegram, sender

SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD2: Final = 0x5B
RSP_UD: Final = 0x08
FCB: Final = 0x20
ACCESS_AND_FLOW: Final = 0x30  # C field bits ACD and DFC of an answer
SELECT_CI: Final = 0x52


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing (more) arrived before the answer was due."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Send nothing and hear on; the deadline of the request before stays."""


@dataclass(frozen=True, slots=True)
class UseBaud:
    """Change the line's speed, then go on at once; what is sent back does not matter."""

    baud: int


LISTEN: Final = Listen()
Request = ShortFrame | LongFrame | Listen | UseBaud
Heard = Ack | ShortFrame | LongFrame | Garbled | Silence
T = TypeVar("T")
Dialogue = Generator[Request, Heard, T]
GoesOn = Callable[[LongFrame], bool]


@dataclass(slots=True)
class FrameCount:
    """The frame count bit that the next request to one meter carries; keep one for each meter.

    A meter that sees the same bit again repeats its last telegram instead of sending the next. None: nobody
    knows what the meter saw last (at the start, after a failure), so a dialogue first resets it by SND_NKE.
    """

    bit: bool | None = None

    def reset(self) -> None:
        """After SND_NKE or a selection the meter expects a set bit."""
        self.bit = True

    def taken(self) -> None:
        """The meter's answer arrived: the next request is a new one."""
        self.bit = not self.bit

    def forget(self) -> None:
        self.bit = None


def goes_on(telegram: LongFrame, key: bytes | None = None) -> bool:
    """Whether the readout has another telegram. An encrypted one only tells with its key."""
    return decode_frame(telegram, key).more_records_follow


def initialise(address: int, count: FrameCount, *, attempts: int) -> Dialogue[None]:
    """SND_NKE: the meter forgets what it was about, and its frame count.

    Raises:
        MeterSilent, AnswerGarbled, WrongAnswer
    """
    yield from _acknowledged(ShortFrame(SND_NKE, address), attempts=attempts)
    count.reset()


def select(who: SecondaryAddress, count: FrameCount, *, attempts: int) -> Dialogue[None]:
    """Select by secondary address; the meter then answers at address 253, with a fresh frame count.

    Raises:
        MeterSilent, AnswerGarbled, WrongAnswer
    """
    yield from _acknowledged(LongFrame(SND_UD, SELECTED, SELECT_CI, who.to_bytes()), attempts=attempts)
    count.reset()


def send_user_data(
    address: int, ci: int, octets: bytes, count: FrameCount, *, attempts: int
) -> Dialogue[None]:
    """SND_UD: a command or records for the meter, acknowledged. Nobody acknowledges a broadcast.

    Raises:
        MeterSilent, AnswerGarbled, WrongAnswer
    """
    if address == BROADCAST:
        yield LongFrame(SND_UD, address, ci, octets)
        return
    if count.bit is None:
        yield from initialise(address, count, attempts=attempts)
    request = LongFrame(SND_UD | (FCB if count.bit else 0), address, ci, octets)
    yield from _counted(_acknowledged(request, attempts=attempts), count)


def read_out(
    address: int,
    count: FrameCount,
    *,
    attempts: int,
    who: SecondaryAddress | None = None,
    goes_on: GoesOn = goes_on,
    most_telegrams: int = 32,
) -> Dialogue[tuple[LongFrame, ...]]:
    """REQ_UD2 until the meter has no more records: all telegrams of one readout, each taken once.

    An answer counts when it comes from `address`, and from the meter `who` when that is given (a must at 253,
    where everyone has the same address). `goes_on` says whether another telegram follows one.

    Raises:
        MeterSilent, AnswerGarbled, WrongAnswer: no first telegram.
        ReadoutBroken: it began and did not come to its end.
    """
    if count.bit is None:
        yield from initialise(address, count, attempts=attempts)
    telegrams: list[LongFrame] = []
    while len(telegrams) < most_telegrams:
        try:
            before = telegrams[-1] if telegrams else None
            answer = yield from next_telegram(address, count, attempts=attempts, who=who, before=before)
        except MbusError as failure:
            if not telegrams:
                raise
            raise _broken(len(telegrams), failure.problem) from failure
        telegrams.append(answer)
        if not goes_on(answer):
            return tuple(telegrams)
    count.forget()
    raise _broken(len(telegrams), "The meter still promises more.")


def read_selected(
    who: SecondaryAddress, *, attempts: int, goes_on: GoesOn = goes_on
) -> Dialogue[tuple[LongFrame, ...]]:
    """Select a meter by its secondary address and read it out. Raises as `select` and `read_out`."""
    count = FrameCount()
    yield from select(who, count, attempts=attempts)
    return (yield from read_out(SELECTED, count, attempts=attempts, who=who, goes_on=goes_on))


def next_telegram(
    address: int,
    count: FrameCount,
    *,
    attempts: int,
    who: SecondaryAddress | None = None,
    before: LongFrame | None = None,
) -> Dialogue[LongFrame]:
    """One REQ_UD2 and its telegram. The one that came `before` it in the same readout is not taken again.

    Raises:
        MeterSilent, AnswerGarbled, WrongAnswer
    """

    def ours(heard: Heard) -> LongFrame | None:
        if not isinstance(heard, LongFrame) or heard.control & ~ACCESS_AND_FLOW != RSP_UD:
            return None
        if not _comes_from(heard, address, who) or (before is not None and same_telegram(heard, before)):
            return None
        return heard

    request = ShortFrame(REQ_UD2 | (FCB if count.bit else 0), address)
    return (yield from _counted(_asked(request, ours, attempts=attempts), count))


def _comes_from(answer: LongFrame, address: int, who: SecondaryAddress | None) -> bool:
    if address not in (SELECTED, ANY_METER) and answer.address != address:
        return False
    return who is None or is_from(answer, who)


def is_from(answer: LongFrame, who: SecondaryAddress) -> bool:
    """Does the telegram say that this meter sent it? An application error says nothing, and is let by."""
    if identity := sender(answer):
        return who.matches(identity)
    telegram = decode_frame(answer)
    if telegram.fixed is not None:
        return who.matches_id(telegram.fixed.id)
    if telegram.identity is None:
        return telegram.outcome == "app_error"
    return who.matches(telegram.identity)


def _counted(exchange: Dialogue[T], count: FrameCount) -> Dialogue[T]:
    """An exchange under the frame count: what it returns was taken, and after a failure nobody knows."""
    try:
        answer = yield from exchange
    except MbusError:
        count.forget()
        raise
    count.taken()
    return answer


def _acknowledged(request: ShortFrame | LongFrame, *, attempts: int) -> Dialogue[Ack]:
    return (
        yield from _asked(request, lambda heard: heard if isinstance(heard, Ack) else None, attempts=attempts)
    )


def _asked(
    request: ShortFrame | LongFrame, ours: Callable[[Heard], T | None], *, attempts: int
) -> Dialogue[T]:
    """Send until `ours` recognises an answer. Everything else that is heard is told in the failure."""
    others: list[Heard] = []
    for _ in range(attempts):
        heard = yield request
        while not isinstance(heard, Silence):
            answer = ours(heard)
            if answer is not None:
                return answer
            if heard != request:  # else our own octets, sent back by the level converter
                others.append(heard)
            heard = yield LISTEN
    raise _no_answer(request, others, attempts)


def _no_answer(request: ShortFrame | LongFrame, others: list[Heard], attempts: int) -> MbusError:
    asked, times = f"Address {request.address}", f"{attempts} attempt{'s' if attempts != 1 else ''}"
    frames = [heard for heard in others if isinstance(heard, LongFrame | ShortFrame | Ack)]
    if frames:
        return WrongAnswer(
            f"{asked}: {_told(frames[-1])} came instead of its answer in {times}.",
            remedy="Look for a second master, two meters at one address, or a meter that answers late.",
        )
    if others:
        return AnswerGarbled(
            f"{asked}: only noise in {times}.",
            remedy="Look for two meters at one address, the wrong baud rate or parity, or a bad line.",
        )
    return MeterSilent(
        f"{asked}: no answer in {times}.", remedy="Check the address, the wiring and the meter."
    )


def _told(frame: Ack | ShortFrame | LongFrame) -> str:
    if isinstance(frame, Ack):
        return "an acknowledgement"
    return f"a frame of address {frame.address} (C field {frame.control:02X}h)"


def _broken(telegrams: int, why: str) -> ReadoutBroken:
    return ReadoutBroken(
        f"The readout broke off after {telegrams} telegrams. {why}",
        remedy="Nothing of it is used; read again.",
    )
