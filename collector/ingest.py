"""From an MQTT message to what is kept of it. Values in, values out: no database, no clock, no session.

What cannot be accepted becomes a SetAside with its reason, and a bad row never takes its neighbours along.
Whatever names its batch has arrived, and will be acknowledged, even when nothing in it can be accepted.
A reading that is odd but true to its form is flagged and kept: people decide, not this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from collector.entries import BatchKey, Entries, SetAside
from collector.store import EnergyRead
from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.gateway_state import GatewayState, decode_state
from kaukoluenta.identifiers import GatewayName, MeterId, meter_id
from kaukoluenta.payload import MOST_OCTETS, Batch, PayloadError, RefusedRow, decode, digest_of
from kaukoluenta.quantities import UNITS, Amount
from kaukoluenta.reading import EARLIEST, Quality, Reading
from kaukoluenta.topics import parse_topic

MOST_STATE_OCTETS = 4 * 1024 * 1024
"""A state names every meter of its gateway: 16 octets each, and a gateway may have many thousands."""

_LONGEST_CADENCE_S = 31 * 24 * 3600

Newest = Mapping[MeterId, EnergyRead]
"""The energy of each meter's newest reading."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A batch, whole or with rows refused, and the digest of the octets it came as."""

    batch: Batch
    digest: bytes
    octets: bytes

    @property
    def key(self) -> BatchKey:
        return BatchKey(self.batch.gateway, self.batch.epoch, self.batch.seq)


@dataclass(frozen=True, slots=True)
class StateSaid:
    gateway: GatewayName
    state: GatewayState


def read_message(topic: str, octets: bytes) -> Arrived | StateSaid | SetAside:
    """What a message is. Never raises on what came from outside."""
    try:
        match parse_topic(topic):
            case (gateway, "readings"):
                return _batch(gateway, octets)
            case (gateway, "state"):
                return _state(gateway, octets)
    except KaukoluentaError as error:
        return SetAside(topic, str(error), octets)
    return SetAside(topic, "The topic is none of ours.", octets)


def _batch(gateway: GatewayName, octets: bytes) -> Arrived:
    batch = decode(octets)
    if batch.gateway != gateway:
        raise PayloadError(
            f"The batch says that it is of gateway {batch.gateway}.",
            remedy="A gateway sends on its own topic: check its name and the broker's access list.",
        )
    if len(octets) > MOST_OCTETS:
        text = octets.decode("utf-8", "replace")
        refused = RefusedRow(text, f"{len(octets)} octets: a batch has at most {MOST_OCTETS}.")
        batch = replace(batch, readings=(), missed=(), refused=(refused,))
    return Arrived(_without_ancient_slots(batch), digest_of(octets), octets)


def _state(gateway: GatewayName, octets: bytes) -> StateSaid:
    if len(octets) > MOST_STATE_OCTETS:
        raise PayloadError("The state is too long.", remedy="Check who may write the topic.")
    state = decode_state(octets)
    if not 0 <= state.every_s <= _LONGEST_CADENCE_S:
        raise PayloadError("The state's every_s is no cadence.", remedy="Send seconds, at most a month.")
    for meters in state.lines.values():
        for meter in meters:
            meter_id(meter)
    return StateSaid(gateway, state)


def _without_ancient_slots(batch: Batch) -> Batch:
    ancient = tuple(
        RefusedRow(f"{missed.meter} {missed.slot} {missed.reason}", "The slot is before 2000.")
        for missed in batch.missed
        if missed.slot < EARLIEST
    )
    if not ancient:
        return batch
    kept = tuple(missed for missed in batch.missed if missed.slot >= EARLIEST)
    return replace(batch, missed=kept, refused=batch.refused + ancient)


def enter(entries: Entries, arrived: Arrived, latest: datetime) -> None:
    """Write a new batch into the round's entries; its readings go to the store.

    Args:
        latest: a slot beyond it is of a clock gone wrong, and says nothing of when the meter is read.
    """
    batch, key = arrived.batch, arrived.key
    entries.batches[key] = arrived.digest
    entries.aside += [SetAside(str(key), refused.reason, refused.text.encode()) for refused in batch.refused]
    for missed in batch.missed:
        entries.missed.append((batch.gateway, missed))
        if missed.slot <= latest:
            entries.heard_of(missed.meter, batch.gateway, missed.slot)


def fork(arrived: Arrived) -> SetAside:
    """A batch under a name that other octets have already: a gateway restored from an old copy."""
    return SetAside(
        str(arrived.key),
        "Another batch of this name has arrived before: the gateway was restored.",
        arrived.octets,
    )


def judged(
    readings: Iterable[Reading], now: datetime, ahead: timedelta, newest: Newest
) -> tuple[list[Reading], dict[MeterId, EnergyRead]]:
    """The readings with their doubts, and what is newest after them for the meters among them.

    Args:
        ahead: how far beyond `now` a reading may lie before its clock is suspect.
    """
    after: dict[MeterId, EnergyRead] = {}
    flagged = []
    for reading in readings:
        before = after.get(reading.meter) or newest.get(reading.meter)
        flagged.append(_with_doubts(reading, now + ahead, before))
        read = energy_read(flagged[-1])
        if read and (before is None or read.read_at >= before.read_at):
            after[reading.meter] = read
    return flagged, after


def energy_read(reading: Reading) -> EnergyRead | None:
    """The reading's energy, if later ones may be held against it: a suspect clock would stay the newest."""
    energy = reading.registers.get("energy")
    if energy is None or reading.quality & Quality.CLOCK_SUSPECT:
        return None
    return EnergyRead(reading.meter, reading.read_at, energy)


def _with_doubts(reading: Reading, latest: datetime, before: EnergyRead | None) -> Reading:
    doubts = reading.quality
    if reading.read_at > latest:
        doubts |= Quality.CLOCK_SUSPECT
    if before and reading.read_at > before.read_at and _went_back(reading, before.energy):
        doubts |= Quality.IMPLAUSIBLE
    return reading if doubts == reading.quality else replace(reading, quality=doubts)


def _went_back(reading: Reading, before: Amount) -> bool:
    energy = reading.registers.get("energy")
    if energy is None:
        return False
    now, then = UNITS[energy.unit], UNITS[before.unit]
    return now.family == then.family and energy.value * now.factor < before.value * then.factor
