"""`kaukoluenta billing run MONTH | show RUN | export RUN --out FILE | verify RUN`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kaukoluenta.runtime.command import print_json, print_table, run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kaukoluenta billing", description="Period totals and extracts.")
    verbs = parser.add_subparsers(metavar="VERB")
    running = verbs.add_parser("run", help="bill a month: the same inputs give the same run again")
    running.add_argument("month", metavar="MONTH", help="2026-10")
    running.set_defaults(run=_run)
    showing = verbs.add_parser("show", help="print a run as it was made")
    showing.set_defaults(run=_show)
    exporting = verbs.add_parser("export", help="write a run's rows as CSV, with a control record beside it")
    exporting.add_argument("--out", metavar="FILE", type=Path, required=True)
    exporting.set_defaults(run=_export)
    verifying = verbs.add_parser("verify", help="derive a run again from its inputs and compare")
    verifying.set_defaults(run=_verify)
    for verb in (showing, exporting, verifying):
        verb.add_argument("name", metavar="RUN", help="2026-10-1")
    for verb in (running, showing, verifying):
        verb.add_argument("--json", action="store_true", help="for programs")
    for verb in (running, showing, exporting, verifying):
        verb.add_argument("--config", metavar="FILE", type=Path, help="billing.toml")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    """Exit 1 when a row is refused, or when there is no contract to bill."""
    from billing.databases import open_databases
    from billing.inputs import extract_of, unnamed_meters
    from billing.print_run import print_run
    from billing.runs import NothingToBill, billed_month, keep_run

    month = arguments.month
    period = billed_month(month)
    with open_databases(arguments.config) as databases:
        extract = extract_of(period, databases.registry, databases.store)
        unnamed = unnamed_meters(period, databases.registry, databases.store)
        if not extract.rows and not extract.refused:
            raise NothingToBill(f"No contract is valid in {month}.", remedy="Import the registry first.")
        run = keep_run(databases.books, month, extract, databases.as_of)
    print_run(run, as_json=arguments.json)
    for meter in unnamed:
        sys.stderr.write(f"warning: {meter} has readings in {month}, but no installation names it.\n")
    return 1 if extract.refused else 0


def _show(arguments: argparse.Namespace) -> int:
    from billing.databases import open_databases
    from billing.print_run import print_run
    from billing.runs import read_run, run_name

    name = run_name(arguments.name)
    with open_databases(arguments.config) as databases:
        run = read_run(databases.books, name)
    print_run(run, as_json=arguments.json)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from billing.databases import open_databases
    from billing.export import export_run
    from billing.runs import read_run, run_name

    name = run_name(arguments.name)
    with open_databases(arguments.config) as databases:
        run = read_run(databases.books, name)
    control = export_run(run, arguments.out)
    print_table(("file", "holds"), [(arguments.out, f"{len(run.extract.rows)} rows"), (control, "control")])
    if run.extract.refused:
        sys.stderr.write(f"Not in the file: what {name} refused. See `billing show {name}`.\n")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from billing.databases import open_databases
    from billing.inputs import extract_of
    from billing.runs import billed_month, read_run, run_name
    from billing.verify import verify

    name = run_name(arguments.name)
    with open_databases(arguments.config) as databases:
        run = read_run(databases.books, name)
        verdict = verify(run, extract_of(billed_month(name.month), databases.registry, databases.store))
    if arguments.json:
        print_json({"run": str(name), "intact": verdict.intact, "differences": verdict.differences})
    elif verdict.holds:
        sys.stdout.write(f"{name} holds: its inputs come to the same figures.\n")
    if not verdict.intact:
        sys.stderr.write(f"{name} was touched after it was made: see docs/how-to/back-up-and-restore.md.\n")
    for difference in verdict.differences:
        sys.stderr.write(f"{difference}\n")
    return 0 if verdict.holds else 1


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
