"""A Modbus line gives the meter's own registers of this moment, or says why not. Never anything else."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.lines.modbus_line import ModbusLine
from gateway.modbus.frames import Framing
from gateway.readout import LineDown, NoAnswer, ReadFailed, Unreadable, WrongMeter
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality
from simulator.modbus_device import FaultAt, ModbusFault, ModbusMeter
from tests.modbus_wire.virtual_line import (
    HOUR,
    MIDNIGHT,
    TIMEOUT_S,
    energy_at,
    laid_out,
    meter,
    registers_of,
    serial_of,
    u32,
    virtual_line,
)

pytestmark = pytest.mark.parametrize("framing", Framing)


def first_time(fault: ModbusFault, *, times: int = 1) -> FaultAt:
    """The fault strikes so often at each instant, then it is over."""
    return lambda unit, now, turn: fault if turn < times else None


def always(unit: int, fault: ModbusFault) -> FaultAt:
    return lambda asked, now, turn: fault if asked == unit else None


def test_a_readout_is_all_registers_of_the_map(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with virtual_line(framing, [meter(5)], tmp_path) as line:
            readout = await line.read(5)
            assert readout.registers == {
                "energy": Amount(Decimal("5000.00"), "kWh"),
                "volume": Amount(Decimal("456.78"), "m3"),
                "power": Amount(Decimal("12.5"), "kW"),
                "flow_temperature": Amount(Decimal("81.2"), "degC"),
            }
            assert readout.profile == "map"
            assert readout.quality == Quality.FROM_FLOAT
            assert len(readout.raw) == 4  # two of values, and the serial number before and after them
            assert all(bytes((5, 3)) in octets for octets in readout.raw)

    asyncio.run(scenario())


@pytest.mark.parametrize("turn", [0, 2])
def test_a_fault_costs_an_attempt_and_never_makes_a_value(
    framing: Framing, turn: int, tmp_path: Path
) -> None:
    """Whatever it is, whichever of a readout's requests it strikes; a line for each fault, all at once."""

    async def scenario(fault: ModbusFault) -> None:
        strikes: FaultAt = lambda unit, now, asked: fault if (unit, asked) == (5, turn) else None  # noqa: E731
        folder = tmp_path / fault.name
        folder.mkdir()
        async with virtual_line(framing, [meter(5), meter(6)], folder, fault_at=strikes) as line:
            for hour in range(3):
                line.now = MIDNIGHT + hour * HOUR
                for unit in (5, 6):
                    readout = await line.read(unit)
                    assert readout.registers["energy"].value == energy_at(unit, line.now), fault

    async def all_at_once() -> None:
        await asyncio.gather(*(scenario(fault) for fault in ModbusFault))

    asyncio.run(all_at_once())


UNREADABLE = [
    ModbusFault.SILENT,
    ModbusFault.LATE,
    ModbusFault.CUT_OFF,
    ModbusFault.GARBLED,
    ModbusFault.WRONG_UNIT,
    ModbusFault.WRONG_FUNCTION,
    ModbusFault.SHORT,
    ModbusFault.LONG,
    ModbusFault.UNREACHED,
    ModbusFault.DROPPED,
    ModbusFault.BUSY,
]


def test_a_meter_that_always_answers_wrongly_gives_no_reading_and_costs_no_other(
    framing: Framing, tmp_path: Path
) -> None:
    async def scenario(fault: ModbusFault) -> None:
        folder = tmp_path / fault.name
        folder.mkdir()
        faults = always(5, fault)
        async with virtual_line(framing, [meter(5), meter(6)], folder, fault_at=faults) as line:
            for hour in range(2):
                line.now = MIDNIGHT + hour * HOUR
                with pytest.raises(ReadFailed):
                    await line.read(5, attempts=1)
                readout = await line.read(6)
                assert readout.registers["energy"].value == energy_at(6, line.now), fault

    async def all_at_once() -> None:
        await asyncio.gather(*(scenario(fault) for fault in UNREADABLE))

    asyncio.run(all_at_once())


SMALL_MAP = """
point = [
  { name = "energy", addr = 0, type = "u32", unit = "kWh", scale = 0.01 },
  { name = "serial", addr = 2, type = "u32" },
]
"""


@pytest.mark.parametrize("fault", [ModbusFault.STALE, ModbusFault.MIXED_UP, ModbusFault.HELD])
@pytest.mark.parametrize("turn", [0, 1])
def test_the_answer_of_the_slot_before_is_never_the_answer_of_this_one(
    framing: Framing, fault: ModbusFault, turn: int, tmp_path: Path
) -> None:
    """One meter alone on its line, one request enough to read it: every answer looks like the one before."""
    strikes: FaultAt = lambda unit, now, asked: fault if now > MIDNIGHT and asked == turn else None  # noqa: E731

    def registers(now: datetime) -> dict[int, int]:
        return laid_out({0: u32(int(energy_at(5, now).scaleb(2))), 2: u32(serial_of(5))})

    async def scenario() -> None:
        alone = [ModbusMeter(5, registers)]
        async with virtual_line(framing, alone, tmp_path, fault_at=strikes, text=SMALL_MAP) as line:
            for hour in range(3):
                line.now = MIDNIGHT + hour * HOUR
                assert (await line.read(5)).registers["energy"].value == energy_at(5, line.now)

    asyncio.run(scenario())


def test_a_meter_slower_than_the_time_out_is_never_misread(framing: Framing, tmp_path: Path) -> None:
    """Its answers come while others are asked, and when it is asked again."""

    async def scenario() -> None:
        slow = meter(5, slow_s=1.25 * TIMEOUT_S)
        async with virtual_line(framing, [slow, meter(6)], tmp_path) as line:
            for hour in range(4):
                line.now = MIDNIGHT + hour * HOUR
                with pytest.raises(ReadFailed):
                    await line.read(5, attempts=2)
                readout = await line.read(6)
                assert readout.registers["energy"].value == energy_at(6, line.now)

    asyncio.run(scenario())


def test_a_dead_slave_costs_one_question(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with virtual_line(
            framing, [meter(5), meter(6)], tmp_path, fault_at=always(5, ModbusFault.SILENT)
        ) as line:
            with pytest.raises(NoAnswer, match="no answer"):
                await line.read(5, attempts=1)
            assert line.bus.requests[5] == 1
            connections = line.converter.connections
            await line.read(6)
            assert line.converter.connections == connections

    asyncio.run(scenario())


def test_another_meter_at_the_address_is_never_read_for_this_one(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        swapped = ModbusMeter(5, registers_of(5, serial=77))
        async with virtual_line(framing, [swapped], tmp_path) as line:
            with pytest.raises(WrongMeter, match="serial number 77 answers instead"):
                await line.read(5)

    asyncio.run(scenario())


def test_a_meter_exchanged_between_two_requests_is_not_read(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        asked = 0

        def registers(now: datetime) -> dict[int, int]:
            nonlocal asked
            asked += now > MIDNIGHT
            return registers_of(5, serial=77 if asked > 1 else None)(now)

        async with virtual_line(framing, [ModbusMeter(5, registers)], tmp_path) as line:
            await line.read(5)
            line.now += HOUR
            with pytest.raises(Unreadable, match="serial number changed"):
                await line.read(5, attempts=1)
            with pytest.raises(WrongMeter):
                await line.read(5, attempts=1)

    asyncio.run(scenario())


def test_a_unit_that_changes_between_two_requests_is_not_read(framing: Framing, tmp_path: Path) -> None:
    text = """
    point = [
      { name = "energy", addr = 0, type = "u32", unit_from = { addr = 200, codes = "energy" } },
      { name = "serial", addr = 2, type = "u32" },
    ]
    [codes.energy]
    0 = "kWh"
    1 = "MWh"
    """

    async def scenario() -> None:
        asked = 0

        def registers(now: datetime) -> dict[int, int]:
            nonlocal asked
            asked += now > MIDNIGHT
            return laid_out({0: u32(1234), 2: u32(serial_of(5)), 200: [asked > 1]})

        async with virtual_line(framing, [ModbusMeter(5, registers)], tmp_path, text=text) as line:
            assert (await line.read(5)).registers["energy"] == Amount(Decimal(1234), "kWh")
            line.now += HOUR
            with pytest.raises(Unreadable, match="unit"):
                await line.read(5, attempts=1)
            assert (await line.read(5)).registers["energy"] == Amount(Decimal(1234), "MWh")

    asyncio.run(scenario())


def test_registers_that_a_device_lacks_are_asked_for_once(framing: Framing, tmp_path: Path) -> None:
    """Between values there are holes: the first readout learns them, the next asks for nothing in vain."""

    async def scenario() -> None:
        async with virtual_line(framing, [meter(5)], tmp_path) as line:
            await line.read(5)
            first = line.bus.requests[5]
            await line.read(5)
            second = line.bus.requests[5] - first
            await line.read(5)
            assert line.bus.requests[5] - first - second == second < first

    asyncio.run(scenario())


def test_a_device_that_is_silent_where_it_should_refuse_is_read(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        mute = ModbusMeter(5, registers_of(5), refuses=False)
        async with virtual_line(framing, [mute], tmp_path) as line:
            readout = await line.read(5, attempts=1)
            assert readout.registers["energy"].value == energy_at(5, line.now)
            asked = line.bus.requests[5]
            assert len((await line.read(5, attempts=1)).raw) == line.bus.requests[5] - asked

    asyncio.run(scenario())


def test_a_device_that_serves_few_registers_at_once_is_read_in_pieces(
    framing: Framing, tmp_path: Path
) -> None:
    async def scenario() -> None:
        small = ModbusMeter(5, registers_of(5), most=2)
        async with virtual_line(framing, [small], tmp_path) as line:
            readout = await line.read(5)
            assert readout.registers["energy"].value == energy_at(5, line.now)
            assert len(readout.registers) == 4

    asyncio.run(scenario())


def test_a_value_that_the_device_lacks_is_absent_with_the_reason(framing: Framing, tmp_path: Path) -> None:
    def without_volume(now: datetime) -> dict[int, int]:
        return {place: word for place, word in registers_of(5)(now).items() if place not in (2, 3)}

    async def scenario() -> None:
        async with virtual_line(framing, [ModbusMeter(5, without_volume)], tmp_path) as line:
            readout = await line.read(5)
            assert readout.absent == {"volume": "the device has no such register"}
            assert set(readout.registers) == {"energy", "power", "flow_temperature"}

    asyncio.run(scenario())


def test_a_function_that_the_device_does_not_serve_is_said(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        inputs = ModbusMeter(5, registers_of(5), functions=(4,))
        async with virtual_line(framing, [inputs], tmp_path) as line:
            with pytest.raises(Unreadable, match="does not know function 3"):
                await line.read(5)

    asyncio.run(scenario())


def test_a_converter_that_serves_one_connection_serves_us(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        drops = first_time(ModbusFault.DROPPED)
        async with virtual_line(framing, [meter(5)], tmp_path, fault_at=drops, single=True) as line:
            for hour in range(3):
                line.now = MIDNIGHT + hour * HOUR
                assert (await line.read(5)).registers["energy"].value == energy_at(5, line.now)

    asyncio.run(scenario())


def test_a_line_that_is_not_there_is_tried_again_by_the_next_read(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with virtual_line(framing, [meter(5)], tmp_path) as line:
            await line.converter.stop()
            with pytest.raises(LineDown, match="no connection"):
                await line.read(5)
            await line.converter.start(port=line.port)
            assert (await line.read(5)).registers["energy"].value == energy_at(5, line.now)

    asyncio.run(scenario())


def test_a_cancelled_read_closes_the_connection(framing: Framing, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with virtual_line(framing, [meter(5, slow_s=0.03), meter(6)], tmp_path) as line:
            asking = asyncio.create_task(line.read(5))
            while not line.bus.requests[5]:
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            line.now += HOUR
            assert (await line.read(6)).registers["energy"].value == energy_at(6, line.now)
            assert (await line.read(5)).registers["energy"].value == energy_at(5, line.now)
            assert line.converter.connections == 2

    asyncio.run(scenario())


def test_a_module_that_refreshes_after_a_question_is_asked_twice(framing: Framing, tmp_path: Path) -> None:
    text = """
    [read]
    refresh_s = 0.05
    old_until_asked = true
    point = [
      { name = "energy", addr = 0, type = "u32", unit = "kWh" },
      { name = "serial", addr = 2, type = "u32" },
    ]
    """

    async def scenario() -> None:
        refreshed: list[float] = []

        def registers(now: datetime) -> dict[int, int]:
            """Answers from its memory, and begins to refresh it, which takes 30 ms."""
            loop = asyncio.get_running_loop()
            refreshed.append(loop.time())
            fresh = loop.time() - refreshed[0] > 0.03
            return laid_out({0: u32(2000 if fresh else 1000), 2: u32(serial_of(5))})

        async with virtual_line(framing, [ModbusMeter(5, registers)], tmp_path, text=text) as line:
            assert (await line.read(5)).registers["energy"].value == 2000

    asyncio.run(scenario())


BAD_SETTINGS = [
    ({"link": "udp://127.0.0.1:502"}, {}, "no Modbus link"),
    ({"link": "rtu+tcp://127.0.0.1"}, {}, "no Modbus link"),
    ({"link": "serial:///dev/ttyUSB0?baud=fast"}, {}, "no Modbus link"),
    ({"link": "serial:///dev/ttyUSB0?stopbits=1"}, {}, "no Modbus link"),
    ({"link": "rtu+tcp://127.0.0.1:1"}, {"address": 0}, "no unit id"),
    ({}, {"profile": "nothing"}, "No Modbus profile is called 'nothing'"),
]


@pytest.mark.parametrize(("line", "meter", "said"), BAD_SETTINGS)
def test_settings_that_cannot_be_are_refused_before_anything_connects(
    framing: Framing, line: dict[str, str], meter: dict[str, object], said: str
) -> None:
    its = {"id": "XXX-1", "address": 5, "profile": "xht-zpmeter", **meter}
    settings = LineSettings(
        **{
            "name": "line",
            "protocol": "modbus",
            "link": "tcp://127.0.0.1",
            "meter": (MeterSettings(**its),),
            **line,
        }
    )
    with pytest.raises(ConfigurationInvalid, match=said):
        ModbusLine(settings)
