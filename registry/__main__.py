"""`kaukoluenta registry import DIR | show`."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kaukoluenta.runtime.command import print_json, print_table, run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kaukoluenta registry", description="Customers, delivery points, contracts, installations."
    )
    verbs = parser.add_subparsers(metavar="VERB")
    importing = verbs.add_parser(
        "import",
        help="take a folder's four CSV files, or nothing of them",
        description="Take customers.csv, delivery_points.csv, contracts.csv and installations.csv of a folder"
        " in one transaction. Rows with a known key update, absent rows stay.",
    )
    importing.add_argument("folder", metavar="DIR", type=Path)
    importing.set_defaults(run=_import)
    showing = verbs.add_parser("show", help="how many of each the registry holds")
    showing.set_defaults(run=_show)
    for verb in (importing, showing):
        verb.add_argument("--json", action="store_true", help="for programs")
        verb.add_argument("--config", metavar="FILE", type=Path, help="registry.toml")
    return parser


def _import(arguments: argparse.Namespace) -> int:
    from registry.import_files import import_files, read_folder

    octets = read_folder(arguments.folder)
    with _registry(arguments) as connection:
        imported = import_files(connection, octets)
    for file in imported:
        if file.unknown_columns:
            names = ", ".join(file.unknown_columns)
            sys.stderr.write(f"{file.file}: left out what nobody asked for: {names}.\n")
    if arguments.json:
        counted = [
            {"file": file.file, "new": file.new, "changed": file.changed, "unchanged": file.unchanged}
            for file in imported
        ]
        print_json({"files": counted})
    else:
        rows = [(file.file, file.new, file.changed, file.unchanged) for file in imported]
        print_table(("file", "new", "changed", "unchanged"), rows)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from registry.queries import counts

    with _registry(arguments) as connection:
        counted = counts(connection)
    if arguments.json:
        print_json(counted)
    else:
        print_table(("what", "count"), list(counted.items()))
    return 0


@contextmanager
def _registry(arguments: argparse.Namespace) -> Iterator[sqlite3.Connection]:
    from kaukoluenta.runtime.data_folder import database_path
    from kaukoluenta.runtime.database import available
    from kaukoluenta.runtime.settings import load_settings
    from registry.database import open_registry
    from registry.settings import RegistrySettings

    settings = load_settings(RegistrySettings, arguments.config)
    path = database_path(
        "registry.db", settings.registry.database, "write [registry] database in a file given with --config"
    )
    with available("The registry"), open_registry(path) as connection:
        yield connection


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
