"""`kaukoluenta gateway run | check | scan | read | write | decode`: meters to disk, and on to the broker."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaukoluenta.errors import UsageError
from kaukoluenta.runtime.command import print_json, print_table, run_command

if TYPE_CHECKING:
    from gateway.commissioning.target import Target
    from gateway.commissioning.write_orders import Order

_ANY_METER = 254
_LAST_PRIMARY = 250
_BAUDS = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400)
_FINNISH_NORMAL_TIME = timedelta(hours=2)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB")

    run = verbs.add_parser("run", help="poll the meters, keep the readings, publish them, until SIGTERM")
    run.set_defaults(run=_run)
    check = verbs.add_parser("check", help="check the config file without connecting to anything")
    check.set_defaults(run=_check)
    for verb in (run, check):
        verb.add_argument("--config", type=Path, required=True, metavar="FILE", help="gateway.toml")
    _add_scan(verbs)
    _add_read(verbs)
    _add_write(verbs)
    decode = verbs.add_parser("decode", help="telegrams in hex on stdin, one JSON object each on stdout")
    decode.set_defaults(run=_decode)
    for verb in (check, *(verbs.choices[name] for name in ("scan", "read", "write"))):
        verb.add_argument("--json", action="store_true", help="for programs")
    return parser


def _add_scan(verbs: Any) -> None:
    scan = verbs.add_parser("scan", help="who is on a line? One row an address; no meter is changed")
    scan.set_defaults(run=_scan)
    _add_line(scan)
    scan.add_argument("--line", metavar="NAME", help="a line of the config file")
    where = scan.add_mutually_exclusive_group()
    where.add_argument(
        "--addresses", default="1-250", metavar="A-B", help="primary addresses, or Modbus unit ids (1-250)"
    )
    where.add_argument(
        "--secondary",
        nargs="?",
        const="FFFFFFFF",
        metavar="MASK",
        help="search M-Bus by secondary address; a mask narrows it: 6918FFFF or FFFFFFFF.KAM",
    )
    scan.add_argument("--hex-digits", action="store_true", help="serial numbers may hold A to E")
    scan.add_argument("--attempts", type=_from(1, 10), default=1, help="how often to ask the silent (1)")
    scan.add_argument(
        "--maker",
        type=_maker,
        metavar="KAM",
        help="the letters on all plates of a Modbus line: no register says them",
    )
    scan.add_argument(
        "--out",
        type=Path,
        metavar="FILE.toml",
        help="write the meters found, and go on with a scan that was cut (the line's meters_file)",
    )


def _add_read(verbs: Any) -> None:
    read = verbs.add_parser("read", help="read one meter now and print what it says")
    read.set_defaults(run=_read)
    read.add_argument("meter", nargs="?", help="its id: KAM-69183621; without it the one on the link")
    _add_line(read)
    _add_meter(read)
    read.add_argument("--profile", metavar="NAME", help="with --link: a profile, or the path of one")
    wanted = read.add_mutually_exclusive_group()
    wanted.add_argument("--stored", action="store_true", help="also due-date and logged values it sends")
    wanted.add_argument(
        "--storage", type=_from(0, 1 << 40), metavar="N", help="have it send storage number N only"
    )


def _add_write(verbs: Any) -> None:
    write = verbs.add_parser("write", help="change something in one meter, and read it again to be sure")
    write.set_defaults(run=_write)
    write.add_argument("meter", help="its id: KAM-69183621")
    _add_line(write)
    _add_meter(write)
    order = write.add_mutually_exclusive_group(required=True)
    order.add_argument("--set-address", type=_from(0, _LAST_PRIMARY), metavar="N", help="primary address")
    order.add_argument(
        "--set-clock",
        nargs="?",
        type=_offset,
        const=_FINNISH_NORMAL_TIME,
        metavar="OFFSET",
        help="to now, so far ahead of UTC (+02:00, Finnish normal time)",
    )
    order.add_argument("--set-baud", type=int, choices=_BAUDS, metavar="BAUD", help="its speed")
    order.add_argument(
        "--application-reset",
        nargs="?",
        type=_subcode,
        const=-1,
        metavar="SUBCODE",
        help="back to the first telegram; subcode in hexadecimal",
    )
    write.add_argument("--yes-write", metavar="METER", help="the meter's id once more: yes, write")


def _subcode(text: str) -> int:
    try:
        code = int(text, 16)
    except ValueError:
        code = -1
    if not 0 <= code <= 0xFF:
        raise argparse.ArgumentTypeError("a subcode is 00 to FF, in hexadecimal")
    return code


def _add_line(verb: argparse.ArgumentParser) -> None:
    where = verb.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", type=Path, metavar="FILE", help="gateway.toml")
    where.add_argument(
        "--link", metavar="URL", help="without a config: tcp://host:port, serial:///dev/ttyUSB0"
    )


def _add_meter(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--address", type=_from(0, _ANY_METER), metavar="N", help="with --link: its primary address"
    )
    verb.add_argument("--key-file", type=Path, metavar="FILE", help="with --link: its AES key")


def _from(least: int, most: int) -> Any:
    """A whole number within limits, for argparse."""

    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not {least} to {most}")
        return value

    return number


def _maker(text: str) -> str:
    """Three letters, for argparse."""
    if not re.fullmatch(r"[A-Z]{3}", text):
        raise argparse.ArgumentTypeError(f"{text} is not three capital letters")
    return text


def _offset(text: str) -> timedelta:
    """`+02:00`, for argparse."""
    match = re.fullmatch(r"\+(0\d|1[0-4]):([0-5]\d)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text} is no offset like +02:00")
    return timedelta(hours=int(match[1]), minutes=int(match[2]))


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
    from kaukoluenta.runtime.mqtt import MqttSession

    settings = load_gateway_settings(chosen.config)
    MqttSession(settings.mqtt, settings.gateway.name)
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


def _scan(chosen: argparse.Namespace) -> int:
    from gateway.commissioning.target import line_of_config, line_of_link

    if chosen.link and chosen.line:
        raise UsageError("--line is a line of a config file.", remedy="Give --config, or --link alone.")
    line = line_of_link(chosen.link) if chosen.link else line_of_config(chosen.config, chosen.line)
    asked, out = chosen.secondary or chosen.addresses, chosen.out or line.meters_file
    if line.protocol == "modbus":
        from gateway.commissioning.modbus_scan_line import scan_modbus_line

        return scan_modbus_line(
            line, asked, out, maker=chosen.maker, attempts=chosen.attempts, as_json=chosen.json
        )
    from gateway.commissioning.scan_line import scan_line

    if chosen.maker:
        raise UsageError("--maker is for Modbus.", remedy="An M-Bus meter says its maker itself.")
    return scan_line(
        line, asked, out, attempts=chosen.attempts, hex_digits=chosen.hex_digits, as_json=chosen.json
    )


def _read(chosen: argparse.Namespace) -> int:
    from gateway.commissioning.read_meter import Wish, read_meter, read_whoever

    wish = Wish(chosen.json, chosen.stored, chosen.storage)
    if chosen.meter:
        return read_meter(_target(chosen), wish)
    if chosen.config or chosen.key_file or chosen.storage is not None:
        raise UsageError("Which meter?", remedy="Give its id: KAM-69183621")
    address = _ANY_METER if chosen.address is None else chosen.address
    return read_whoever(chosen.link, address, chosen.profile, wish)


def _write(chosen: argparse.Namespace) -> int:
    from gateway.commissioning.write_meter import write_meter
    from kaukoluenta.runtime.log import start_log

    start_log()
    target = _target(chosen)
    return write_meter(target, _order(chosen, target), chosen.yes_write, as_json=chosen.json)


def _target(chosen: argparse.Namespace) -> Target:
    from gateway.commissioning.target import meter_of_config, meter_of_link

    profile = getattr(chosen, "profile", None)
    if chosen.config:
        if (chosen.address, chosen.key_file, profile) != (None, None, None):
            raise UsageError(
                "--address, --key-file and --profile go with --link.", remedy="The config says them."
            )
        return meter_of_config(chosen.config, chosen.meter)
    return meter_of_link(chosen.link, chosen.meter, chosen.address, chosen.key_file, profile)


def _order(chosen: argparse.Namespace, target: Target) -> Order:
    from gateway.commissioning.write_orders import ApplicationReset, SetAddress, SetBaud, SetClock
    from gateway.links import link_address

    if chosen.set_address is not None:
        return SetAddress(chosen.set_address)
    if chosen.set_clock is not None:
        return SetClock(chosen.set_clock)
    if chosen.set_baud is not None:
        return SetBaud(link_address(target.line.link).baud, chosen.set_baud)
    return ApplicationReset(None if chosen.application_reset < 0 else chosen.application_reset)


def _decode(chosen: argparse.Namespace) -> int:
    from gateway.decode import decode_lines

    decode_lines(sys.stdin.buffer, sys.stdout)
    return 0


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
