"""The gateway's config file: lines, their meters, the broker. Checked without connecting to anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import GatewayName, MeterId, gateway_name, meter_id
from kaukoluenta.runtime.durations import Duration
from kaukoluenta.runtime.settings import Beside, MqttSettings, PathBeside, ProcessSettings, Table


def _meter_id(text: str) -> MeterId:
    try:
        return meter_id(text)
    except KaukoluentaError as error:
        raise ValueError(str(error)) from None


def _gateway_name(text: str) -> GatewayName:
    try:
        return gateway_name(text)
    except KaukoluentaError as error:
        raise ValueError(str(error)) from None


def refuse_twice(what: str, names: Sequence[object]) -> None:
    """Raise ValueError naming the first that is there more than once."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{what} {twice[0]} is there twice")


def plate_of(meter: MeterId) -> str:
    """A meter's id with all eight digits: KAM-42 and KAM-00000042 are one meter."""
    return f"{meter[:4]}{meter[4:].zfill(8)}"


_NO_METERS_ADDRESS = (251, 252, 253, 255)
"""Reserved, the selected meter, all at once without an answer (EN 13757-2). 254 is a line's only meter."""

PROFILE_FILE = ".toml"
"""A profile that ends so is the path of a file, not a shipped one's name."""


class MeterSettings(Table):
    """`[[line.meter]]`. M-Bus without an address: the secondary address is selected by the id.

    `profile` is a profile's name, or the path of a file that ends in .toml; M-Bus meters say what they are
    and need none. `key_file` holds the AES key of a meter that encrypts, 32 hexadecimal digits. `area`: the
    pipe line that it hangs on, a note for people.
    `reads_per_day`: how many readouts a day a battery meter allows, attempts counted in. They are shared out
    over the day's slots, the one at local midnight first; the other slots are missed, with that reason.
    """

    id: Annotated[MeterId, AfterValidator(_meter_id)]
    address: int | None = Field(default=None, ge=0, le=255, strict=True)
    profile: Annotated[str | None, Beside(PROFILE_FILE)] = None
    area: str | None = None
    key_file: PathBeside = None
    reads_per_day: int | None = Field(default=None, ge=1)


class LineSettings(Table):
    """`[[line]]`: one bus, one master.

    `timeout_s`: how long an answer may keep us waiting, for its beginning and inside it. Without it the
    protocol's own rule holds: for M-Bus what the standard allows at the line's speed, and the link's latency.
    `meters_file`: a TOML file of `[[meter]]` tables beside this file, as `gateway scan` writes it.
    """

    name: str = Field(min_length=1, max_length=64)
    protocol: Literal["mbus", "modbus"]
    link: str
    timeout_s: float | None = Field(default=None, gt=0, le=60)
    meters_file: PathBeside = None
    meter: tuple[MeterSettings, ...] = ()

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> LineSettings:
        if self.protocol == "mbus":
            refuse_twice("address", [meter.address for meter in self.meter if meter.address is not None])
        for meter in self.meter:
            _check_address(self.protocol, meter)
        return self


def _check_address(protocol: str, meter: MeterSettings) -> None:
    """Raise ValueError when a master could not ask for this meter, and only for it, on such a line."""
    if protocol == "mbus":
        if meter.address in _NO_METERS_ADDRESS:
            raise ValueError(f"{meter.id}: no single meter is asked for at M-Bus address {meter.address}")
    elif meter.address is None or not meter.profile:
        lacking = "an address (its unit id)" if meter.address is None else "a profile"
        raise ValueError(f"{meter.id} needs {lacking}: a Modbus meter does not say what it is")


class GatewayTable(Table):
    """`[gateway]`. `every`: slots on the wall clock; `window`: how late an answer still stands for its slot.

    `spread` delays each line by a stable part of it, so that lines do not all start at the full hour.
    `retries`: how often a meter is asked again in its slot when no good answer came; one that failed in the
    slot before is asked once. `clock` is the system's, or a conductor's: `stepped:FOLDER`.

    `database` is the outbox. `outbox_limit_mb` stays below what the disk has: what is at its limit can be
    pruned, a full disk not. `keep_acknowledged`: how long a batch stays after the collector has stored it,
    so that a collector put back from a copy can ask for it again. `resend_after`: so long without an answer
    of the collector, and what it has not acknowledged is sent again; the next silence may be twice as long.
    """

    name: Annotated[GatewayName, AfterValidator(_gateway_name)]
    every: Duration = timedelta(hours=1)
    window: Duration = timedelta(minutes=5)
    spread: Duration = timedelta(seconds=30)
    retries: int = Field(default=2, ge=0, le=5)
    clock: str = "system"
    database: Path | None = None
    outbox_limit_mb: int = Field(default=1024, ge=1)
    keep_acknowledged: Duration = timedelta(days=40)
    resend_after: Duration = timedelta(seconds=30)


class GatewaySettings(ProcessSettings, env_prefix="KAUKOLUENTA_GATEWAY__"):
    """`gateway.toml`."""

    gateway: GatewayTable
    mqtt: MqttSettings = MqttSettings()
    line: tuple[LineSettings, ...] = ()

    def meters(self) -> dict[str, list[MeterId]]:
        """The meters of each line."""
        return {line.name: [meter.id for meter in line.meter] for line in self.line}

    @model_validator(mode="after")
    def _fits_together(self) -> GatewaySettings:
        refuse_twice("line", [line.name for line in self.line])
        refuse_twice("link (a line has one master)", [line.link for line in self.line])
        refuse_twice("meter", [plate_of(meter) for meters in self.meters().values() for meter in meters])
        if self.gateway.every <= timedelta(0) or timedelta(days=1) % self.gateway.every:
            raise ValueError("[gateway] every must divide a day: 5m, 15m, 1h, 1d")
        if self.gateway.window > self.gateway.every or self.gateway.spread > self.gateway.window:
            raise ValueError("[gateway] spread, window and every must grow in this order")
        return self
