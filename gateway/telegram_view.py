"""A telegram in plain JSON, in the words of the contract: what `decode` prints, and `read --json` in part.

Values are text, plain decimals among them: a JSON number would be read as a float.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from gateway.mbus import security
from gateway.mbus.datatypes import Value
from gateway.mbus.fixed import FixedStructure
from gateway.mbus.header import Header
from gateway.mbus.link import TO_SLAVE, Ack, Frame, LongFrame, ShortFrame
from gateway.mbus.records import DataRecord, GlobalReadoutRequest, ManufacturerData, Record
from gateway.mbus.telegram import Telegram

Json = dict[str, Any]


def telegram_json(telegram: Telegram) -> Json:
    """A telegram in the contract's words. Fields that do not apply are absent."""
    answer: Json = {"outcome": telegram.outcome}
    if telegram.frame is not None:
        answer |= _frame_json(telegram.frame)
    if telegram.command is not None:
        answer["command"] = telegram.command
    if telegram.encrypted:
        answer |= {"security_mode": security.MODE_5, "encrypted": security.MODE_5_NAME}
    if telegram.header is not None:
        answer |= _header_json(telegram.header)
    if telegram.fixed is not None:
        answer |= _fixed_json(telegram.fixed)
    answer |= _present(
        more_records_follow=telegram.more_records_follow or None,
        fillers=telegram.fillers or None,
        app_error=telegram.app_error,
        alarm=None if telegram.alarm is None else _hex(telegram.alarm),
        reason=telegram.reason,
        frames=[_kind(frame) for frame in telegram.heard] or None,
    )
    if telegram.records:
        answer["records"] = [record_json(index, record) for index, record in enumerate(telegram.records)]
    return answer


def record_json(index: int, record: Record) -> Json:
    """A record in the contract's words."""
    if isinstance(record, GlobalReadoutRequest):
        return {"index": index, "kind": "global_readout_request", "dib": _hex(record.dib)}
    if isinstance(record, ManufacturerData):
        return {
            "index": index,
            "kind": "manufacturer_data",
            "dib": _hex(record.dib),
            "data": _hex(record.data),
            "more_records_follow": record.more_records_follow,
        }
    blocks = {"dib": _hex(record.dib), "vib": _hex(record.vib)} if record.dib else {}
    return {
        "index": index,
        "kind": "value",
        **blocks,
        "data": _hex(record.data),
        "function": record.function,
        "storage": record.storage,
        "tariff": record.tariff,
        "subunit": record.subunit,
        "norm": _norm_json(record),
    }


def value_text(value: Value, coding: str) -> str | None:
    """A value as text: plain decimal without trailing zeros, ISO date, or the text itself."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes" if coding == "datetime_f" else "seconds")
    assert isinstance(value, date | time)
    return value.isoformat()


def plain_decimal(value: Decimal) -> str:
    """Digits with at most one point, never an exponent: 12.5, 6531000, -0.48, 0."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _kind(frame: Frame) -> str:
    if isinstance(frame, Ack):
        return "ack"
    if isinstance(frame, ShortFrame):
        return "short"
    return "long" if frame.user_data else "control"


def _frame_json(frame: Frame) -> Json:
    answer: Json = {"frame": _kind(frame)}
    if isinstance(frame, Ack):
        return answer
    answer |= {"c": f"{frame.control:02X}", "a": f"{frame.address:02X}"}
    if isinstance(frame, LongFrame):
        answer["ci"] = f"{frame.ci:02X}"
        answer["direction"] = "to_slave" if frame.control & TO_SLAVE else "to_master"
    return answer


def _header_json(header: Header) -> Json:
    answer: Json = {}
    if (identity := header.identity) is not None:
        answer = {
            "manufacturer": identity.manufacturer,
            "manufacturer_hex": f"{identity.manufacturer_code:04X}",
            "id": identity.id,
            "version": identity.version,
            "medium": identity.medium,
            "medium_hex": f"{identity.medium:02X}",
            "medium_text": identity.medium_text,
        }
    answer |= {"access_no": header.access_no, "status": header.status}
    return answer | {"config_word": f"{header.config_word:04X}"}


def _fixed_json(structure: FixedStructure) -> Json:
    return {
        "structure": "fixed",
        "id": structure.id,
        "medium": structure.medium,
        "medium_hex": f"{structure.medium:02X}",
        "medium_text": structure.medium_text,
        "access_no": structure.access_no,
        "status": structure.status,
    }


def _norm_json(record: DataRecord) -> Json:
    norm: Json = {
        "quantity": record.quantity,
        "unit": record.unit,
        "value": value_text(record.value, record.coding),
        "coding": record.coding,
    }
    unsigned = record.value_if_unsigned
    return norm | _present(
        modifiers=list(record.modifiers) or None,
        invalid=record.invalid,
        bcd_digits=record.bcd_digits,
        value_if_unsigned=None if unsigned is None else plain_decimal(unsigned),
        manufacturer_specific=record.manufacturer_specific or None,
    )


def _present(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _hex(octets: bytes) -> str:
    return octets.hex().upper()
