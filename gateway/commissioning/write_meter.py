"""`kaukoluenta gateway write`: change something in one meter, when a person has named it twice.

Says what it is about to do, writes only with the meter's id given once more, reads the meter again, and logs.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from gateway.commissioning.mbus_visit import failure_of
from gateway.commissioning.target import Target
from gateway.commissioning.write_orders import NotWritten, Order, SetAddress, SetBaud, arrive
from gateway.lines.mbus_line import secondary_of
from gateway.lines.mbus_master import MbusMaster
from gateway.links import link_address, link_to
from gateway.mbus.commands import BaudNotChanged
from gateway.mbus.dialogue import Dialogue
from gateway.mbus.errors import MbusError
from gateway.readout import ReadFailed
from kaukoluenta.errors import KaukoluentaError, UsageError
from kaukoluenta.runtime.command import print_json
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)


def write_meter(target: Target, order: Order, confirmation: str | None, *, as_json: bool) -> int:
    """Carry out one order; the exit code.

    Raises:
        UsageError: not confirmed, or an order that cannot be.
        NotWritten, ReadFailed: as JSON that is printed instead.
    """
    _check(target, order)
    meter = target.meter.id
    sys.stderr.write(f"{meter} on {target.line.name}: {order.told()}.\n")
    _confirm(meter, confirmation)
    try:
        proof = asyncio.run(_carry_out(target, order))
    except (NotWritten, ReadFailed) as failure:
        log.error("no proof of writing %s", fields(meter=meter, order=order.told(), reason=failure.problem))
        return _failed(meter, order, failure, as_json)
    log.info("written %s", fields(meter=meter, line=target.line.name, order=order.told(), proof=proof))
    if as_json:
        print_json({"meter": meter, "order": order.told(), "proof": proof})
    else:
        sys.stdout.write(f"Done: {meter} {proof}.\n")
    return 0


def _check(target: Target, order: Order) -> None:
    """Raise UsageError where the order cannot end well."""
    if target.line.protocol != "mbus":
        raise UsageError("Only M-Bus meters are written to.", remedy="Use the maker's own tool.")
    if "F" in target.meter.id.partition("-")[2].upper():
        raise UsageError(
            f"{target.meter.id} may be several meters: F stands for any digit.",
            remedy="Write all its digits.",
        )
    if isinstance(order, SetBaud) and link_address(target.line.link).scheme == "tcp":
        raise UsageError(
            "A TCP converter keeps its own speed: nobody could speak to the meter afterwards.",
            remedy="Use a serial:// or rfc2217:// link.",
        )
    if isinstance(order, SetAddress):
        for other in target.line.meter:
            if other.address == order.new and other.id != target.meter.id:
                raise UsageError(
                    f"The config gives address {order.new} to {other.id}.", remedy="Choose another."
                )


def _confirm(meter: str, confirmation: str | None) -> None:
    """Raise UsageError unless the person gives the meter's id once more."""
    if confirmation is None and sys.stdin.isatty():
        sys.stderr.write("Type the meter's id to write, anything else to leave it: ")
        sys.stderr.flush()
        confirmation = sys.stdin.readline().strip()
    if confirmation is None:
        raise UsageError("Not confirmed: nothing was written.", remedy=f"Add --yes-write {meter}")
    if confirmation != meter:
        raise UsageError(
            f"{confirmation or 'Nothing'} is not {meter}: nothing was written.",
            remedy="Name the same meter twice.",
        )


async def _carry_out(target: Target, order: Order) -> str:
    meter, line = target.meter, target.line
    master = MbusMaster(link_to(line.link), line.timeout_s)
    try:
        here = await master.perform(arrive(secondary_of(meter), meter.address, attempts=target.attempts))
        await _write(master, order.write(here, target.clock.now()))
        return await master.perform(order.prove(here, target.clock.now()))
    except MbusError as failure:
        raise failure_of(failure) from None
    finally:
        await master.link.close()


async def _write(master: MbusMaster, dialogue: Dialogue[None]) -> None:
    """Raises NotWritten, also when only the answer did not come that would say so."""
    try:
        await master.perform(dialogue)
    except BaudNotChanged as failure:
        raise NotWritten(failure.problem, remedy=failure.remedy) from None
    except MbusError as failure:
        raise NotWritten(
            f"{failure_of(failure).problem}: it may have been written all the same",
            remedy="Read the meter before you write again.",
        ) from None


def _failed(meter: str, order: Order, failure: KaukoluentaError, as_json: bool) -> int:
    if not as_json:
        raise failure
    error = {"problem": failure.problem, "remedy": failure.remedy}
    print_json({"meter": meter, "order": order.told(), "error": error})
    return failure.exit_code
