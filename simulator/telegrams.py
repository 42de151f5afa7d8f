"""What a meter says when it is asked: its registers at an instant as the data records of its telegrams.

Registers are cut, never rounded, to the step of their record. One that outgrew its digits begins again at
zero, as a display does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache

from gateway.mbus.encode import bcd_record, date_record, datetime_record, integer_record
from gateway.mbus.header import Identity, identity_of
from simulator.layouts import Record
from simulator.meters import Meter, registers

Telegram = tuple[bytes, ...]
"""The data records of one RSP_UD."""


@cache
def identity(meter: Meter) -> Identity:
    """Who the meter says it is in each telegram, and by which a master selects it."""
    maker, _, serial = meter.id.partition("-")
    return identity_of(serial, maker, meter.layout.version, meter.layout.medium)


def readout(meter: Meter, instant: datetime) -> tuple[Telegram, ...]:
    """All telegrams of one readout, all of the same instant."""
    held = registers(meter, instant)
    *first, last = (
        tuple(_data_record(record, held) for record in records) for records in meter.layout.telegrams
    )
    return (*first, (*last, meter.layout.maker_data))


def _data_record(record: Record, held: Mapping[str, int | date]) -> bytes:
    value = held[record.register]
    if isinstance(value, datetime):
        return datetime_record(value, record.place, record.vib)
    if isinstance(value, date):
        return date_record(value, record.place, record.vib)
    steps = value // record.step
    if record.coding == "bcd":
        digits = 2 * record.octets
        return bcd_record(record.vib, steps % 10**digits, digits, record.place)
    return integer_record(record.vib, steps % (1 << 8 * record.octets - 1), record.octets, record.place)
