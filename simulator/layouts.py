"""The town's models of M-Bus meters: which data records each sends, in which coding and resolution.

A record names the register that it shows and `step`, how much of it (J, ml, ml/h, W, mC, mK, s) one step
of the record is. Makers and models are made up; the records are those of ordinary heat meters (EN 1434-3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from gateway.mbus.encode import BCD_FIELDS, INTEGER_FIELDS, NOW, Place, dib, vib_of, with_vife

KWH_J: Final = 3_600_000
MJ_J: Final = 1_000_000

_DUE_DATE: Final = Place(storage=1)
_ONLY_NEGATIVE: Final = 0x3C
"""VIFE: the sum of the negative contributions alone, that is the cooling."""


@dataclass(frozen=True, slots=True)
class Record:
    """One data record: DIB and VIB as sent, then `octets` of data. A date or a time needs no step."""

    register: str
    head: bytes
    octets: int
    coding: Literal["bcd", "binary"]
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A meter model, whatever it is read by. `link` is the scheme of its line's link in a gateway's config.

    `energy_unit` and `energy_exponent` say how the display shows the steps of the energy register: 123456
    steps at -3 are 123.456. Installation forms use that unit. With `due_date` the meter keeps the energy of
    the local month's first instant.
    """

    name: str
    manufacturer: str
    protocol: str
    link: str
    energy_unit: str
    energy_exponent: int
    energy_step_j: int
    due_date: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MbusLayout(Layout):
    """`telegrams` make one readout; `maker_data` ends the last of them."""

    protocol: str = "mbus"
    link: str = "tcp"
    version: int
    medium: int
    telegrams: tuple[tuple[Record, ...], ...]
    maker_data: bytes = b""


def _bcd(register: str, digits: int, vib: bytes, step: int) -> Record:
    return Record(register, dib(BCD_FIELDS[digits]) + vib, digits // 2, "bcd", step)


def _binary(register: str, octets: int, vib: bytes, step: int = 1, place: Place = NOW) -> Record:
    return Record(register, dib(INTEGER_FIELDS[octets], place) + vib, octets, "binary", step)


KILOWATT_HOURS = MbusLayout(
    name="kWh in BCD",
    manufacturer="XTA",
    version=0x11,
    medium=0x04,  # heat, volume measured in the return
    energy_unit="kWh",
    energy_exponent=0,
    energy_step_j=KWH_J,
    telegrams=(
        (
            _bcd("energy", 8, vib_of("energy", "Wh", 3), KWH_J),
            _bcd("volume", 8, vib_of("volume", "m3", -2), 10_000),
            _bcd("volume_flow", 6, vib_of("volume_flow", "m3/h", -3), 1_000),
            _bcd("power", 6, vib_of("power", "W", 2), 100),
            _bcd("flow_temperature", 4, vib_of("flow_temperature", "degC", -1), 100),
            _bcd("return_temperature", 4, vib_of("return_temperature", "degC", -1), 100),
            _bcd("temperature_difference", 6, vib_of("temperature_difference", "K", -2), 10),
            _bcd("on_time", 8, vib_of("on_time", "s", 0, factor=3600), 3600),
        ),
    ),
)

GIGAJOULES = MbusLayout(
    name="GJ with a due-date register",
    manufacturer="XTB",
    version=0x25,
    medium=0x0C,  # heat, volume measured in the flow
    energy_unit="GJ",
    energy_exponent=-3,
    energy_step_j=MJ_J,
    telegrams=(
        (
            _binary("energy", 4, vib_of("energy", "J", 6), MJ_J),
            _binary("volume", 4, vib_of("volume", "m3", -3), 1_000),
            _binary("volume_flow", 4, vib_of("volume_flow", "m3/h", -3), 1_000),
            _binary("power", 4, vib_of("power", "W", 1), 10),
            _binary("flow_temperature", 2, vib_of("flow_temperature", "degC", -2), 10),
            _binary("return_temperature", 2, vib_of("return_temperature", "degC", -2), 10),
            _binary("temperature_difference", 2, vib_of("temperature_difference", "K", -2), 10),
            _binary("due_date", 2, vib_of("date"), place=_DUE_DATE),
            _binary("due_date_energy", 4, vib_of("energy", "J", 6), MJ_J, _DUE_DATE),
        ),
    ),
    due_date=True,
)

TWO_TELEGRAMS = MbusLayout(
    name="kWh in two telegrams",
    manufacturer="XTC",
    version=0x07,
    medium=0x04,
    energy_unit="kWh",
    energy_exponent=0,
    energy_step_j=KWH_J,
    telegrams=(
        (
            _binary("energy", 4, vib_of("energy", "Wh", 3), KWH_J),
            _binary("volume", 4, vib_of("volume", "m3", -2), 10_000),
            _binary("on_time", 4, vib_of("on_time", "s", 0, factor=3600), 3600),
        ),
        (
            _binary("meter_clock", 4, vib_of("datetime")),
            _binary("volume_flow", 2, vib_of("volume_flow", "m3/h", -3), 1_000),
            _binary("power", 2, vib_of("power", "W", 2), 100),
            _binary("flow_temperature", 2, vib_of("flow_temperature", "degC", -2), 10),
            _binary("return_temperature", 2, vib_of("return_temperature", "degC", -2), 10),
        ),
    ),
    maker_data=bytes.fromhex("0F 07 00"),
)

MEGAWATT_HOURS = MbusLayout(
    name="MWh of heat and cooling",
    manufacturer="XTD",
    version=0x40,
    medium=0x0D,  # heat and cooling
    energy_unit="MWh",
    energy_exponent=-3,
    energy_step_j=KWH_J,
    telegrams=(
        (
            _binary("energy", 4, vib_of("energy", "Wh", 3), KWH_J),
            _binary("cooling_energy", 4, with_vife(vib_of("energy", "Wh", 3), _ONLY_NEGATIVE), KWH_J),
            _binary("volume", 4, vib_of("volume", "m3", -2), 10_000),
            _binary("volume_flow", 3, vib_of("volume_flow", "m3/h", -3), 1_000),
            _binary("power", 3, vib_of("power", "W", 1), 10),
            _binary("flow_temperature", 2, vib_of("flow_temperature", "degC", -1), 100),
            _binary("return_temperature", 2, vib_of("return_temperature", "degC", -1), 100),
            _binary("error_flags", 1, vib_of("error_flags")),
        ),
    ),
)

LAYOUTS = (KILOWATT_HOURS, GIGAJOULES, TWO_TELEGRAMS, MEGAWATT_HOURS)
