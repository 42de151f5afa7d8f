"""What the master of a Modbus line knows of one meter, from one read to the next."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import product

from gateway.lines.modbus_map import SERIAL, ModbusProfile
from gateway.lines.modbus_profile import profile_for, shipped_profiles
from gateway.lines.modbus_requests import limits, wanted
from gateway.modbus.frames import Framing, Question
from gateway.modbus.ground import NOTHING_LEARNED, Learned
from gateway.modbus.plan import Step, Wanted, learn, make_plan
from gateway.modbus.probe import Layout
from gateway.settings import MeterSettings
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

UNITS = {Framing.RTU: (1, 247), Framing.TCP: (0, 255)}
"""Unit ids: on RTU 0 speaks to all and is answered by none."""


@dataclass(slots=True)
class Way:
    """One way to read a meter: by this function, with the map's first register at this number."""

    profile: ModbusProfile
    unit: int
    function: int
    base: int
    learned: Learned = NOTHING_LEARNED
    items: list[Wanted] = field(init=False)
    steps: list[tuple[Step, Question]] = field(init=False)

    def __post_init__(self) -> None:
        self.items = wanted(self.profile, self.function, self.base)
        self._plan()

    def learn(self, refused: Step) -> bool:
        """These registers are not there together, or not at all. False when nothing is left to read."""
        self.learned = learn(self.learned, refused.span, self.items)
        self._plan()
        return bool(self.steps)

    def leave_gaps_out(self, number: int) -> bool:
        """Read no unnamed registers along in this step any more. False when it had none."""
        learned = learn(self.learned, self.steps[number][0].span, self.items)
        had_gaps = learned.holes != self.learned.holes
        if had_gaps:
            self.learned = learned
            self._plan()
        return had_gaps

    def _plan(self) -> None:
        steps = make_plan(self.items, limits(self.profile, self.function, self.base), self.learned)
        self.steps = [(step, step.question(self.unit)) for step in steps]


@dataclass(slots=True)
class Known:
    """What the master knows of one meter, from one read to the next.

    `ways`: more than one as long as the meter has not shown which is its own. `shown`: what it showed.
    """

    settings: MeterSettings
    profile: ModbusProfile
    unit: int
    ways: list[Way]
    layout: Layout | None = None
    shown: tuple[str, ...] = ()

    @property
    def serial(self) -> str:
        return self.settings.id.partition("-")[2]


def know(meter: MeterSettings, framing: Framing) -> Known:
    """What is known of a meter before it is first asked.

    Raises:
        ConfigurationInvalid: its unit id or profile cannot be.
    """
    profile = profile_for(meter.profile, shipped_profiles())
    if not profile.registers:
        raise ConfigurationInvalid(
            f"{meter.id} cannot be read: profile {profile.name} lacks {', '.join(profile.not_found)}.",
            remedy="Complete a copy of the file and give its path.",
        )
    if profile.role(SERIAL) is None:
        apart = profile.identity or "its unit id alone"
        log.warning("no serial number %s", fields(meter=meter.id, profile=profile.name, told_apart_by=apart))
    unit = _unit(meter, profile, framing)
    return Known(meter, profile, unit, ways_to(profile, unit))


def ways_to(profile: ModbusProfile, unit: int) -> list[Way]:
    """Every way that a map leaves open."""
    return [Way(profile, unit, *way) for way in product(profile.read.functions, profile.read.address_bases)]


def _unit(meter: MeterSettings, profile: ModbusProfile, framing: Framing) -> int:
    unit = profile.link.unit_id if meter.address is None else meter.address
    lowest, highest = UNITS[framing]
    if isinstance(unit, int) and lowest <= unit <= highest:
        return unit
    rule = f" Its usual one: {profile.link.unit_id}." if profile.link.unit_id else ""
    raise ConfigurationInvalid(
        f"{meter.id} has no unit id that can be.", remedy=f"Write address = {lowest} to {highest}.{rule}"
    )
