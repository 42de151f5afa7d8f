"""What a VIF says a value is: quantity, unit and scale (EN 13757-3:2018, table 10 and its extensions).

Data only. Codes are written without the extension bit. A value is steps x factor x 10^exponent of its unit;
the factor is 1 except for durations (in seconds), flows per minute and per second, and binary fractions.
Quantities, units and the names of reserved codes are this project's own contract of names.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MINUTE, HOUR, DAY = 60, 3600, 86400  # s


class ReadAs(Enum):
    """How the octets of a binary or BCD value are to be understood."""

    SIGNED = auto()  # type B; 80..00 means no value
    UNSIGNED = auto()  # type C or D
    FABRICATION_NUMBER = auto()  # as UNSIGNED; BCD keeps its leading zeros
    IDENTIFICATION = auto()  # as FABRICATION_NUMBER; 64 bits are an identifier in hexadecimal
    DATE = auto()  # types F, G, I, J by their size


@dataclass(frozen=True, slots=True)
class Vif:
    """One code. 1 step of the register is factor x 10^exponent of the unit."""

    quantity: str
    unit: str = ""
    factor: int = 1
    exponent: int = 0
    reads: ReadAs = ReadAs.SIGNED


def decades(
    first: int, count: int, quantity: str, unit: str, exponent: int, factor: int = 1
) -> dict[int, Vif]:
    """`count` codes from `first` on, each ten times the one before."""
    return {first + n: Vif(quantity, unit, factor, exponent + n) for n in range(count)}


def durations(first: int, quantity: str, steps: tuple[int, ...] = (1, MINUTE, HOUR, DAY)) -> dict[int, Vif]:
    """Codes from `first` on for seconds, minutes, hours, days; the value is in seconds."""
    return {first + n: Vif(quantity, "s", seconds) for n, seconds in enumerate(steps)}


def plain(first: int, *quantities: str, unit: str = "", reads: ReadAs = ReadAs.SIGNED) -> dict[int, Vif]:
    """Codes from `first` on, one for each quantity, at scale 1."""
    return {first + n: Vif(quantity, unit, reads=reads) for n, quantity in enumerate(quantities)}


def binary_fractions(first: int, *quantities: str) -> dict[int, Vif]:
    """Steps of 2^-12, which is exactly 244140625 x 10^-12."""
    return {first + n: Vif(quantity, "", 244140625, -12) for n, quantity in enumerate(quantities)}


PRIMARY: Final[dict[int, Vif]] = {
    **decades(0x00, 8, "energy", "Wh", -3),
    **decades(0x08, 8, "energy", "J", 0),
    **decades(0x10, 8, "volume", "m3", -6),
    **decades(0x18, 8, "mass", "kg", -3),
    **durations(0x20, "on_time"),
    **durations(0x24, "operating_time"),
    **decades(0x28, 8, "power", "W", -3),
    **decades(0x30, 8, "power", "J/h", 0),
    **decades(0x38, 8, "volume_flow", "m3/h", -6),
    **decades(0x40, 8, "volume_flow", "m3/h", -7, factor=60),  # m3/min
    **decades(0x48, 8, "volume_flow", "m3/h", -9, factor=3600),  # m3/s
    **decades(0x50, 8, "mass_flow", "kg/h", -3),
    **decades(0x58, 4, "flow_temperature", "degC", -3),
    **decades(0x5C, 4, "return_temperature", "degC", -3),
    **decades(0x60, 4, "temperature_difference", "K", -3),
    **decades(0x64, 4, "external_temperature", "degC", -3),
    **decades(0x68, 4, "pressure", "bar", -3),
    **plain(0x6C, "date", "datetime", reads=ReadAs.DATE),
    **plain(0x6E, "heat_cost_allocation", unit="HCA"),
    **plain(0x6F, "reserved_6f"),
    **durations(0x70, "averaging_duration"),
    **durations(0x74, "actuality_duration"),
    **plain(0x78, "fabrication_number", reads=ReadAs.FABRICATION_NUMBER),
    **plain(0x79, "identification", reads=ReadAs.IDENTIFICATION),
    **plain(0x7A, "bus_address", reads=ReadAs.UNSIGNED),
    **plain(0x7B, "reserved_7b"),
    **plain(0x7C, "plain_text"),  # the unit is the text in the VIB
    **plain(0x7D, "reserved_7d"),
    **plain(0x7E, "any", "manufacturer_specific"),
}

FB: Final[dict[int, Vif]] = {
    **decades(0x00, 2, "energy", "Wh", 5),
    **decades(0x02, 2, "reactive_energy", "varh", 3),
    **decades(0x04, 2, "apparent_energy", "VAh", 3),
    **decades(0x08, 2, "energy", "J", 8),
    **decades(0x0C, 4, "energy", "cal", 5),
    **decades(0x10, 2, "volume", "m3", 2),
    **decades(0x14, 4, "reactive_power", "var", 0),
    **decades(0x18, 2, "mass", "kg", 5),
    **decades(0x1A, 2, "relative_humidity", "%", -1),
    **decades(0x20, 1, "volume", "ft3", 0),
    **decades(0x21, 1, "volume", "ft3", -1),
    **decades(0x28, 2, "power", "W", 5),
    **decades(0x2A, 1, "phase_angle_voltage", "deg", -1),
    **decades(0x2B, 1, "phase_angle_current", "deg", -1),
    **decades(0x2C, 4, "frequency", "Hz", -3),
    **decades(0x30, 2, "power", "J/h", 8),
    **decades(0x34, 4, "apparent_power", "VA", 0),
    **binary_fractions(0x68, "rating_factor_k"),
    **plain(0x69, "rating_factor_kq", unit="W"),
    **binary_fractions(0x6A, "rating_factor_kc", "rating_factor_kcr", "rating_factor_kch"),
    **binary_fractions(0x6D, "rating_factor_kt", "rating_factor_kd"),
    **decades(0x74, 4, "temperature_limit", "degC", -3),
    **decades(0x78, 8, "cumulative_max_power", "W", -3),
}

FD: Final[dict[int, Vif]] = {
    **decades(0x00, 4, "credit", "currency", -3),
    **decades(0x04, 4, "debit", "currency", -3),
    **plain(0x08, "access_number", "medium", "manufacturer", "parameter_set", reads=ReadAs.UNSIGNED),
    **plain(0x0C, "model_version", "hardware_version", "firmware_version", reads=ReadAs.UNSIGNED),
    **plain(0x0F, "software_version", "customer_location", "customer", reads=ReadAs.UNSIGNED),
    **plain(0x12, "access_code_user", "access_code_operator", reads=ReadAs.UNSIGNED),
    **plain(0x14, "access_code_system_operator", "access_code_developer", reads=ReadAs.UNSIGNED),
    **plain(0x16, "password", "error_flags", "error_mask", "security_key", reads=ReadAs.UNSIGNED),
    **plain(0x1A, "digital_output", "digital_input", reads=ReadAs.UNSIGNED),
    **plain(0x1C, "baud_rate", unit="baud", reads=ReadAs.UNSIGNED),
    **plain(0x1D, "response_delay", unit="bit_time", reads=ReadAs.UNSIGNED),
    **plain(0x1E, "retry", "remote_control", reads=ReadAs.UNSIGNED),
    **plain(0x20, "first_storage_number", "last_storage_number", reads=ReadAs.UNSIGNED),
    **plain(0x22, "storage_block_size", "tariff_descriptor", reads=ReadAs.UNSIGNED),
    **durations(0x24, "storage_interval"),
    **plain(0x28, "storage_interval", unit="month"),
    **plain(0x29, "storage_interval", unit="year"),
    **plain(0x2A, "operator_specific_data", "time_point_second", reads=ReadAs.UNSIGNED),
    **durations(0x2C, "duration_since_readout"),
    **plain(0x30, "tariff_start", reads=ReadAs.DATE),
    **durations(0x31, "tariff_duration", (MINUTE, HOUR, DAY)),
    **durations(0x34, "tariff_period"),
    **plain(0x38, "tariff_period", unit="month"),
    **plain(0x39, "tariff_period", unit="year"),
    **plain(0x3A, "dimensionless", "wireless_container"),
    **durations(0x3C, "transmission_period"),
    **decades(0x40, 16, "voltage", "V", -9),
    **decades(0x50, 16, "current", "A", -12),
    **plain(0x60, "reset_counter", "cumulation_counter", reads=ReadAs.UNSIGNED),
    **plain(0x62, "control_signal", "day_of_week", "week_number", reads=ReadAs.UNSIGNED),
    **plain(0x65, "day_change_time", reads=ReadAs.DATE),
    **plain(0x66, "parameter_activation_state", "special_supplier_info", reads=ReadAs.UNSIGNED),
    **durations(0x68, "duration_since_cumulation", (HOUR, DAY)),
    **plain(0x6A, "duration_since_cumulation", unit="month"),
    **plain(0x6B, "duration_since_cumulation", unit="year"),
    **durations(0x6C, "battery_operating_time", (HOUR, DAY)),
    **plain(0x6E, "battery_operating_time", unit="month"),
    **plain(0x6F, "battery_operating_time", unit="year"),
    **plain(0x70, "battery_change_date", reads=ReadAs.DATE),
    **plain(0x71, "rssi", unit="dBm"),
    **plain(0x72, "daylight_saving"),
    **plain(0x73, "listening_window", reads=ReadAs.UNSIGNED),
    **durations(0x74, "battery_remaining", (DAY,)),
    **plain(0x75, "meter_stopped_count", reads=ReadAs.UNSIGNED),
    **plain(0x76, "manufacturer_container"),
}

FD_FD: Final[dict[int, Vif]] = {
    **plain(0x00, "selected_application"),
    **plain(0x02, "battery_remaining", unit="month"),
    **plain(0x03, "battery_remaining", unit="year"),
}
