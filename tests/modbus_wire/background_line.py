"""A converter with virtual Modbus meters on a thread of its own, beside a command that has its own loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime

from gateway.modbus.frames import Framing
from simulator.modbus_device import ModbusBus, ModbusFault, ModbusMeter
from simulator.modbus_server import Converter
from tests.modbus_wire.virtual_line import MIDNIGHT


@contextmanager
def on_tcp(meters: Sequence[ModbusMeter], gone_at: int | None = None) -> Iterator[int]:
    """Serve these meters on Modbus TCP, until the unit `gone_at` is asked; gives the port."""
    told: queue.Queue[tuple[int, Callable[[], object]]] = queue.Queue()

    async def serve() -> None:
        def fault_at(unit: int, now: datetime, turn: int) -> ModbusFault | None:
            if unit != gone_at:
                return None
            over.set()
            return ModbusFault.DROPPED

        converter = Converter(ModbusBus(Framing.TCP, meters, fault_at), lambda: MIDNIGHT)
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        told.put((await converter.start(), lambda: loop.call_soon_threadsafe(over.set)))
        await over.wait()
        await converter.stop()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    port, end = told.get(timeout=20)
    try:
        yield port
    finally:
        with suppress(RuntimeError):  # its loop has ended already
            end()
        thread.join()
