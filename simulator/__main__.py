"""`kaukoluenta demo`: a small town, all real parts, one command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from contextlib import aclosing
from pathlib import Path

from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.command import run_command
from simulator.broker import BROKERS
from simulator.bus import run_town
from simulator.chaos import plan_strikes
from simulator.check import check_town, read_outbox, read_store
from simulator.conductor import Stage, plant_in, stage
from simulator.heat import HOUR
from simulator.office import bill_complete_months, extract_file, import_customers
from simulator.plan import plan_town
from simulator.plant import Plant
from simulator.telling import told_bill, told_day, told_parts
from simulator.town import Town

_AFTERWARDS_S = 3.0  # real seconds for an hour of the town, once the month has passed


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Virtual meters, and the conductor of the demo.")
    verbs = parser.add_subparsers(metavar="VERB")
    demo = verbs.add_parser("demo", help="a small town, all real parts, one command")
    _size(demo)
    demo.add_argument("--headless", action="store_true", help="no pages; end when the span has passed")
    demo.add_argument("--check", action="store_true", help="compare all books; exit 1 when they differ")
    demo.add_argument("--chaos", action="store_true", help="kill gateway, broker and collector on the way")
    demo.add_argument("--out", type=Path, metavar="DIR", help="keep everything in this empty folder")
    demo.add_argument("--broker", choices=BROKERS, help="instead of Mosquitto where it is installed")
    demo.set_defaults(run=lambda chosen: asyncio.run(_demo(chosen)))
    town = verbs.add_parser("town", help="serve a town's meters (the demo's own child)")
    _size(town)
    town.add_argument("--clock", type=Path, required=True, help="folder of the stepped clock")
    town.add_argument("--ports", type=Path, required=True, help="file for the lines' ports")
    town.set_defaults(run=lambda chosen: asyncio.run(_serve(chosen)))
    return parser


def _size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--meters", type=int, default=24, help="how many (24)")
    parser.add_argument("--hours", type=int, default=800, help="how long (800: holds October 2026)")
    parser.add_argument("--seed", type=int, default=7, help="the same seed is the same town (7)")


async def _serve(chosen: argparse.Namespace) -> int:
    town = plan_town(chosen.seed, chosen.meters, hours=chosen.hours)
    await run_town(town, open_clock(f"stepped:{chosen.clock}", "town"), chosen.ports)
    return 0


async def _demo(chosen: argparse.Namespace) -> int:
    town = plan_town(chosen.seed, chosen.meters, hours=chosen.hours)
    me = asyncio.current_task()
    assert me is not None
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, me.cancel)
    try:
        with plant_in(chosen.out) as plant:
            async with stage(town, plant, with_pages=not chosen.headless, broker=chosen.broker) as made:
                return await _show(town, plant, made, chosen)
    except asyncio.CancelledError:
        print("\nStopped; nothing was left running.")
        return 0 if not chosen.check else 1


async def _show(town: Town, plant: Plant, made: Stage, chosen: argparse.Namespace) -> int:
    print(told_parts(made), flush=True)
    strikes = plan_strikes(town.seed, town.hours) if chosen.chaos else []
    async with aclosing(made.run_until(town.end, strikes)) as slots:
        async for slot in slots:
            if line := told_day(made, slot):
                print(line, flush=True)
    sent, _, _ = await asyncio.gather(
        asyncio.to_thread(read_outbox, plant.gateway_database),
        asyncio.to_thread(import_customers, town, plant),
        made.settle(),
    )
    stored, bills = await asyncio.gather(
        asyncio.to_thread(read_store, town, plant.data / "collector.db"),
        asyncio.to_thread(bill_complete_months, town, plant),
    )
    for month, bill in bills.items():
        print(told_bill(bill, extract_file(plant, month)), flush=True)
    verdict = check_town(town, sent, stored, bills)
    print("\n".join([*verdict.differences, str(verdict)]), flush=True)
    if not chosen.headless:
        await _stay(made)
    return 1 if verdict.differences and chosen.check else 0


async def _stay(made: Stage) -> None:
    """The page stays up and the town lives on, an hour every few seconds, until Ctrl-C."""
    print(f"\nopen        {made.address}")
    print(f"            the town lives on, an hour every {_AFTERWARDS_S:.0f} s; Ctrl-C ends it", flush=True)
    end = made.keeper.now
    while True:
        end += HOUR
        async with aclosing(made.run_until(end, [])) as slots:
            async for _ in slots:
                pass
        await asyncio.sleep(_AFTERWARDS_S)


def main() -> None:
    sys.exit(run_command(build_parser()))


if __name__ == "__main__":
    main()
