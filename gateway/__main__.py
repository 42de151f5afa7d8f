"""`kaukoluenta gateway run | check | read | decode`: meters to disk, and from disk to the broker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kaukoluenta.runtime.command import print_json, print_table, run_command


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB")

    run = verbs.add_parser("run", help="poll the meters, keep the readings, publish them, until SIGTERM")
    run.set_defaults(run=_run)
    check = verbs.add_parser("check", help="check the config file without connecting to anything")
    check.set_defaults(run=_check)
    read = verbs.add_parser("read", help="read one meter now and print what it says")
    read.add_argument("meter", help="its id as in the config file: KAM-69183621")
    read.set_defaults(run=_read)
    for verb in (run, check, read):
        verb.add_argument("--config", type=Path, required=True, metavar="FILE", help="gateway.toml")
    for verb in (check, read):
        verb.add_argument("--json", action="store_true", help="for programs")

    decode = verbs.add_parser("decode", help="telegrams in hex on stdin, one JSON object each on stdout")
    decode.set_defaults(run=_decode)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    from gateway.meters_file import load_gateway_settings
    from gateway.run import run_gateway
    from kaukoluenta.runtime.log import start_log

    start_log()
    run_gateway(load_gateway_settings(chosen.config))
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from gateway.lines import make_line
    from gateway.meters_file import load_gateway_settings
    from gateway.run import outbox_path

    settings = load_gateway_settings(chosen.config)
    for line in settings.line:
        make_line(line)
    lines = [
        {"line": line.name, "protocol": line.protocol, "link": line.link, "meters": len(line.meter)}
        for line in settings.line
    ]
    database = str(outbox_path(settings))
    if chosen.json:
        print_json({"gateway": settings.gateway.name, "outbox": database, "lines": lines})
    else:
        print_table(("line", "protocol", "link", "meters"), [list(line.values()) for line in lines])
    return 0


def _read(chosen: argparse.Namespace) -> int:
    from gateway.meters_file import load_gateway_settings
    from gateway.read_meter import read_meter

    return read_meter(load_gateway_settings(chosen.config), chosen.meter, as_json=chosen.json)


def _decode(chosen: argparse.Namespace) -> int:
    from gateway.decode import main as decode

    return decode()


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
