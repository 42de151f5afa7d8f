"""`kaukoluenta gateway run`: outbox, publisher and one loop for each line, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

from gateway.delivery.keep import Keeper
from gateway.delivery.outbox import Outbox, OutboxDamaged
from gateway.delivery.outbox_file import open_outbox
from gateway.delivery.publish import Publisher
from gateway.lines import make_line
from gateway.poll import LinePoller
from gateway.readout import Line
from gateway.settings import GatewaySettings
from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.data_folder import database_path
from kaukoluenta.runtime.lock import only_one
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)


def outbox_path(settings: GatewaySettings) -> Path:
    """Where the outbox lies. Raises ConfigurationInvalid when nothing says so."""
    table = settings.gateway
    return database_path(f"gateway-{table.name}.db", table.database, 'write database = "PATH" in [gateway]')


def run_gateway(settings: GatewaySettings) -> None:
    """Poll, keep and publish until SIGTERM or SIGINT.

    Raises:
        ConfigurationInvalid: before anything connects.
        OutboxDamaged: the file broke while running; the next start repairs it.
    """
    lines = {line.name: make_line(line) for line in settings.line}
    path, table = outbox_path(settings), settings.gateway
    open_clock(table.clock, table.name)
    with only_one("gateway", path, remedy="Stop it, or give this one another name."):
        outbox = open_outbox(path, table.name, settings.meters(), table.outbox_limit_mb)
        with closing(outbox):
            asyncio.run(_serve(settings, lines, outbox))


async def _serve(settings: GatewaySettings, lines: dict[str, Line], outbox: Outbox) -> None:
    loop, table = asyncio.get_running_loop(), settings.gateway
    stop: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _settle, stop, None)
    clock = open_clock(table.clock, table.name)
    publisher = Publisher(
        settings, outbox, clock.now, lambda error: loop.call_soon_threadsafe(_settle, stop, error)
    )
    keeper, progress = Keeper(outbox, clock.now, publisher.wake), outbox.progress()
    log.info("gateway starts %s", fields(name=table.name, lines=len(lines), epoch=outbox.epoch))
    publisher.start()
    polls = [
        asyncio.create_task(
            LinePoller(
                line,
                table,
                lines[line.name],
                open_clock(table.clock, f"{table.name}/{line.name}"),
                keeper,
                progress.get(line.name),
            ).run()
        )
        for line in settings.line
    ]
    try:
        endings: list[asyncio.Future[Any]] = [stop, *polls]
        ended, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        for one in ended:
            one.result()
    finally:
        await _end(polls)
        for line in lines.values():
            await line.close()
        await asyncio.to_thread(publisher.stop)
        log.info("gateway ends %s", fields(name=table.name))


def _settle(stop: asyncio.Future[None], error: OutboxDamaged | None) -> None:
    """End `_serve`, with an error or without; the first word counts."""
    if not stop.done():
        stop.set_exception(error) if error else stop.set_result(None)


async def _end(polls: list[asyncio.Task[NoReturn]]) -> None:
    for poll in polls:
        poll.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
