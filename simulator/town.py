"""The town: what stands where, who lives there, and what its script does.

Plain facts, laid out by plan.py. Whoever drives the town asks here which meters a gateway is configured to
read in a slot, and when that changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kaukoluenta.periods import HELSINKI, instant_text, local_midnight
from simulator.customers import Customer
from simulator.faults import Fault
from simulator.heat import HOUR
from simulator.meters import Meter


@dataclass(frozen=True, slots=True)
class BusLine:
    """All meters that ever hang on one line, in the order in which they are polled."""

    name: str
    meters: tuple[Meter, ...]

    @property
    def protocol(self) -> str:
        return self.meters[0].layout.protocol

    def link(self, port: int) -> str:
        """The line's link in a config when it is served at this port."""
        return f"{self.meters[0].layout.link}://127.0.0.1:{port}"


@dataclass(frozen=True, slots=True)
class DeliveryPoint:
    """Several meters are parallel ones, or came one after another."""

    name: str
    area: str
    address: str
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True)
class Contract:
    name: str
    customer: Customer
    delivery_point: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Exchange:
    """`new` hangs in the place of `old` from `at`; the gateway's config says so from slot `noticed_at`.

    In between an unexpected serial number answers: it must not be published under the old meter.
    """

    old: Meter
    new: Meter
    at: datetime
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class Town:
    """Polled hourly from `start` to `start + hours`, both ends in."""

    seed: int
    start: datetime
    hours: int
    lines: tuple[BusLine, ...]
    delivery_points: tuple[DeliveryPoint, ...]
    contracts: tuple[Contract, ...]
    exchange: Exchange | None
    faults: tuple[Fault, ...]

    @property
    def end(self) -> datetime:
        return self.start + self.hours * HOUR


def town_slots(start: datetime, hours: int) -> list[datetime]:
    """The hourly slots of a town, its end among them: a month that ends there is complete."""
    return [start + hour * HOUR for hour in range(hours + 1)]


def configured(town: Town, slot: datetime) -> dict[str, tuple[Meter, ...]]:
    """The meters of each line that the gateway's config names in this slot."""
    gone = _not_in_config(town.exchange, slot)
    return {line.name: tuple(meter for meter in line.meters if meter is not gone) for line in town.lines}


def config_changes(town: Town) -> list[datetime]:
    """The slots from which on another config is in force: rewrite it when the slot before is done."""
    return [town.exchange.noticed_at] if town.exchange else []


def month_starts(start: datetime, end: datetime) -> list[datetime]:
    """The local month boundaries within [start, end]."""
    days = (local_midnight(day) for day in local_days(start, end) if day.day == 1)
    return [instant for instant in days if start <= instant <= end]


def local_days(start: datetime, end: datetime) -> list[date]:
    """The days in Helsinki that [start, end] touches, in order."""
    first, last = (instant.astimezone(HELSINKI).date() for instant in (start, end))
    return [first + timedelta(days=day) for day in range((last - first).days + 1)]


def story(town: Town) -> list[str]:
    """What the script does, a line each, in order of time."""
    told = [(fault.first, fault.story) for fault in town.faults]
    told += [
        (contract.valid_from, f"{contract.delivery_point} changes hands")
        for contract in town.contracts
        if contract.valid_from > town.start
    ]
    if swap := town.exchange:
        told.append((swap.at, f"{swap.old.id} is exchanged for {swap.new.id}"))
        told.append((swap.noticed_at, f"the config names {swap.new.id}"))
    return [f"{instant_text(instant)}  {what}" for instant, what in sorted(told)]


def _not_in_config(exchange: Exchange | None, slot: datetime) -> Meter | None:
    if exchange is None:
        return None
    return exchange.new if slot < exchange.noticed_at else exchange.old
