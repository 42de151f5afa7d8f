"""A level converter on a serial port, or on a serial server that speaks RFC 2217. Both through pyserial.

pyserial blocks, so each port has a thread of its own, and only that thread touches the port.
"""

from __future__ import annotations

import asyncio
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import serial  # type: ignore[import-untyped]  # pyserial carries no types

from gateway.links import LinkAddress, line_down

LATENCY_S = {"serial": 0.05, "rfc2217": 0.4}
LOOKS_EVERY_S = 0.02
"""How long the port blocks at most. Fixed: over RFC 2217 every change is negotiated with the server."""

T = TypeVar("T")


class SerialLink:
    """One port at a time, opened anew after a loss: an adapter may be unplugged and come back."""

    def __init__(self, address: LinkAddress) -> None:
        self.address = address
        self.latency_s = LATENCY_S[address.scheme] if address.latency_s is None else address.latency_s
        self._port: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=address.path or address.host)

    @property
    def is_open(self) -> bool:
        return self._port is not None

    async def open(self) -> None:
        await self.close()
        self._port = await self._on_thread(self._open)

    async def send(self, octets: bytes) -> None:
        await self._on_thread(lambda: self._send(octets))

    async def receive(self, timeout_s: float, gather_s: float = 0.0) -> bytes:
        return await self._on_thread(lambda: self._receive(timeout_s, gather_s))

    async def discard(self) -> bytes:
        return await self._on_thread(self._waiting) if self._port else b""

    async def use_baud(self, baud: int) -> None:
        await self._on_thread(lambda: setattr(self._open_port(), "baudrate", baud))

    async def close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            with suppress(OSError):
                await asyncio.get_running_loop().run_in_executor(self._thread, port.close)

    async def _on_thread(self, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        except (OSError, termios.error) as error:  # pyserial's own exception is an OSError
            await self.close()
            raise line_down(self.address, str(error)) from None

    # On the port's thread

    def _open(self) -> Any:
        address = self.address
        name = address.path if address.scheme == "serial" else f"rfc2217://{address.host}:{address.port}"
        return serial.serial_for_url(
            name, baudrate=address.baud, parity=address.parity, timeout=LOOKS_EVERY_S, exclusive=True
        )

    def _send(self, octets: bytes) -> None:
        port = self._open_port()
        port.write(octets)
        port.flush()

    def _receive(self, timeout_s: float, gather_s: float) -> bytes:
        port, deadline = self._open_port(), time.monotonic() + timeout_s
        time.sleep(gather_s)
        while not (first := port.read(1)):
            if time.monotonic() >= deadline:
                return b""
        return bytes(first) + self._waiting()

    def _waiting(self) -> bytes:
        port = self._open_port()
        return bytes(port.read(port.in_waiting))

    def _open_port(self) -> Any:
        if self._port is None:
            raise OSError("port closed")
        return self._port
