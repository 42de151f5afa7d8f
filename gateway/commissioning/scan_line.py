"""`kaukoluenta gateway scan`: a live row for each address, and a file that the next scan goes on with."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.commissioning.scan import ScanRow, Walk, row_of, walk_of
from gateway.commissioning.scan_file import ScanFile
from gateway.lines.mbus_master import MbusMaster
from gateway.lines.mbus_profile import shipped_profiles
from gateway.links import link_to
from gateway.mbus.search import Probe
from gateway.settings import LineSettings

PRIMARY, SECONDARY = "1-250", "FFFFFFFF"
_HEADING = ("asked", "state", "meter", "version", "medium", "profile", "")
_WIDTHS = (19, 9, 12, 7, 18, 24, 0)
_HOW_TO = "docs/how-to/add-a-meter-model.md"


def scan_line(
    line: LineSettings,
    asked: str,
    out: Path | None,
    *,
    attempts: int,
    hex_digits: bool = False,
    as_json: bool = False,
) -> int:
    """Ask the addresses `asked`, or what an unfinished scan of such left in `out`; the exit code.

    That is 1 when the line holds nobody, or somebody who cannot be read.

    Raises:
        UsageError: no such addresses. ConfigurationInvalid: the file. LineDown: the link.
    """
    file = ScanFile(out, line.meter) if out else None
    walk = _walk(file, asked, attempts, hex_digits)
    rows = _Rows(as_json)
    profiles = shipped_profiles()

    def take(probe: Probe) -> None:
        row = row_of(probe, profiles)
        remark = file.add(row, walk.left()) if file else ""
        if file:
            file.save()
        rows.show(row, remark)

    try:
        asyncio.run(_ask(line, walk, take))
    finally:
        rows.end(walk.left(), out)
    is_clear = file.is_clear if file else rows.found
    return 0 if is_clear and not rows.trouble else 1


def _walk(file: ScanFile | None, asked: str, attempts: int, hex_digits: bool) -> Walk:
    """What an earlier scan of the same left, or the whole. With hexadecimal digits it is another scan."""
    named = f"{asked} --hex-digits" if hex_digits else asked
    if file and (left := file.left_of(named)):
        sys.stderr.write(f"Going on where the last scan stopped: {left[0]}\n")
        return walk_of(left, attempts, hex_digits=hex_digits)
    if file:
        file.begin(named)
    return walk_of([asked], attempts, hex_digits=hex_digits)


async def _ask(line: LineSettings, walk: Walk, take: Callable[[Probe], None]) -> None:
    master = MbusMaster(link_to(line.link), line.timeout_s)
    try:
        while walk.left():
            take(await master.perform(walk.step()))
    finally:
        await master.link.close()


class _Rows:
    """Rows on stdout as they come; on a terminal a silent address is overwritten by the next."""

    def __init__(self, as_json: bool) -> None:
        self._as_json, self._live = as_json, sys.stdout.isatty() and not as_json
        self.found = self.trouble = False
        self._counts: Counter[str] = Counter()
        self._without_profile: set[str] = set()
        if not as_json:
            self._write(_cells(_HEADING))

    def show(self, row: ScanRow, remark: str) -> None:
        if row.final or row.state == "decoded":
            self._counts[row.state] += 1
            self.found |= row.meter is not None
            self.trouble |= row.meter is None and row.state != "silent"
        if row.meter and not row.profile:
            self._without_profile.add(
                f"{row.manufacturer} version {row.version:02X}h medium {row.medium:02X}h"
            )
        if self._as_json:
            sys.stdout.write(json.dumps(_json(row, remark), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            self._write(_cells(_told(row, remark)), passing=self._live and row.state == "silent")

    def end(self, left: tuple[str, ...], out: Path | None) -> None:
        """What it came to, for people, on stderr."""
        if self._live:
            self._write("", passing=True)
        counts = [f"{count} {state}" for state, count in sorted(self._counts.items())] or ["nothing asked"]
        told = [f"{', '.join(counts)}.{f' Written to {out}.' if out and self._counts else ''}"]
        if left:
            again = "The same command goes on there." if out else "With --out FILE it could go on there."
            told.append(f"Stopped before {left[0]}. {again}")
        for model in sorted(self._without_profile):
            told.append(
                f"No profile of its own: {model}. Standard records are read all the same; see {_HOW_TO}."
            )
        if set(self._counts) == {"silent"}:
            told.append(
                "Nobody answered. If somebody should: look at the converter, its wires, the baud rate."
            )
        sys.stderr.write("\n".join(told) + "\n")

    def _write(self, text: str, *, passing: bool = False) -> None:
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            text = "\r" + text[:width].ljust(width) if passing else "\r" + text.ljust(width)
        sys.stdout.write(text + ("" if passing else "\n"))
        sys.stdout.flush()


def _cells(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _told(row: ScanRow, remark: str) -> tuple[str, ...]:
    named = row.meter or row.number or ""
    version = "" if row.version is None else f"{row.version:02X}"
    profile = (row.profile or "none") if row.meter else ""
    note = "; ".join(part for part in (row.note, remark) if part)
    return row.asked, row.state, named, version, row.medium_text, profile, note


def _json(row: ScanRow, remark: str) -> dict[str, Any]:
    return {
        "asked": row.asked,
        "address": row.address,
        "state": row.state,
        "meter": row.meter,
        "manufacturer": row.manufacturer,
        "serial": row.number,
        "version": row.version,
        "medium": row.medium,
        "medium_text": row.medium_text or None,
        "profile": row.profile,
        "note": "; ".join(part for part in (row.note, remark) if part) or None,
    }
