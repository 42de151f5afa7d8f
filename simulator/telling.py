"""What the demo tells on the screen: what runs where, a line a day, the extract."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path

from gateway.delivery.outbox import MIGRATIONS as OUTBOX
from kaukoluenta.periods import HELSINKI, parse_instant
from kaukoluenta.runtime.database import open_read_only
from simulator.conductor import Stage
from simulator.heat import HOUR
from simulator.office import Bill
from simulator.town import BusLine, story

_SHOWN = 8


def told_parts(made: Stage) -> str:
    """One line for each part that runs, and the first lines of the script."""
    town = made.town
    meters = sum(len(line.meters) for line in town.lines)
    rooms = [name for name in ("gateway", "collector", "dashboards") if name in made.children]
    lines = [
        f"town        {meters} meters, seed {town.seed}, {town.hours} hours from {_local(town.start)}",
        *(_told_line(made, line) for line in town.lines),
        f"broker      {made.broker.what}, child {made.children['broker'].pid}",
        *(
            f"{name:<12}child {made.children[name].pid}, config {made.plant.folder}/{name}.toml"
            for name in rooms
        ),
        f"databases   {made.plant.data}",
        *(f"scripted    {told}" for told in _some(story(town))),
    ]
    return "\n".join([*lines, f"open        {made.address}"] if made.address else lines)


def told_day(made: Stage, slot: datetime) -> str:
    """A progress line when `slot` is the last of a local day or of the span; else nothing."""
    tomorrow = (slot + HOUR).astimezone(HELSINKI)
    if slot.astimezone(HELSINKI).date() == tomorrow.date() and slot != made.town.end:
        return ""
    with closing(open_read_only(made.plant.gateway_database, OUTBOX)) as outbox:
        batches, acknowledged = outbox.execute(
            "SELECT coalesce(max(seq), 0), (SELECT upto FROM acknowledged) FROM batches"
        ).fetchone()
    return (
        f"{slot.astimezone(HELSINKI):%Y-%m-%d}  batches in the outbox {batches:>6}, stored {acknowledged:>6}"
    )


def told_bill(bill: Bill, extract: Path) -> str:
    """The first rows of a run, its sum and what was refused."""
    rows = [
        f"  {row['delivery_point']}  {row['contract']}  {_day(row['from'])} .. {_day(row['to'])}  "
        f"{row['energy']:>14} {row['unit']}"
        for row in bill["rows"]
    ]
    return "\n".join(
        [
            f"\nrun {bill['run']}: {len(rows)} rows, {len(bill['refused'])} refused; extract {extract}",
            *_some(rows),
        ]
    )


def _told_line(made: Stage, line: BusLine) -> str:
    layouts = ", ".join(sorted({meter.layout.name for meter in line.meters}))
    where = f"{line.protocol} {line.link(made.ports[line.name])}"
    return f"line        {line.name}: {len(line.meters)} meters on {where} ({layouts})"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f"  ... and {more} more"]


def _day(text: str) -> str:
    return f"{parse_instant(text).astimezone(HELSINKI):%Y-%m-%d}"


def _local(instant: datetime) -> str:
    return f"{instant.astimezone(HELSINKI):%Y-%m-%d %H:%M}"
