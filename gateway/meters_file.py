"""The meters of a line in a file of their own, which `gateway scan` writes and people edit and commit.

    [[line]]
    name = "boiler-house"
    meters_file = "boiler-house.toml"     # beside gateway.toml

A meter in it is what `[[line.meter]]` is in the config file, checked in the same way; its own paths begin at
its own folder. `[scan]` is the scan's own note of how far it came.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from gateway.settings import GatewaySettings, LineSettings, MeterSettings, plate_of, refuse_twice
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.settings import Table, load_settings


class ScanTable(Table):
    """`[scan]`: what is still to be asked, and what was met beside the meters. A scan goes on from here.

    `asked` is the whole, as the command had it. `pending` holds spans of primary addresses (118-250) or masks
    of secondary ones (12FFFFFF.FFFF.FF.FF).
    """

    asked: str = ""
    pending: tuple[str, ...] = ()
    collision: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()


class MetersFile(Table):
    """`[[meter]]` tables, and where a scan stands."""

    meter: tuple[MeterSettings, ...] = ()
    scan: ScanTable | None = None


def load_meters_file(path: Path) -> MetersFile:
    """Read and check one file. Raises ConfigurationInvalid."""
    return load_settings(MetersFile, path)


def load_gateway_settings(path: Path) -> GatewaySettings:
    """The gateway's config file, the meters files of its lines taken in.

    Raises:
        ConfigurationInvalid: a file that is absent or wrong, or a meter or address that is there twice.
    """
    settings = load_settings(GatewaySettings, path)
    lines = tuple(_with_its_file(line, path) for line in settings.line)
    try:
        refuse_twice("meter", [plate_of(meter.id) for line in lines for meter in line.meter])
    except ValueError as error:
        raise _unusable(path, str(error)) from None
    return settings.model_copy(update={"line": lines})


def _with_its_file(line: LineSettings, config: Path) -> LineSettings:
    path = line.meters_file
    if path is None:
        return line
    if not path.is_file():
        raise ConfigurationInvalid(
            f"The meters file {path} of line {line.name} is not there.",
            remedy=f"Make it: kaukoluenta gateway scan --config {config} --line {line.name}",
        )
    meters = (*line.meter, *load_meters_file(path).meter)
    try:
        return LineSettings.model_validate({**dict(line), "meter": meters})
    except ValidationError as error:
        raise _unusable(path, str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None


def _unusable(path: Path, why: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(f"{path}: {why}.", remedy="Mend the settings and start again.")
