"""The master's dialogues against scripted lines and against a meter that keeps its frame count."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pytest

from gateway.mbus import commands, encode, timing
from gateway.mbus.addressing import SELECTED, BadAddress, SecondaryAddress, address_of, secondary_address
from gateway.mbus.dialogue import (
    Dialogue,
    FrameCount,
    Heard,
    Request,
    UseBaud,
    initialise,
    read_out,
    read_selected,
    select,
    send_user_data,
)
from gateway.mbus.encode import Place
from gateway.mbus.errors import AnswerGarbled, MbusError, MeterSilent, ReadoutBroken, WrongAnswer
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import Ack, Garbled, LongFrame, ShortFrame

METER = identity_of("01234567", "KLU", 0x21, 0x04)
NEIGHBOUR = identity_of("07654321", "KLU", 0x21, 0x04)
NOISE = Garbled(b"\x00", "start_byte")
SND_NKE_5, ASK_5, ASK_5_AGAIN = ShortFrame(0x40, 5), ShortFrame(0x7B, 5), ShortFrame(0x5B, 5)

Line = Callable[[Request], Iterable[Heard]]
Converse = Callable[..., Any]  # the fixture of conftest.py


def answer(address: int = 5, who: Identity = METER, energy: int = 1, *, access_no: int = 0) -> LongFrame:
    return encode.variable_response(
        address, who, [encode.integer_record(b"\x06", energy)], access_no=access_no
    )


def scripted(*turns: Iterable[Heard]) -> Line:
    """What is heard after the first request, after the second, and so on; then nothing."""
    waiting = [list(turn) for turn in turns]
    return lambda request: waiting.pop(0) if waiting else []


class Meter:
    """A slave at address 5: repeats its telegram while the frame count bit stays, as EN 13757-2 asks."""

    def __init__(self, telegrams: list[LongFrame]) -> None:
        self.telegrams, self.at, self.last_bit = telegrams, -1, False
        self.access_no = 0

    def __call__(self, request: Request) -> list[Heard]:
        if request == SND_NKE_5:
            self.at, self.last_bit = -1, False
            return [Ack()]
        assert isinstance(request, ShortFrame)
        bit = bool(request.control & 0x20)
        if bit != self.last_bit:
            self.at, self.last_bit = (self.at + 1) % len(self.telegrams), bit
        self.access_no += 1
        telegram = self.telegrams[self.at]
        user_data = bytearray(telegram.user_data)
        user_data[8] = self.access_no
        return [LongFrame(telegram.control, telegram.address, telegram.ci, bytes(user_data))]


def long_readout(telegrams: int = 3) -> list[LongFrame]:
    records = [encode.integer_record(b"\x03", n, 8, Place(storage=n)) for n in range(telegrams * 18)]
    frames = encode.variable_responses(5, METER, records)
    assert len(frames) == telegrams
    return frames


def contents(frames: Iterable[LongFrame]) -> list[bytes]:
    return [frame.user_data[12:] for frame in frames]


def test_a_meter_of_unknown_frame_count_is_reset_first(converse: Converse) -> None:
    count = FrameCount()
    frames, sent = converse(read_out(5, count, attempts=1), scripted([Ack()], [answer()]))
    assert sent == [SND_NKE_5, ASK_5]
    assert frames == (answer(),)


def test_the_frame_count_goes_on_from_readout_to_readout(converse: Converse) -> None:
    count = FrameCount(bit=True)
    _, first = converse(read_out(5, count, attempts=1), scripted([answer()]))
    _, second = converse(read_out(5, count, attempts=1), scripted([answer()]))
    assert (first, second) == ([ASK_5], [ASK_5_AGAIN])


def test_a_failed_readout_leaves_the_frame_count_unknown(converse: Converse) -> None:
    count = FrameCount(bit=True)
    with pytest.raises(MeterSilent):
        converse(read_out(5, count, attempts=2), scripted())
    assert count.bit is None


def test_a_repeated_request_carries_the_same_frame_count(converse: Converse) -> None:
    count = FrameCount(bit=True)
    _, sent = converse(read_out(5, count, attempts=3), scripted([], [NOISE], [answer()]))
    assert sent == [ASK_5, ASK_5, ASK_5]


def test_every_telegram_of_a_long_readout_is_taken_once_and_in_order(converse: Converse) -> None:
    telegrams = long_readout()
    frames, _ = converse(read_out(5, FrameCount(), attempts=1), Meter(telegrams))
    assert contents(frames) == contents(telegrams)


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_telegram_lost_on_the_way_is_asked_for_again_and_not_skipped(converse: Converse, lost: int) -> None:
    telegrams, asked = long_readout(), 0
    meter = Meter(telegrams)

    def line(request: Request) -> list[Heard]:
        nonlocal asked
        asked += request != SND_NKE_5
        heard = meter(request)
        return [NOISE] if asked == lost and request != SND_NKE_5 else heard

    frames, _ = converse(read_out(5, FrameCount(), attempts=2), line)
    assert contents(frames) == contents(telegrams)


def test_a_late_copy_of_a_telegram_is_not_taken_for_the_next_one(converse: Converse) -> None:
    first, second, third = long_readout()
    line = scripted([first], [first, second], [third])
    frames, _ = converse(read_out(5, FrameCount(bit=True), attempts=1), line)
    assert frames == (first, second, third)


def test_a_meter_that_only_repeats_itself_gives_no_reading(converse: Converse) -> None:
    first, *_ = long_readout()
    with pytest.raises(ReadoutBroken):
        converse(read_out(5, FrameCount(bit=True), attempts=2), lambda request: [first])


def test_a_readout_that_breaks_off_in_the_middle_is_no_reading(converse: Converse) -> None:
    first, *_ = long_readout()
    count = FrameCount(bit=True)
    with pytest.raises(ReadoutBroken, match="after 1 telegrams"):
        converse(read_out(5, count, attempts=2), scripted([first]))
    assert count.bit is None


def test_a_readout_without_end_stops_at_the_limit(converse: Converse) -> None:
    meter = Meter(long_readout(3)[:2])
    with pytest.raises(ReadoutBroken, match="promises more"):
        converse(read_out(5, FrameCount(), attempts=1, most_telegrams=5), meter)


ONLY_AT_5_IT_COUNTS = [
    #  what is heard before the answer
    ([NOISE, NOISE], "noise"),
    ([ASK_5], "the converter's echo"),
    ([answer(4, NEIGHBOUR, 99)], "a late answer of the meter asked before"),
    ([Ack()], "a late acknowledgement"),
    ([LongFrame(0x53, 5, 0x72, answer().user_data)], "a frame of another master"),
    ([ASK_5, NOISE, answer(4), Ack()], "all of it"),
]


@pytest.mark.parametrize(("before", "what"), ONLY_AT_5_IT_COUNTS)
def test_only_the_meters_own_answer_counts(converse: Converse, before: list[Heard], what: str) -> None:
    frames, sent = converse(read_out(5, FrameCount(bit=True), attempts=1), scripted([*before, answer()]))
    assert frames == (answer(),), what
    assert sent == [ASK_5]


FAILURES: list[tuple[list[Heard], type[MbusError]]] = [
    ([], MeterSilent),
    ([ASK_5], MeterSilent),
    ([NOISE], AnswerGarbled),
    ([answer(4)], WrongAnswer),
    ([NOISE, Ack()], WrongAnswer),
]


@pytest.mark.parametrize(("heard", "failure"), FAILURES)
def test_a_failure_tells_what_was_heard_instead(
    converse: Converse, heard: list[Heard], failure: type[MbusError]
) -> None:
    with pytest.raises(failure) as told:
        converse(read_out(5, FrameCount(bit=True), attempts=2), scripted(heard, heard))
    assert "ddress 5" in told.value.problem
    assert told.value.remedy


@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_a_dead_meter_costs_exactly_the_attempts_given(converse: Converse, attempts: int) -> None:
    sent: list[Request] = []

    def line(request: Request) -> list[Heard]:
        sent.append(request)
        return []

    with pytest.raises(MeterSilent):
        converse(initialise(5, FrameCount(), attempts=attempts), line)
    assert sent == [SND_NKE_5] * attempts


@pytest.mark.parametrize("control", [0x08, 0x18, 0x28, 0x38])
def test_a_meter_that_has_alarms_or_is_busy_still_answers(converse: Converse, control: int) -> None:
    busy = LongFrame(control, 5, 0x72, answer().user_data)
    frames, _ = converse(read_out(5, FrameCount(bit=True), attempts=1), scripted([busy]))
    assert frames == (busy,)


def test_at_254_any_meter_may_answer_with_its_own_address(converse: Converse) -> None:
    frames, _ = converse(read_out(0xFE, FrameCount(bit=True), attempts=1), scripted([answer(17)]))
    assert frames == (answer(17),)


def test_a_selected_meter_is_known_by_its_number_whatever_address_it_answers_from(converse: Converse) -> None:
    late = answer(SELECTED, NEIGHBOUR, 99)
    line = scripted([Ack()], [late, answer(17)])
    frames, sent = converse(read_selected(address_of(METER), attempts=1), line)
    assert sent == [LongFrame(0x53, SELECTED, 0x52, address_of(METER).to_bytes()), ShortFrame(0x7B, SELECTED)]
    assert frames == (answer(17),)


def test_another_meter_than_the_selected_one_is_a_wrong_answer(converse: Converse) -> None:
    line = scripted([Ack()], [answer(SELECTED, NEIGHBOUR)])
    with pytest.raises(WrongAnswer):
        converse(read_selected(address_of(METER), attempts=1), line)


def test_an_old_meter_with_fixed_structure_can_be_selected(converse: Converse) -> None:
    old = LongFrame(0x08, 17, 0x73, bytes.fromhex("67452301 0A 00 E9 7E 01000000 35010000"))
    frames, _ = converse(read_selected(secondary_address("01234567"), attempts=1), scripted([Ack()], [old]))
    assert frames == (old,)


def test_a_selected_meter_may_say_that_it_is_busy(converse: Converse) -> None:
    busy = LongFrame(0x08, 17, 0x70, b"\x08")
    frames, _ = converse(read_selected(address_of(METER), attempts=1), scripted([Ack()], [busy]))
    assert frames == (busy,)


def test_a_selection_that_nobody_feels_fails_by_silence(converse: Converse) -> None:
    with pytest.raises(MeterSilent):
        converse(select(address_of(METER), FrameCount(), attempts=1), scripted())


COMMANDS: list[tuple[Callable[[FrameCount], Dialogue[None]], str]] = [
    #  command                                                                   on the wire
    (lambda c: commands.application_reset(5, c, attempts=1), "680303687305 50 C8 16"),
    (lambda c: commands.application_reset(5, c, subcode=0x10, attempts=1), "680404687305 50 10 D8 16"),
    (lambda c: commands.set_primary_address(5, 17, c, attempts=1), "680606687305 51 017A11 55 16"),
    (
        lambda c: commands.set_clock(5, datetime(2026, 11, 24, 8, 33), c, attempts=1),
        "680909687305 51 046D 2108583B F6 16",
    ),
    (
        lambda c: commands.set_clock(5, datetime(2026, 11, 24, 8, 33, 7), c, seconds=True, attempts=1),
        "680B0B687305 51 066D 072148583B00 3F 16",
    ),
    (lambda c: commands.select_storage(5, 1, c, attempts=1), "680505687305 51 487E 8F 16"),
    (lambda c: commands.select_everything(5, c, attempts=1), "680404687305 51 7F 48 16"),
]


@pytest.mark.parametrize(("command", "wire"), COMMANDS)
def test_a_command_is_sent_as_the_standard_writes_it(
    converse: Converse, command: Callable[[FrameCount], Dialogue[None]], wire: str
) -> None:
    count = FrameCount(bit=True)
    _, sent = converse(command(count), scripted([Ack()]))
    (request,) = sent
    assert isinstance(request, LongFrame)
    assert request.to_bytes() == bytes.fromhex(wire)
    assert count.bit is False


def test_a_command_to_all_meters_waits_for_no_acknowledgement(converse: Converse) -> None:
    _, sent = converse(send_user_data(0xFF, 0x50, b"", FrameCount(), attempts=3), scripted())
    assert sent == [LongFrame(0x53, 0xFF, 0x50)]


def test_no_meter_gets_an_address_that_is_none() -> None:
    with pytest.raises(BadAddress):
        commands.set_primary_address(5, 251, FrameCount(), attempts=1)


def test_a_new_baud_rate_is_proved_before_it_stays(converse: Converse) -> None:
    count = FrameCount(bit=True)
    line = scripted([Ack()], [], [Ack()])
    _, sent = converse(commands.switch_baud(5, count, old=2400, new=9600, attempts=1), line)
    assert sent == [LongFrame(0x73, 5, 0xBD), UseBaud(9600), SND_NKE_5]


def test_a_meter_lost_at_the_new_baud_rate_brings_the_line_back(converse: Converse) -> None:
    sent: list[Request] = []

    def line(request: Request) -> list[Heard]:
        sent.append(request)
        return [Ack()] if isinstance(request, LongFrame) else []

    switch = commands.switch_baud(5, FrameCount(bit=True), old=2400, new=9600, attempts=2)
    with pytest.raises(commands.BaudNotChanged):
        converse(switch, line)
    assert sent[-1] == UseBaud(2400)


def test_a_baud_rate_that_m_bus_does_not_have_is_refused_before_anything_is_sent(converse: Converse) -> None:
    with pytest.raises(MbusError, match="115200"):
        converse(commands.switch_baud(5, FrameCount(), old=2400, new=115200, attempts=1), scripted())


ADDRESSES = [
    ("69183621", SecondaryAddress("69183621")),
    ("69183621.KAM", SecondaryAddress("69183621", 0x2C2D)),
    ("69183621.2C2D.1C.04", SecondaryAddress("69183621", 0x2C2D, 0x1C, 0x04)),
    ("6918FFFF.FFFF.FF.04", SecondaryAddress("6918FFFF", None, None, 0x04)),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_a_secondary_address_reads_as_it_is_written(text: str, address: SecondaryAddress) -> None:
    assert secondary_address(text) == secondary_address(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "123", "6918362X", "69183621.1.2.3.4", "69183621.12345", "69183621..100"]
)
def test_what_is_no_secondary_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress):
        secondary_address(text)


def test_a_selection_carries_its_wildcards_as_ones() -> None:
    assert secondary_address("0123FFFF.KLU").to_bytes() == bytes.fromhex("FFFF2301 952D FFFF")


@pytest.mark.parametrize(
    ("mask", "matches"),
    [("0123FFFF", True), ("FFFFFFFF.KLU.21.04", True), ("0123FFFF.KAM", False), ("1FFFFFFF", False)],
)
def test_a_mask_matches_what_a_meter_would_feel(mask: str, matches: bool) -> None:
    assert secondary_address(mask).matches(METER) is matches


def test_a_master_waits_as_long_as_the_slowest_meter_may_take() -> None:
    assert timing.answer_timeout(2400) == pytest.approx(0.1875)
    assert timing.transmission_time(240, 2400) == pytest.approx(1.1)
    assert timing.idle_time(300) == pytest.approx(0.11)
