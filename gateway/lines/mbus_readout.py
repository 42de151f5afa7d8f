"""From the telegrams of one readout to its registers: whose they are, whether they are whole, what they say.

Meters send the same layouts again and again. Once a layout is known its telegrams go by decode plans and a
shortcut; everything that is new, broken, encrypted or a complaint is decoded in full, which alone decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.lines.mbus_profile import profile_for, shipped_profiles
from gateway.lines.mbus_registers import Found, find_registers
from gateway.lines.mbus_shortcut import shortcut_for
from gateway.mbus.addressing import SecondaryAddress
from gateway.mbus.link import LongFrame
from gateway.mbus.plan import Plan, PlanCache, Step
from gateway.mbus.records import DataRecord
from gateway.mbus.telegram import Telegram, decode_frame
from gateway.readout import Readout, Unreadable, WrongMeter
from gateway.settings import MeterSettings

PLANS: Final = PlanCache()
"""Of all lines: the same models hang everywhere."""

SENDER, MODEL, STATUS_AT = slice(0, 6), slice(4, 8), 9
"""In the long header: number and manufacturer; manufacturer, version and medium; status."""

FORM_BITS = 0x03
_READ_AGAIN = "Read it again later; look at its display."
_REMEDY = {
    "encrypted_no_key": "Give its key_file, or the right one.",
    "partial": "Send its octets to the developers.",
}
_NOT_GIVEN = {
    "app_error": "the meter reports an application error",
    "alarm": "the meter gives an alarm instead of its data",
    "encrypted_no_key": "the telegram is encrypted",
    "partial": "the telegram breaks off",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A telegram of a known layout: its values as the steps of its plan."""

    plan: Plan
    steps: list[Step]

    @property
    def more_records_follow(self) -> bool:
        return self.plan.more_records_follow


@dataclass(frozen=True, slots=True)
class Heard:
    """One telegram of a readout, and what was understood of it."""

    frame: LongFrame
    understood: Planned | Telegram


class MeterReader:
    """Reads the telegrams of one meter. `key` decrypts them."""

    def __init__(self, settings: MeterSettings, secondary: SecondaryAddress, key: bytes | None) -> None:
        self._settings, self._key = settings, key
        self._plate = f"{settings.id[:3]}-{secondary.id}"  # all eight digits, as telegrams have them
        self._sender = secondary.to_bytes()[SENDER]

    def hear(self, frame: LongFrame) -> Heard:
        """Understand one telegram of a readout."""
        read = PLANS.read(frame.to_bytes()) if self._key is None else None
        if read is None:
            return Heard(frame, decode_frame(frame, self._key))
        plan, found = read
        return Heard(frame, Planned(plan, plan.steps(found)))

    def readout(self, heard: Sequence[Heard]) -> Readout:
        """The registers of a complete readout.

        Raises:
            WrongMeter, Unreadable
        """
        return self._by_shortcut(heard) or self._in_full(heard)

    def _by_shortcut(self, heard: Sequence[Heard]) -> Readout | None:
        planned = [one.understood for one in heard if isinstance(one.understood, Planned)]
        if len(planned) < len(heard) or any(one.frame.user_data[SENDER] != self._sender for one in heard):
            return None
        header = heard[0].frame.user_data
        shortcut = shortcut_for(tuple(one.plan for one in planned), header[MODEL], self._settings.profile)
        if shortcut is None:
            return None
        found = shortcut.found([step for one in planned for step in one.steps], header[STATUS_AT])
        return _readout(found, shortcut.profile, heard) if found else None

    def _in_full(self, heard: Sequence[Heard]) -> Readout:
        telegrams = [self._telegram(one) for one in heard]
        for telegram in telegrams:
            _check(telegram, self._plate)
        profile = profile_for(telegrams[0].identity, self._settings.profile, shipped_profiles())
        records = [record for telegram in telegrams for record in telegram.records]
        values = [record for record in records if isinstance(record, DataRecord)]
        medium, status = medium_of(telegrams[0]), _status(telegrams[0])
        found = find_registers(values, profile, medium=medium, status=status)
        return _readout(found, profile.name, heard)

    def _telegram(self, heard: Heard) -> Telegram:
        understood = heard.understood
        return understood if isinstance(understood, Telegram) else decode_frame(heard.frame, self._key)


def _check(telegram: Telegram, plate: str) -> None:
    """Raise unless the telegram is whole and this meter's own."""
    sender = _sender(telegram, plate)
    if sender not in (None, plate):
        raise WrongMeter(
            f"{sender} answers instead", remedy=f"Find out where {plate} is, and mend the config."
        )
    if telegram.outcome != "ok":
        what = _NOT_GIVEN.get(telegram.outcome, "the telegram cannot be read")
        why = telegram.app_error or telegram.reason
        raise Unreadable(f"{what}: {why}" if why else what, remedy=_REMEDY.get(telegram.outcome, _READ_AGAIN))
    if sender is None:
        raise Unreadable("the telegram does not say whose it is", remedy="Such a meter cannot be read here.")


def _sender(telegram: Telegram, plate: str) -> str | None:
    """Who sent it, as on the plate. The fixed structure names no manufacturer: its number has to do."""
    if telegram.fixed:
        return f"{plate[:3]}-{telegram.fixed.id}"
    if telegram.identity:
        return f"{telegram.identity.manufacturer}-{telegram.identity.id}"
    return None


def _readout(found: Found, profile: str, heard: Sequence[Heard]) -> Readout:
    raw = tuple(one.frame.to_bytes() for one in heard)
    if not found.registers:
        raise Unreadable(
            "the telegram holds no register that is known",
            remedy="See `kaukoluenta gateway read`; add a profile to gateway/profiles.",
            raw=raw,
        )
    return Readout(
        found.registers, profile, raw, found.quality, found.meter_time, found.info_code, found.absent
    )


def medium_of(telegram: Telegram) -> int:
    """The medium in the header; 0 (other) where the header does not say."""
    return telegram.fixed.medium if telegram.fixed else telegram.identity.medium if telegram.identity else 0


def _status(telegram: Telegram) -> int:
    """The meter's complaints. In the fixed structure two bits say how the counters are coded and stored."""
    if telegram.fixed:
        return telegram.fixed.status & ~FORM_BITS
    return telegram.header.status if telegram.header else 0
