"""The town's Modbus meters: their registers are the ledger's, and the gateway reads them, faults or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from gateway.lines.modbus_line import ModbusLine
from gateway.lines.modbus_profile import profile_for
from gateway.modbus.frames import Framing
from gateway.readout import ReadFailed, Readout
from gateway.settings import LineSettings, MeterSettings
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import Amount
from simulator.bus import serve_town
from simulator.faults import READABLE, SCRIPT, Fault, fault_finder
from simulator.heat import HOUR, House
from simulator.ledger import allowed_answers, register
from simulator.meters import Meter, registers
from simulator.modbus_device import ModbusBus, ModbusFault, ModbusMeter
from simulator.modbus_layouts import MODBUS_RTU, MODBUS_TCP, ModbusLayout
from simulator.modbus_meters import serve_modbus_line
from simulator.modbus_server import Converter
from simulator.plan import TOWN_START, plan_town
from simulator.town import BusLine, town_slots
from tests.buses.simulated_line import HeldClock

NOW = TOWN_START + 30 * HOUR
TIMEOUT_S = 0.1
FRAMINGS = {"tcp": Framing.TCP, "rtu+tcp": Framing.RTU}

# Base units of the town in one unit of a reading.
BASE_UNITS = {
    "kWh": 3_600_000,
    "GJ": 1_000_000_000,
    "m3": 1_000_000,
    "m3/h": 1_000_000,
    "kW": 1000,
    "degC": 1000,
    "K": 1000,
    "h": 3600,
}

each_layout = pytest.mark.parametrize("layout", [MODBUS_TCP, MODBUS_RTU], ids=lambda layout: layout.profile)


def meter_of(layout: ModbusLayout, unit: int, energy_j: int = 123_456_789_000_000) -> Meter:
    house = House(7, f"house {unit}", TOWN_START, 400, 30_000, 30_000)
    return Meter(
        MeterId(f"XTM-0410000{unit}"),
        layout,
        house,
        "hospital",
        "ranta",
        unit,
        TOWN_START,
        None,
        energy_j,
        volume_ml=7_654_321_000,
        on_time_s=100_000_000,
    )


def settings_of(meter: Meter) -> MeterSettings:
    assert isinstance(meter.layout, ModbusLayout)
    return MeterSettings(id=meter.id, address=meter.address, profile=str(meter.layout.profile_file))


@asynccontextmanager
async def master(
    layout: ModbusLayout, meters: Sequence[MeterSettings], port: int
) -> AsyncIterator[ModbusLine]:
    """The line as a gateway with this config has it."""
    line = ModbusLine(
        LineSettings(
            name="hospital",
            protocol="modbus",
            link=f"{layout.link}://127.0.0.1:{port}",
            timeout_s=TIMEOUT_S,
            meter=tuple(meters),
        )
    )
    try:
        yield line
    finally:
        await line.close()


# Registers and profiles --------------------------------------------------------------------------------


@each_layout
def test_a_profile_reads_its_own_example(layout: ModbusLayout) -> None:
    profile = profile_for(str(layout.profile_file), {})
    [example] = profile.example
    words = {
        int(first) - int(profile.read.address_base) + place: int(word, 16)
        for first, run in example.registers.items()
        for place, word in enumerate(run.split())
    }

    async def scene() -> Readout:
        bus = ModbusBus(FRAMINGS[layout.link], [ModbusMeter(1, lambda now: words, profile.read.functions)])
        converter = Converter(bus, lambda: NOW)
        known = MeterSettings(
            id=MeterId(f"XTM-{example.serial}"), address=1, profile=str(layout.profile_file)
        )
        try:
            async with master(layout, [known], await converter.start()) as line:
                return await line.read(known, attempts=1)
        finally:
            await converter.stop()

    read = asyncio.run(scene()).registers
    assert {name: f"{amount.value:f} {amount.unit}" for name, amount in read.items()} == example.reads


@each_layout
def test_every_register_arrives_cut_and_never_rounded(layout: ModbusLayout) -> None:
    meter = meter_of(layout, 1)
    held, shown = registers(meter, NOW), asyncio.run(read_all(meter)).registers
    assert shown.keys() == {cell.register for cell in layout.cells} - {"error_flags"}
    for name, amount in shown.items():
        true, factor = held[name], BASE_UNITS[amount.unit]
        assert isinstance(true, int)
        last_digit = Decimal(1).scaleb(int(amount.value.as_tuple().exponent))
        assert amount.value * factor <= true < (amount.value + last_digit) * factor, name


@each_layout
@pytest.mark.parametrize("energy_j", [0, 3_599_999, 999_999_999, 44_444_440_000, 123_456_789_000_000])
def test_the_ledger_says_what_the_register_says(layout: ModbusLayout, energy_j: int) -> None:
    meter = meter_of(layout, 1, energy_j)
    assert exactly(asyncio.run(read_all(meter)).registers["energy"]) == exactly(register(meter, NOW))


@each_layout
def test_a_register_that_outgrew_its_words_begins_again(layout: ModbusLayout) -> None:
    meter = meter_of(layout, 1, ((1 << 32) + 42) * layout.energy_step_j)
    begun = meter_of(layout, 1, 42 * layout.energy_step_j)
    assert asyncio.run(read_all(meter)).registers["energy"] == register(begun, NOW)


async def read_all(meter: Meter) -> Readout:
    assert isinstance(meter.layout, ModbusLayout)
    async with (
        serve_modbus_line([meter], HeldClock(), fault_finder([], ModbusFault)) as port,
        master(meter.layout, [settings_of(meter)], port) as line,
    ):
        return await line.read(settings_of(meter), attempts=1)


def exactly(amount: Amount) -> tuple[str, str]:
    """With all its digits: 1.0 is not 1."""
    return str(amount.value), amount.unit


# Faults ------------------------------------------------------------------------------------------------


PLAYED = [
    (layout, one.kind)
    for one in SCRIPT
    if isinstance(one.kind, ModbusFault)
    for layout in (MODBUS_TCP, MODBUS_RTU)
    if one.kind is not ModbusFault.FOREIGN_FIRST or layout is MODBUS_TCP
]


@pytest.mark.parametrize(("layout", "kind"), PLAYED)
@pytest.mark.parametrize("attempts", [1, 2])
def test_a_scripted_fault_costs_what_the_ledger_says_and_no_other_meter_or_slot(
    layout: ModbusLayout, kind: ModbusFault, attempts: int
) -> None:
    meters = [meter_of(layout, unit) for unit in (1, 2, 3)]
    fault = Fault(meters[1], kind, NOW + HOUR, NOW + 2 * HOUR)
    slots = [NOW, NOW + HOUR, NOW + 2 * HOUR]
    costs = set() if kind in READABLE else {(meters[1].id, NOW + HOUR)}

    async def scene() -> None:
        clock = HeldClock()
        async with serve_modbus_line(meters, clock, fault_finder([fault], ModbusFault)) as port:
            answered = await read_slots(meters, port, clock, slots, attempts)
        assert answered == {(meter.id, slot) for meter in meters for slot in slots} - costs

    asyncio.run(scene())


async def read_slots(
    meters: Sequence[Meter], port: int, clock: HeldClock, slots: Sequence[datetime], attempts: int
) -> set[tuple[MeterId, datetime]]:
    """Which meters the gateway read in which slots; what it read is what the ledger says."""
    layout, answered = meters[0].layout, set()
    assert isinstance(layout, ModbusLayout)
    async with master(layout, list(map(settings_of, meters)), port) as line:
        for clock.instant in slots:
            for meter in meters:
                with suppress(ReadFailed):
                    readout = await line.read(settings_of(meter), attempts=attempts)
                    assert exactly(readout.registers["energy"]) == exactly(register(meter, clock.instant))
                    answered.add((meter.id, clock.instant))
    return answered


@each_layout
def test_a_fault_strikes_however_often_is_asked(layout: ModbusLayout) -> None:
    """Also whoever was killed and asks again on a connection of his own."""
    meters = [meter_of(layout, unit) for unit in (1, 2)]
    fault_at = fault_finder(
        [Fault(meters[0], ModbusFault.SHORT, NOW, NOW + timedelta(minutes=1))], ModbusFault
    )

    async def scene() -> None:
        async with serve_modbus_line(meters, HeldClock(), fault_at) as port:
            for _ in range(2):
                async with master(layout, list(map(settings_of, meters)), port) as line:
                    with pytest.raises(ReadFailed):
                        await line.read(settings_of(meters[0]), attempts=2)
                    assert await line.read(settings_of(meters[1]), attempts=1)

    asyncio.run(scene())


# The town ----------------------------------------------------------------------------------------------


def test_the_gateway_reads_what_the_script_allows_from_the_towns_modbus_lines() -> None:
    town = plan_town(7, 24, hours=60)
    slots = town_slots(town.start, town.hours)

    async def scene() -> None:
        clock = HeldClock()
        async with serve_town(town, clock) as ports:
            for line in [line for line in town.lines if line.protocol == "modbus"]:
                allowed = {(meter, slot) for meter, slot in allowed_answers(town) if meter in ids_of(line)}
                assert await read_slots(line.meters, ports[line.name], clock, slots, 2) == allowed
                assert len(allowed) < len(line.meters) * len(slots)  # the script spoils some

    asyncio.run(scene())


def ids_of(line: BusLine) -> set[MeterId]:
    return {meter.id for meter in line.meters}
