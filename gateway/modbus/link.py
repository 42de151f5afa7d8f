"""Where a Modbus line is: `tcp://host:502`, `rtu+tcp://host:port`, `serial:///dev/ttyUSB0?baud=9600&parity=E`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from gateway.modbus.errors import BadLink
from gateway.modbus.frames import Framing

_TCP_PORT: Final = 502
_TCP_ANSWER_S: Final = 2.0
_TURNAROUND_S: Final = 1.0
_OCTET_BITS: Final = 11  # start, eight data bits, parity or a second stop bit, stop
_SILENT_OCTETS: Final = 3.5  # between two frames (serial line V1.02, 2.5.1.1)
_SHORTEST_SILENCE_S: Final = 0.00175
_REMEDY = "Write tcp://host:port, rtu+tcp://host:port or serial:///dev/ttyUSB0?baud=9600&parity=E&stop=1."


@dataclass(frozen=True, slots=True)
class TcpLink:
    framing: Framing
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def answer_s(self, registers: int) -> float:
        """How long an answer may take by default: converters wait about a second for their slave."""
        return _TCP_ANSWER_S

    @property
    def silence_s(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class SerialLink:
    device: str
    baud: int
    parity: str
    stop: int
    framing: Framing = Framing.RTU

    def __str__(self) -> str:
        return self.device

    def answer_s(self, registers: int) -> float:
        """A slave's turnaround, and the time that question and answer take on the wire."""
        return _TURNAROUND_S + (8 + 5 + 2 * registers) * _OCTET_BITS / self.baud

    @property
    def silence_s(self) -> float:
        """The silence that separates two frames."""
        return max(_SILENT_OCTETS * _OCTET_BITS / self.baud, _SHORTEST_SILENCE_S)


Link = TcpLink | SerialLink


def parse_link(text: str) -> Link:
    """Read a link as config files write it.

    Raises:
        BadLink: it is none of the three forms.
    """
    try:
        parts = urlsplit(text)
        return _LINKS[parts.scheme](parts)
    except (KeyError, ValueError):
        raise BadLink(f"{text[:80]!r} is no Modbus link.", remedy=_REMEDY) from None


def _tcp(parts: SplitResult) -> TcpLink:
    return _over_tcp(parts, Framing.TCP, parts.port or _TCP_PORT)


def _rtu_over_tcp(parts: SplitResult) -> TcpLink:
    if parts.port is None:
        raise ValueError("converters have no usual port")
    return _over_tcp(parts, Framing.RTU, parts.port)


def _over_tcp(parts: SplitResult, framing: Framing, port: int) -> TcpLink:
    if not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("a host and a port, nothing else")
    parts.hostname.encode("idna")  # no name of a host: empty or too long between its dots
    return TcpLink(framing, parts.hostname, port)


def _serial(parts: SplitResult) -> SerialLink:
    given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    link = SerialLink(
        parts.path,
        baud=int(given.pop("baud", "9600")),
        parity=given.pop("parity", "E"),
        stop=int(given.pop("stop", "1")),
    )
    known = link.parity in ("N", "E", "O") and link.stop in (1, 2) and link.baud > 0
    if given or parts.netloc or not link.device.strip("/") or not known:
        raise ValueError("a device, and settings that a port can have")
    return link


_LINKS: Final[dict[str, Callable[[SplitResult], Link]]] = {
    "tcp": _tcp,
    "rtu+tcp": _rtu_over_tcp,
    "serial": _serial,
}
