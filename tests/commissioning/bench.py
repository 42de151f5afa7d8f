"""Meters on a bench that also obey: addresses, clocks, speeds, storage numbers. On TCP and pseudo-terminals.

They live in a thread of their own, as they hang on a converter of their own, and know nothing of the gateway.
"""

from __future__ import annotations

import os
import socketserver
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce

from gateway.mbus import encode
from gateway.mbus.commands import SET_BAUD
from gateway.mbus.encode import Place
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import NEED_DATA, Ack, Frame, Garbled, LinkReader, LongFrame, ShortFrame
from gateway.mbus.records import DataRecord, GlobalReadoutRequest, read_records
from simulator.distortions import fall_together

SELECTED, ANY_METER, FCB = 0xFD, 0xFE, 0x20
SELECT, RESET, DATA_SEND = 0x52, 0x50, 0x51
SPEEDS = {code: baud for baud, code in SET_BAUD.items()}


def heat_records(kwh: int = 12345) -> list[bytes]:
    """An ordinary heat meter's registers, the energy of its last due date, and one record of its own."""
    due = Place(storage=1)
    return [
        encode.integer_record(b"\x06", kwh),
        encode.bcd_record(b"\x14", 67890),
        encode.integer_record(b"\x2d", 51, 2),
        encode.date_record(datetime(2026, 11, 1), due),
        encode.integer_record(b"\x06", kwh - 345, 4, due),
        encode.integer_record(b"\xff\x21", 7, 2),
    ]


@dataclass
class BenchMeter:
    """`behind` is how far its clock is behind, None where it shows none; `seconds`: it shows them.

    `kept`: storage numbers that it gives on demand only; `acknowledges_only`: CI fields it does not obey,
    `unknown`: those to which it is silent. `obeys_in_silence`: its acknowledgement is lost.
    """

    identity: Identity
    address: int = 0
    records: list[bytes] = field(default_factory=heat_records)
    kept: dict[int, list[bytes]] = field(default_factory=dict)
    behind: timedelta | None = None
    seconds: bool = False
    baud: int = 2400
    knows_selection: bool = True
    mute: bool = False
    acknowledges_only: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()
    obeys_in_silence: bool = False
    config_word: int = 0
    resets: list[bytes] = field(default_factory=list)
    written: int = 0
    selected: bool = False
    chosen: int | None = None
    _access_no: int = 0

    def answer(self, frame: Frame, baud: int | None) -> bytes:
        """What it says to a frame; nothing when the line is at another speed than its own."""
        if isinstance(frame, Ack) or baud not in (None, self.baud):
            return b""
        if isinstance(frame, LongFrame) and frame.ci == SELECT:
            return self._select(frame.user_data)
        mine = frame.address in (self.address, ANY_METER) or (frame.address == SELECTED and self.selected)
        if not mine:
            return b""
        if isinstance(frame, ShortFrame):
            return self._asked(frame)
        return self._obey(frame)

    def _select(self, wanted: bytes) -> bytes:
        own = encode.identity_octets(self.identity)
        digits = zip(own[:4].hex(), wanted[:4].hex(), strict=True)
        rest = zip(own[4:], wanted[4:], strict=True)
        fits = all(want in ("f", have) for have, want in digits) and all(
            want in (0xFF, have) for have, want in rest
        )
        self.selected = self.knows_selection and fits
        return b"\xe5" if self.selected else b""

    def _asked(self, frame: ShortFrame) -> bytes:
        if frame.control & ~FCB == 0x40:
            self.selected = self.selected and frame.address != SELECTED
            return b"\xe5"
        if self.mute:
            return b""
        self._access_no = self._access_no + 1 & 0xFF
        address = frame.address if frame.address == SELECTED else self.address
        return encode.variable_response(
            address, self.identity, self._shown(), access_no=self._access_no, config_word=self.config_word
        ).to_bytes()

    def _shown(self) -> list[bytes]:
        if self.chosen is not None:
            return self.kept.get(self.chosen, [])
        if self.behind is None:
            return self.records
        now = datetime.now(UTC).replace(tzinfo=None) - self.behind  # noqa: TID251  its own clock
        clock = b"\x06\x6d" + encode.type_i(now) if self.seconds else encode.datetime_record(now)
        return [clock, *self.records]

    def _obey(self, frame: LongFrame) -> bytes:
        self.written += 1
        if frame.ci in self.unknown:
            return b""
        if frame.ci in self.acknowledges_only:
            return b"\xe5"
        if frame.ci in SPEEDS:
            self.baud = SPEEDS[frame.ci]
        elif frame.ci == RESET:
            self.resets.append(frame.user_data)
        elif frame.ci == DATA_SEND:
            for record in read_records(frame.user_data, to_slave=True).records:
                self._take(record)
        else:
            return b""
        return b"" if self.obeys_in_silence else b"\xe5"

    def _take(self, record: object) -> None:
        if isinstance(record, GlobalReadoutRequest):
            self.chosen = None
        elif isinstance(record, DataRecord) and record.coding == "selection":
            self.chosen = record.storage
        elif isinstance(record, DataRecord) and record.quantity == "bus_address":
            self.address = int(str(record.value))
        elif isinstance(record, DataRecord) and isinstance(record.value, datetime):
            self.behind = datetime.now(UTC).replace(tzinfo=None) - record.value  # noqa: TID251


class Bench:
    """A bus: what several meters answer at once falls together. `heard` are the master's frames in order."""

    def __init__(self, *meters: BenchMeter) -> None:
        self.meters, self.heard = list(meters), list[Frame]()
        self.hangs_up_after: int | None = None

    def hear(self, frame: Frame, baud: int | None = None) -> bytes | None:
        """The answer of the bus; None when the converter hangs up instead."""
        self.heard.append(frame)
        if self.hangs_up_after is not None and len(self.heard) > self.hangs_up_after:
            self.hangs_up_after = None
            return None
        return reduce(fall_together, (meter.answer(frame, baud) for meter in self.meters), b"")

    @property
    def writes(self) -> int:
        """How many frames the meters were sent that could change something."""
        return sum(meter.written for meter in self.meters)


def bench_meter(
    serial: str, address: int = 0, *, maker: str = "KLU", version: int = 0x21, **more: object
) -> BenchMeter:
    return BenchMeter(identity_of(serial, maker, version, 0x04), address, **more)  # type: ignore[arg-type]


@contextmanager
def on_tcp(bench: Bench, options: str = "?baud=38400&latency_s=0.1") -> Iterator[str]:
    """The bench behind a transparent converter; gives the link's URL."""

    class Converter(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                _serve(bench, lambda: self.request.recv(512), self.request.sendall)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Converter) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.server_address[1]}{options}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def on_pty(bench: Bench) -> Iterator[str]:
    """The bench behind a serial port, at the speed to which that is set; gives the path of its device."""
    bus, device = os.openpty()
    tty.setraw(device)

    def baud() -> int | None:
        speed = termios.tcgetattr(bus)[4]
        return next((known for known in SET_BAUD if getattr(termios, f"B{known}") == speed), None)

    def serve() -> None:
        with suppress(OSError):
            _serve(bench, lambda: os.read(bus, 512), lambda octets: os.write(bus, octets), baud)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(device)
    finally:
        os.close(device)
        os.close(bus)


def _serve(
    bench: Bench,
    receive: Callable[[], bytes],
    send: Callable[[bytes], object],
    baud: Callable[[], int | None] = lambda: None,
) -> None:
    reader = LinkReader()
    while octets := receive():
        reader.receive_data(octets)
        while (frame := reader.next_event()) is not NEED_DATA:
            if isinstance(frame, Garbled):
                continue
            answer = bench.hear(frame, baud())
            if answer is None:
                return
            send(answer)
