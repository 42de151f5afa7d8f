"""A converter on TCP with virtual Modbus meters behind it: the sockets of simulator/modbus_device.py.

On RTU it is transparent: what the line says goes to whoever is connected by then. On TCP an answer belongs to
the connection that asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from gateway.modbus.frames import Framing
from simulator.modbus_device import ModbusBus, Sending


class Converter:
    """One listening converter.

    `now`: the clock at which the meters answer. `single`: it serves one connection and closes any other.
    """

    def __init__(self, bus: ModbusBus, now: Callable[[], datetime], *, single: bool = False) -> None:
        self.bus, self.single, self.connections = bus, single, 0
        self._now = now
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.StreamWriter] = []

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._serve, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Listen no more, and close what is open."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.close()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.single and self._open:
            writer.close()
            return
        self.connections += 1
        self._open.append(writer)
        waiting = bytearray()
        try:
            while octets := await reader.read(4096):
                waiting += octets
                while request := self.bus.take_request(waiting):
                    self._send_all(self.bus.hear(request, self._now()), writer)
        except ConnectionError:
            pass  # the master went away: the next one may come
        finally:
            self._open.remove(writer)
            writer.close()

    def _send_all(self, sendings: list[Sending], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        for sending in sendings:
            if sending.delay_s:
                loop.call_later(sending.delay_s, self._send, sending, writer)
            else:
                self._send(sending, writer)

    def _send(self, sending: Sending, asker: asyncio.StreamWriter) -> None:
        transparent = self.bus.framing is Framing.RTU
        for writer in self._open if transparent else [asker]:
            if writer.is_closing():
                continue
            if sending.octets:
                writer.write(sending.octets)
            else:
                writer.close()
