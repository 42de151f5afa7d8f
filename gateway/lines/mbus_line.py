"""One M-Bus line and its only master: asks a meter, makes sure that it is the one, and gives its registers.

What the master remembers of a meter (frame count, the last telegrams) makes a read short, and shows a meter
that repeats an old telegram instead of giving a new one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.lines.mbus_master import MbusMaster
from gateway.lines.mbus_profile import profile_for, shipped_profiles
from gateway.lines.mbus_readout import Heard, MeterReader
from gateway.links import link_to
from gateway.mbus.addressing import SecondaryAddress
from gateway.mbus.dialogue import Dialogue, FrameCount, GoesOn, read_out, read_selected
from gateway.mbus.errors import AnswerGarbled, MbusError, MeterSilent
from gateway.mbus.header import manufacturer_code
from gateway.mbus.link import LongFrame
from gateway.mbus.security import check_key
from gateway.mbus.telegram import access_no
from gateway.readout import LineDown, NoAnswer, Readout, Unreadable
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.reading import Quality
from kaukoluenta.runtime.settings import read_secret

SILENCES_TO_DOUBT_THE_LINK = 3
"""So many meters in a row without an answer: the converter may hang, and is connected to anew, once."""

_SERIAL = re.compile(r"[0-9A-Fa-f]{1,8}")


@dataclass(slots=True)
class _Known:
    """What the master knows of one meter, from one read to the next."""

    settings: MeterSettings
    secondary: SecondaryAddress
    reader: MeterReader
    count: FrameCount = field(default_factory=FrameCount)
    last: tuple[LongFrame, ...] = ()
    access_no: int | None = None
    access_no_moves: bool = False

    def repeats(self, heard: Sequence[Heard]) -> bool:
        """Whether these telegrams were read before, access number and all: the meter saw no new request."""
        return self.access_no_moves and _frames(heard) == self.last

    def note(self, heard: Sequence[Heard]) -> None:
        number = access_no(heard[0].frame)
        self.access_no_moves |= bool(self.last) and number != self.access_no
        self.last, self.access_no = _frames(heard), number


class MbusLine:
    """A `Line` (gateway/readout.py).

    Raises:
        ConfigurationInvalid: a link, meter, profile or key that cannot be used.
    """

    def __init__(self, settings: LineSettings) -> None:
        self._master = MbusMaster(link_to(settings.link), settings.timeout_s)
        self._meters = {meter.id: _known(meter) for meter in settings.meter}
        self._silences = 0

    async def read(self, meter: MeterSettings, *, attempts: int) -> Readout:
        known = self._meters[meter.id]
        heard = await self._ask(known, attempts)
        repeated = known.repeats(heard)
        if repeated:
            known.count.forget()
            heard = await self._ask(known, 1)
            repeated = known.repeats(heard)
        readout = known.reader.readout(heard)
        known.note(heard)
        return replace(readout, quality=readout.quality | Quality.REPEATED_FRAME) if repeated else readout

    async def close(self) -> None:
        await self._master.link.close()

    async def _ask(self, known: _Known, attempts: int) -> list[Heard]:
        if len(known.last) > 1:
            known.count.forget()  # a readout of several telegrams begins at its first after SND_NKE only
        heard: list[Heard] = []

        def goes_on(frame: LongFrame) -> bool:
            heard.append(known.reader.hear(frame))
            return heard[-1].understood.more_records_follow

        try:
            await self._master.perform(_dialogue(known, attempts, goes_on))
        except MeterSilent as silence:
            await self._doubt_the_link()
            raise NoAnswer("no answer", remedy=silence.remedy) from None
        except LineDown:
            known.count.forget()
            raise
        except MbusError as failure:
            self._silences = 0
            kind = NoAnswer if isinstance(failure, AnswerGarbled) else Unreadable
            raise kind(failure.problem, remedy=failure.remedy) from None
        self._silences = 0
        return heard

    async def _doubt_the_link(self) -> None:
        self._silences += 1
        if self._silences == SILENCES_TO_DOUBT_THE_LINK:
            await self.close()


def secondary_of(meter: MeterSettings) -> SecondaryAddress:
    """The secondary address that its id says, version and medium left open. Raises ConfigurationInvalid."""
    maker, _, serial = meter.id.partition("-")
    if not _SERIAL.fullmatch(serial):
        raise ConfigurationInvalid(
            f"{meter.id} cannot be on an M-Bus line: its serial number has not one to eight digits.",
            remedy="Write the number of its M-Bus secondary address.",
        )
    return SecondaryAddress(serial.zfill(8).upper(), manufacturer_code(maker))


def key_of(meter: MeterSettings) -> bytes | None:
    """The meter's AES key, if the settings name its file. Raises ConfigurationInvalid."""
    if meter.key_file is None:
        return None
    try:
        key = bytes.fromhex(read_secret(meter.key_file))
        check_key(key)
    except (ValueError, MbusError):
        raise ConfigurationInvalid(
            f"The key file {meter.key_file} of {meter.id} holds no key.",
            remedy="Write 32 hexadecimal digits.",
        ) from None
    return key


def _known(meter: MeterSettings) -> _Known:
    profile_for(None, meter.profile, shipped_profiles())
    secondary = secondary_of(meter)
    return _Known(meter, secondary, MeterReader(meter, secondary, key_of(meter)))


def _frames(heard: Sequence[Heard]) -> tuple[LongFrame, ...]:
    return tuple(one.frame for one in heard)


def _dialogue(known: _Known, attempts: int, goes_on: GoesOn) -> Dialogue[tuple[LongFrame, ...]]:
    address = known.settings.address
    if address is None:
        return read_selected(known.secondary, attempts=attempts, goes_on=goes_on)
    return read_out(address, known.count, attempts=attempts, goes_on=goes_on)
