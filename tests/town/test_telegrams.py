"""What a meter sends is what its registers hold, cut to the resolution of each record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gateway.mbus.encode import variable_response
from gateway.mbus.records import DataRecord
from gateway.mbus.telegram import Telegram, decode_frame
from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import Amount, convert
from simulator.heat import House
from simulator.layouts import GIGAJOULES, KILOWATT_HOURS, LAYOUTS, TWO_TELEGRAMS, MbusLayout
from simulator.ledger import register
from simulator.meters import Meter, registers
from simulator.telegrams import identity, readout

START = datetime(2026, 9, 29, 21, tzinfo=UTC)
LATER = datetime(2026, 11, 2, 6, 17, tzinfo=UTC)
INSTALLED = datetime(2020, 5, 4, 6, tzinfo=UTC)

# Base units of the registers that M-Bus writes in another unit.
IN_BASE_UNITS = {
    ("energy", "Wh"): 3600,
    ("energy", "J"): 1,
    ("volume", "m3"): 1_000_000,
    ("volume_flow", "m3/h"): 1_000_000,
    ("power", "W"): 1,
    ("flow_temperature", "degC"): 1000,
    ("return_temperature", "degC"): 1000,
    ("temperature_difference", "K"): 1000,
    ("on_time", "s"): 1,
    ("error_flags", ""): 1,
}


def meter_of(layout: MbusLayout, energy_j: int = 123_456_789_000_000) -> Meter:
    house = House(7, "house", START, 400, 30_000, 30_000)
    return Meter(
        MeterId(f"{layout.manufacturer}-01234567"),
        layout,
        house,
        "boiler-house",
        "keskusta",
        5,
        INSTALLED,
        None,
        energy_j,
        volume_ml=7_654_321_000,
        on_time_s=0,
    )


def decoded(meter: Meter, instant: datetime) -> list[Telegram]:
    who, parts = identity(meter), readout(meter, instant)
    return [
        decode_frame(variable_response(meter.address, who, records, more=part + 1 < len(parts)))
        for part, records in enumerate(parts)
    ]


def data_records(meter: Meter, instant: datetime) -> list[DataRecord]:
    records = [record for telegram in decoded(meter, instant) for record in telegram.records]
    return [record for record in records if isinstance(record, DataRecord)]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_register_arrives_cut_and_never_rounded(layout: MbusLayout) -> None:
    meter = meter_of(layout)
    held = registers(meter, LATER)
    for record in data_records(meter, LATER):
        if record.storage or (record.quantity, record.unit) not in IN_BASE_UNITS or record.modifiers:
            continue
        assert isinstance(record.value, Decimal)
        factor = IN_BASE_UNITS[record.quantity, record.unit]
        shown, true = record.value * factor, held[record.quantity]
        assert isinstance(true, int)
        assert shown <= true < shown + _last_digit(record.quantity, record.value) * factor, record.quantity


def _last_digit(quantity: str, value: Decimal) -> Decimal:
    """On time is in whole hours, everything else counts by the exponent."""
    return Decimal(3600) if quantity == "on_time" else Decimal(1).scaleb(int(value.as_tuple().exponent))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_the_ledger_says_what_the_telegram_says(layout: MbusLayout) -> None:
    meter = meter_of(layout)
    energy = next(r for r in data_records(meter, LATER) if r.quantity == "energy" and not r.storage)
    assert isinstance(energy.value, Decimal)
    shown = convert(register(meter, LATER), energy.unit)
    assert (shown.value, shown.value.as_tuple().exponent) == (energy.value, energy.value.as_tuple().exponent)


@pytest.mark.parametrize(
    ("energy_j", "layout", "shown"),
    [
        (3_599_999, KILOWATT_HOURS, Amount(Decimal("0"), "kWh")),
        (3_600_000, KILOWATT_HOURS, Amount(Decimal("1"), "kWh")),
        (1_999_999, GIGAJOULES, Amount(Decimal("0.001"), "GJ")),
        (123_456_999_999, GIGAJOULES, Amount(Decimal("123.456"), "GJ")),
        (44_444_440_000, LAYOUTS[3], Amount(Decimal("12.345"), "MWh")),
    ],
)
def test_the_ledger_cuts_to_the_last_digit_of_the_display(
    energy_j: int, layout: MbusLayout, shown: Amount
) -> None:
    assert register(meter_of(layout, energy_j), START) == shown


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_telegram_says_who_sent_it(layout: MbusLayout) -> None:
    for telegram in decoded(meter_of(layout), START):
        assert telegram.outcome == "ok"
        who = telegram.identity
        assert who is not None
        assert (who.manufacturer, who.id) == (layout.manufacturer, "01234567")
        assert (who.version, who.medium) == (layout.version, layout.medium)


def test_only_the_last_telegram_of_a_readout_ends_it() -> None:
    assert [part.more_records_follow for part in decoded(meter_of(TWO_TELEGRAMS), START)] == [True, False]


def test_the_meter_clock_stays_on_normal_time_all_year() -> None:
    [clock] = [r.value for r in data_records(meter_of(TWO_TELEGRAMS), START) if r.quantity == "datetime"]
    assert clock == datetime(2026, 9, 29, 23, 0)


def test_the_due_date_register_keeps_the_energy_of_the_local_month_start() -> None:
    meter = meter_of(GIGAJOULES)
    month_start = datetime(2026, 10, 31, 22, tzinfo=UTC)
    due = [record.value for record in data_records(meter, LATER) if record.storage == 1]
    assert due[0] == month_start.date() + timedelta(days=1)
    assert due[1] == convert(register(meter, month_start), "J").value


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_register_that_outgrew_its_digits_begins_again(layout: MbusLayout) -> None:
    [full] = {r.octets for r in layout.telegrams[0] if r.register == "energy"}
    steps = 10 ** (2 * full) if layout is KILOWATT_HOURS else 1 << 8 * full - 1
    meter = meter_of(layout, (steps + 42) * layout.energy_step_j)
    energy = next(record.value for record in data_records(meter, START) if record.quantity == "energy")
    assert isinstance(energy, Decimal)
    assert int(energy.scaleb(-int(energy.as_tuple().exponent))) == 42
