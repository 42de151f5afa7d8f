"""Who is on an M-Bus line: a walk through addresses, one row for each that was asked. Writes to no meter.

A walk is plain state: what is left of it can be written down as text after any step, and gone on with later.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Literal, Protocol

from gateway.lines.mbus_profile import GENERIC, MbusProfile, profile_for
from gateway.mbus.addressing import LAST_PRIMARY, SecondaryAddress, secondary_address
from gateway.mbus.dialogue import Dialogue
from gateway.mbus.errors import MbusError
from gateway.mbus.header import Identity
from gateway.mbus.link import LongFrame
from gateway.mbus.search import Found, Probe, Search, narrow, probe_primary, search_step
from gateway.mbus.telegram import Telegram, decode_frame
from kaukoluenta.errors import UsageError
from kaukoluenta.identifiers import BadIdentifier, MeterId, meter_id_of

State = Literal["silent", "answered", "collision", "decoded"]
_STATES: Mapping[Found, State] = {
    Found.NOBODY: "silent",
    Found.SEVERAL: "collision",
    Found.MUTE: "answered",
    Found.ONE: "decoded",
}
_SPAN = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")


@dataclass(frozen=True, slots=True)
class ScanRow:
    """What one address, or one mask of secondary addresses, answered.

    `meter` is absent when nobody could be identified; `profile` when only the generic one reads it. `model`
    is what that is for. `has_to_be_told`: the meter does not say which profile reads it, as on Modbus.
    `final`: nothing narrower is going to be asked, so a collision stays one.
    """

    asked: str
    state: State
    meter: MeterId | None = None
    number: str | None = None
    manufacturer: str | None = None
    version: int | None = None
    medium: int | None = None
    medium_text: str = ""
    profile: str | None = None
    model: str = ""
    has_to_be_told: bool = False
    note: str = ""
    final: bool = True

    @property
    def address(self) -> int | None:
        """The primary address that was asked."""
        return int(self.asked) if self.asked.isdecimal() else None


class Walk(Protocol):
    """Addresses still to be asked."""

    def left(self) -> tuple[str, ...]:
        """What is still to be asked, as text; nothing when the walk is at its end."""

    def step(self) -> Dialogue[Probe]:
        """Ask the next one. A step that is broken off is asked again."""


class PrimaryWalk:
    """Primary addresses one after another. A collision is asked once more: it may have been noise."""

    def __init__(self, addresses: Iterable[int], attempts: int) -> None:
        self._pending, self._attempts = list(addresses), attempts

    def left(self) -> tuple[str, ...]:
        return tuple(_spans(self._pending))

    def step(self) -> Dialogue[Probe]:
        address = self._pending[0]
        probe = yield from probe_primary(address, attempts=self._attempts)
        if probe.found is Found.SEVERAL:
            probe = yield from probe_primary(address, attempts=self._attempts)
        del self._pending[0]
        return probe


class SecondaryWalk:
    """Wildcard search: a mask that several meters answer is narrowed digit by digit."""

    def __init__(self, masks: Iterable[SecondaryAddress], attempts: int, *, hex_digits: bool = False) -> None:
        self._search = Search(pending=list(masks)[::-1])
        self._attempts, self._hex_digits = attempts, hex_digits

    def left(self) -> tuple[str, ...]:
        return tuple(str(mask) for mask in reversed(self._search.pending))

    def step(self) -> Dialogue[Probe]:
        return search_step(self._search, attempts=self._attempts, hex_digits=self._hex_digits)


def walk_of(pending: Iterable[str], attempts: int, *, hex_digits: bool = False) -> Walk:
    """The walk that is left of one: spans of primary addresses, or masks of secondary ones.

    Raises:
        UsageError: a text that is neither.
    """
    texts = list(pending)
    if texts and all(_SPAN.fullmatch(text) for text in texts):
        return PrimaryWalk(chain.from_iterable(map(_addresses, texts)), attempts)
    try:
        return SecondaryWalk(map(secondary_address, texts), attempts, hex_digits=hex_digits)
    except MbusError as error:
        raise UsageError(error.problem, remedy=error.remedy) from None


def row_of(probe: Probe, profiles: Mapping[str, MbusProfile]) -> ScanRow:
    """What a probe met, in the words of a row."""
    asked, state = str(probe.mask), _STATES[probe.found]
    if probe.answer is not None:
        return _decoded(asked, probe.answer, profiles)
    final = isinstance(probe.mask, int) or not narrow(probe.mask)
    note = "acknowledges, but gives no telegram of its own" if state == "answered" and final else ""
    return ScanRow(asked, state, note=note, final=final)


def _decoded(asked: str, answer: LongFrame, profiles: Mapping[str, MbusProfile]) -> ScanRow:
    telegram = decode_frame(answer)
    if (identity := telegram.identity) is not None:
        return _identified(asked, telegram, identity, profiles)
    if telegram.fixed:
        return ScanRow(
            asked,
            "decoded",
            number=telegram.fixed.id,
            medium=telegram.fixed.medium,
            medium_text=telegram.fixed.medium_text,
            note="the old fixed structure names no manufacturer",
        )
    return ScanRow(asked, "answered", note=telegram.app_error or telegram.reason or telegram.outcome)


def _identified(
    asked: str, telegram: Telegram, identity: Identity, profiles: Mapping[str, MbusProfile]
) -> ScanRow:
    profile = profile_for(identity, None, profiles)
    is_known = profile.name != GENERIC
    return ScanRow(
        asked,
        "decoded",
        _meter_id(identity),
        identity.id,
        identity.manufacturer,
        identity.version,
        identity.medium,
        identity.medium_text,
        profile.name if is_known else None,
        profile.file.model if is_known else "",
        note="encrypted: needs its key_file" if telegram.outcome == "encrypted_no_key" else "",
    )


def _meter_id(identity: Identity) -> MeterId | None:
    try:
        return meter_id_of(identity.manufacturer, identity.id)
    except BadIdentifier:
        return None  # a manufacturer's code that is no three letters


def _addresses(span: str) -> range:
    first, _, last = span.partition("-")
    addresses = range(int(first), int(last or first) + 1)
    if not addresses or addresses[-1] > LAST_PRIMARY:
        raise UsageError(
            f"{span} is no span of primary addresses.", remedy=f"Write the smaller first: 1-{LAST_PRIMARY}."
        )
    return addresses


def _spans(addresses: list[int]) -> Iterator[str]:
    """1, 2, 3, 7 -> 1-3, 7"""
    start = 0
    for at, address in enumerate(addresses):
        if at + 1 == len(addresses) or addresses[at + 1] != address + 1:
            first = addresses[start]
            yield f"{first}-{address}" if first != address else f"{first}"
            start = at + 1
