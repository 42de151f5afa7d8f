"""Which protocol a line speaks: the table from a config's `protocol` to the line that speaks it."""

from __future__ import annotations

from collections.abc import Callable

from gateway.readout import Line
from gateway.settings import LineSettings


def make_line(settings: LineSettings) -> Line:
    """The line of these settings, checked but not connected. Raises ConfigurationInvalid."""
    return PROTOCOLS[settings.protocol](settings)


def _mbus(settings: LineSettings) -> Line:
    from gateway.lines.mbus_line import MbusLine

    return MbusLine(settings)


def _modbus(settings: LineSettings) -> Line:
    from gateway.lines.modbus_line import ModbusLine  # imports pymodbus, which is slow to start

    return ModbusLine(settings)


PROTOCOLS: dict[str, Callable[[LineSettings], Line]] = {"mbus": _mbus, "modbus": _modbus}
