"""How often a meter may be asked when it allows only some readouts a day, as battery meters do.

A function of the slot alone: a gateway that was killed and started again asks no more often. The local day's
slots are shared out evenly from its first one, since what stood at midnight is what is billed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.settings import MeterSettings
from kaukoluenta.periods import HELSINKI, local_midnight
from kaukoluenta.slots import count_slots

_DAY = timedelta(days=1)


def attempts_in(slot: datetime, every: timedelta, reads_per_day: int | None, wanted: int) -> int:
    """How many of the attempts that are wanted in a slot the day's budget allows; 0: the slot is missed."""
    if reads_per_day is None:
        return wanted
    slots_a_day = -(-_DAY // every)
    step = -(-slots_a_day // reads_per_day)
    asked_slots = -(-slots_a_day // step)
    attempts = min(wanted, reads_per_day // asked_slots)
    midnight = local_midnight(slot.astimezone(HELSINKI).date())
    turn, odd = divmod(count_slots(midnight, slot, every), step)
    return attempts if not odd and (turn + 1) * attempts <= reads_per_day else 0


def why_spared(meter: MeterSettings) -> str:
    """The reason of a slot in which a meter is not asked."""
    return f"not asked: it allows {meter.reads_per_day} reads a day"
