"""The truth about the town, to hold the books of others against: registers and allowed answers.

It asks the town's plan, never a gateway, a store or a slave that was read.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from kaukoluenta.identifiers import MeterId
from kaukoluenta.quantities import Amount
from simulator.faults import spoilt_finder
from simulator.meters import Meter, energy_j, is_installed
from simulator.town import Town, configured, town_slots


def register(meter: Meter, instant: datetime) -> Amount:
    """The energy that the display shows, cut to its last digit, in the display's own unit."""
    layout = meter.layout
    steps = energy_j(meter, instant) // layout.energy_step_j
    return Amount(Decimal(steps).scaleb(layout.energy_exponent), layout.energy_unit)


def allowed_answers(town: Town) -> frozenset[tuple[MeterId, datetime]]:
    """Every (meter, slot) that must end as one reading: configured then, hanging there, and not disturbed.

    A meter that hangs where another is configured does not count, and a fault that spoils nothing does.
    """
    is_spoilt = spoilt_finder(town.faults)
    return frozenset(
        (meter.id, slot)
        for slot in town_slots(town.start, town.hours)
        for meters in configured(town, slot).values()
        for meter in meters
        if is_installed(meter, slot) and not is_spoilt(meter, slot)
    )
