"""What a combinable VIFE adds to a VIF (EN 13757-3:2018, combinable VIFE).

Data only. Codes are written without the extension bit. Most VIFE only say more about the value; a few turn it
into something else (a date, a duration, a count) or move its decimal point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.mbus.vif import DAY, HOUR, MINUTE, ReadAs


@dataclass(frozen=True, slots=True)
class Vife:
    """One code. What is None leaves the VIF's own word standing.

    `shift` moves the decimal point: x 10^shift. A `factor` replaces the whole scale of the VIF.
    """

    name: str
    shift: int = 0
    unit: str | None = None
    factor: int | None = None
    reads: ReadAs | None = None


_END, _LAST, _UPPER = ("begin", "end"), ("first", "last"), ("lower", "upper")
_SECONDS = (1, MINUTE, HOUR, DAY)


def named(first: int, *names: str) -> dict[int, Vife]:
    return {first + n: Vife(name) for n, name in enumerate(names)}


def _profile(name: str) -> Vife:
    """The LVAR behind it holds many values: the VIF's unit is not the unit of the whole."""
    return Vife(name, unit="")


def _date(name: str) -> Vife:
    return Vife(name, unit="", factor=1, reads=ReadAs.DATE)


def _count(name: str) -> Vife:
    return Vife(name, unit="", factor=1, reads=ReadAs.SIGNED)


def _dates_of_limits() -> dict[int, Vife]:
    """0100 u f 1 b: u upper limit, f last, b end."""
    return {
        0x42 | upper << 3 | last << 2 | end: _date(
            f"date_of_{_END[end]}_{_LAST[last]}_{_UPPER[upper]}_limit_exceed"
        )
        for upper in (0, 1)
        for last in (0, 1)
        for end in (0, 1)
    }


def _dates() -> dict[int, Vife]:
    """0110 1 f 1 b: f last, b end."""
    return {
        0x6A | last << 2 | end: _date(f"date_of_{_END[end]}_{_LAST[last]}")
        for last in (0, 1)
        for end in (0, 1)
    }


def _durations_of_limits() -> dict[int, Vife]:
    """0101 u f n n: u upper limit, f last, nn seconds to days."""
    return {
        0x50 | upper << 3 | last << 2 | n: Vife(
            f"duration_of_{_LAST[last]}_{_UPPER[upper]}_limit_exceed", 0, "s", seconds, ReadAs.SIGNED
        )
        for upper in (0, 1)
        for last in (0, 1)
        for n, seconds in enumerate(_SECONDS)
    }


def _durations() -> dict[int, Vife]:
    """0110 0 f n n: f last, nn seconds to days."""
    return {
        0x60 | last << 2 | n: Vife(f"duration_of_{_LAST[last]}", 0, "s", seconds, ReadAs.SIGNED)
        for last in (0, 1)
        for n, seconds in enumerate(_SECONDS)
    }


RECORD_STATUS: Final[dict[int, str]] = {
    0x00: "none",
    0x01: "too_many_difes",
    0x02: "storage_not_implemented",
    0x03: "unit_not_implemented",
    0x04: "tariff_not_implemented",
    0x05: "function_not_implemented",
    0x06: "data_class_not_implemented",
    0x07: "data_size_not_implemented",
    0x0B: "too_many_vifes",
    0x0C: "illegal_vif_group",
    0x0D: "illegal_vif_exponent",
    0x0E: "vif_dif_mismatch",
    0x0F: "unimplemented_action",
    0x15: "no_data_available",
    0x16: "data_overflow",
    0x17: "data_underflow",
    0x18: "data_error",
    0x1C: "premature_end_of_record",
}
"""Meter to master: what is wrong with this record."""

ACTION: Final[dict[int, str]] = {
    0x00: "write",
    0x01: "add",
    0x02: "subtract",
    0x03: "or",
    0x04: "and",
    0x05: "xor",
    0x06: "and_not",
    0x07: "clear",
    0x08: "add_entry",
    0x09: "delete_entry",
    0x0A: "delayed_action",
    0x0B: "freeze",
    0x0C: "add_to_readout",
    0x0D: "delete_from_readout",
}
"""Master to meter: what to do with this record."""

LAST_OF_STATUS: Final = 0x1F
"""Codes up to here mean a status or an action, unless COMBINABLE names them."""

COMBINABLE: Final[dict[int, Vife]] = {
    **named(0x12, "average_value"),
    0x13: _profile("inverse_compact_profile"),
    **named(0x14, "relative_deviation"),
    **named(0x1D, "standard_conform_content"),
    0x1E: _profile("compact_profile_with_registers"),
    0x1F: _profile("compact_profile"),
    **named(0x20, "per_second", "per_minute", "per_hour", "per_day", "per_week", "per_month", "per_year"),
    **named(0x27, "per_revolution"),
    **named(0x28, "per_input_pulse_0", "per_input_pulse_1", "per_output_pulse_0", "per_output_pulse_1"),
    **named(0x2C, "per_litre", "per_m3", "per_kg", "per_K", "per_kWh", "per_GJ", "per_kW", "per_Kl"),
    **named(0x34, "per_V", "per_A", "times_s", "times_s_per_V", "times_s_per_A"),
    0x39: _date("start_date_of"),
    **named(0x3A, "uncorrected_unit", "accumulation_positive", "accumulation_negative_abs"),
    **named(0x3D, "non_metric", "base_conditions", "obis"),
    **named(0x40, "lower_limit"),
    0x41: _count("lower_limit_exceed_count"),
    **named(0x48, "upper_limit"),
    0x49: _count("upper_limit_exceed_count"),
    **_dates_of_limits(),
    **_durations_of_limits(),
    **_durations(),
    **named(0x68, "during_lower_limit_exceed", "leakage"),
    **named(0x6C, "during_upper_limit_exceed", "overflow"),
    **_dates(),
    **{0x70 + n: Vife(f"correction_e{n - 6}", shift=n - 6) for n in range(8)},
    **named(0x78, *(f"additive_correction_e{n - 3}" for n in range(4))),
    0x7D: Vife("correction_e3", shift=3),
    **named(0x7E, "future_value"),
}

EXTENDED: Final[dict[int, Vife]] = {
    **named(0x01, "phase_l1", "phase_l2", "phase_l3", "phase_n"),
    **named(0x05, "phase_l1_l2", "phase_l2_l3", "phase_l3_l1"),
    **named(0x08, "quadrant_1", "quadrant_2", "quadrant_3", "quadrant_4", "delta_import_export"),
    **named(0x10, "accumulation_abs"),
    0x11: Vife("type_c", reads=ReadAs.UNSIGNED),
    0x12: Vife("type_d", reads=ReadAs.UNSIGNED),
    **named(0x14, "direction_to_meter", "direction_from_meter"),
}
"""Second table, behind VIFE FC."""


def combinable(code: int, *, to_slave: bool) -> Vife:
    """The VIFE of a code (without extension bit) in a telegram of that direction."""
    if code in COMBINABLE:
        return COMBINABLE[code]
    if code <= LAST_OF_STATUS:
        return Vife(_status_or_action(code, to_slave=to_slave))
    return Vife(f"reserved_{code:02x}")


def extended(code: int) -> Vife:
    """The VIFE of the second table."""
    return EXTENDED.get(code) or Vife(f"reserved_fc_{code:02x}")


def _status_or_action(code: int, *, to_slave: bool) -> str:
    if to_slave:
        return f"action:{ACTION.get(code, f'reserved_{code:02x}')}"
    return f"record_status:{RECORD_STATUS.get(code, f'reserved_{code:02x}')}"
