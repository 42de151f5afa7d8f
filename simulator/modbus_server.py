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
        self._open: list[asyncio.WriteTransport] = []

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def stop(self) -> None:
        """Listen no more, and close what is open."""
        if self._server is not None:
            self._server.close()
        for master in self._open:
            master.close()
        await asyncio.sleep(0)

    def welcome(self, master: asyncio.WriteTransport) -> None:
        """A master has connected."""
        if self.single and self._open:
            master.close()
            return
        self.connections += 1
        self._open.append(master)

    def hear(self, octets: bytearray, master: asyncio.WriteTransport) -> None:
        """Answer what a master has sent; the octets of whole requests are taken off."""
        if master not in self._open:
            return
        while request := self.bus.take_request(octets):
            for sending in self.bus.hear(request, self._now()):
                if sending.delay_s:
                    asyncio.get_running_loop().call_later(sending.delay_s, self._send, sending, master)
                else:
                    self._send(sending, master)

    def forget(self, master: asyncio.WriteTransport) -> None:
        """A connection is gone."""
        if master in self._open:
            self._open.remove(master)

    def _send(self, sending: Sending, asker: asyncio.WriteTransport) -> None:
        transparent = self.bus.framing is Framing.RTU
        for master in self._open if transparent else [asker]:
            if master.is_closing():
                continue
            if sending.octets:
                master.write(sending.octets)
            else:
                master.close()


class _Connection(asyncio.Protocol):
    """One connection of a master."""

    def __init__(self, converter: Converter) -> None:
        self._converter, self._waiting = converter, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._converter.welcome(transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        self._converter.hear(self._waiting, self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._converter.forget(self._transport)
