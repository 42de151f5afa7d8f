"""`kaukoluenta gateway read METER`: one readout now, for people or as JSON. Nothing is kept or published."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from gateway.lines import make_line
from gateway.readout import ReadFailed, Readout
from gateway.settings import GatewaySettings, LineSettings, MeterSettings
from kaukoluenta.errors import UsageError
from kaukoluenta.periods import instant_text
from kaukoluenta.quantities import to_travel_unit
from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.command import print_json, print_table


def read_meter(settings: GatewaySettings, name: str, *, as_json: bool) -> int:
    """Read a meter of the config file and print what it says; the exit code.

    Raises:
        UsageError: no such meter in the file.
        ReadFailed: no readout; with `as_json` that is printed instead.
    """
    line, meter = _find(settings, name)
    clock = open_clock(settings.gateway.clock, settings.gateway.name)
    asked_at = clock.now()
    try:
        readout = asyncio.run(_read(line, meter, 1 + settings.gateway.retries))
    except ReadFailed as failure:
        if not as_json:
            raise
        error = {"problem": failure.problem, "remedy": failure.remedy}
        print_json({"meter": meter.id, "error": error})
        return failure.exit_code
    answer = readout_json(line, meter, readout, asked_at)
    print_json(answer) if as_json else _print_for_people(answer)
    return 0


def readout_json(
    line: LineSettings, meter: MeterSettings, readout: Readout, asked_at: datetime
) -> dict[str, Any]:
    """A readout in plain JSON: decimals as text, octets in hexadecimal."""
    travelling = {name: to_travel_unit(amount) for name, amount in readout.registers.items()}
    return {
        "meter": meter.id,
        "line": line.name,
        "profile": readout.profile,
        "read_at": instant_text(readout.read_at or asked_at),
        "asked_at": instant_text(asked_at),
        "meter_time": readout.meter_time,
        "quality": int(readout.quality),
        "info_code": readout.info_code,
        "registers": {name: {"value": f"{a.value:f}", "unit": a.unit} for name, a in travelling.items()},
        "absent": dict(readout.absent),
        "raw": [octets.hex().upper() for octets in readout.raw],
    }


def _find(settings: GatewaySettings, name: str) -> tuple[LineSettings, MeterSettings]:
    for line in settings.line:
        for meter in line.meter:
            if meter.id == name:
                return line, meter
    known = [meter for meters in settings.meters().values() for meter in meters]
    raise UsageError(
        f"No meter {name} is in the config file.", remedy=f"It names {', '.join(known[:20]) or 'no meter'}."
    )


async def _read(line: LineSettings, meter: MeterSettings, attempts: int) -> Readout:
    opened = make_line(line)
    try:
        return await opened.read(meter, attempts=attempts)
    finally:
        await opened.close()


def _print_for_people(answer: dict[str, Any]) -> None:
    told = [(key, answer[key]) for key in ("meter", "line", "profile", "read_at", "meter_time", "info_code")]
    registers = [
        (name, f"{amount['value']} {amount['unit']}") for name, amount in answer["registers"].items()
    ]
    absent = [(name, f"absent: {reason}") for name, reason in answer["absent"].items()]
    raw = [("octets", octets) for octets in answer["raw"]]
    rows = [*told, *registers, *absent, *raw]
    print_table(("", ""), [(name, value) for name, value in rows if value is not None])
