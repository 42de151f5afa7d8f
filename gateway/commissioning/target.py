"""Which line and which meter a single command means: one of the config file, or one at the end of a link."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gateway.meters_file import load_gateway_settings
from gateway.settings import GatewaySettings, LineSettings, MeterSettings
from kaukoluenta.errors import KaukoluentaError, UsageError
from kaukoluenta.identifiers import meter_id
from kaukoluenta.runtime.clock import Clock, SystemClock, open_clock
from kaukoluenta.runtime.settings import load_settings

ATTEMPTS = 3
_LONGEST_NAME = 64
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Target:
    """One meter, the line it hangs on, how often it is asked at most, and the clock that dates its answer."""

    line: LineSettings
    meter: MeterSettings
    attempts: int
    clock: Clock


def line_of_config(config: Path, name: str | None) -> LineSettings:
    """A line of the config file by its name (or its only one).

    Its meters file is not read: it may not be there yet.

    Raises:
        UsageError: no such line. ConfigurationInvalid.
    """
    lines = load_settings(GatewaySettings, config).line
    fitting = [line for line in lines if name in (None, line.name)]
    if len(fitting) != 1:
        known = ", ".join(line.name for line in lines) or "no line"
        raise UsageError(
            f"There is no line {name} in {config}." if name else f"{config} has {len(lines)} lines.",
            remedy=f"Choose one by --line: {known}.",
        )
    return fitting[0]


def meter_of_config(config: Path, name: str) -> Target:
    """A meter of the config file by its id. Raises UsageError, ConfigurationInvalid."""
    settings = load_gateway_settings(config)
    for line in settings.line:
        for meter in line.meter:
            if meter.id == name:
                table = settings.gateway
                return Target(line, meter, 1 + table.retries, open_clock(table.clock, table.name))
    known = [meter for meters in settings.meters().values() for meter in meters]
    raise UsageError(
        f"No meter {name} is in the config file.",
        remedy=f"It names {', '.join(known[:_MOST_NAMED]) or 'no meter'}.",
    )


def meter_of_link(
    link: str, name: str, address: int | None, key_file: Path | None, profile: str | None
) -> Target:
    """A meter that no config file knows, at the end of a converter in the hand. Raises UsageError."""
    try:
        meter = MeterSettings(id=meter_id(name), address=address, key_file=key_file, profile=profile)
        return Target(line_of_link(link, meter), meter, ATTEMPTS, SystemClock())
    except ValidationError as error:
        raise UsageError(str(error.errors()[0]["msg"]), remedy="Give its own address, or none.") from None
    except KaukoluentaError as error:
        raise UsageError(error.problem, remedy=error.remedy) from None


def line_of_link(link: str, *meters: MeterSettings) -> LineSettings:
    """A line that no config file knows."""
    return LineSettings(name=link[:_LONGEST_NAME], protocol="mbus", link=link, meter=meters)
