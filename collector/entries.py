"""What the books hold: batches, missed slots, gateways and their meters, and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from kaukoluenta.gateway_state import GatewayState
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import Missed


class BatchKey(NamedTuple):
    """The name of a batch, for ever. The same key with other bytes is a fork: a restored gateway."""

    gateway: GatewayName
    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.gateway}/{self.epoch}/{self.seq}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Something that cannot be accepted. `place` is its topic, or its batch as `gateway/epoch/seq`."""

    place: str
    reason: str
    octets: bytes


@dataclass(slots=True)
class Entries:
    """What one round of messages adds to the books: all of it or none."""

    batches: dict[BatchKey, bytes] = field(default_factory=dict)
    missed: list[tuple[GatewayName, Missed]] = field(default_factory=list)
    slots: dict[tuple[MeterId, GatewayName], tuple[datetime, datetime]] = field(default_factory=dict)
    states: list[tuple[GatewayName, GatewayState]] = field(default_factory=list)
    aside: list[SetAside] = field(default_factory=list)

    def heard_of(self, meter: MeterId, gateway: GatewayName, slot: datetime) -> None:
        """The gateway said something of this slot: a reading, or why there is none."""
        first, last = self.slots.get((meter, gateway), (slot, slot))
        self.slots[meter, gateway] = min(first, slot), max(last, slot)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row of the quarantine. `text` is cut to 64 KB; `octets` is the length that it had."""

    number: int
    received_at: datetime
    place: str
    reason: str
    octets: int
    text: str


@dataclass(frozen=True, slots=True)
class GatewayHeard:
    """What a gateway last said of itself while it was online, and whether it still is."""

    name: GatewayName
    online: bool
    heard_at: datetime
    state: GatewayState


@dataclass(frozen=True, slots=True)
class Watched:
    """A meter that a gateway reads. `line` and `named_since` are None when its state does not name it.

    The slots are the first and the last of which the gateway said anything, a reading or a miss.
    """

    meter: MeterId
    gateway: GatewayName
    line: str | None
    named_since: datetime | None
    first_slot: datetime | None
    last_slot: datetime | None
