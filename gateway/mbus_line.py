"""One M-Bus line and its only master: asks a meter, makes sure that it is the one, and gives its registers.

What the master remembers of a meter (frame count, the last telegrams) makes a read short, and shows a meter
that repeats an old telegram instead of giving a new one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.links import link_to
from gateway.mbus.addressing import SecondaryAddress
from gateway.mbus.dialogue import Dialogue, FrameCount, GoesOn, read_out, read_selected
from gateway.mbus.errors import AnswerGarbled, MBusError, MeterSilent
from gateway.mbus.header import manufacturer_code
from gateway.mbus.link import LongFrame
from gateway.mbus.records import DataRecord
from gateway.mbus.security import check_key
from gateway.mbus.telegram import Telegram, decode_frame
from gateway.mbus_bus import Bus
from gateway.mbus_profile import profile_for, shipped_profiles
from gateway.mbus_registers import find_registers
from gateway.readout import LineDown, NoAnswer, Readout, Unreadable, WrongMeter
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.reading import NO_DOUBT, Quality
from kaukoluenta.runtime.settings import read_secret

SILENCES_TO_DOUBT_THE_LINK = 3
"""So many meters in a row without an answer: the converter may hang, and is connected to anew, once."""

FORM_BITS = 0x03
_SERIAL = re.compile(r"[0-9A-Fa-f]{1,8}")
_READ_AGAIN = "Read it again later; look at its display."
_REMEDY = {"encrypted_no_key": "Give its key_file.", "partial": "Send its octets to the developers."}
_NOT_GIVEN = {
    "app_error": "the meter reports an application error",
    "alarm": "the meter gives an alarm instead of its data",
    "encrypted_no_key": "the telegram is encrypted",
    "partial": "the telegram breaks off",
}


@dataclass(slots=True)
class _Known:
    """What the master knows of one meter, from one read to the next."""

    settings: MeterSettings
    secondary: SecondaryAddress
    key: bytes | None
    count: FrameCount = field(default_factory=FrameCount)
    last: tuple[LongFrame, ...] = ()
    access_no: int = 0
    access_no_moves: bool = False

    @property
    def plate(self) -> str:
        """The id with all eight digits of the number, as telegrams have it."""
        return f"{self.settings.id[:3]}-{self.secondary.id}"

    def repeats(self, frames: tuple[LongFrame, ...]) -> bool:
        """Whether these telegrams were read before, access number and all: the meter saw no new request."""
        return self.access_no_moves and frames == self.last

    def note(self, frames: tuple[LongFrame, ...], access_no: int) -> None:
        self.access_no_moves |= bool(self.last) and access_no != self.access_no
        self.last, self.access_no = frames, access_no


@dataclass(frozen=True, slots=True)
class _Heard:
    """The telegrams of one readout, as frames and understood."""

    frames: tuple[LongFrame, ...]
    telegrams: Sequence[Telegram]


class MbusLine:
    """A `Line` (gateway/readout.py).

    Raises:
        ConfigurationInvalid: a link, meter, profile or key that cannot be used.
    """

    def __init__(self, settings: LineSettings) -> None:
        self._bus = Bus(link_to(settings.link), settings.timeout_s)
        self._meters = {meter.id: _known(meter) for meter in settings.meter}
        self._silences = 0

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        known = self._meters[meter.id]
        heard = await self._ask(known, attempts)
        repeated = known.repeats(heard.frames)
        if repeated:
            known.count.forget()
            heard = await self._ask(known, 1)
            repeated = known.repeats(heard.frames)
        for telegram in heard.telegrams:
            _check(telegram, known)
        known.note(heard.frames, _access_no(heard.telegrams[0]))
        return _readout(heard, meter.profile, Quality.REPEATED_FRAME if repeated else NO_DOUBT)

    async def close(self) -> None:
        await self._bus.link.close()

    async def _ask(self, known: _Known, attempts: int) -> _Heard:
        if len(known.last) > 1:
            known.count.forget()  # a readout of several telegrams begins at its first after SND_NKE only
        telegrams: list[Telegram] = []

        def goes_on(frame: LongFrame) -> bool:
            telegrams.append(decode_frame(frame, known.key))
            return telegrams[-1].more_records_follow

        try:
            frames = await self._bus.perform(_dialogue(known, attempts, goes_on))
        except MeterSilent as silence:
            await self._doubt_the_link()
            raise NoAnswer("no answer", remedy=silence.remedy) from None
        except LineDown:
            known.count.forget()
            raise
        except MBusError as failure:
            self._silences = 0
            kind = NoAnswer if isinstance(failure, AnswerGarbled) else Unreadable
            raise kind(failure.problem, remedy=failure.remedy) from None
        self._silences = 0
        return _Heard(frames, telegrams)

    async def _doubt_the_link(self) -> None:
        self._silences += 1
        if self._silences == SILENCES_TO_DOUBT_THE_LINK:
            await self.close()


def _known(meter: MeterSettings) -> _Known:
    maker, _, serial = meter.id.partition("-")
    if not _SERIAL.fullmatch(serial):
        raise ConfigurationInvalid(
            f"{meter.id} cannot be on an M-Bus line: its serial number has not one to eight digits.",
            remedy="Write the number of its M-Bus secondary address.",
        )
    profile_for(None, meter.profile, shipped_profiles())
    secondary = SecondaryAddress(serial.zfill(8).upper(), manufacturer_code(maker))
    return _Known(meter, secondary, _key(meter) if meter.key_file else None)


def _key(meter: MeterSettings) -> bytes:
    assert meter.key_file
    try:
        key = bytes.fromhex(read_secret(meter.key_file))
        check_key(key)
    except (ValueError, MBusError):
        raise ConfigurationInvalid(
            f"The key file {meter.key_file} of {meter.id} holds no key.",
            remedy="Write 32 hexadecimal digits.",
        ) from None
    return key


def _dialogue(known: _Known, attempts: int, goes_on: GoesOn) -> Dialogue[tuple[LongFrame, ...]]:
    address = known.settings.address
    if address is None:
        return read_selected(known.secondary, attempts=attempts, goes_on=goes_on)
    return read_out(address, known.count, attempts=attempts, goes_on=goes_on)


def _check(telegram: Telegram, known: _Known) -> None:
    """Raise unless the telegram is whole and this meter's own."""
    sender = _sender(telegram, known)
    if sender not in (None, known.plate):
        raise WrongMeter(
            f"{sender} answers instead", remedy=f"Find out where {known.plate} is, and mend the config."
        )
    if telegram.outcome != "ok":
        what = _NOT_GIVEN.get(telegram.outcome, "the telegram cannot be read")
        why = telegram.app_error or telegram.reason
        raise Unreadable(f"{what}: {why}" if why else what, remedy=_REMEDY.get(telegram.outcome, _READ_AGAIN))
    if sender is None:
        raise Unreadable("the telegram does not say whose it is", remedy="Such a meter cannot be read here.")


def _sender(telegram: Telegram, known: _Known) -> str | None:
    """Who sent it, as on the plate. The fixed structure names no manufacturer: its number has to do."""
    if telegram.fixed:
        return f"{known.plate[:3]}-{telegram.fixed.id}"
    if telegram.identity:
        return f"{telegram.identity.manufacturer}-{telegram.identity.id}"
    return None


def _readout(heard: _Heard, profile_name: str | None, quality: Quality) -> Readout:
    first = heard.telegrams[0]
    profile = profile_for(first.identity, profile_name, shipped_profiles())
    records = [record for telegram in heard.telegrams for record in telegram.records]
    values = [record for record in records if isinstance(record, DataRecord)]
    found = find_registers(values, profile, medium=_medium(first), status=_status(first))
    raw = tuple(frame.to_bytes() for frame in heard.frames)
    if not found.registers:
        raise Unreadable(
            "the telegram holds no register that is known",
            remedy="See `kaukoluenta gateway read`; add a profile to gateway/profiles.",
            raw=raw,
        )
    return Readout(
        found.registers,
        profile.name,
        raw,
        quality | found.quality,
        found.meter_time,
        found.info_code,
        found.absent,
    )


def _medium(telegram: Telegram) -> int:
    return telegram.fixed.medium if telegram.fixed else telegram.identity.medium if telegram.identity else 0


def _status(telegram: Telegram) -> int:
    """The meter's complaints. In the fixed structure two bits say how the counters are coded and stored."""
    if telegram.fixed:
        return telegram.fixed.status & ~FORM_BITS
    return telegram.header.status if telegram.header else 0


def _access_no(telegram: Telegram) -> int:
    if telegram.fixed:
        return telegram.fixed.access_no
    return telegram.header.access_no if telegram.header else 0
