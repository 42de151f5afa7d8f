"""`kaukoluenta gateway scan` on a Modbus line: a row for each unit, and a file that the next goes on with."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.commissioning.modbus_scan import (
    Candidate,
    UnitRow,
    as_listed,
    profiles_of,
    scan_units,
    units_of,
)
from gateway.commissioning.scan import ScanRow
from gateway.commissioning.scan_file import ScanFile
from gateway.lines.modbus_master import ModbusMaster
from gateway.settings import PROFILE_FILE, LineSettings


def scan_modbus_line(
    line: LineSettings,
    asked: str,
    out: Path | None,
    *,
    maker: str | None = None,
    attempts: int = 1,
    as_json: bool = False,
) -> int:
    """Ask the units `asked` (A-B, or one), or what an unfinished scan of such left in `out`; the exit code.

    That is 1 when no unit could be decoded, and with a file also while it leaves something to a person.

    Raises:
        UsageError: no such units. LineDown: the link. ConfigurationInvalid: a profile, or the file.
    """
    whole = units_of(asked, line)
    file = ScanFile(out, line.meter) if out else None
    left = file.left_of(asked) if file else ()
    units = units_of(left[0], line) if left else whole
    if file and left:
        sys.stderr.write(f"Going on where the last scan stopped: {left[0]}\n")
    elif file:
        file.begin(asked)
    rows = _Rows(units, as_json)

    def take(row: UnitRow) -> None:
        listed, remark = _beside(out, as_listed(row, maker)), ""
        if file:
            remark = file.add(listed, _span(units[row.unit - units[0] + 1 :]))
            file.save()
        rows.show(row, listed, remark)

    try:
        asyncio.run(_ask(line, units, file, attempts, take))
    finally:
        rows.end(out)
    if file:
        return 0 if file.is_clear and not rows.unnamed else 1
    return 0 if rows.decoded else 1


async def _ask(
    line: LineSettings, units: range, file: ScanFile | None, attempts: int, take: Callable[[UnitRow], None]
) -> None:
    listed = file.listed if file else line.meter
    profiles = profiles_of(line, listed)
    master = ModbusMaster(line)
    try:
        async for row in scan_units(master, units, profiles, listed=listed, attempts=attempts):
            take(row)
    finally:
        master.close()


def _span(units: range) -> tuple[str, ...]:
    return (f"{units[0]}-{units[-1]}",) if units else ()


def _beside(out: Path | None, row: ScanRow) -> ScanRow:
    """The row with its map's path as a file at `out` writes it: from its own folder, if the map is in it."""
    if out is None or row.profile is None or not row.profile.endswith(PROFILE_FILE):
        return row
    path, folder = Path(row.profile).absolute(), out.absolute().parent
    return replace(row, profile=str(path.relative_to(folder) if path.is_relative_to(folder) else path))


class _Rows:
    """Rows on stdout as they come, and on stderr what they came to."""

    def __init__(self, units: range, as_json: bool) -> None:
        self._units, self._as_json = units, as_json
        self._asked = self.decoded = self.unnamed = 0

    def show(self, row: UnitRow, listed: ScanRow, remark: str) -> None:
        self._asked += 1
        self.decoded += row.state == "decoded"
        self.unnamed += row.state == "decoded" and listed.meter is None
        note = "; ".join(part for part in (listed.note, remark) if part)
        if self._as_json or row.state != "silent":
            text = json.dumps(_json(row, listed, note)) if self._as_json else _told(row, listed, note)
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def end(self, out: Path | None) -> None:
        written = f" Written to {out}." if out and self._asked else ""
        told = [f"{self._asked} units asked, {self.decoded} decoded.{written}"]
        if left := self._units[self._asked :]:
            again = "The same command goes on there." if out else "With --out FILE it could go on there."
            told.append(f"Stopped before {_span(left)[0]}. {again}")
        if out and self.unnamed:
            told.append(
                f"{self.unnamed} have no id yet: write it from the plate, and the map where several fit. "
                "With --maker KAM the letters are on all plates of the line."
            )
        sys.stderr.write("\n".join(told) + "\n")


def _told(row: UnitRow, listed: ScanRow, note: str) -> str:
    lines = [f"unit {row.unit}: {', '.join(part for part in (row.state, listed.meter, note) if part)}"]
    for candidate in row.candidates:
        lines += _told_candidate(candidate)
    return "\n".join(lines)


def _told_candidate(candidate: Candidate) -> list[str]:
    serial = f", serial number {candidate.serial}" if candidate.serial else ""
    return [
        f"  {candidate.profile}: {'makes sense' if candidate.fits else 'makes no sense'}{serial}",
        *(f"    {piece}" for piece in candidate.evidence),
        *(f"    {name} {value}" for name, value in candidate.registers.items()),
        *(f"    {name} absent: {reason}" for name, reason in candidate.absent.items()),
    ]


def _json(row: UnitRow, listed: ScanRow, note: str) -> dict[str, Any]:
    return {
        "unit": row.unit,
        "state": row.state,
        "meter": listed.meter,
        "candidates": [
            {
                "profile": candidate.profile,
                "fits": candidate.fits,
                "serial": candidate.serial,
                "evidence": list(candidate.evidence),
                "registers": candidate.registers,
                "absent": candidate.absent,
            }
            for candidate in row.candidates
        ],
        "note": note or None,
    }
