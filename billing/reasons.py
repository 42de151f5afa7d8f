"""Why a row is refused. The words are part of the file door's contract."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from kaukoluenta.identifiers import MeterId


class Reason(StrEnum):
    """In the order in which a row's refusals are listed."""

    NO_READING = "no_reading"
    WENT_BACK = "went_back"
    NO_REMOVAL_READING = "no_removal_reading"
    NO_INSTALLATION = "no_installation"
    CONFLICT = "conflict"
    UNIT = "unit"


REMEDIES = {
    Reason.NO_READING: "Read the meter's log or due-date register of that instant and import it.",
    Reason.WENT_BACK: "Check for an unrecorded exchange or a misread register; correct the reading.",
    Reason.NO_REMOVAL_READING: "Add end_energy from the exchange form to installations.csv.",
    Reason.NO_INSTALLATION: "Add the installation, or end the contract where the meter ends.",
    Reason.CONFLICT: "Decide with `collector import FILE --correct REASON`.",
    Reason.UNIT: "Correct energy_unit in installations.csv, or the readings.",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing that makes a leg unprovable. Names meters and instants, never a customer."""

    reason: Reason
    meter: MeterId | None
    detail: str
