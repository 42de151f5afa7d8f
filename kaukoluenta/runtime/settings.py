"""One TOML file a process, environment over it, secrets as files. Checked before anything connects.

`KAUKOLUENTA_<ROOM>__MQTT__HOST=broker` stands over `[mqtt] host` of the room's file. Errors name file,
line where known, table and key, and the remedy; a value is never repeated, since it may be a secret.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from kaukoluenta.errors import ConfigurationInvalid


class Table(BaseModel):
    """A table of a config file. An unknown key is an error: it is a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ProcessSettings(BaseSettings):
    """The whole config file of a process.

    A room names its variables: `class GatewaySettings(ProcessSettings, env_prefix="KAUKOLUENTA_GATEWAY__")`.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, env_nested_delimiter="__"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file's content (given as init arguments). No .env, no secrets dir."""
        return env_settings, init_settings


Settings = TypeVar("Settings", bound=BaseModel)
Place = tuple[str | int, ...]


class MqttSettings(Table):
    """`[mqtt]`: the broker. `socket` (a Unix socket's path) stands over host and port.

    `version` 5 tells why a publish was refused; 3.1.1 is for brokers that know no better.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    socket: Path | None = None
    version: str = "5"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    keepalive_s: int = 30


def load_settings(model: type[Settings], path: Path | None) -> Settings:
    """Read and check a config file; without one, defaults and environment.

    Raises:
        ConfigurationInvalid: the file is absent, no TOML, or holds a key or value that cannot be.
    """
    text = _read(path) if path else ""
    file = str(path) if path else "the environment"
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationInvalid(f"{file}: {error}.", remedy="Mend the TOML there.") from None
    try:
        return model(**content)
    except ValidationError as error:
        faults = [_fault(file, text, dict(fault)) for fault in error.errors()]
        raise ConfigurationInvalid("\n".join(faults), remedy="Mend the settings and start again.") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid(
            f"The config file {path} cannot be read: {error}.",
            remedy="Give the path of a UTF-8 file with --config.",
        ) from None


def read_secret(path: Path) -> str:
    """A secret kept in a file of its own, last line end removed. Raises ConfigurationInvalid."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationInvalid(
            f"The secret file {path} cannot be read: {reason}.", remedy="Check its path and rights."
        ) from None


def _fault(file: str, text: str, fault: dict[str, Any]) -> str:
    """`gateway.toml:12: [line.meter] adress: this key is not known. ...`"""
    place: Place = tuple(fault["loc"])
    line = _line_of(place, _lines(text))
    names = [part for part in place if isinstance(part, str)]
    whole_table = not place or isinstance(place[-1], int)
    tables = ".".join(names if whole_table else names[:-1])
    table, key = f" [{tables}]" if tables else "", "" if whole_table else f" {names[-1]}:"
    what, remedy = _WHAT.get(fault["type"], (str(fault["msg"]).removeprefix("Value error, "), _SEE))
    return f"{file}{f':{line}' if line else ''}:{table}{key} {what.rstrip('.')}. {remedy}"


_SEE = "All keys and their forms are in docs/reference/settings.md."
_WHAT = {
    "extra_forbidden": ("this key is not known", "Remove it or check its spelling."),
    "missing": ("this key is missing", "Add it."),
}
_HEADING = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\-]+)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-]+)\s*=")


def _lines(text: str) -> dict[Place, int]:
    """The line of each table and key of a TOML text written one key a line."""
    lines: dict[Place, int] = {}
    last: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := _HEADING.match(line):
            table = ()
            *parents, name = heading[2].split(".")
            for part in parents:
                table += (part,)
                table += (last[table],) if table in last else ()
            table += (name,)
            if heading[1] == "[[":
                last[table] = last.get(table, -1) + 1
                table += (last[table],)
            lines[table] = number
        elif key := _KEY.match(line):
            lines.setdefault((*table, key[1]), number)
    return lines


def _line_of(place: Place, lines: dict[Place, int]) -> int | None:
    """The line of a place, or of the nearest table around it."""
    for end in range(len(place), 0, -1):
        if place[:end] in lines:
            return lines[place[:end]]
    return None
