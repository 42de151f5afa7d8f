"""A readout for people, as tables, and for programs, as JSON: decimals as text, octets in hexadecimal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.commissioning.mbus_report import Report, report_json, stored_rows, unnamed_rows
from gateway.readout import Readout
from kaukoluenta.identifiers import MeterId
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import to_travel_unit
from kaukoluenta.runtime.command import print_json, print_table


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one read. Only an M-Bus readout has a report."""

    meter: MeterId
    line: str
    readout: Readout
    asked_at: datetime
    report: Report | None


def print_answer(answer: Answer, *, as_json: bool, stored: bool) -> None:
    """Print it on stdout."""
    content = answer_json(answer, stored=stored)
    if as_json:
        print_json(content)
    else:
        _print_tables(content, answer.report, stored)


def answer_json(answer: Answer, *, stored: bool) -> dict[str, Any]:
    """The contract of `gateway read --json`."""
    readout, report = answer.readout, answer.report
    travelling = {name: to_travel_unit(amount) for name, amount in readout.registers.items()}
    return {
        "meter": answer.meter,
        "line": answer.line,
        "profile": report.profile.name if report else readout.profile,
        "read_at": instant_text(readout.read_at or answer.asked_at),
        "asked_at": instant_text(answer.asked_at),
        "meter_time": readout.meter_time,
        "quality": int(readout.quality),
        "info_code": readout.info_code,
        "registers": {name: {"value": f"{a.value:f}", "unit": a.unit} for name, a in travelling.items()},
        "absent": dict(readout.absent),
        **({"shown": list(readout.shown)} if readout.shown else {}),
        **(report_json(report, stored=stored) if report else {}),
        "raw": [octets.hex().upper() for octets in readout.raw],
    }


def _print_tables(content: dict[str, Any], report: Report | None, stored: bool) -> None:
    told = ("meter", "line", "profile", "read_at", "meter_time", "info_code")
    _print_rows(("", ""), [(key, content[key]) for key in told if content[key] is not None])
    registers = [(name, amount["value"], amount["unit"]) for name, amount in content["registers"].items()]
    absent = [(name, f"absent: {reason}", "") for name, reason in content["absent"].items()]
    _print_rows(("register", "value", "unit"), [*registers, *absent])
    _print_rows(("shown by the meter",), [(shown,) for shown in content.get("shown", ())])
    if report and stored:
        _print_rows(("stored", "register", "value", "unit"), [*stored_rows(report.stored)])
    if report:
        _print_rows(("no register", "value", "unit", "octets"), [*unnamed_rows(report.unnamed)])
    _print_rows(("octets",), [(octets,) for octets in content["raw"]])
    if report and report.hint:
        sys.stdout.write(f"\n{report.hint}\n")


def _print_rows(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """One table of several: a blank line before its heading; nothing when it is empty."""
    if not rows:
        return
    if heading[0]:
        sys.stdout.write("\n")
        print_table(heading, rows)
    else:
        print_table(rows[0], rows[1:])
