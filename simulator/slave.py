"""The slaves of one M-Bus line: frames in, octets out. No socket, no clock; `now` comes with each frame.

EN 13757-2 and -3 from the slave's side: SND_NKE, REQ_UD2 with its frame count bit, secondary selection at
253, application reset. When several slaves answer at once their octets fall together, as on the wire; what a
late slave answers meets the next one's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce

from gateway.mbus.encode import identity_octets, variable_response
from gateway.mbus.link import Ack, Frame, LongFrame, ShortFrame
from simulator.distortions import distort, fall_together
from simulator.faults import FaultKind, distortion_chance
from simulator.meters import Meter, is_installed
from simulator.telegrams import Telegram, identity, readout

FCB = 0x20
FCV = 0x10
SND_NKE = 0x40
SND_UD = 0x43  # this and the next without FCB and FCV
REQ_UD2 = 0x4B

APPLICATION_RESET_CI = 0x50
SELECT_CI = 0x52

SELECTED = 253
ALL_ANSWER = 254
ALL_LISTEN = 255

_RECENT = timedelta(minutes=1)
"""So long a readout lasts, and a late answer may be on its way."""

FaultAt = Callable[[Meter, datetime], FaultKind | None]


class Slave:
    """One meter's side of the link: what it will answer to the next REQ_UD2."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.selected = False
        self._access_number = 0
        self._telegrams: tuple[Telegram, ...] = ()
        self._position = 0
        self._read_at: datetime | None = None
        self._fcb: int | None = None

    def forget(self) -> None:
        """The next request begins a new readout, whatever its frame count bit."""
        self._fcb, self._read_at, self._telegrams, self._position = None, None, (), 0

    def answer(self, control: int, now: datetime) -> LongFrame:
        """RSP_UD: the same frame count bit repeats the last telegram, a toggled one goes on to the next.

        After the last telegram, and once the readout is over a minute old, the registers are read afresh.
        """
        if not control & FCV or self._is_stale(now):
            self.forget()
        if control & FCB != self._fcb:
            self._go_on(now)
        self._fcb = control & FCB
        return variable_response(
            self.meter.address,
            identity(self.meter),
            self._telegrams[self._position],
            access_no=self._access_number,
            more=self._position + 1 < len(self._telegrams),
        )

    def _is_stale(self, now: datetime) -> bool:
        return self._read_at is not None and not _is_recent(self._read_at, now)

    def _go_on(self, now: datetime) -> None:
        self._access_number = (self._access_number + 1) % 256
        self._position += 1
        if self._position >= len(self._telegrams):
            self._telegrams, self._position, self._read_at = readout(self.meter, now), 0, now


@dataclass(frozen=True, slots=True)
class _Late:
    """An answer on its way since `since`."""

    slave: Slave
    octets: bytes
    since: datetime


class SlaveLine:
    """All meters that ever hang on one line; those not installed at an instant do not hear it."""

    def __init__(self, seed: int, meters: Sequence[Meter], fault_at: FaultAt) -> None:
        self._seed, self._fault_at = seed, fault_at
        self._slaves = [Slave(meter) for meter in meters]
        self._late: _Late | None = None

    def hear(self, frame: Frame, now: datetime) -> bytes:
        """What the line answers to a frame of the master; nothing when no slave feels addressed."""
        if isinstance(frame, Ack):
            return b""
        concerned = self._slaves if _is_selection(frame) else self._addressed(frame.address)
        answers = {slave: octets for slave in concerned if (octets := self._answer_of(slave, frame, now))}
        if not answers:
            return b""
        echoed = any(self._fault_at(slave.meter, now) is FaultKind.ECHO for slave in answers)
        echo = frame.to_bytes() if echoed else b""
        return echo + self._overdue(answers, now) + reduce(fall_together, answers.values())

    def _addressed(self, address: int) -> list[Slave]:
        everyone, selected = address in (ALL_ANSWER, ALL_LISTEN), address == SELECTED
        return [
            slave
            for slave in self._slaves
            if slave.meter.address == address or everyone or (selected and slave.selected)
        ]

    def _answer_of(self, slave: Slave, frame: ShortFrame | LongFrame, now: datetime) -> bytes:
        fault = self._fault_at(slave.meter, now)
        if fault is FaultKind.SILENT or not is_installed(slave.meter, now):
            return b""
        answer = _select(slave, frame) if _is_selection(frame) else _obey(slave, frame, now)
        if answer is None or frame.address == ALL_LISTEN:
            return b""
        if fault in (None, FaultKind.ECHO) or isinstance(answer, Ack):
            return answer.to_bytes()
        if fault is FaultKind.LATE:
            self._late = _Late(slave, answer.to_bytes(), now)
            return b""
        return distort(fault, answer, distortion_chance(self._seed, slave.meter, now))

    def _overdue(self, answers: Mapping[Slave, bytes], now: datetime) -> bytes:
        """What a slave answers to a request of the minute before: it comes when another one answers."""
        late = self._late
        if late is None or late.slave in answers:
            return b""
        self._late = None
        return late.octets if _is_recent(late.since, now) else b""


def _is_recent(instant: datetime, now: datetime) -> bool:
    return timedelta(0) <= now - instant < _RECENT


def _is_selection(frame: ShortFrame | LongFrame) -> bool:
    return isinstance(frame, LongFrame) and frame.address == SELECTED and frame.ci == SELECT_CI


def _obey(slave: Slave, frame: ShortFrame | LongFrame, now: datetime) -> Ack | LongFrame | None:
    """Do what the frame says, and the answer to it. A function that the meter lacks has none."""
    function = frame.control & ~(FCB | FCV)
    if function == REQ_UD2:
        return slave.answer(frame.control, now)
    if function == SND_NKE:
        slave.forget()
        slave.selected = slave.selected and frame.address != SELECTED
        return Ack()
    if function == SND_UD and isinstance(frame, LongFrame) and frame.ci == APPLICATION_RESET_CI:
        slave.forget()
        return Ack()
    return None


def _select(slave: Slave, frame: ShortFrame | LongFrame) -> Ack | None:
    """Secondary selection (EN 13757-3, CI 52): the slave that fits is selected, any other no longer."""
    wanted = frame.user_data if isinstance(frame, LongFrame) else b""
    slave.selected = _fits(identity_octets(identity(slave.meter)), wanted)
    if not slave.selected:
        return None
    slave.forget()
    return Ack()


def _fits(own: bytes, wanted: bytes) -> bool:
    """Nibble F of the serial is a wildcard, and so is FF in each later octet."""
    if len(wanted) != len(own):
        return False
    serials = zip(own[:4].hex(), wanted[:4].hex(), strict=True)
    rest = zip(own[4:], wanted[4:], strict=True)
    return all(want in ("f", have) for have, want in serials) and all(
        want in (0xFF, have) for have, want in rest
    )
