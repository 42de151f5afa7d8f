"""`kaukoluenta dashboards run | check`: the operators' pages, read-only."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kaukoluenta.runtime.command import print_json, print_table, run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kaukoluenta dashboards", description="Pages for plant operators.")
    verbs = parser.add_subparsers(metavar="VERB")
    running = verbs.add_parser("run", help="serve the pages until SIGTERM or Ctrl-C")
    running.set_defaults(run=_run)
    checking = verbs.add_parser("check", help="check settings, clock and database without serving")
    checking.add_argument("--json", action="store_true", help="for programs")
    checking.set_defaults(run=_check)
    for verb in (running, checking):
        verb.add_argument("--config", metavar="FILE", type=Path, help="dashboards.toml")
    return parser


def _run(arguments: argparse.Namespace) -> int:
    from dashboards.app import build_app
    from dashboards.collector_source import CollectorSource
    from dashboards.serve import serve
    from dashboards.settings import DashboardsSettings, collector_database
    from dashboards.watch import Watch
    from kaukoluenta.runtime.clock import open_clock
    from kaukoluenta.runtime.log import start_log
    from kaukoluenta.runtime.settings import load_settings

    start_log()
    settings = load_settings(DashboardsSettings, arguments.config)
    table = settings.dashboards
    source = CollectorSource(collector_database(settings))
    watch = Watch(source, open_clock(table.clock, "dashboards"), table.grace, keep_s=table.refresh_s / 2)
    try:
        serve(build_app(watch, table.refresh_s), table.host, table.port)
    finally:
        source.close()
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """Exit 4 when the readings cannot be had."""
    from dashboards.check import checked
    from dashboards.settings import DashboardsSettings
    from kaukoluenta.runtime.settings import load_settings

    facts = checked(load_settings(DashboardsSettings, arguments.config))
    if arguments.json:
        print_json(facts)
    else:
        print_table(("what", "value"), [*facts.items()])
    return 0


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
