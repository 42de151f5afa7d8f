"""From the data records of a readout to registers, by the rules of a profile. Values stay as the meter gave.

A record that a rule means but that holds no value makes its register absent, with the meter's reason. Records
that claim one register must agree within the coarser one's last digit; then the finer stands. If they do not,
or speak in two unit families, nobody knows which is right, and the register is absent too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gateway.lines.mbus_profile import RECORD_STATUS, MbusProfile
from gateway.mbus.records import DataRecord
from kaukoluenta.quantities import MOST_DIGITS, Amount, UnitError, check_unit, register_name
from kaukoluenta.reading import NO_DOUBT, Quality

REAL32 = "real32"
FAULT_BITS = 0x1A
"""Status of the header (EN 13757-3): application error 02, permanent error 08, temporary error 10."""
ALL_STATUS_BITS = 0x1F
"""04 is low power, 01 busy; the upper three are the maker's own."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the records of one readout say."""

    registers: Mapping[str, Amount]
    absent: Mapping[str, str]
    quality: Quality
    info_code: str | None
    meter_time: str | None


def find_registers(records: Iterable[DataRecord], profile: MbusProfile, *, medium: int, status: int) -> Found:
    """Apply a profile to all records of a readout. `medium` and `status` are the header's."""
    records = list(records)
    registers: dict[str, Amount] = {}
    absent: dict[str, str] = {}
    quality = NO_DOUBT
    for register, claims in claims_of(records, profile, medium).items():
        chosen = _choose(register, claims)
        if isinstance(chosen, str):
            absent[register] = chosen
            continue
        registers[register] = Amount(_value(chosen), chosen.unit)
        if chosen.coding == REAL32:
            quality |= Quality.FROM_FLOAT
    codes = list(_info_codes(records, profile, medium))
    if status & FAULT_BITS or codes:
        quality |= Quality.METER_FAULT
    if status & ALL_STATUS_BITS:
        codes.insert(0, f"status {status:02X}h")
    return Found(registers, absent, quality, ", ".join(codes) or None, _meter_time(records))


def claims_of(
    records: Iterable[DataRecord], profile: MbusProfile, medium: int
) -> dict[str, list[DataRecord]]:
    """The records that some rule means, by the register that they claim. The first rule that fits counts."""
    claims: dict[str, list[DataRecord]] = {}
    for record in records:
        for rule in profile.rules.get(record.quantity, ()):
            if rule.match.fits(record, medium):
                tariff = record.tariff if rule.match.tariff == "any" else 0
                claims.setdefault(register_name(rule.register, tariff), []).append(record)
                break
    return claims


def _choose(register: str, claims: list[DataRecord]) -> DataRecord | str:
    """The record that is the register, or why none of them is."""
    faults = [fault_of(register, record) for record in claims]
    good = [record for record, fault in zip(claims, faults, strict=True) if fault is None]
    if not good:
        return faults[0] or ""
    if len(good) == 1:
        return good[0]
    finest = min(good, key=lambda record: _resolution(_value(record)))
    for other in good:
        if not _agree(finest, other):
            return f"two records disagree: {_value(finest):f} {finest.unit}, {_value(other):f} {other.unit}"
    return finest


def fault_of(register: str, record: DataRecord) -> str | None:
    """Why a record gives no value for its register."""
    for modifier in record.modifiers:
        if modifier.startswith(RECORD_STATUS) and modifier != RECORD_STATUS + "none":
            return modifier
    if not isinstance(record.value, Decimal):
        return record.invalid or "no value"
    if len(record.value.as_tuple().digits) > MOST_DIGITS:
        return f"more than {MOST_DIGITS} digits"
    try:
        check_unit(register, record.unit)
    except UnitError as error:
        return error.problem
    return None


def _agree(fine: DataRecord, other: DataRecord) -> bool:
    """Less than one step of the coarser register apart: it may cut or round."""
    return fine.unit == other.unit and abs(_value(fine) - _value(other)) < _resolution(_value(other))


def _value(record: DataRecord) -> Decimal:
    assert isinstance(record.value, Decimal)
    return record.value


def _resolution(value: Decimal) -> Decimal:
    return Decimal(1).scaleb(int(value.as_tuple().exponent))


def is_info_code(record: DataRecord, profile: MbusProfile, medium: int) -> bool:
    """Whether the meter complains in this record, when it does."""
    return profile.info_code is not None and profile.info_code.fits(record, medium)


def is_meter_clock(record: DataRecord) -> bool:
    """Whether this record is the meter's own clock."""
    return (
        record.quantity == "datetime"
        and (record.function, record.storage, record.tariff, record.subunit) == ("instantaneous", 0, 0, 0)
        and not [modifier for modifier in record.modifiers if modifier != "summer_time"]
    )


def _info_codes(records: Iterable[DataRecord], profile: MbusProfile, medium: int) -> Iterator[str]:
    """What the meter complains of in a record of its own, as it says it."""
    for record in records:
        if is_info_code(record, profile, medium) and record.value:
            yield f"info {record.value}"


def _meter_time(records: Iterable[DataRecord]) -> str | None:
    """The meter's own clock, unless it says two different times."""
    times = {
        record.value.isoformat()
        for record in records
        if isinstance(record.value, datetime) and is_meter_clock(record)
    }
    return times.pop() if len(times) == 1 else None
