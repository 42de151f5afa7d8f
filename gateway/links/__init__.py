"""The sockets and ports of M-Bus lines: octets to a bus and back. A table names a link per URL scheme.

    tcp://host:port                                 a transparent level converter
    serial:///dev/ttyUSB0?baud=2400&parity=E        a level converter on a serial port
    rfc2217://host:port?baud=2400                   a serial server that takes its settings over the network

`baud` (default 2400) is the speed of the bus behind the link: the computed waiting times follow from it.
`latency_s` is what the way to the bus and back may add to them; each kind of link has a default.
Modbus lines have their own client (gateway/modbus/client.py), since pymodbus opens what it speaks on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from gateway.readout import LineDown
from kaukoluenta.errors import ConfigurationInvalid

PARITIES = ("E", "N", "O")
DEFAULT_BAUD, DEFAULT_PARITY = 2400, "E"
LONGEST_LATENCY_S = 10.0


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """A link's URL, taken apart. `path` is a device, `host` and `port` are a converter."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    baud: int = DEFAULT_BAUD
    parity: str = DEFAULT_PARITY
    latency_s: float | None = None


class Link(Protocol):
    """A half-duplex line to a bus. Not open at first; whatever raises LineDown has closed it.

    `latency_s`: what the way there and back may add to the waiting times of the bus.
    """

    address: LinkAddress
    latency_s: float

    @property
    def is_open(self) -> bool: ...

    async def open(self) -> None:
        """Connect. Raises LineDown."""

    async def send(self, octets: bytes) -> None:
        """Raises LineDown."""

    async def receive(self, timeout_s: float, gather_s: float = 0.0) -> bytes:
        """What has arrived, as soon as anything has; nothing when nothing came in time.

        `gather_s`, a part of `timeout_s`: so long nobody needs to look, since what is missing cannot be
        complete before. Raises LineDown.
        """

    async def discard(self) -> bytes:
        """Drop what arrived unasked for, and return it."""

    async def use_baud(self, baud: int) -> None:
        """Change the speed. Raises LineDown where the link cannot."""

    async def close(self) -> None:
        """Let go. It may be opened again."""


def link_address(url: str) -> LinkAddress:
    """Take a URL apart and check it, without connecting.

    Raises:
        ConfigurationInvalid: no link can be opened by it.
    """
    try:
        address = _taken_apart(url)
    except ValueError as error:
        raise _unusable(url, str(error)) from None
    for fault in _faults(address):
        raise _unusable(url, fault)
    return address


def link_to(url: str) -> Link:
    """The link of a URL, not yet open. Raises ConfigurationInvalid."""
    address = link_address(url)
    return LINKS[address.scheme](address)


def line_down(address: LinkAddress, why: str) -> LineDown:
    """The error of a link that is not there."""
    return LineDown(f"line down: {why}", remedy=f"Check the converter and the way to {address.url}.")


def _tcp(address: LinkAddress) -> Link:
    from gateway.links.tcp import TcpLink

    return TcpLink(address)


def _serial(address: LinkAddress) -> Link:
    from gateway.links.serial_port import SerialLink

    return SerialLink(address)


LINKS: dict[str, Callable[[LinkAddress], Link]] = {"tcp": _tcp, "serial": _serial, "rfc2217": _serial}
_NETWORK = ("tcp", "rfc2217")


def _taken_apart(url: str) -> LinkAddress:
    """Raises ValueError."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    baud, parity = options.pop("baud", DEFAULT_BAUD), options.pop("parity", DEFAULT_PARITY)
    latency_s = options.pop("latency_s", None)
    if options:
        raise ValueError(f"unknown option {', '.join(options)}")
    host = parts.hostname or ""
    host.encode("idna")  # no name of a host: empty or too long between its dots
    return LinkAddress(
        url,
        parts.scheme,
        host,
        parts.port or 0,
        parts.path,
        int(baud),
        parity.upper(),
        None if latency_s is None else float(latency_s),
    )


def _faults(address: LinkAddress) -> Iterator[str]:
    if address.scheme not in LINKS:
        yield f"only {', '.join(LINKS)} are known"
    if address.scheme in _NETWORK and not (address.host and address.port):
        yield "host and port are needed"
    if address.scheme == "serial" and not address.path:
        yield "the device is needed"
    if address.baud <= 0 or address.parity not in PARITIES:
        yield "baud must be positive and parity E, N or O"
    if address.latency_s is not None and not 0 <= address.latency_s <= LONGEST_LATENCY_S:
        yield f"latency_s must be 0 to {LONGEST_LATENCY_S:g}"


def _unusable(url: str, why: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(
        f"link = {url!r} cannot be used: {why}.",
        remedy="Write tcp://host:port, serial:///dev/ttyUSB0?baud=2400&parity=E, or rfc2217://host:port.",
    )
