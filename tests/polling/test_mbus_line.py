"""A line is read through everything that a bus does, and no meter's value ever stands for another's."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from gateway.lines.mbus_line import MbusLine
from gateway.mbus.encode import Place, integer_record, variable_response
from gateway.mbus.header import identity_of
from gateway.mbus.link import ShortFrame
from gateway.readout import Readout, Unreadable, WrongMeter
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality
from tests.polling.fake_bus import (
    FakeBus,
    FakeMeter,
    Misbehaviour,
    after_noise,
    cut_off,
    heat_meter,
    in_pieces,
    instead,
    late,
    silence,
    wrong_checksum,
)
from tests.polling.one_line import TIMEOUT_S, configured, energy, on_bus, read_each, said

SND_NKE, REQ_UD2, REQ_UD2_FCB = 0x40, 0x5B, 0x7B


def test_meters_answer_one_after_another_with_their_own_registers() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100), heat_meter("00000018", 18, 200, maker="LUG"))
    assert on_bus(bus, read_each) == ["100 kWh", "200 kWh"]


def test_the_readout_carries_its_evidence_and_who_read_it() -> None:
    meter = heat_meter("00000017", 17, 100)

    async def story(line_settings: LineSettings, line: MbusLine) -> Readout:
        return await line.read(line_settings.meter[0], attempts=1)

    readout = on_bus(FakeBus(meter), story)
    assert readout.registers == {
        "energy": Amount(Decimal("100E+3"), "Wh"),
        "volume": Amount(Decimal("678.90"), "m3"),
    }
    assert readout.profile == "kamstrup-multical-602"
    assert readout.raw == (variable_response(17, meter.identity, meter.records[0]).to_bytes(),)


RECOVERABLE: list[Misbehaviour] = [
    silence,
    wrong_checksum,
    cut_off,
    after_noise,
    in_pieces,
    instead(b"\xe5"),
    instead(b"\x10\x08\x11\x19\x16"),
    instead(bytes(200)),
]


@pytest.mark.parametrize("fault", RECOVERABLE)
def test_a_single_fault_costs_an_attempt_and_no_other_meter(fault: Misbehaviour) -> None:
    first, second = heat_meter("00000017", 17, 100), heat_meter("00000018", 18, 200)
    first.misbehaves.append(fault)
    assert on_bus(FakeBus(first, second), read_each) == ["100 kWh", "200 kWh"]


HOPELESS: list[tuple[Misbehaviour, str]] = [
    (silence, "NoAnswer"),
    (wrong_checksum, "NoAnswer"),
    (cut_off, "NoAnswer"),
    (instead(bytes(50)), "NoAnswer"),
    (instead(b"\xe5"), "Unreadable"),
]


@pytest.mark.parametrize(("fault", "failure"), HOPELESS)
def test_a_meter_that_never_gives_a_frame_fails_alone(fault: Misbehaviour, failure: str) -> None:
    dead, alive = heat_meter("00000017", 17, 100), heat_meter("00000018", 18, 200)
    dead.misbehaves.extend([fault] * 9)
    assert on_bus(FakeBus(dead, alive), read_each) == [failure, "200 kWh"]


def test_a_late_answer_of_one_meter_never_becomes_the_next_ones() -> None:
    slow, quick = heat_meter("00000017", 17, 100), heat_meter("00000018", 18, 200)
    slow.misbehaves.extend([late(TIMEOUT_S * 1.5)] * 9)

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        return [await said(line, meter, attempts=1) for _ in range(3) for meter in line_settings.meter]

    answers = on_bus(FakeBus(slow, quick), story)
    assert set(answers[::2]) <= {"100 kWh", "NoAnswer", "Unreadable"}
    assert set(answers[1::2]) <= {"200 kWh", "NoAnswer", "Unreadable"}
    assert "200 kWh" in answers


def test_octets_that_nobody_asked_for_are_dropped_before_the_next_request() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100))
    stale = variable_response(17, identity_of("00000017", "KAM", 0x1C, 0x04), [integer_record(b"\x06", 99)])

    async def story(line_settings: LineSettings, line: MbusLine) -> str:
        await said(line, line_settings.meter[0])
        await bus.say(stale.to_bytes())
        await asyncio.sleep(0.02)
        return await said(line, line_settings.meter[0])

    assert on_bus(bus, story) == "100 kWh"


def test_an_exchanged_meter_at_the_same_address_is_named_and_not_read() -> None:
    new = heat_meter("99999999", 17, 3)

    async def story(line_settings: LineSettings, line: MbusLine) -> None:
        with pytest.raises(WrongMeter, match="KAM-99999999 answers instead"):
            await line.read(MeterSettings(id="KAM-00000017", address=17), attempts=3)

    expected = [MeterSettings(id="KAM-00000017", address=17)]
    on_bus(FakeBus(new), story, meter=expected)


@pytest.mark.parametrize("other", [("00000017", "LUG"), ("00000071", "KAM")])
def test_the_right_number_of_another_maker_is_another_meter(other: tuple[str, str]) -> None:
    serial, maker = other
    expected = [MeterSettings(id="KAM-00000017", address=17)]
    bus = FakeBus(heat_meter(serial, 17, 3, maker=maker))
    assert on_bus(bus, read_each, meter=expected) == ["WrongMeter"]


def test_a_number_written_without_its_leading_zeros_is_the_same_meter() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100))
    assert on_bus(bus, read_each, meter=[MeterSettings(id="KAM-17", address=17)]) == ["100 kWh"]


def test_an_answer_under_a_foreign_address_is_not_taken() -> None:
    meter = heat_meter("00000017", 17, 100)
    foreign = variable_response(99, meter.identity, meter.records[0]).to_bytes()
    meter.misbehaves.extend([instead(foreign)] * 3)
    assert on_bus(FakeBus(meter), read_each) == ["Unreadable"]


def test_without_an_address_the_meter_is_selected_by_its_number() -> None:
    meters = heat_meter("00000017", 5, 100), heat_meter("00000018", 5, 200)
    told = [configured(meter, address=None) for meter in meters]
    assert on_bus(FakeBus(*meters), read_each, meter=told) == ["100 kWh", "200 kWh"]


def test_a_readout_of_several_telegrams_is_one_readout_again_and_again() -> None:
    filling = [integer_record(b"\x06", number, place=Place(storage=2 + number)) for number in range(70)]
    records = [
        [integer_record(b"\x06", steps), *filling, integer_record(b"\x13", 5)] for steps in (100, 101, 102)
    ]
    meter = FakeMeter(17, identity_of("00000017", "KAM", 0x1C, 0x04), records)

    async def story(line_settings: LineSettings, line: MbusLine) -> list[Readout]:
        return [await line.read(line_settings.meter[0], attempts=1) for _ in range(3)]

    readouts = on_bus(FakeBus(meter), story)
    assert [energy(readout) for readout in readouts] == ["100 kWh", "101 kWh", "102 kWh"]
    assert all(len(readout.raw) == 3 and "volume" in readout.registers for readout in readouts)


def test_a_readout_that_breaks_off_in_the_middle_is_no_reading() -> None:
    filling = [integer_record(b"\x06", number, place=Place(storage=2 + number)) for number in range(70)]
    meter = FakeMeter(
        17, identity_of("00000017", "KAM", 0x1C, 0x04), [[integer_record(b"\x06", 100), *filling]]
    )
    meter.misbehaves.extend([lambda answer: [(0.0, answer)], *[silence] * 3])
    assert on_bus(FakeBus(meter), read_each) == ["Unreadable"]


def test_a_healthy_meter_is_greeted_once_and_then_asked_with_a_toggled_bit() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100, 101, 102))

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        return [await said(line, line_settings.meter[0]) for _ in range(3)]

    assert on_bus(bus, story) == ["100 kWh", "101 kWh", "102 kWh"]
    controls = [frame.control for frame in bus.heard if isinstance(frame, ShortFrame)]
    assert controls == [SND_NKE, REQ_UD2_FCB, REQ_UD2, REQ_UD2_FCB]


def test_after_a_failure_the_meter_is_greeted_again() -> None:
    meter = heat_meter("00000017", 17, 100, 101)
    bus = FakeBus(meter)

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        first = await said(line, line_settings.meter[0])
        meter.misbehaves.append(silence)
        return [
            first,
            await said(line, line_settings.meter[0], 1),
            await said(line, line_settings.meter[0], 1),
        ]

    assert on_bus(bus, story)[:2] == ["100 kWh", "NoAnswer"]
    controls = [frame.control for frame in bus.heard if isinstance(frame, ShortFrame)]
    assert controls == [SND_NKE, REQ_UD2_FCB, REQ_UD2, SND_NKE, REQ_UD2_FCB]


def test_a_dead_meter_with_one_attempt_costs_one_request() -> None:
    bus = FakeBus(heat_meter("00000018", 18, 200))
    dead = [MeterSettings(id="KAM-00000017", address=17)]

    async def story(line_settings: LineSettings, line: MbusLine) -> str:
        return await said(line, line_settings.meter[0], attempts=1)

    assert on_bus(bus, story, meter=dead) == "NoAnswer"
    assert len(bus.heard) == 1


def test_a_meter_that_repeats_its_old_telegram_is_asked_anew_and_marked_if_it_insists() -> None:
    meter = heat_meter("00000017", 17, 100, 101, 102)
    told: list[bytes] = []

    def stubborn(answer: bytes) -> list[tuple[float, bytes]]:
        return [(0.0, told[0])]

    def remember(answer: bytes) -> list[tuple[float, bytes]]:
        told[:] = [answer]
        return [(0.0, answer)]

    async def story(line_settings: LineSettings, line: MbusLine) -> list[Readout]:
        meter.misbehaves.extend([remember, remember, stubborn, stubborn])
        return [await line.read(line_settings.meter[0], attempts=1) for _ in range(4)]

    readouts = on_bus(FakeBus(meter), story)
    assert [readout.quality for readout in readouts] == [0, 0, Quality.REPEATED_FRAME, 0]


@pytest.mark.parametrize(
    ("status", "quality", "info"),
    [(0x00, 0, None), (0x08, Quality.METER_FAULT, "status 08h"), (0x04, 0, "status 04h"), (0xE0, 0, None)],
)
def test_a_fault_in_the_header_is_a_doubt_about_the_reading(
    status: int, quality: int, info: str | None
) -> None:
    meter = heat_meter("00000017", 17, 100)
    meter.status = status

    async def story(line_settings: LineSettings, line: MbusLine) -> Readout:
        return await line.read(line_settings.meter[0], attempts=1)

    readout = on_bus(FakeBus(meter), story)
    assert (readout.quality, readout.info_code) == (quality, info)


NOT_A_READOUT = [
    ("68 03 03 68 08 11 70 89 16", "application error: unspecified"),
    ("68 04 04 68 08 11 70 08 91 16", "application error: application_busy"),
    ("68 04 04 68 08 11 71 02 8C 16", "alarm"),
    ("68 06 06 68 08 11 78 01 13 05 AA 16", "does not say whose"),
    ("68 05 05 68 08 11 72 00 00 8B 16", "cannot be read"),
]


@pytest.mark.parametrize(("wire", "reason"), NOT_A_READOUT)
def test_a_telegram_that_is_no_readout_says_why(wire: str, reason: str) -> None:
    meter = heat_meter("00000017", 17, 100)
    meter.misbehaves.append(instead(bytes.fromhex(wire)))

    async def story(line_settings: LineSettings, line: MbusLine) -> None:
        with pytest.raises(Unreadable, match=reason):
            await line.read(line_settings.meter[0], attempts=1)

    on_bus(FakeBus(meter), story)


def test_a_telegram_without_any_known_register_is_no_reading_of_nothing() -> None:
    meter = FakeMeter(17, identity_of("00000017", "KAM", 0x1C, 0x04), [[integer_record(b"\xfd\x08", 5, 2)]])
    assert on_bus(FakeBus(meter), read_each) == ["Unreadable"]
