"""Slaves behave on the link as EN 13757-2 and -3 say, asked as a master asks: with frames."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mbus.addressing import SecondaryAddress, address_of
from gateway.mbus.dialogue import Dialogue, FrameCount, Silence, T, read_out, read_selected, select
from gateway.mbus.errors import AnswerGarbled, MbusError, MeterSilent, WrongAnswer
from gateway.mbus.link import NEED_DATA, Ack, LinkReader, LongFrame, ShortFrame
from gateway.mbus.telegram import decode_frame
from kaukoluenta.identifiers import MeterId
from simulator.distortions import distort
from simulator.faults import READABLE, Fault, FaultKind, fault_finder
from simulator.heat import HOUR, House
from simulator.layouts import GIGAJOULES, KILOWATT_HOURS, TWO_TELEGRAMS, MbusLayout
from simulator.meters import NO_ADDRESS, Meter
from simulator.slave import SlaveLine
from simulator.telegrams import identity

START = datetime(2026, 9, 29, 21, tzinfo=UTC)
NOW = START + 30 * HOUR

NKE, REQ, REQ_FCB, REQ_UNCOUNTED = 0x40, 0x5B, 0x7B, 0x4B
RESET = 0x50


def meter_of(layout: MbusLayout, serial: str, address: int) -> Meter:
    house = House(7, serial, START, 400, 30_000, 30_000)
    meter = MeterId(f"{layout.manufacturer}-{serial}")
    return Meter(meter, layout, house, "line", "area", address, START, None, 10**12, 10**9, 0)


PLAIN = meter_of(KILOWATT_HOURS, "11111111", 1)
TWO = meter_of(TWO_TELEGRAMS, "22222222", 2)
UNADDRESSED = meter_of(GIGAJOULES, "12345678", NO_ADDRESS)
METERS = (PLAIN, TWO, UNADDRESSED)

HARMLESS = [kind for kind in FaultKind if kind in READABLE]


def line_of(*meters: Meter, faults: tuple[Fault, ...] = ()) -> SlaveLine:
    return SlaveLine(7, meters or METERS, fault_finder(faults, FaultKind))


def telegram(octets: bytes) -> LongFrame:
    reader = LinkReader()
    reader.receive_data(octets)
    frame = reader.next_event()
    assert isinstance(frame, LongFrame)
    assert reader.next_event() is NEED_DATA
    return frame


def without_access_number(octets: bytes) -> bytes:
    data = telegram(octets).user_data
    return data[:8] + data[9:]


def converse(dialogue: Dialogue[T], line: SlaveLine, now: datetime = NOW) -> T:
    """Drive a master's dialogue against the line; what is not answered is silence at once."""
    reader = LinkReader()
    try:
        request = next(dialogue)
        while True:
            if isinstance(request, ShortFrame | LongFrame):
                reader = LinkReader()
                reader.receive_data(line.hear(request, now))
                reader.line_idle()
            heard = reader.next_event()
            request = dialogue.send(Silence() if heard is NEED_DATA else heard)
    except StopIteration as done:
        value: T = done.value
        return value


def read(line: SlaveLine, meter: Meter, now: datetime = NOW) -> tuple[LongFrame, ...]:
    who = address_of(identity(meter))
    if meter.address == NO_ADDRESS:
        return converse(read_selected(who, attempts=2), line, now)
    return converse(read_out(meter.address, FrameCount(), attempts=2, who=who), line, now)


# Frame count -------------------------------------------------------------------------------------------


def test_a_reset_is_acknowledged() -> None:
    assert line_of().hear(ShortFrame(NKE, 1), NOW) == Ack().to_bytes()


def test_nobody_answers_at_a_free_address() -> None:
    line = line_of()
    assert line.hear(ShortFrame(NKE, 9), NOW) == b""
    assert line.hear(ShortFrame(REQ_FCB, 9), NOW) == b""


def test_the_same_frame_count_bit_repeats_the_last_telegram_octet_for_octet() -> None:
    line = line_of()
    first = line.hear(ShortFrame(REQ_FCB, 2), NOW)
    assert line.hear(ShortFrame(REQ_FCB, 2), NOW) == first


def test_a_toggled_bit_goes_on_to_the_next_telegram_and_then_begins_again() -> None:
    line = line_of()
    answers = [line.hear(ShortFrame(control, 2), NOW) for control in (REQ_FCB, REQ, REQ_FCB)]
    assert [decode_frame(telegram(answer)).more_records_follow for answer in answers] == [True, False, True]
    assert without_access_number(answers[0]) == without_access_number(answers[2])


@pytest.mark.parametrize("control", [REQ, REQ_FCB])
def test_after_a_reset_either_bit_gives_the_first_telegram(control: int) -> None:
    line = line_of()
    first = line.hear(ShortFrame(control, 2), NOW)
    line.hear(ShortFrame(NKE, 2), NOW)
    assert without_access_number(line.hear(ShortFrame(control, 2), NOW)) == without_access_number(first)


def test_a_request_without_frame_count_always_begins_a_readout() -> None:
    line = line_of()
    answers = [line.hear(ShortFrame(REQ_UNCOUNTED, 2), NOW) for _ in range(2)]
    assert all(decode_frame(telegram(answer)).more_records_follow for answer in answers)


def test_an_application_reset_begins_a_readout() -> None:
    line = line_of()
    line.hear(ShortFrame(REQ_FCB, 2), NOW)
    assert line.hear(LongFrame(0x53, 2, RESET), NOW) == Ack().to_bytes()
    assert decode_frame(telegram(line.hear(ShortFrame(REQ, 2), NOW))).more_records_follow


def test_each_new_telegram_has_the_next_access_number() -> None:
    line = line_of()
    controls = [REQ_FCB, REQ] * 130
    numbers = [telegram(line.hear(ShortFrame(control, 1), NOW)).user_data[8] for control in controls]
    assert numbers == [number % 256 for number in range(1, 261)]


@pytest.mark.parametrize("control", [REQ, REQ_FCB])
def test_a_telegram_of_an_hour_ago_is_never_repeated(control: int) -> None:
    line, fresh = line_of(), line_of()
    line.hear(ShortFrame(REQ_FCB, 2), NOW)
    stale = line.hear(ShortFrame(control, 2), NOW + HOUR)
    assert without_access_number(stale) == without_access_number(
        fresh.hear(ShortFrame(REQ_FCB, 2), NOW + HOUR)
    )


def test_a_readout_is_of_one_instant_though_the_clock_goes_on() -> None:
    line, fresh = line_of(), line_of()
    line.hear(ShortFrame(REQ_FCB, 2), NOW)
    fresh.hear(ShortFrame(REQ_FCB, 2), NOW)
    later = line.hear(ShortFrame(REQ, 2), NOW + timedelta(seconds=20))
    assert later == fresh.hear(ShortFrame(REQ, 2), NOW)


def test_the_masters_dialogue_reads_every_layout() -> None:
    line = line_of()
    assert len(read(line, PLAIN)) == 1
    assert len(read(line, TWO)) == 2


# Secondary addresses -----------------------------------------------------------------------------------


def test_a_meter_without_an_address_is_read_by_its_id() -> None:
    [answer] = converse(read_selected(address_of(identity(UNADDRESSED)), attempts=1), line_of())
    found = decode_frame(answer).identity
    assert found is not None
    assert found.id == "12345678"


@pytest.mark.parametrize(
    ("wanted", "selects"),
    [
        (SecondaryAddress("12345678"), True),
        (SecondaryAddress("1234FFFF"), True),
        (SecondaryAddress("1234FFF9"), False),
        (SecondaryAddress("12345678", manufacturer_code=1), False),
        (SecondaryAddress("12345678", medium=GIGAJOULES.medium), True),
        (SecondaryAddress("12345678", version=GIGAJOULES.version + 1), False),
        (SecondaryAddress("99999999"), False),
    ],
)
def test_a_selection_answers_when_every_part_fits_or_is_a_wildcard(
    wanted: SecondaryAddress, selects: bool
) -> None:
    line = line_of(UNADDRESSED)
    if selects:
        converse(select(wanted, FrameCount(), attempts=1), line)
    else:
        with pytest.raises(MeterSilent):
            converse(select(wanted, FrameCount(), attempts=1), line)


def test_selecting_one_meter_deselects_the_other() -> None:
    line = line_of()
    for meter in (PLAIN, UNADDRESSED):
        converse(select(address_of(identity(meter)), FrameCount(), attempts=1), line)
    found = decode_frame(telegram(line.hear(ShortFrame(REQ_FCB, 253), NOW))).identity
    assert found == identity(UNADDRESSED)


def test_a_reset_at_253_ends_the_selection() -> None:
    line = line_of()
    converse(select(address_of(identity(PLAIN)), FrameCount(), attempts=1), line)
    assert line.hear(ShortFrame(NKE, 253), NOW) == Ack().to_bytes()
    assert line.hear(ShortFrame(REQ_FCB, 253), NOW) == b""


def test_a_selection_of_another_length_selects_nobody() -> None:
    assert line_of().hear(LongFrame(0x53, 253, 0x52, b"\xff" * 7), NOW) == b""


def test_two_that_answer_at_once_garble_each_other() -> None:
    heard = line_of().hear(ShortFrame(REQ_FCB, 254), NOW)
    reader = LinkReader()
    reader.receive_data(heard)
    reader.line_idle()
    events = list(iter(reader.next_event, NEED_DATA))
    assert events
    assert not any(isinstance(event, LongFrame) for event in events)


def test_acknowledgements_at_once_are_one_acknowledgement() -> None:
    assert line_of().hear(ShortFrame(NKE, 254), NOW) == Ack().to_bytes()


def test_a_broadcast_is_obeyed_and_not_answered() -> None:
    line = line_of()
    line.hear(ShortFrame(REQ_FCB, 2), NOW)
    assert line.hear(ShortFrame(NKE, 255), NOW) == b""
    assert decode_frame(telegram(line.hear(ShortFrame(REQ, 2), NOW))).more_records_follow


@pytest.mark.parametrize("frame", [Ack(), LongFrame(0x53, 1, 0x51, b"\x01\x7a\x05"), ShortFrame(0x5A, 1)])
def test_a_frame_that_no_slave_knows_has_no_answer(frame: Ack | ShortFrame | LongFrame) -> None:
    assert line_of().hear(frame, NOW) == b""


# Faults and exchange -----------------------------------------------------------------------------------


def faulty(kind: FaultKind, meter: Meter) -> SlaveLine:
    return line_of(faults=(Fault(meter, kind, NOW, NOW + HOUR),))


@pytest.mark.parametrize("meter", [PLAIN, TWO], ids=lambda meter: meter.layout.name)
@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (FaultKind.SILENT, MeterSilent),
        (FaultKind.GARBLED, AnswerGarbled),
        (FaultKind.CUT_OFF, AnswerGarbled),
        (FaultKind.FOREIGN, WrongAnswer),
        (FaultKind.NOISE_INSIDE, AnswerGarbled),
        (FaultKind.LOST, AnswerGarbled),
        (FaultKind.COLLISION, AnswerGarbled),
        (FaultKind.LATE, MeterSilent),
    ],
)
def test_a_fault_costs_its_meter_every_attempt_of_its_slot_and_no_more(
    kind: FaultKind, failure: type[MbusError], meter: Meter
) -> None:
    line = faulty(kind, meter)
    assert read(line, meter, NOW - HOUR)
    with pytest.raises(failure):
        read(line, meter)
    with pytest.raises(failure):
        read(line, meter, NOW + timedelta(minutes=59))
    assert read(line, PLAIN if meter is TWO else TWO)
    assert read(line, meter, NOW + HOUR)


@pytest.mark.parametrize("meter", [PLAIN, TWO, UNADDRESSED], ids=lambda meter: meter.layout.name)
@pytest.mark.parametrize("kind", HARMLESS)
def test_what_comes_before_an_answer_costs_nothing(kind: FaultKind, meter: Meter) -> None:
    clean, disturbed = line_of(), faulty(kind, meter)
    assert read(disturbed, meter) == read(clean, meter)


def test_noise_comes_before_the_answer() -> None:
    clean, noisy = (
        line.hear(ShortFrame(REQ_FCB, 2), NOW) for line in (line_of(), faulty(FaultKind.NOISE, TWO))
    )
    assert noisy.endswith(clean)
    assert len(noisy) > len(clean)


@pytest.mark.parametrize("request_frame", [ShortFrame(NKE, 2), ShortFrame(REQ_FCB, 2)])
def test_an_echo_is_the_request_itself(request_frame: ShortFrame) -> None:
    clean, echoing = line_of(), faulty(FaultKind.ECHO, TWO)
    assert echoing.hear(request_frame, NOW) == request_frame.to_bytes() + clean.hear(request_frame, NOW)


SPOILING = [
    kind for kind in FaultKind if kind not in (*HARMLESS, FaultKind.SILENT, FaultKind.FOREIGN, FaultKind.LATE)
]


@settings(deadline=None)
@given(st.sampled_from(SPOILING), st.integers(0, 2**64 - 1), st.binary(min_size=12, max_size=252))
def test_a_spoilt_telegram_is_never_whole_by_chance(kind: FaultKind, chance: int, user_data: bytes) -> None:
    reader = LinkReader()
    reader.receive_data(distort(kind, LongFrame(0x08, 5, 0x72, user_data), chance))
    reader.line_idle()
    assert not any(isinstance(event, LongFrame) for event in iter(reader.next_event, NEED_DATA))


def test_a_late_answer_comes_in_front_of_the_next_meters_and_once() -> None:
    line, punctual = faulty(FaultKind.LATE, PLAIN), line_of()
    first, second = ShortFrame(REQ_FCB, 1), ShortFrame(REQ_FCB, 2)
    assert line.hear(first, NOW) == b""
    assert line.hear(first, NOW) == b""
    late, its_own = punctual.hear(first, NOW), punctual.hear(second, NOW)
    assert line.hear(second, NOW) == late + its_own
    assert line.hear(second, NOW) == its_own


def test_a_late_answer_is_never_an_hour_late() -> None:
    line = faulty(FaultKind.LATE, PLAIN)
    line.hear(ShortFrame(REQ_FCB, 1), NOW)
    assert line.hear(ShortFrame(NKE, 2), NOW + HOUR) == Ack().to_bytes()


@pytest.mark.parametrize("following", [TWO, UNADDRESSED], ids=lambda meter: meter.layout.name)
def test_the_meter_behind_a_late_one_is_read_all_the_same(following: Meter) -> None:
    line = faulty(FaultKind.LATE, PLAIN)
    with pytest.raises(MeterSilent):
        read(line, PLAIN)
    assert read(line, following) == read(line_of(), following)


@pytest.mark.parametrize("kind", [*SPOILING, FaultKind.FOREIGN, *HARMLESS])
def test_a_fault_does_not_depend_on_how_often_was_asked(kind: FaultKind) -> None:
    asked_once, asked_twice = faulty(kind, PLAIN), faulty(kind, PLAIN)
    asked_twice.hear(ShortFrame(REQ_FCB, 1), NOW)
    asked_twice.hear(ShortFrame(REQ_FCB, 1), NOW)
    assert asked_once.hear(ShortFrame(REQ_FCB, 1), NOW) == asked_twice.hear(ShortFrame(REQ_FCB, 1), NOW)


def test_after_an_exchange_another_serial_answers_at_the_same_address() -> None:
    old = replace(PLAIN, removed_at=NOW)
    new = replace(meter_of(TWO_TELEGRAMS, "33333333", 1), installed_at=NOW)
    line = line_of(old, new)
    assert read(line, old, NOW - HOUR)
    assert read(line, new, NOW)
    with pytest.raises(WrongAnswer):
        read(line, old, NOW)
