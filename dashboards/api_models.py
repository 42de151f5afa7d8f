"""The answers of the JSON interface: decimals as strings in plain notation, instants in UTC with Z.

What is exact in the store is exact here; only sums and means over meters are rounded. Not known is null.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from pydantic import BaseModel, Field

from dashboards.figures import rounded
from dashboards.history import History
from dashboards.languages import unit_sign
from dashboards.listing import Listing
from dashboards.network import MeterStatus, Network, State
from dashboards.timeline import Gap, moment_state
from kaukoluenta.payload import Missed
from kaukoluenta.periods import instant_text

_A_SECOND = timedelta(seconds=1)


class Problem(BaseModel):
    """What is wrong, and what to do about it."""

    problem: str
    remedy: str


class ValueWithUnit(BaseModel):
    value: str
    unit: str


class MissedSlot(BaseModel):
    """A slot that a gateway recorded as missed, with its reason."""

    slot: str
    reason: str


class Meter(BaseModel):
    """A meter's last reading. Of the `expected` slots of the last day, `read` gave a reading.

    Slots in which a meter is not asked, so that its battery lasts, are not expected and no `last_missed`.
    """

    meter: str
    state: State
    gateway: str | None
    line: str | None
    read_at: str | None
    age_s: int | None
    source: str | None
    quality: int | None
    registers: dict[str, ValueWithUnit]
    expected: int
    read: int
    last_missed: MissedSlot | None


class MeterList(BaseModel):
    """One page of meters. `matching` counts those of all pages."""

    meters: list[Meter]
    matching: int
    page: int
    pages: int


class Overview(BaseModel):
    """The network now. `power_kw` sums the meters that are not silent, the temperatures are their means."""

    now: str
    newest_reading: str | None
    meters: int
    states: dict[State, int]
    expected: int
    read: int
    read_rate_percent: str | None
    power_kw: str | None
    power_meters: int
    flow_temperature: str | None
    return_temperature: str | None
    temperature_meters: int
    weighted_by_flow: bool


class MeterSeries(BaseModel):
    """A meter's moments, oldest first, as columns of equal length.

    `at`; `on_slot` (false for a reading between slots); `state` (present, missing, spared, disputed); then
    one column a register in the unit of `units`. `energy_use` is the energy from this slot to the next.
    """

    meter: str
    start: str = Field(serialization_alias="from")
    end: str = Field(serialization_alias="to")
    step_s: int
    units: dict[str, str]
    unit_signs: dict[str, str]
    at: list[str]
    on_slot: list[bool]
    state: list[str]
    columns: dict[str, list[str | None]]


class MeterGap(BaseModel):
    """Missing slots in a row, both ends in. Without a reason nothing was heard of them."""

    first: str
    last: str
    slots: int
    reason: str | None


class MeterGaps(BaseModel):
    meter: str
    gaps: list[MeterGap]


def meter_answer(status: MeterStatus) -> Meter:
    reading, place = status.reading, status.place
    registers = reading.registers if reading else {}
    return Meter(
        meter=status.meter,
        state=status.state,
        gateway=place.gateway if place else None,
        line=place.line if place else None,
        read_at=instant_text(reading.read_at) if reading else None,
        age_s=status.age // _A_SECOND if status.age is not None else None,
        source=reading.source if reading else None,
        quality=int(reading.quality) if reading else None,
        registers={
            name: ValueWithUnit(value=_plain(amount.value), unit=amount.unit)
            for name, amount in registers.items()
        },
        expected=status.expected,
        read=status.read,
        last_missed=_missed_answer(status.missed),
    )


def list_answer(listing: Listing) -> MeterList:
    return MeterList(
        meters=[meter_answer(status) for status in listing.rows],
        matching=listing.matching,
        page=listing.page,
        pages=listing.pages,
    )


def overview_answer(network: Network) -> Overview:
    temperatures = network.temperatures
    return Overview(
        now=instant_text(network.now),
        newest_reading=instant_text(network.newest) if network.newest else None,
        meters=len(network.meters),
        states=dict(network.states),
        expected=network.expected,
        read=network.read,
        read_rate_percent=_rounded(network.rate * 100 if network.rate is not None else None, 2),
        power_kw=_rounded(network.power_kw, 3),
        power_meters=network.power_meters,
        flow_temperature=_rounded(temperatures.flow if temperatures else None, 2),
        return_temperature=_rounded(temperatures.back if temperatures else None, 2),
        temperature_meters=temperatures.meters if temperatures else 0,
        weighted_by_flow=bool(temperatures and temperatures.weighted),
    )


def series_answer(history: History) -> MeterSeries:
    return MeterSeries(
        meter=history.meter,
        start=instant_text(history.start),
        end=instant_text(history.end),
        step_s=history.step // _A_SECOND,
        units={column.name: column.unit for column in history.columns},
        unit_signs={column.name: unit_sign(column.unit) for column in history.columns},
        at=[instant_text(moment.at) for moment in history.moments],
        on_slot=[moment.on_slot for moment in history.moments],
        state=[moment_state(moment) for moment in history.moments],
        columns={
            column.name: [None if value is None else _plain(value) for value in column.values]
            for column in history.columns
        },
    )


def gaps_answer(history: History) -> MeterGaps:
    return MeterGaps(meter=history.meter, gaps=[_gap_answer(gap) for gap in history.gaps])


def _gap_answer(gap: Gap) -> MeterGap:
    return MeterGap(
        first=instant_text(gap.first), last=instant_text(gap.last), slots=gap.slots, reason=gap.reason
    )


def _missed_answer(missed: Missed | None) -> MissedSlot | None:
    return MissedSlot(slot=instant_text(missed.slot), reason=missed.reason) if missed else None


def _plain(value: Decimal) -> str:
    return f"{value:f}"


def _rounded(value: Fraction | Decimal | None, decimals: int) -> str | None:
    return None if value is None else _plain(rounded(value, decimals))
