"""`kaukoluenta collector run | check | import | export | gaps | conflicts | quarantine`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.identifiers import meter_id
from kaukoluenta.periods import instant_text, local_text, parse_instant
from kaukoluenta.runtime.command import print_json, print_table, run_command

if TYPE_CHECKING:
    from collector.books import Books
    from collector.settings import CollectorSettings
    from collector.store import ReadingStore
    from kaukoluenta.reading import Reading

Verb = Callable[[argparse.Namespace], int]
Argument = TypeVar("Argument")


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kaukoluenta collector", description="Receive readings, check and store them."
    )
    verbs = parser.add_subparsers(metavar="VERB")

    def verb(name: str, run: Verb, what: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        added.add_argument("--config", metavar="FILE", type=Path, help="collector.toml")
        added.set_defaults(run=run)
        return added

    verb("run", _run, "take what the gateways publish, store it, then acknowledge it")
    check = verb("check", _check, "check the settings and the database, without connecting to the broker")
    importing = verb("import", _import, "take readings from a CSV file, or nothing of it")
    importing.add_argument("file", metavar="FILE.csv", type=Path)
    importing.add_argument(
        "--correct",
        metavar="REASON",
        type=_reason,
        help="let the file's values supersede what stands, and say why",
    )
    export = verb("export", _export, "write the standing readings to stdout")
    export.add_argument("--meter", metavar="METER", type=_argument(meter_id), help="of this meter only")
    gaps = verb("gaps", _gaps, "which meters miss which slots, and why")
    gaps.add_argument(
        "--every", type=_duration, help="how often meters are read, instead of what gateways say"
    )
    gaps.add_argument("--singly", action="store_true", help="every slot by itself")
    conflicts = verb("conflicts", _conflicts, "what was said differently of one instant and is not decided")
    quarantine = verb("quarantine", _quarantine, "what could not be accepted, and why")
    for ranged in (export, gaps, conflicts):
        ranged.add_argument("--from", dest="start", metavar="INSTANT", type=_argument(parse_instant))
        ranged.add_argument(
            "--to", dest="end", metavar="INSTANT", type=_argument(parse_instant), help="exclusive"
        )
    for printing in (check, importing, export, gaps, conflicts, quarantine):
        printing.add_argument("--json", action="store_true", help="for programs")
    return parser


# Verbs ----------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace) -> int:
    from collector.subscribe import run
    from kaukoluenta.runtime.log import start_log

    start_log()
    return run(_settings(arguments))


def _check(arguments: argparse.Namespace) -> int:
    from collector.subscribe import CLIENT_ID
    from kaukoluenta.runtime.mqtt import MqttSession

    settings = _settings(arguments)
    with _collector(arguments):
        MqttSession(settings.mqtt, CLIENT_ID)
    broker = settings.mqtt.socket or f"{settings.mqtt.host}:{settings.mqtt.port}"
    facts = {"database": str(settings.database()), "store": settings.collector.store, "broker": str(broker)}
    if arguments.json:
        print_json(facts)
    else:
        print_table(("setting", "value"), [*facts.items()])
    return 0


def _import(arguments: argparse.Namespace) -> int:
    from collector.import_files import import_corrections, import_readings, places, read_file, read_octets

    name = arguments.file.name
    file = read_file(name, read_octets(arguments.file))
    with _collector(arguments) as (store, _):
        now = _now(arguments)
        if arguments.correct:
            imported = import_corrections(store, file, now, arguments.correct)
        else:
            imported = import_readings(store, file, now)
    if file.unknown_columns:
        sys.stderr.write(f"{name}: left out what nobody asked for: {', '.join(file.unknown_columns)}.\n")
    sys.stderr.writelines(f"{line}\n" for line in places(imported.at_odds, name))
    added = imported.added
    counts = {"new": added.new, "duplicate": added.duplicate, "conflicting": added.conflicting}
    if arguments.json:
        rows = [
            {"row": one.row, "meter": one.reading.meter, "read_at": instant_text(one.reading.read_at)}
            for one in imported.at_odds
        ]
        print_json({"file": name, "rows": len(file.readings), **counts, "conflicts": rows})
    else:
        print_table(("file", "rows", *counts), [(name, len(file.readings), *counts.values())])
    return 1 if added.conflicting else 0


def _export(arguments: argparse.Namespace) -> int:
    from collector.export import select, write_csv, write_json_lines

    with _collector(arguments) as (store, _):

        def chosen() -> Iterator[Reading]:
            return select(store, arguments.start, arguments.end, arguments.meter)

        if arguments.json:
            write_json_lines(chosen(), sys.stdout)
        else:
            registers = {name for reading in chosen() for name in reading.registers}
            write_csv(chosen(), registers, sys.stdout)
    return 0


def _gaps(arguments: argparse.Namespace) -> int:
    from collector.gaps import as_json, find_gaps, singly, window

    with _collector(arguments) as (store, books):
        start, end = window(books, _now(arguments), arguments.start, arguments.end)
        gaps = [*find_gaps(store, books, start, end, arguments.every)]
    if arguments.singly:
        gaps = [*singly(gaps)]
    if arguments.json:
        print_json({"from": instant_text(start), "to": instant_text(end), "gaps": [*map(as_json, gaps)]})
    else:
        rows = [
            (gap.meter, local_text(gap.slots[0]), local_text(gap.slots[-1]), len(gap.slots), gap.reason)
            for gap in gaps
        ]
        print_table(("meter", "first slot", "last slot", "slots", "reason"), rows)
    return 0


def _conflicts(arguments: argparse.Namespace) -> int:
    from collector.conflicts import HEADINGS, as_json, table_rows
    from collector.export import END_OF_TIME
    from kaukoluenta.reading import EARLIEST

    with _collector(arguments) as (store, _):
        conflicts = [*store.conflicts(arguments.start or EARLIEST, arguments.end or END_OF_TIME)]
    if arguments.json:
        print_json([*map(as_json, conflicts)])
    else:
        print_table(HEADINGS, [row for conflict in conflicts for row in table_rows(conflict)])
    return 0


def _quarantine(arguments: argparse.Namespace) -> int:
    with _collector(arguments) as (_, books):
        aside = books.quarantine()
    if arguments.json:
        print_json([{**asdict(one), "received_at": instant_text(one.received_at)} for one in aside])
    else:
        rows = [(one.number, local_text(one.received_at), one.place, one.octets, one.reason) for one in aside]
        print_table(("number", "received", "place", "octets", "reason"), rows)
    return 0


# What they share ------------------------------------------------------------------------------------


def _settings(arguments: argparse.Namespace) -> CollectorSettings:
    from collector.settings import CollectorSettings
    from kaukoluenta.runtime.settings import load_settings

    return load_settings(CollectorSettings, arguments.config)


def _now(arguments: argparse.Namespace) -> datetime:
    from kaukoluenta.runtime.clock import open_clock

    return open_clock(_settings(arguments).collector.clock, "collector").now()


@contextmanager
def _collector(arguments: argparse.Namespace) -> Iterator[tuple[ReadingStore, Books]]:
    from collector.books import open_books
    from collector.store.backends import open_store

    settings = _settings(arguments)
    path = settings.database()
    with closing(open_store(settings.collector.store, path)) as store, closing(open_books(path)) as books:
        yield store, books


def _argument(read: Callable[[str], Argument]) -> Callable[[str], Argument]:
    """An argument's type whose errors argparse shows with their remedy."""

    def checked(text: str) -> Argument:
        try:
            return read(text)
        except KaukoluentaError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _duration(text: str) -> timedelta:
    from kaukoluenta.runtime.durations import parse_duration

    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not duration:
        raise argparse.ArgumentTypeError("a slot lasts some time")
    return duration


def _reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("say why the file's values are right")
    return text.strip()


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
