"""A serial server that speaks RFC 2217, with simulated meters on its port; pyserial plays its side."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import serial
from serial.rfc2217 import PortManager

from gateway.mbus.link import NEED_DATA, Garbled, LinkReader
from simulator.slave import SlaveLine
from tests.buses.simulated_line import NOW


class SerialServer:
    """`port_settings` are what the client last asked for."""

    def __init__(self, line: SlaveLine) -> None:
        self._line = line
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self.connections = 0
        self.port_settings = _serial_port()
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def hang_up(self) -> None:
        if self._connection:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):  # the listener is shut
            while True:
                self._connection, _ = self._listener.accept()
                self.connections += 1
                with self._connection, suppress(OSError):
                    self._talk(self._connection)

    def _talk(self, connection: socket.socket) -> None:
        telnet = PortManager(self.port_settings, SimpleNamespace(write=connection.sendall))
        frames = LinkReader()
        while octets := connection.recv(1024):
            frames.receive_data(b"".join(telnet.filter(octets)))
            while (frame := frames.next_event()) is not NEED_DATA:
                if not isinstance(frame, Garbled):
                    connection.sendall(b"".join(telnet.escape(self._line.hear(frame, NOW))))


def _serial_port() -> Any:
    """What pyserial's server side needs of a port, without one."""
    nothing = dict.fromkeys(("xonxoff", "rtscts", "dsrdtr", "dtr", "rts", "break_condition"), False)
    lines = dict.fromkeys(("cts", "dsr", "ri", "cd"), False)
    return SimpleNamespace(
        baudrate=9600,
        bytesize=serial.EIGHTBITS,
        parity=serial.PARITY_NONE,
        stopbits=serial.STOPBITS_ONE,
        reset_input_buffer=lambda: None,
        reset_output_buffer=lambda: None,
        **nothing,
        **lines,
    )


@contextmanager
def serial_server(line: SlaveLine) -> Iterator[SerialServer]:
    server = SerialServer(line)
    try:
        yield server
    finally:
        server.stop()
