"""What may be written to a meter, each with the proof that it came about. Sans-IO; nobody is asked here.

An order is told in words before it is carried out, and counts only when the meter was read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, Protocol

from gateway.commissioning.mbus_visit import Telegrams, approach
from gateway.lines.mbus_registers import is_meter_clock
from gateway.mbus.addressing import SecondaryAddress
from gateway.mbus.commands import application_reset, set_clock, set_primary_address, switch_baud
from gateway.mbus.dialogue import Dialogue, FrameCount, is_from, read_out
from gateway.mbus.link import LongFrame
from gateway.mbus.records import DataRecord
from gateway.mbus.search import Found, probe_primary
from gateway.mbus.telegram import decode_frame
from kaukoluenta.errors import KaukoluentaError

CLOCK_TOLERANCE: Final = timedelta(minutes=2)
TO_THE_SECOND: Final = "datetime_i"


class NotWritten(KaukoluentaError):
    """The meter was not changed, or nobody can tell that it was."""


@dataclass(frozen=True, slots=True)
class Here:
    """A meter that listens at `address` now. `before`: what it said; `primary`: the config's word."""

    who: SecondaryAddress
    primary: int | None
    address: int
    count: FrameCount
    attempts: int
    before: Telegrams


class Order(Protocol):
    """One thing to write."""

    def told(self) -> str:
        """What it does, for a person to agree to."""

    def write(self, here: Here, now: datetime) -> Dialogue[None]:
        """Have the meter do it; it acknowledges. Raises NotWritten, MbusError."""

    def prove(self, here: Here, now: datetime) -> Dialogue[str]:
        """Read the meter again and say what shows that it did. Raises NotWritten, MbusError."""


@dataclass(frozen=True, slots=True)
class SetAddress:
    """A new primary address, which must be free."""

    new: int

    def told(self) -> str:
        return f"set its primary address to {self.new}"

    def write(self, here: Here, now: datetime) -> Dialogue[None]:
        probe = yield from probe_primary(self.new, attempts=here.attempts)
        if probe.answer and is_from(probe.answer, here.who):
            return  # it has that address
        if probe.found is not Found.NOBODY:
            raise NotWritten(
                f"Somebody answers at address {self.new} already; nothing was written.",
                remedy="Choose a free address: `kaukoluenta gateway scan` shows them.",
            )
        yield from set_primary_address(here.address, self.new, here.count, attempts=here.attempts)

    def prove(self, here: Here, now: datetime) -> Dialogue[str]:
        yield from read_out(self.new, FrameCount(), attempts=here.attempts, who=here.who)
        return f"answers at address {self.new}; write `address = {self.new}` for it in the config"


@dataclass(frozen=True, slots=True)
class SetClock:
    """The meter's clock, to the time that is `offset` ahead of UTC; in the form in which it shows its own."""

    offset: timedelta

    def told(self) -> str:
        return f"set its clock to the present time at UTC{timezone(self.offset).tzname(None)[3:] or '+00:00'}"

    def write(self, here: Here, now: datetime) -> Dialogue[None]:
        seconds = any(record.coding == TO_THE_SECOND for record in _clocks(here.before))
        moment = self._local(now if seconds else now + timedelta(seconds=30))  # to the nearest minute
        return set_clock(here.address, moment, here.count, seconds=seconds, attempts=here.attempts)

    def prove(self, here: Here, now: datetime) -> Dialogue[str]:
        after = yield from _read_again(here)
        shown = [record.value for record in _clocks(after) if isinstance(record.value, datetime)]
        if not shown:
            raise NotWritten(
                "Acknowledged, but the meter's readout shows no clock.", remedy="Look at its display."
            )
        if abs(shown[0] - self._local(now)) > CLOCK_TOLERANCE:
            raise NotWritten(
                f"Acknowledged, but its clock shows {shown[0].isoformat()}.",
                remedy="Its clock may be locked: see its manual.",
            )
        return f"its clock shows {shown[0].isoformat()}"

    def _local(self, now: datetime) -> datetime:
        return now.astimezone(timezone(self.offset)).replace(tzinfo=None)


@dataclass(frozen=True, slots=True)
class SetBaud:
    """Another speed; the line follows, and goes back where the meter does not answer in it."""

    old: int
    new: int

    def told(self) -> str:
        return f"set its speed from {self.old} to {self.new} baud"

    def write(self, here: Here, now: datetime) -> Dialogue[None]:
        return switch_baud(here.address, here.count, old=self.old, new=self.new, attempts=here.attempts)

    def prove(self, here: Here, now: datetime) -> Dialogue[str]:
        yield from _read_again(here)
        return (
            f"answers at {self.new} baud; once all meters of the line do, write `baud={self.new}` in its link"
        )


@dataclass(frozen=True, slots=True)
class ApplicationReset:
    """Back to the first telegram; a subcode chooses what readouts hold from then on."""

    subcode: int | None

    def told(self) -> str:
        return "reset its application" + (
            "" if self.subcode is None else f" with subcode {self.subcode:02X}h"
        )

    def write(self, here: Here, now: datetime) -> Dialogue[None]:
        return application_reset(here.address, here.count, subcode=self.subcode, attempts=here.attempts)

    def prove(self, here: Here, now: datetime) -> Dialogue[str]:
        after = yield from _read_again(here)
        records = sum(len(decode_frame(frame).records) for frame in after)
        return f"its readout has {records} records in {len(after)} telegrams"


def arrive(who: SecondaryAddress, primary: int | None, *, attempts: int) -> Dialogue[Here]:
    """Make the meter listen, and hear from itself that it is the one. Raises MbusError."""
    count = FrameCount()
    address = yield from approach(who, primary, count, attempts=attempts)
    before = yield from read_out(address, count, attempts=attempts, who=who)
    return Here(who, primary, address, count, attempts, before)


def _read_again(here: Here) -> Dialogue[Telegrams]:
    again = yield from arrive(here.who, here.primary, attempts=here.attempts)
    return again.before


def _clocks(telegrams: Sequence[LongFrame]) -> Iterator[DataRecord]:
    for telegram in telegrams:
        for record in decode_frame(telegram).records:
            if isinstance(record, DataRecord) and is_meter_clock(record):
                yield record
