"""Telegrams: a frame in, header and records out (EN 13757-3:2018; CI codes of EN 13757-7:2018, table 2).

`decode_telegram` takes any octets and always answers: what is broken is an outcome with its reason. The plain
path here is the only source of truth; `plan` is faster and must agree with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from gateway.mbus import fixed, security
from gateway.mbus.fixed import FixedStructure
from gateway.mbus.header import LONG, SHORT, Header, Identity, long_header, short_header
from gateway.mbus.link import NEED_DATA, TO_SLAVE, Ack, Frame, Garbled, LinkEvent, LinkReader, LongFrame
from gateway.mbus.records import ManufacturerData, Record, read_records

Outcome = Literal["ok", "partial", "reject", "app_error", "alarm", "command", "stream", "encrypted_no_key"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How the octets behind a CI field begin. `reversed_octets` is mode 2, most significant octet first."""

    header: int  # octets
    reversed_octets: bool = False


RESPONSES: Final = {0x72: Layout(LONG), 0x76: Layout(LONG, True), 0x7A: Layout(SHORT), 0x78: Layout(0)}
FIXED: Final = {0x73: Layout(0), 0x77: Layout(0, True)}
APPLICATION_ERRORS: Final = {0x70: Layout(0), 0x6E: Layout(SHORT), 0x6F: Layout(LONG)}
ALARMS: Final = {0x71: Layout(0), 0x74: Layout(SHORT), 0x75: Layout(LONG)}
SENT_RECORDS: Final = {0x51: Layout(0), 0x55: Layout(0, True)}
SENT_WITH_HEADER: Final = {0x5A: Layout(SHORT), 0x5B: Layout(LONG)}

ACCESS_NO_AT: Final = {0x72: 8, 0x76: 8, 0x7A: 0, 0x73: 4, 0x77: 4}

COMMANDS: Final = {
    0x50: "application_reset",
    0x51: "data_send",
    0x52: "select",
    0x54: "synchronise",
    **dict.fromkeys(range(0xB8, 0xC0), "set_baud"),
}
ERRORS: Final = {
    0: "unspecified",
    1: "unimplemented_ci",
    2: "buffer_too_long",
    3: "too_many_records",
    4: "premature_end_of_record",
    5: "more_than_10_difes",
    6: "more_than_10_vifes",
    8: "application_busy",
    9: "too_many_readouts",
}


@dataclass(frozen=True, slots=True)
class Telegram:
    """One frame, understood as far as it can be.

    `reason` says what is missing when the outcome is partial, reject or encrypted_no_key. `heard` are the
    frames of an input that was not just one (outcome stream).
    """

    outcome: Outcome
    frame: Frame | None = None
    header: Header | None = None
    fixed: FixedStructure | None = None
    records: tuple[Record, ...] = ()
    fillers: int = 0
    reason: str | None = None
    command: str | None = None
    app_error: str | None = None
    alarm: bytes | None = None
    encrypted: bool = False
    heard: tuple[Frame, ...] = ()

    @property
    def identity(self) -> Identity | None:
        """Who sent it, when the header says."""
        return self.header.identity if self.header else None

    @property
    def more_records_follow(self) -> bool:
        """The readout goes on in another telegram."""
        last = self.records[-1] if self.records else None
        return isinstance(last, ManufacturerData) and last.more_records_follow


def decode_telegram(octets: bytes, key: bytes | None = None) -> Telegram:
    """Any octets, taken as one frame from the line.

    Raises:
        BadKey: the key given has not 16 octets. Nothing else is ever raised.
    """
    if key is not None:
        security.check_key(key)
    events = _link_events(octets)
    heard = tuple(event for event in events if not isinstance(event, Garbled))
    if not heard:
        return Telegram("reject", reason=f"link:{_first_fault(events)}")
    if len(events) == 1:
        return decode_frame(heard[0], key)
    if _nothing_but_noise_behind(events):
        return Telegram("reject", reason="link:trailing_bytes")
    return Telegram("stream", heard=heard)


def decode_frame(frame: Frame, key: bytes | None = None) -> Telegram:
    """A frame that the link layer has checked.

    Raises:
        BadKey: the key given has not 16 octets.
    """
    if not isinstance(frame, LongFrame):
        return Telegram("ok", frame)
    if frame.control & TO_SLAVE:
        return _to_slave(frame, key)
    return _to_master(frame, key)


def sender(frame: LongFrame) -> Identity | None:
    """Who sent a telegram of records with the long header, without reading the records."""
    layout, octets = RESPONSES.get(frame.ci), frame.user_data
    if layout is None or layout.header != LONG or len(octets) < LONG:
        return None
    return long_header(octets, reversed_octets=layout.reversed_octets).identity


def access_no(frame: LongFrame) -> int | None:
    """The number that a meter counts on with each telegram, where its header has one."""
    at = ACCESS_NO_AT.get(frame.ci)
    return None if at is None or at >= len(frame.user_data) else frame.user_data[at]


def same_telegram(one: LongFrame, other: LongFrame) -> bool:
    """The same contents, whatever the access number says: a meter that repeats itself may count it on."""
    return _without_access_no(one) == _without_access_no(other)


def _without_access_no(frame: LongFrame) -> tuple[int, bytes]:
    at = ACCESS_NO_AT.get(frame.ci)
    octets = frame.user_data
    return frame.ci, octets if at is None else octets[:at] + octets[at + 1 :]


def _link_events(octets: bytes) -> list[LinkEvent]:
    reader = LinkReader()
    reader.receive_data(octets)
    reader.line_idle()
    events: list[LinkEvent] = []
    while (event := reader.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def _nothing_but_noise_behind(events: list[LinkEvent]) -> bool:
    """A whole frame comes first and no frame follows; nothing acknowledges a long frame's own telegram."""
    first, *rest = events
    noise = Garbled | Ack if isinstance(first, LongFrame) else Garbled
    return not isinstance(first, Garbled) and all(isinstance(event, noise) for event in rest)


def _first_fault(events: list[LinkEvent]) -> str:
    return next((event.reason for event in events if isinstance(event, Garbled)), "no_octets")


def _to_master(frame: LongFrame, key: bytes | None) -> Telegram:
    ci, telegram = frame.ci, Telegram("ok", frame)
    if layout := FIXED.get(ci):
        return _fixed(telegram, frame.user_data, layout)
    if layout := RESPONSES.get(ci):
        return _with_records(telegram, frame.user_data, layout, key)
    if layout := APPLICATION_ERRORS.get(ci):
        return _application_error(telegram, frame.user_data, layout)
    if layout := ALARMS.get(ci):
        return _alarm(telegram, frame.user_data, layout)
    return replace(telegram, outcome="reject", reason=f"app:unknown_ci ({ci:02X})")


def _to_slave(frame: LongFrame, key: bytes | None) -> Telegram:
    telegram = Telegram("command", frame, command=COMMANDS.get(frame.ci, f"ci_{frame.ci:02x}"))
    if layout := SENT_RECORDS.get(frame.ci):
        return _with_records(telegram, frame.user_data, layout, key)
    if layout := SENT_WITH_HEADER.get(frame.ci):
        return _with_records(replace(telegram, outcome="ok"), frame.user_data, layout, key)
    return telegram


def _fixed(telegram: Telegram, octets: bytes, layout: Layout) -> Telegram:
    if len(octets) < fixed.LENGTH:
        reason = f"app:fixed_structure_too_short ({len(octets)})"
        return replace(telegram, outcome="reject", reason=reason)
    structure = fixed.read_fixed(octets, reversed_octets=layout.reversed_octets)
    return replace(telegram, fixed=structure, records=structure.records)


def _application_error(telegram: Telegram, octets: bytes, layout: Layout) -> Telegram:
    telegram = _with_header(telegram, octets, layout)
    if telegram.outcome == "reject":
        return telegram
    code = octets[layout.header] if len(octets) > layout.header else 0
    return replace(telegram, outcome="app_error", app_error=ERRORS.get(code, f"reserved_{code:02x}"))


def _alarm(telegram: Telegram, octets: bytes, layout: Layout) -> Telegram:
    telegram = _with_header(telegram, octets, layout)
    if telegram.outcome == "reject":
        return telegram
    return replace(telegram, outcome="alarm", alarm=octets[layout.header :])


def _with_header(telegram: Telegram, octets: bytes, layout: Layout) -> Telegram:
    if len(octets) < layout.header:
        return replace(telegram, outcome="reject", reason=f"app:variable_header_too_short ({len(octets)})")
    if layout.header == LONG:
        return replace(telegram, header=long_header(octets, reversed_octets=layout.reversed_octets))
    return replace(telegram, header=short_header(octets)) if layout.header == SHORT else telegram


def _with_records(telegram: Telegram, octets: bytes, layout: Layout, key: bytes | None) -> Telegram:
    telegram = _with_header(telegram, octets, layout)
    if telegram.outcome == "reject":
        return telegram
    body = octets[layout.header :]
    if telegram.header and (length := security.encrypted_octets(telegram.header, body)):
        telegram = replace(telegram, encrypted=True)
        plain, reason = _decrypted(telegram.header, body[:length], key)
        if plain is None:
            return replace(telegram, outcome="encrypted_no_key", reason=reason)
        body = plain + body[length:]
    elif telegram.header and key is not None and (reason := security.why_not_plain(telegram.header, body)):
        return replace(telegram, encrypted=True, outcome="encrypted_no_key", reason=reason)
    found = read_records(body, reversed_octets=layout.reversed_octets, to_slave=_is_to_slave(telegram))
    telegram = replace(telegram, records=found.records, fillers=found.fillers, reason=found.broken)
    return replace(telegram, outcome="partial") if found.broken else telegram


def _is_to_slave(telegram: Telegram) -> bool:
    return isinstance(telegram.frame, LongFrame) and bool(telegram.frame.control & TO_SLAVE)


def _decrypted(header: Header | None, octets: bytes, key: bytes | None) -> tuple[bytes | None, str | None]:
    """The plain octets, or why there are none."""
    if header is None or header.identity is None:
        return None, "security:the short header does not say whose key it is"
    if key is None:
        return None, "security:key needed"
    plain = security.decrypt(header.identity, header.access_no, octets, key)
    return plain, None if plain is not None else "security:wrong key"
