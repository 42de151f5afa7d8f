"""What the registry knows: customers, delivery points, contracts, and the meters that hung there.

Intervals are [from, to) in UTC, without an end while they last. An empty one (to = from) is how the office
voids a row that should never have been: rows are never deleted at the file door.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from kaukoluenta.identifiers import MeterId

OPEN_END = datetime.max.replace(tzinfo=UTC)
"""The end of what has none yet."""


class CustomerKind(StrEnum):
    PERSON = "person"
    ORGANISATION = "organisation"


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays. Personal fields stay out of `repr`, and so out of logs and tracebacks."""

    customer_number: str
    kind: CustomerKind
    name: str = field(repr=False)
    identity_code: str | None = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    address: str = field(repr=False)

    @property
    def key(self) -> str:
        return self.customer_number


@dataclass(frozen=True, slots=True)
class DeliveryPoint:
    """The place that is billed. `pipe_line` is the kaukolämpölinja that it hangs on."""

    delivery_point: str
    pipe_line: str
    address: str = field(repr=False)

    @property
    def key(self) -> str:
        return self.delivery_point


@dataclass(frozen=True, slots=True)
class Contract:
    """Who pays for a delivery point in [valid_from, valid_to)."""

    contract: str
    customer_number: str
    delivery_point: str
    valid_from: datetime
    valid_to: datetime | None

    @property
    def key(self) -> str:
        return self.contract

    @property
    def since(self) -> datetime:
        return self.valid_from

    @property
    def until(self) -> datetime:
        return self.valid_to or OPEN_END


@dataclass(frozen=True, slots=True)
class Installation:
    """One meter at one delivery point in [installed_at, removed_at), as the exchange form says.

    `start_energy` and `end_energy` are the energy register in `energy_unit` at the two ends. The end may be
    lower than the start: a register of few digits rolls over within ten years.
    """

    delivery_point: str
    meter: MeterId
    installed_at: datetime
    start_energy: Decimal | None
    removed_at: datetime | None
    end_energy: Decimal | None
    energy_unit: str

    @property
    def key(self) -> tuple[str, MeterId, datetime]:
        return self.delivery_point, self.meter, self.installed_at

    @property
    def since(self) -> datetime:
        return self.installed_at

    @property
    def until(self) -> datetime:
        return self.removed_at or OPEN_END


Entry = Customer | DeliveryPoint | Contract | Installation
Lasting = Contract | Installation
"""What holds in [since, until)."""
