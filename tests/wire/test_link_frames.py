"""EN 13757-2 frames: whole, cut anywhere, and amid noise."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.mbus.link import NEED_DATA, Ack, Frame, Garbled, LinkEvent, LinkReader, LongFrame, ShortFrame

FRAMES: list[tuple[str, Frame]] = [
    #  on the wire                            what it says
    ("E5", Ack()),
    ("10 40 01 41 16", ShortFrame(control=0x40, address=1)),
    ("10 7B FD 78 16", ShortFrame(control=0x7B, address=0xFD)),
    ("68 03 03 68 53 FE BD 0E 16", LongFrame(control=0x53, address=0xFE, ci=0xBD)),
    ("68 03 03 68 08 05 72 7F 16", LongFrame(control=0x08, address=5, ci=0x72)),
    ("68 05 05 68 08 05 78 01 E5 6B 16", LongFrame(0x08, 5, 0x78, b"\x01\xe5")),
]

FAULTS = [
    #  on the wire                     the first octet is given up because of
    ("00", "start_byte"),
    ("16", "start_byte"),
    ("68 03 04 68 08 05 72 7F 16", "length_bytes_differ"),
    ("68 03 03 69 08 05 72 7F 16", "second_start_byte"),
    ("68 02 02 68 08 05 0D 16", "L_too_small"),
    ("68 00 00 68 08 16", "L_too_small"),
    ("68 03 03 68 08 05 72 7E 16", "checksum"),
    ("68 03 03 68 08 05 72 7F 17", "stop_byte"),
    ("68 03 03 68 08 05 72", "truncated"),
    ("68", "truncated"),
    ("10 40 01 42 16", "checksum"),
    ("10 40 01 41 15", "stop_byte"),
    ("10 40", "truncated"),
]

ANSWER = LongFrame(0x08, 7, 0x72, bytes(range(12)) + b"\x04\x06\xe5\x10\x68\xe5")

octet = st.integers(0, 255)
frames = st.one_of(
    st.just(Ack()),
    st.builds(ShortFrame, octet, octet),
    st.builds(LongFrame, octet, octet, octet, st.binary(max_size=252)),
)


def heard(reader: LinkReader) -> list[LinkEvent]:
    events = []
    while (event := reader.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def heard_until_idle(octets: bytes) -> list[LinkEvent]:
    reader = LinkReader()
    reader.receive_data(octets)
    events = heard(reader)
    reader.line_idle()
    return events + heard(reader)


@pytest.mark.parametrize(("wire", "frame"), FRAMES)
def test_a_frame_reads_the_same_whole_or_octet_by_octet(wire: str, frame: Frame) -> None:
    octets = bytes.fromhex(wire)
    trickle = LinkReader()
    for one in octets[:-1]:
        trickle.receive_data(bytes([one]))
        assert trickle.next_event() is NEED_DATA
    trickle.receive_data(octets[-1:])

    assert heard_until_idle(octets) == heard(trickle) == [frame]
    assert frame.to_bytes() == octets


@pytest.mark.parametrize(("wire", "reason"), FAULTS)
def test_a_broken_frame_says_what_is_wrong_with_it(wire: str, reason: str) -> None:
    first = heard_until_idle(bytes.fromhex(wire))[0]
    assert first == Garbled(bytes.fromhex(wire)[:1], reason)


@given(st.lists(frames, max_size=5), st.data())
def test_any_row_of_frames_survives_any_cut(row: list[Frame], data: st.DataObject) -> None:
    wire = b"".join(frame.to_bytes() for frame in row)
    cut = data.draw(st.integers(0, len(wire)))
    reader = LinkReader()
    reader.receive_data(wire[:cut])
    before = heard(reader)
    reader.receive_data(wire[cut:])
    assert before + heard(reader) == row


@given(st.binary(max_size=600))
@example(bytes.fromhex("68 05 05 68 10 40 01 41 16 E5"))
def test_noise_never_raises_and_every_octet_is_accounted_for(noise: bytes) -> None:
    events = heard_until_idle(noise)
    assert b"".join(e.octets if isinstance(e, Garbled) else e.to_bytes() for e in events) == noise


@given(st.binary(max_size=40), st.binary(max_size=10))
def test_a_good_answer_behind_noise_is_heard_once_the_line_is_quiet(before: bytes, after: bytes) -> None:
    heard_frames = [
        e for e in heard_until_idle(before + ANSWER.to_bytes() + after) if not isinstance(e, Garbled)
    ]
    swallowed = any(isinstance(e, LongFrame) and e != ANSWER for e in heard_frames)
    assert ANSWER in heard_frames or swallowed


def test_a_cut_off_answer_does_not_swallow_the_whole_one_behind_it() -> None:
    wire = ANSWER.to_bytes()
    assert [e for e in heard_until_idle(wire[:11] + wire) if not isinstance(e, Garbled)] == [ANSWER]


@pytest.mark.parametrize("damaged", [1, 2, 3, 6, 20, -2, -1])
def test_an_e5_inside_a_broken_answer_is_no_acknowledgement(damaged: int) -> None:
    wire = bytearray(ANSWER.to_bytes())
    wire[damaged] ^= 0x01
    assert all(isinstance(event, Garbled) for event in heard_until_idle(bytes(wire)))


def test_an_acknowledgement_behind_line_noise_is_heard() -> None:
    assert heard_until_idle(b"\x00\xff\xe5")[-1] == Ack()


@pytest.mark.parametrize(
    ("arrived", "missing"),
    [(b"", None), (b"\x68", None), (b"\x68\x03", 7), (b"\x68\x03\x03\x68\x08", 4), (b"\x10\x40", 3)],
)
def test_the_reader_knows_how_many_octets_are_still_to_come(arrived: bytes, missing: int | None) -> None:
    reader = LinkReader()
    reader.receive_data(arrived)
    assert reader.next_event() is NEED_DATA
    assert reader.octets_missing == missing


def test_octets_that_come_after_a_pause_start_afresh() -> None:
    reader = LinkReader()
    reader.receive_data(b"\x68\x03")
    reader.line_idle()
    assert all(isinstance(event, Garbled) for event in heard(reader))
    reader.receive_data(b"\x10\x40")
    assert reader.next_event() is NEED_DATA
    reader.receive_data(b"\x01\x41\x16")
    assert reader.next_event() == ShortFrame(0x40, 1)
