"""Batches of readings on MQTT, contract v1: exact, small, legible in `mosquitto_sub`.

Rows are arrays under a column header per register layout; a value is its integer steps, the header
carries unit and exponent. A bad row or group is refused alone, with its text and the reason, and its
neighbours live. Octets are no batch only when they do not say which one: everything else is received.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from typing import Annotated, Any, TypeVar

import msgspec

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import GatewayName, MeterId, gateway_name, meter_id
from kaukoluenta.mended_json import mended
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import Amount, to_travel_unit
from kaukoluenta.reading import EARLIEST, Quality, Reading, Source, check_reading

VERSION = 1
MOST_READINGS = 500
MOST_OCTETS = 64 * 1024
_FARTHEST_EXPONENT = 18
_SEQ_ROOM = 20


class PayloadError(KaukoluentaError):
    """Octets that name no batch. They go to quarantine whole, and nobody can be told."""


@dataclass(frozen=True, slots=True)
class Missed:
    """A slot in which a meter gave no reading, and why."""

    meter: MeterId
    slot: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One row, group or batch that cannot be accepted: its JSON text and the reason."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What a gateway sends at once. (gateway, epoch, seq) names it for ever.

    `made_at` is EARLIEST in a received one that does not say it so that it can be read.
    """

    gateway: GatewayName
    epoch: str
    seq: int
    made_at: datetime
    readings: tuple[Reading, ...] = ()
    missed: tuple[Missed, ...] = ()
    refused: tuple[RefusedRow, ...] = ()


Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Layout = tuple[tuple[str, str, int], ...]
Piece = TypeVar("Piece")
_NOTHING = msgspec.Raw(b"null")


class _Group(msgspec.Struct):
    columns: Layout
    rows: list[msgspec.Raw]


class _Envelope(msgspec.Struct):
    """What names a batch; the rest is looked at piece by piece."""

    gateway: str
    epoch: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    v: msgspec.Raw = _NOTHING
    made_at: msgspec.Raw = _NOTHING
    groups: msgspec.Raw = msgspec.Raw(b"[]")
    events: msgspec.Raw = msgspec.Raw(b"[]")


class _More(msgspec.Struct, frozen=True):
    asked_at: Instant | None = None
    meter_time: str | None = None
    info_code: str | None = None


_NO_MORE = _More()


class _Row(msgspec.Struct, array_like=True):
    meter: str
    read_at: Instant
    source: Source
    quality: Annotated[int, msgspec.Meta(ge=0, lt=2**16)]
    steps: list[int | None]
    more: _More | None = None


class _Event(msgspec.Struct, array_like=True):
    meter: str
    slot: Instant
    kind: str
    detail: str = ""


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_pieces = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_group = msgspec.json.Decoder(_Group).decode
_decode_instant = msgspec.json.Decoder(Instant).decode
_decode_row = msgspec.json.Decoder(_Row).decode
_decode_event = msgspec.json.Decoder(_Event).decode
_decode_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.encode
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading noise may raise; UnicodeDecodeError is a ValueError."""


# Encoding -------------------------------------------------------------------------------------------


def encode(batch: Batch) -> bytes:
    """The batch as it travels. Energy goes as kWh or GJ; the same batch always gives the same bytes."""
    groups: dict[Layout, list[list[Any]]] = {}
    for reading in batch.readings:
        layout, row = _encode_row(reading)
        groups.setdefault(layout, []).append(row)
    return _encode(
        {
            "v": VERSION,
            "gateway": batch.gateway,
            "epoch": batch.epoch,
            "seq": batch.seq,
            "made_at": instant_text(batch.made_at),
            "groups": [{"columns": layout, "rows": rows} for layout, rows in groups.items()],
            "events": [[m.meter, instant_text(m.slot), "missed", m.reason] for m in batch.missed],
        }
    )


def digest_of(octets: bytes) -> bytes:
    """What tells two batches of one name apart, at both ends."""
    return blake2b(octets, digest_size=16).digest()


def renamed(octets: bytes, epoch: str, seq: int) -> bytes:
    """An encoded batch of ours under another name. What is in it stays as it is, to the octet."""
    name = {"epoch": msgspec.Raw(_encode(epoch)), "seq": msgspec.Raw(_encode(seq))}
    return _encode(_decode_keys(octets) | name)


def within_limits(batch: Batch) -> Iterator[Batch]:
    """The batch cut into parts that each travel within 500 readings and 64 KB. Seq stays as it was."""
    entries = len(batch.readings) + len(batch.missed)
    if entries <= 1 or (entries <= MOST_READINGS and len(encode(batch)) <= MOST_OCTETS - _SEQ_ROOM):
        yield batch
        return
    readings, missed = len(batch.readings) // 2, (len(batch.missed) + 1) // 2
    for first in (True, False):
        half = slice(None, readings) if first else slice(readings, None)
        missed_half = slice(None, missed) if first else slice(missed, None)
        yield from within_limits(
            replace(batch, readings=batch.readings[half], missed=batch.missed[missed_half])
        )


def _encode_row(reading: Reading) -> tuple[Layout, list[Any]]:
    travelling = {name: to_travel_unit(amount) for name, amount in reading.registers.items()}
    layout = tuple((name, a.unit, _exponent(a.value)) for name, a in travelling.items())
    row: list[Any] = [
        reading.meter,
        instant_text(reading.read_at),
        reading.source.value,
        int(reading.quality),
        [_steps(amount.value) for amount in travelling.values()],
    ]
    more = {
        "asked_at": instant_text(reading.asked_at) if reading.asked_at else None,
        "meter_time": reading.meter_time,
        "info_code": reading.info_code,
    }
    kept = {key: value for key, value in more.items() if value is not None}
    return layout, [*row, kept] if kept else row


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int), "check_reading keeps NaN and infinity out"
    return exponent


def _steps(value: Decimal) -> int:
    return int(value.scaleb(-_exponent(value)))


# Decoding -------------------------------------------------------------------------------------------


def decode(octets: bytes) -> Batch:
    """Read a batch. What in it cannot be accepted is in `refused`; of another version that is all of it.

    Raises:
        PayloadError: not JSON, or nothing that says which gateway's batch it is.
    """
    try:
        envelope = _envelope(octets)
        gateway = gateway_name(envelope.gateway)
    except (KaukoluentaError, *_UNREADABLE) as problem:
        raise PayloadError(f"This is no batch: {problem}.", remedy="See the MQTT contract in docs.") from None
    version = _text(envelope.v)
    if version != str(VERSION):
        reason = f"Payload version {version[:40]} is not known. Upgrade the collector before its gateways."
        refused = (RefusedRow(_text(octets), reason),)
        return Batch(gateway, envelope.epoch, envelope.seq, EARLIEST, refused=refused)
    return _batch(gateway, envelope)


def _envelope(octets: bytes) -> _Envelope:
    try:
        return _decode_envelope(octets)
    except _UNREADABLE:
        return _decode_envelope(mended(octets))


def _batch(gateway: GatewayName, envelope: _Envelope) -> Batch:
    refused: list[RefusedRow] = []
    made_at = _or_refused(_decode_instant, envelope.made_at, refused, "made_at: ") or EARLIEST
    groups = [_or_refused(_decode_group, raw, refused) for raw in _pieces(envelope.groups, refused)]
    readings = [
        _or_refused(partial(_reading, group.columns), raw, refused)
        for group in groups
        if group
        for raw in group.rows
    ]
    missed = [_or_refused(_missed, raw, refused) for raw in _pieces(envelope.events, refused)]
    return Batch(
        gateway,
        envelope.epoch,
        envelope.seq,
        made_at,
        tuple(filter(None, readings)),
        tuple(filter(None, missed)),
        tuple(refused),
    )


def _pieces(raw: msgspec.Raw, refused: list[RefusedRow]) -> list[msgspec.Raw]:
    return _or_refused(_decode_pieces, raw, refused) or []


def _or_refused(
    read: Callable[[msgspec.Raw], Piece], raw: msgspec.Raw, refused: list[RefusedRow], what: str = ""
) -> Piece | None:
    """What `read` makes of a piece, or None and a refusal with the piece's text."""
    try:
        return read(raw)
    except (KaukoluentaError, *_UNREADABLE) as problem:
        refused.append(RefusedRow(_text(raw), f"{what}{problem}"))
        return None


def _reading(layout: Layout, raw: msgspec.Raw) -> Reading:
    row = _decode_row(raw)
    more = row.more or _NO_MORE
    if len(row.steps) != len(layout):
        raise PayloadError(
            f"{len(row.steps)} values under {len(layout)} columns.", remedy="Send one value or null a column."
        )
    registers = {
        name: Amount(_amount(steps, exponent), unit)
        for (name, unit, exponent), steps in zip(layout, row.steps, strict=True)
        if steps is not None
    }
    return check_reading(
        Reading(
            meter_id(row.meter),
            row.read_at,
            row.source,
            registers,
            Quality(row.quality),
            more.asked_at,
            more.meter_time,
            more.info_code,
        )
    )


def _amount(steps: int, exponent: int) -> Decimal:
    if abs(exponent) > _FARTHEST_EXPONENT or abs(steps) >= 10**15:
        raise PayloadError("A value is out of range.", remedy="A register has at most 15 digits.")
    return Decimal(steps).scaleb(exponent)


def _missed(raw: msgspec.Raw) -> Missed:
    event = _decode_event(raw)
    if event.kind != "missed":
        raise PayloadError(f"Event {event.kind[:40]!r} is not known here.", remedy="Upgrade the collector.")
    return Missed(meter_id(event.meter), event.slot, event.detail)


def _text(raw: msgspec.Raw | bytes) -> str:
    return bytes(raw).decode("utf-8", "replace")
