"""One TOML file a process, environment over it, secrets as files. Checked before anything connects.

`KAUKOLUENTA_<ROOM>__MQTT__HOST=broker` stands over `[mqtt] host` of the room's file. Errors name file,
line where known, table and key, and the remedy; a value is never repeated, since it may be a secret.

A relative path in a file begins at the folder of that file, whoever reads it from wherever; one in the
environment begins where its user stands, at the working directory. So does a database's, in either place: a
plant that was started elsewhere must not begin a new, empty one without a word.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
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


@dataclass(frozen=True, slots=True)
class Beside:
    """Marks a key whose relative path begins at the folder of the config file that says it.

    `ending`: only a text that ends so is a path.
    """

    ending: str = ""


PathBeside = Annotated[Path | None, Beside()]


class MqttSettings(Table):
    """`[mqtt]`: the broker. `socket` (a Unix socket's path) stands over host and port.

    `version` 5 tells why a publish was refused; 3.1.1 is for brokers that know no better. `keepalive_s`: so
    often an idle connection shows that it is alive; after half as long again the broker reports us gone.

    The connection is encrypted (TLS) when one of `ca_file`, `certificate_file` and `key_file` is named, or by
    `tls = true` alone; the broker's certificate must then be one for `host`, signed by an authority in
    `ca_file`, or without it by one that the system trusts. `certificate_file` and `key_file` (PEM, without a
    passphrase) say who we are to a broker that asks. Brokers listen for TLS on another `port`, mostly 8883.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=1, le=65535)
    socket: PathBeside = None
    version: str = "5"
    username: str | None = None
    password_file: PathBeside = None
    tls: bool | None = None
    ca_file: PathBeside = None
    certificate_file: PathBeside = None
    key_file: PathBeside = None
    keepalive_s: int = Field(default=30, ge=1, le=65535)

    @property
    def uses_tls(self) -> bool:
        return bool(self.tls or self.ca_file or self.certificate_file or self.key_file)

    @property
    def shows_its_password(self) -> bool:
        """Whether anybody on the way to the broker can read the password."""
        is_here = self.socket is not None or _is_loopback(self.host)
        return self.password_file is not None and not self.uses_tls and not is_here

    @model_validator(mode="after")
    def _fits_together(self) -> MqttSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file go together: name both, or none")
        if self.tls is False and self.uses_tls:
            raise ValueError(
                "tls = false, but ca_file or certificate_file is named: remove the one or the other"
            )
        if self.socket is not None and self.uses_tls:
            raise ValueError("a Unix socket has no TLS: remove socket, or tls and its files")
        if self.password_file is not None and not self.username:
            raise ValueError("a password_file needs a username: without one no password is sent")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_settings(model: type[Settings], path: Path | None) -> Settings:
    """Read and check a config file; without one, defaults and environment.

    Paths come out as whoever runs the command may open them (see `Beside`).

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
        return model(**(_placed(model, content, path.parent) if path else content))
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


def _placed(table: type[BaseModel], content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a file, not checked yet, with its relative paths begun at the file's folder."""
    fields = table.model_fields
    return {
        key: _value_placed(fields[key], value, folder) if key in fields else value
        for key, value in content.items()
    }


def _value_placed(field: FieldInfo, value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_value_placed(field, one, folder) for one in value]
    tables = (field.annotation, *get_args(field.annotation))
    inner = next((part for part in tables if isinstance(part, type) and issubclass(part, BaseModel)), None)
    if inner and isinstance(value, dict):
        return _placed(inner, value, folder)
    is_path = any(isinstance(mark, Beside) and str(value).endswith(mark.ending) for mark in field.metadata)
    return str(folder / value) if is_path and isinstance(value, str) else value


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
    whole_table = len(place) < 2 or isinstance(place[-1], int)  # a file holds nothing but tables
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
