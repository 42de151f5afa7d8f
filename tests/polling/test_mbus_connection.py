"""A line whose converter hangs up, is away or babbles is told as such and taken up again."""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.lines.mbus_line import MbusLine
from gateway.readout import LineDown
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from tests.polling.fake_bus import (
    FakeBus,
    hang_up,
    heat_meter,
    late,
    silence,
)
from tests.polling.one_line import on_bus, read_each, said, settings


def test_a_connection_that_drops_is_told_and_taken_up_by_the_next_read() -> None:
    meter = heat_meter("00000017", 17, 100, 101)
    bus = FakeBus(meter)
    meter.misbehaves.append(hang_up)

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        return [await said(line, line_settings.meter[0]) for _ in range(2)]

    answers = on_bus(bus, story)
    assert answers[0] == "LineDown"
    assert answers[1].endswith("kWh")
    assert bus.connections == 2


def test_a_connection_lost_between_two_reads_is_not_even_noticed() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100, 101))

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        first = await said(line, line_settings.meter[0])
        bus.hang_up()
        await asyncio.sleep(0.02)
        return [first, await said(line, line_settings.meter[0])]

    assert on_bus(bus, story) == ["100 kWh", "101 kWh"]
    assert bus.connections == 2


def test_a_converter_that_is_not_there_is_a_line_down() -> None:
    async def story() -> None:
        line_settings = settings(
            FakeBus(), link="tcp://127.0.0.1:1", meter=[MeterSettings(id="KAM-1", address=1)]
        )
        with pytest.raises(LineDown, match="line down: Connection refused"):
            await MbusLine(line_settings).read(line_settings.meter[0], attempts=1)

    asyncio.run(story())


def test_a_name_that_nobody_knows_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def story() -> None:
        line_settings = settings(
            FakeBus(), link="tcp://boiler.invalid:1", meter=[MeterSettings(id="KAM-1", address=1)]
        )
        with pytest.raises(LineDown, match="line down: Name or service not known"):
            await MbusLine(line_settings).read(line_settings.meter[0], attempts=1)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # no question leaves this machine
    asyncio.run(story())


def test_when_nobody_answers_any_more_the_converter_is_connected_to_anew_once() -> None:
    bus = FakeBus()
    nobody = [MeterSettings(id=f"KAM-{number}", address=number) for number in range(1, 9)]

    async def story(line_settings: LineSettings, line: MbusLine) -> list[str]:
        return [await said(line, meter, attempts=1) for meter in line_settings.meter]

    assert set(on_bus(bus, story, meter=nobody, timeout_s=0.02)) == {"NoAnswer"}
    assert bus.connections == 2


def test_a_line_that_is_never_quiet_does_not_stop_the_gateway() -> None:
    bus = FakeBus(heat_meter("00000017", 17, 100))

    async def story(line_settings: LineSettings, line: MbusLine) -> str:
        async def babble() -> None:
            while True:
                await bus.say(b"\x00\x55")
                await asyncio.sleep(0.002)

        await line.read(line_settings.meter[0], attempts=1)
        bus.meters[0].misbehaves.extend([silence] * 9)
        noise = asyncio.create_task(babble())
        try:
            return await asyncio.wait_for(said(line, line_settings.meter[0], attempts=2), 20)
        finally:
            noise.cancel()

    assert on_bus(bus, story) == "NoAnswer"


def test_without_a_time_out_of_its_own_the_standard_and_the_baud_rate_say_how_long_to_wait() -> None:
    slow = heat_meter("00000017", 17, 100)
    slow.misbehaves.extend([late(0.3)])
    assert on_bus(FakeBus(slow), read_each, timeout_s=None) == ["100 kWh"]


@pytest.mark.parametrize(
    "link", ["tcp://127.0.0.1", "tcp://h:1?parity=X", "tcp://h:1?speed=9", "ftp://h:1", "h:1"]
)
def test_a_link_that_cannot_be_is_refused_before_anything_connects(link: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="tcp://host:port"):
        MbusLine(settings(FakeBus(), link=link))


@pytest.mark.parametrize("number", ["123456789", "12345-"])
def test_a_number_that_no_telegram_can_carry_is_refused(number: str) -> None:
    meter = MeterSettings.model_construct(id=f"KAM-{number}", address=1, profile=None, key_file=None)
    told = LineSettings.model_construct(link="tcp://h:1", meter=(meter,), timeout_s=None)
    with pytest.raises(ConfigurationInvalid, match="one to eight digits"):
        MbusLine(told)
