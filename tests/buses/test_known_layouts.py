"""A telegram of a layout that is known says by its shortcut what it says in full, to the last digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.lines.mbus_readout import Heard, MeterReader
from gateway.mbus.addressing import address_of
from gateway.mbus.encode import Place, bcd_record, identity_octets, integer_record, variable_response
from gateway.mbus.header import identity_of
from gateway.mbus.link import LongFrame
from gateway.mbus.telegram import decode_frame
from gateway.readout import ReadFailed, Readout, WrongMeter
from gateway.settings import MeterSettings

METER = identity_of("00000017", "XTA", 0x11, 0x04)

HEADS = [
    #  DIB and VIB        octets of data
    ("04 06", 4),  # energy, kWh
    ("0C 06", 4),  # the same in BCD
    ("04 0E", 4),  # energy, MJ
    ("04 07", 4),  # energy, 10 kWh
    ("07 06", 8),
    ("84 10 06", 4),  # tariff 1
    ("44 06", 4),  # storage 1
    ("04 83 7D", 4),  # a thousand times
    ("0C 14", 4),  # volume
    ("02 5A", 2),  # flow temperature
    ("0A 5A", 2),
    ("05 3E", 4),  # flow, real32
    ("04 6D", 4),  # the clock
    ("44 6D", 4),
    ("02 6C", 2),  # a date
    ("01 FD 17", 1),  # error flags
    ("02 FD 17", 2),
    ("04 FF 22", 4),
    ("04 86 3C", 4),  # negative contributions only
    ("04 86 15", 4),  # record status: no data available
    ("0D 78", 3),  # text of two letters
    ("2F", 0),
]
LAYOUTS = st.lists(st.sampled_from(HEADS), min_size=1, max_size=8)


def records(layout: Sequence[tuple[str, int]], values: bytes, more: bool) -> bytes:
    """The layout's records with these values, which are repeated as often as needed."""
    octets, source = b"", values * 80
    for head, length in layout:
        data, source = source[:length], source[length:]
        data = b"\x02" + data[1:] if head == "0D 78" else data
        octets += bytes.fromhex(head) + data
    return octets + (b"\x1f" if more else b"")


def telegram(octets: bytes, access_no: int = 1, status: int = 0) -> LongFrame:
    header = identity_octets(METER) + bytes((access_no, status, 0, 0))
    return LongFrame(0x08, 17, 0x72, header + octets)


def reader_of(number: str = "00000017") -> MeterReader:
    who = identity_of(number, "XTA", 0x11, 0x04)
    return MeterReader(MeterSettings(id=f"XTA-{number}", address=17), address_of(who), None)


def said(frames: Sequence[LongFrame]) -> Any:
    """The readout with every digit, or what was wrong with it."""
    reader = reader_of()
    return told(reader, [reader.hear(frame) for frame in frames])


def said_in_full(frames: Sequence[LongFrame]) -> Any:
    """The same when no layout is known."""
    return told(reader_of(), [Heard(frame, decode_frame(frame)) for frame in frames])


def told(reader: MeterReader, heard: Sequence[Heard]) -> Any:
    try:
        readout = reader.readout(heard)
    except ReadFailed as failure:
        return str(failure)
    return {**plain(readout), "registers": {name: str(amount) for name, amount in readout.registers.items()}}


def plain(readout: Readout) -> dict[str, Any]:
    return {name: getattr(readout, name) for name in Readout.__slots__}


@settings(deadline=None, max_examples=300)
@given(
    LAYOUTS,
    st.lists(LAYOUTS, max_size=1),
    st.binary(min_size=1, max_size=40),
    st.binary(min_size=1, max_size=40),
    st.sampled_from([0, 0, 0, 0x04, 0x08, 0x10, 0xE0]),
)
def test_a_readout_of_a_known_layout_says_what_it_says_in_full(
    first: list[tuple[str, int]],
    rest: list[list[tuple[str, int]]],
    before: bytes,
    now: bytes,
    status: int,
) -> None:
    def readout(values: bytes, status: int) -> list[LongFrame]:
        parts = [first, *rest]
        return [
            telegram(records(part, values[::-1] if at else values, more=at < len(parts) - 1), at, status)
            for at, part in enumerate(parts)
        ]

    said(readout(before, 0))
    assert said(readout(now, status)) == said_in_full(readout(now, status))


ORDINARY = [bcd_record(b"\x06", 12_345), integer_record(b"\x13", 67_890), integer_record(b"\x5a", 812, 2)]


def ordinary(*more: bytes, access_no: int = 1) -> LongFrame:
    return variable_response(17, METER, [*ORDINARY, *more], access_no=access_no)


def test_an_ordinary_meter_is_never_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("an ordinary readout went the long way")

    monkeypatch.setattr("gateway.lines.mbus_readout.find_registers", never)
    reader = reader_of()
    for access_no in range(4):
        heard = reader.hear(ordinary(access_no=access_no))
        assert reader.readout([heard]).registers["energy"].value == 12_345_000


def test_a_known_layout_of_another_meter_is_still_another_meter() -> None:
    reader = reader_of("00000018")
    for _ in range(3):
        with pytest.raises(WrongMeter, match="XTA-00000017 answers instead"):
            reader.readout([reader.hear(ordinary())])


def test_a_meter_that_changes_its_layout_is_read_as_it_speaks_now() -> None:
    longer = ordinary(integer_record(b"\x13", 99, place=Place(storage=1)))
    reader = reader_of()
    for frame in (ordinary(), longer, ordinary(), longer):
        assert reader.readout([reader.hear(frame)]).registers["energy"].value == 12_345_000


def test_a_meter_that_says_two_times_of_day_says_none_by_the_shortcut_either() -> None:
    clocks = [("04 06", 4), ("04 6D", 4), ("04 6D", 4)]
    times = bytes.fromhex("01000000 0F 0B 2B 1A  10 0B 2B 1A")
    readout = [telegram(records(clocks, times, more=False))]
    assert said(readout) == said_in_full(readout)
    assert said(readout)["meter_time"] is None
