"""TCP to a transparent converter: what is sent comes out on the bus, and the other way round."""

from __future__ import annotations

import asyncio
import os
import socket

from gateway.links import LinkAddress, line_down

CONNECT_TIMEOUT_S = 5.0
LATENCY_S = 0.4
MOST_KEPT = 4096  # octets that nobody has asked for; noise between two slots does not fill the memory

KEEPALIVE = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 20_000),
)
"""A peer that went away without a word is noticed within a minute, idle or not."""


class TcpLink:
    """One connection at a time, opened anew after a loss."""

    def __init__(self, address: LinkAddress) -> None:
        self.address = address
        self.latency_s = LATENCY_S if address.latency_s is None else address.latency_s
        self._connection = _Connection()

    @property
    def is_open(self) -> bool:
        return self._connection.transport is not None

    async def open(self) -> None:
        await self.close()
        loop, address = asyncio.get_running_loop(), self.address
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, self._connection = await loop.create_connection(_Connection, address.host, address.port)
        except TimeoutError:
            raise line_down(address, f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise line_down(address, _why(error)) from None

    async def send(self, octets: bytes) -> None:
        if self._connection.transport is None:
            raise line_down(self.address, "connection closed")
        self._connection.transport.write(octets)

    async def receive(self, timeout_s: float, gather_s: float = 0.0) -> bytes:
        connection = self._connection
        if gather_s > 0:
            await connection.let_gather(gather_s)
        if not connection.arrived and connection.transport is not None:
            await connection.news(max(timeout_s - gather_s, 0))
        if not connection.arrived and connection.transport is None:
            raise line_down(self.address, "connection closed")
        return await self.discard()

    async def discard(self) -> bytes:
        octets = bytes(self._connection.arrived)
        self._connection.arrived.clear()
        return octets

    async def use_baud(self, baud: int) -> None:
        raise line_down(self.address, f"a transparent converter does not change to {baud} baud by itself")

    async def close(self) -> None:
        if self._connection.transport is not None:
            self._connection.transport.abort()
        self._connection = _Connection()


class _Connection(asyncio.BufferedProtocol):
    """What one connection has brought. `transport` is None before it is made and after it is lost.

    It reads into a buffer of its own: asyncio's would be a quarter of a megabyte, anew for every answer.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.arrived, self._buffer = bytearray(), bytearray(MOST_KEPT)
        self._waiting: asyncio.Future[None] | None = None

    async def news(self, timeout_s: float) -> None:
        """Return when something arrives, the connection is lost, or the time is over."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(timeout_s, self._wake)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None

    async def let_gather(self, seconds: float) -> None:
        """Leave what arrives to the system for a while: looking at every octet is what costs."""
        if self.transport is None:
            return
        self.transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        connection = transport.get_extra_info("socket")
        for level, option, value in KEEPALIVE:
            if hasattr(socket, option):  # not every system has all of them
                connection.setsockopt(level, getattr(socket, option), value)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.arrived += self._buffer[:nbytes]
        del self.arrived[:-MOST_KEPT]
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _why(error: OSError) -> str:
    """In the system's words. A name that cannot be resolved has a number of its own, below zero."""
    if error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error)
