"""What a meter says when it is asked: its registers at an instant as the data records of its telegrams.

Registers are cut, never rounded, to the step of their record. One that outgrew its digits begins again at
zero, as a display does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache

from gateway.mbus.encode import type_f, type_g
from gateway.mbus.header import Identity, identity_of
from simulator.layouts import MbusLayout, Record
from simulator.meters import Meter, registers

Telegram = tuple[bytes, ...]
"""The data records of one RSP_UD."""


@cache
def identity(meter: Meter) -> Identity:
    """Who the meter says it is in each telegram, and by which a master selects it."""
    maker, _, serial = meter.id.partition("-")
    layout = _mbus_layout(meter)
    return identity_of(serial, maker, layout.version, layout.medium)


def readout(meter: Meter, instant: datetime) -> tuple[Telegram, ...]:
    """All telegrams of one readout, all of the same instant."""
    held, layout = registers(meter, instant), _mbus_layout(meter)
    *first, last = (tuple(_data_record(record, held) for record in records) for records in layout.telegrams)
    return (*first, (*last, layout.maker_data))


def _mbus_layout(meter: Meter) -> MbusLayout:
    assert isinstance(meter.layout, MbusLayout)  # only meters of M-Bus lines are asked for telegrams
    return meter.layout


def _data_record(record: Record, held: Mapping[str, int | date]) -> bytes:
    value = held[record.register]
    if isinstance(value, datetime):
        return record.head + type_f(value)
    if isinstance(value, date):
        return record.head + type_g(value)
    steps = value // record.step
    if record.coding == "bcd":
        digits = 2 * record.octets
        return record.head + bytes.fromhex(f"{steps % 10**digits:0{digits}d}")[::-1]
    return record.head + (steps % (1 << 8 * record.octets - 1)).to_bytes(record.octets, "little")
