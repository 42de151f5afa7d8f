"""What an M-Bus readout says beyond its registers: what no profile names, and what the meter keeps stored.

An unknown model is read all the same: each record by its meaning, and how to give the model a profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.commissioning.stored import Stored, stored_values
from gateway.lines.mbus_profile import GENERIC, MbusProfile, profile_for, shipped_profiles
from gateway.lines.mbus_readout import medium_of
from gateway.lines.mbus_registers import claims_of, is_info_code, is_meter_clock
from gateway.mbus.header import Identity
from gateway.mbus.records import DataRecord, Record
from gateway.mbus.telegram import decode_telegram
from gateway.telegram_view import record_json, value_text
from kaukoluenta.quantities import to_travel_unit

HOW_TO = "docs/how-to/add-a-meter-model.md"
_NAMED = "instantaneous"


@dataclass(frozen=True, slots=True)
class Report:
    """`unnamed` are the records that nothing in the profile means, in their order."""

    identity: Identity | None
    profile: MbusProfile
    unnamed: tuple[Record, ...]
    stored: tuple[Stored, ...]

    @property
    def hint(self) -> str | None:
        """What to do about a model that has no profile of its own."""
        if self.identity is None or self.profile.name != GENERIC:
            return None
        who = self.identity
        return (
            f"No profile is made for {who.manufacturer} version {who.version:02X}h medium {who.medium:02X}h: "
            f"read by the standard's rules. To name more of its records, see {HOW_TO}."
        )


def report_of(raw: Sequence[bytes], key: bytes | None, profile_name: str | None) -> Report:
    """Look through the telegrams of one readout again. Raises ProfileInvalid."""
    telegrams = [decode_telegram(octets, key) for octets in raw]
    profile = profile_for(telegrams[0].identity, profile_name, shipped_profiles())
    records = [record for telegram in telegrams for record in telegram.records]
    values = [record for record in records if isinstance(record, DataRecord)]
    medium = medium_of(telegrams[0])
    claims = claims_of(values, profile, medium).values()
    named = {id(record) for claim in claims for record in claim}
    named |= {id(value) for value in values if is_meter_clock(value) or is_info_code(value, profile, medium)}
    unnamed = tuple(record for record in records if id(record) not in named)
    return Report(telegrams[0].identity, profile, unnamed, stored_values(values, profile, medium))


def report_json(report: Report, *, stored: bool) -> dict[str, Any]:
    """A report in plain JSON; the stored values only where they were asked for."""
    answer: dict[str, Any] = {"identity": _identity_json(report.identity)} if report.identity else {}
    if stored:
        answer["stored"] = [_stored_json(one) for one in report.stored]
    answer["unnamed"] = [record_json(index, record) for index, record in enumerate(report.unnamed)]
    return answer | ({"hint": report.hint} if report.hint else {})


def unnamed_rows(records: Iterable[Record]) -> Iterator[tuple[str, str, str, str]]:
    """Meaning, value, unit and octets of each record, for people."""
    for record in records:
        if not isinstance(record, DataRecord):
            yield "manufacturer's own", "", "", (record.dib + getattr(record, "data", b"")).hex(" ").upper()
            continue
        value = value_text(record.value, record.coding) or f"none: {record.invalid or record.coding}"
        octets = (record.dib + record.vib + record.data).hex(" ").upper()
        yield _meaning(record), value, record.unit, octets


def stored_rows(stored: Iterable[Stored]) -> Iterator[tuple[str, str, str, str]]:
    """Storage number and date, register, value and unit, for people."""
    for one in stored:
        place = f"storage {one.storage}, {one.at.isoformat() if one.at else 'no date given'}"
        for name, amount in one.registers.items():
            travelling = to_travel_unit(amount)
            yield place, name, f"{travelling.value:f}", travelling.unit
        for name, reason in one.absent.items():
            yield place, name, f"absent: {reason}", ""


def _meaning(record: DataRecord) -> str:
    """`power, maximum, storage 1, per_hour`: the words of a profile's `match`."""
    parts = [record.quantity]
    parts += [record.function] if record.function != _NAMED else []
    places = (("storage", record.storage), ("tariff", record.tariff), ("subunit", record.subunit))
    parts += [f"{name} {number}" for name, number in places if number]
    return ", ".join((*parts, *record.modifiers))


def _identity_json(identity: Identity) -> dict[str, Any]:
    return {
        "manufacturer": identity.manufacturer,
        "serial": identity.id,
        "version": identity.version,
        "medium": identity.medium,
        "medium_text": identity.medium_text,
    }


def _stored_json(stored: Stored) -> dict[str, Any]:
    amounts = {name: to_travel_unit(amount) for name, amount in stored.registers.items()}
    return {
        "storage": stored.storage,
        "source": stored.source,
        "date": stored.at.isoformat() if stored.at else None,
        "registers": {name: {"value": f"{a.value:f}", "unit": a.unit} for name, a in amounts.items()},
        "absent": dict(stored.absent),
    }
