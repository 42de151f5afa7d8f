"""The town's Modbus meters on their line: the registers of an instant as words, and the line's converter.

Registers are cut, never rounded, to the step of their cell, as telegrams.py does for M-Bus.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache, partial

from gateway.modbus.frames import Framing
from kaukoluenta.runtime.clock import Clock
from simulator.meters import Meter, registers
from simulator.modbus_device import ModbusBus, ModbusFault, ModbusMeter
from simulator.modbus_layouts import ModbusLayout
from simulator.modbus_server import Converter

_FRAMINGS = {"tcp": Framing.TCP, "rtu+tcp": Framing.RTU}

FaultAt = Callable[[Meter, datetime], ModbusFault | None]


@lru_cache(maxsize=1024)
def image(meter: Meter, instant: datetime) -> Mapping[int, int]:
    """All registers of the meter by their addresses on the wire; one readout asks for them several times."""
    layout, held = _modbus_layout(meter), registers(meter, instant)
    laid = dict(layout.constant)
    laid.update(_words(layout, layout.serial.address, 2, _serial(meter, layout)))
    for cell in layout.cells:
        value = held[cell.register]
        assert isinstance(value, int)
        laid.update(_words(layout, cell.address, cell.words, value // cell.step))
    return laid


def _modbus_layout(meter: Meter) -> ModbusLayout:
    assert isinstance(meter.layout, ModbusLayout)  # only meters of Modbus lines are asked for registers
    return meter.layout


def bus_of(meters: Sequence[Meter], fault_at: FaultAt) -> ModbusBus:
    """The meters of one line; what goes wrong there is the same however often one is asked."""
    by_unit = {meter.address: meter for meter in meters}
    slaves = [
        ModbusMeter(meter.address, partial(image, meter), (_modbus_layout(meter).function,))
        for meter in meters
    ]
    framing = _FRAMINGS[meters[0].layout.link]
    return ModbusBus(framing, slaves, lambda unit, now, turn: fault_at(by_unit[unit], now))


@asynccontextmanager
async def serve_modbus_line(meters: Sequence[Meter], clock: Clock, fault_at: FaultAt) -> AsyncIterator[int]:
    """Serve one line while the context lasts; gives its port on 127.0.0.1."""
    converter = Converter(bus_of(meters, fault_at), clock.now)
    port = await converter.start()
    try:
        yield port
    finally:
        await converter.stop()


def _serial(meter: Meter, layout: ModbusLayout) -> int:
    _, _, serial = meter.id.partition("-")
    return int(serial, 16 if layout.serial.coding == "bcd" else 10)


def _words(layout: ModbusLayout, address: int, count: int, number: int) -> Iterator[tuple[int, int]]:
    """A number as words by address. One that outgrew its registers begins again at zero."""
    words = [number >> 16 * place & 0xFFFF for place in range(count)]
    return enumerate(words if layout.word_order == "little" else reversed(words), address)
