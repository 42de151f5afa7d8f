"""The town's models of Modbus meters: which registers hold what, in which resolution and order of words.

This is the meter's side. What a reader makes of it stands in simulator/profiles, written as one writes a
profile from a maker's document, so that neither is derived from the other. The models are made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from gateway.modbus.frames import READ_HOLDING, READ_INPUT
from simulator.layouts import MJ_J, Layout

_PROFILES: Final = Path(__file__).parent / "profiles"
_TENTH_KWH_J: Final = 360_000


@dataclass(frozen=True, slots=True)
class Cell:
    """`words` registers from `address` on the wire; they count by `step` J, ml, ml/h, W, mC, mK or s."""

    register: str
    address: int
    words: int
    step: int


@dataclass(frozen=True, slots=True)
class SerialCell:
    """The two registers with the eight digits of the serial number."""

    address: int
    coding: Literal["bcd", "binary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusLayout(Layout):
    """`constant` registers never change: (address, word). `profile` is the stem of its file."""

    protocol: str = "modbus"
    profile: str
    function: int
    word_order: Literal["big", "little"]
    serial: SerialCell
    cells: tuple[Cell, ...]
    constant: tuple[tuple[int, int], ...] = ()

    @property
    def profile_file(self) -> Path:
        return _PROFILES / f"{self.profile}.toml"


MODBUS_TCP = ModbusLayout(
    name="kWh with a unit code",
    manufacturer="XTM",
    link="tcp",
    energy_unit="kWh",
    energy_exponent=-1,
    energy_step_j=_TENTH_KWH_J,
    profile="xtm-1",
    function=READ_HOLDING,
    word_order="big",
    serial=SerialCell(15, "binary"),
    constant=((2, 1),),  # energy counts kWh
    cells=(
        Cell("energy", 0, 2, _TENTH_KWH_J),
        Cell("volume", 3, 2, 10_000),
        Cell("volume_flow", 5, 2, 1_000),
        Cell("power", 7, 2, 100),
        Cell("flow_temperature", 9, 1, 10),
        Cell("return_temperature", 10, 1, 10),
        Cell("temperature_difference", 11, 1, 10),
        Cell("on_time", 12, 2, 3600),
        Cell("error_flags", 14, 1, 1),
    ),
)

MODBUS_RTU = ModbusLayout(
    name="GJ with the low word first",
    manufacturer="XTM",
    link="rtu+tcp",
    energy_unit="GJ",
    energy_exponent=-3,
    energy_step_j=MJ_J,
    profile="xtm-2",
    function=READ_INPUT,
    word_order="little",
    serial=SerialCell(0, "bcd"),
    cells=(
        Cell("energy", 2, 2, MJ_J),
        Cell("volume", 4, 2, 1_000),
        Cell("volume_flow", 6, 2, 1_000),
        Cell("power", 8, 2, 10),
        Cell("flow_temperature", 10, 1, 100),
        Cell("return_temperature", 11, 1, 100),
    ),
)
