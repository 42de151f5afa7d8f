"""What must hold of any octets that come from an M-Bus line, and telegrams to begin from.

No exception leaves the decoder, the plans, the rules of a profile or what is printed; plans and shortcuts say
what the plain way says; octets mean the same in whatever pieces they arrive.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.commissioning.mbus_report import report_of
from gateway.lines.mbus_profile import shipped_profiles
from gateway.lines.mbus_readout import MeterReader
from gateway.mbus import encode
from gateway.mbus.addressing import SecondaryAddress
from gateway.mbus.encode import Place
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import NEED_DATA, LinkEvent, LinkReader, LongFrame, ShortFrame
from gateway.mbus.plan import PlanCache
from gateway.mbus.records import DataRecord
from gateway.mbus.security import initial_vector
from gateway.mbus.telegram import Telegram, decode_telegram
from gateway.readout import Readout, Unreadable, WrongMeter
from gateway.settings import MeterSettings
from gateway.telegram_view import telegram_json
from kaukoluenta.identifiers import BadIdentifier, meter_id_of

KEY = bytes(16)
LONGEST = 600
CLOCK = datetime.fromisoformat("2026-11-24T07:04:05")
METER = identity_of("01234567", "KLU", 0x21, 0x04)
_PLANS = PlanCache(limit=64)


def check(octets: bytes) -> None:
    """Check octets as they are, and as what a whole frame carries. Raises AssertionError, or what escaped."""
    octets = octets[:LONGEST]
    _check(octets)
    if len(octets) >= 3:
        control, address, ci = octets[:3]
        _check(LongFrame(control, address, ci, octets[3:255]).to_bytes())


def seeds() -> Iterator[bytes]:
    """Telegrams of all shipped meter models and of every kind, whole and as `check` wraps them."""
    for frame in (*_of_models(), *_of_every_kind()):
        yield frame.to_bytes()
        if isinstance(frame, LongFrame):
            yield bytes((frame.control, frame.address, frame.ci)) + frame.user_data


def _check(octets: bytes) -> None:
    telegram = decode_telegram(octets)
    _check_told(telegram)
    if telegram.encrypted:
        _check_told(decode_telegram(octets, KEY))
    _check_plan(octets, telegram)
    _check_pieces(octets)
    if telegram.identity or telegram.fixed:
        report_of([octets], None, None)
        _check_readout(telegram)


def _check_told(telegram: Telegram) -> None:
    assert telegram.outcome
    json.dumps(telegram_json(telegram), allow_nan=False)


def _check_plan(octets: bytes, plain: Telegram) -> None:
    read = _PLANS.read(octets)
    if read is None:
        return
    plan, found = read
    planned = [
        (column.record.dib, column.record.vib, repr(value))
        for column, value in zip(plan.columns, plan.values(found), strict=True)
    ]
    records = [record for record in plain.records if isinstance(record, DataRecord)]
    assert plain.outcome == "ok"
    assert planned == [(record.dib, record.vib, repr(record.value)) for record in records]
    assert len(plan.steps(found)) == len(records)


def _check_pieces(octets: bytes) -> None:
    middle = len(octets) // 2
    assert _events(octets) == _events(octets[:middle], octets[middle:])


def _events(*pieces: bytes) -> list[LinkEvent]:
    reader, events = LinkReader(), list[LinkEvent]()
    for number, piece in enumerate(pieces, start=1):
        reader.receive_data(piece)
        if number == len(pieces):
            reader.line_idle()
        while (event := reader.next_event()) is not NEED_DATA:
            events.append(event)
    return events


def _check_readout(telegram: Telegram) -> None:
    """The second readout of a layout goes by its shortcut, and says the same."""
    frame, identity = telegram.frame, telegram.identity
    if not isinstance(frame, LongFrame) or identity is None or telegram.more_records_follow:
        return
    try:
        meter = MeterSettings(id=meter_id_of(identity.manufacturer, identity.id))
    except BadIdentifier:
        return
    reader = MeterReader(meter, SecondaryAddress(identity.id, identity.manufacturer_code), None)
    assert _readout(reader, frame) == _readout(reader, frame)


def _readout(reader: MeterReader, frame: LongFrame) -> Readout | str:
    try:
        return reader.readout([reader.hear(frame)])
    except (Unreadable, WrongMeter) as failure:
        return failure.problem


def _of_models() -> Iterator[LongFrame]:
    for profile in shipped_profiles().values():
        for known in profile.file.identify:
            who = identity_of("00000017", known.manufacturer, known.version or 0, known.medium or 4)
            for example in profile.file.example:
                for records in example.records:
                    yield encode.variable_response(1, who, [bytes.fromhex(records)], status=example.status)


def _of_every_kind() -> Iterator[LongFrame | ShortFrame]:
    place = Place("maximum", storage=300, tariff=5, subunit=2)
    records = [
        encode.integer_record(encode.with_vife(b"\x06", 0x3C), -5, 8, place),
        encode.integer_record(b"\x13", None, 6),
        encode.bcd_record(b"\x14", -123, 12),
        encode.real_record(b"\x2e", 12.5),
        encode.text_record(b"\xfd\x0e", "1.0"),
        encode.date_record(CLOCK),
        encode.datetime_record(CLOCK, summer_time=True),
        b"\x06\x6d" + encode.type_i(CLOCK),
        encode.integer_record(encode.plain_text_vib("kWh/K"), 7),
        b"\x0d\x13\xc3" + bytes(3) + b"\x2f\x0d\x13\xd2\x12\x34\x0d\x13\xe4" + bytes(4),
        b"\x04\x86\x70\x39\x30\x00\x00\x02\xff\x21\x07\x00\x01\xfd\x17\x00",
        b"\x0f\x01\x02\x03",
    ]
    whole = encode.variable_response(5, METER, records)
    yield whole
    yield encode.variable_response(5, METER, records[:3], more=True)
    for ci in (0x76, 0x7A, 0x78, 0x73, 0x77, 0x70, 0x71, 0x6E, 0x6F, 0x74, 0x75):
        yield LongFrame(0x08, 5, ci, whole.user_data)
    for ci in (0x50, 0x51, 0x52, 0x54, 0x55, 0x5A, 0x5B, 0xBB):
        yield LongFrame(0x53, 5, ci, whole.user_data[12:])
    yield _encrypted(METER)
    yield ShortFrame(0x5B, 5)


def _encrypted(who: Identity) -> LongFrame:
    plain = b"\x2f\x2f" + encode.integer_record(b"\x06", 12345) + b"\x2f" * 8
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(initial_vector(who, 1))).encryptor()
    secret = encryptor.update(plain) + encryptor.finalize()
    return encode.variable_response(5, who, [secret], access_no=1, config_word=0x0510)
