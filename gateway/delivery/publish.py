"""From the outbox to the broker: a window of batches, sent until the collector says that it has stored them.

A thread of its own, woken by a commit, a connection or an acknowledgement; it never polls. A PUBACK proves
nothing and is not looked at. Acknowledgements of another epoch are not believed. One of this epoch that
names a batch which is not ours says that the outbox was put back from an old copy: it begins a new epoch.
Time here is real time, since it waits for machines; only the age of what is pruned follows the clock.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.delivery.outbox import PRUNED_AT_ONCE, Outbox, OutboxDamaged, OutboxUnavailable
from gateway.delivery.window import SendWindow
from gateway.settings import GatewaySettings
from kaukoluenta import __version__
from kaukoluenta.acknowledgement import Acknowledgement, decode_acknowledgement
from kaukoluenta.gateway_state import GatewayState, encode_state
from kaukoluenta.payload import PayloadError, digest_of
from kaukoluenta.runtime.log import fields
from kaukoluenta.runtime.mqtt import Message, MqttSession
from kaukoluenta.topics import topic

log = logging.getLogger(__name__)

_LONGEST_PATIENCE_S = 3600.0
_BETWEEN_STATES_S = 2.0
_BETWEEN_TIDYINGS_S = 1.0
_AFTER_A_FAILURE_S = 5.0
_AFTER_A_GREETING_S = 1.0
_BETWEEN_EPOCHS_S = 60.0
"""A forged acknowledgement makes all be sent again; it must not do so without end."""


@dataclass(slots=True)
class _News:
    """What other threads have told since the last turn."""

    connected: bool = False
    committed: bool = False
    acks: list[Acknowledgement] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.connected or self.committed or bool(self.acks)


class _Sparingly:
    """Lets something happen when needed, but not again within `pause_s`. `due_at` says when, else never."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s, self._free_at, self.due_at = pause_s, 0.0, math.inf

    def due(self, needed: bool) -> bool:
        now = time.monotonic()
        self.due_at = max(self._free_at, now) if needed else math.inf
        if self.due_at > now:
            return False
        self._free_at, self.due_at = now + self._pause_s, math.inf
        return True


class _Patience:
    """When to send all again: after `shortest_s` without progress, then after twice as long, and so on."""

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = self._s = shortest_s
        self.ends_at = math.inf

    def waiting(self, anything: bool) -> None:
        """Begin to wait, or wait on, while anything is in flight."""
        if not anything:
            self.ends_at = math.inf
        elif self.ends_at == math.inf:
            self.ends_at = time.monotonic() + self._s

    def heard(self, *, progress: bool) -> None:
        """The collector is there. What tells nothing new is a greeting: it never got what is in flight."""
        self._s = self._shortest_s
        self.ends_at = math.inf if progress else min(self.ends_at, time.monotonic() + _AFTER_A_GREETING_S)

    def has_ended(self) -> bool:
        if time.monotonic() < self.ends_at:
            return False
        self._s, self.ends_at = min(2 * self._s, _LONGEST_PATIENCE_S), math.inf
        return True


class Publisher:
    """Publishes one outbox for as long as the process lives.

    Args:
        now: the gateway's clock.
        on_damage: called, on this thread, when the outbox file is found broken; nothing more is sent.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        outbox: Outbox,
        now: Callable[[], datetime],
        on_damage: Callable[[OutboxDamaged], object],
    ) -> None:
        self._table, self._outbox, self._now, self._on_damage = settings.gateway, outbox, now, on_damage
        self._lines = {line: list[str](meters) for line, meters in settings.meters().items()}
        self._readings, self._state = (topic(self._table.name, kind) for kind in ("readings", "state"))
        self._session = MqttSession(
            settings.mqtt,
            f"kaukoluenta-gateway-{self._table.name}",
            subscriptions=[topic(self._table.name, "ack")],
            on_message=self._received,
            on_connect=self._connected,
            will=(self._state, encode_state(GatewayState(online=False))),
        )
        self._window = SendWindow(outbox.acknowledged())
        self._noted, self._told = self._window.settled, GatewayState(online=False)
        self._states, self._tidyings = _Sparingly(_BETWEEN_STATES_S), _Sparingly(_BETWEEN_TIDYINGS_S)
        self._epochs = _Sparingly(_BETWEEN_EPOCHS_S)
        self._patience = _Patience(self._table.resend_after.total_seconds())
        self._condition, self._news = threading.Condition(), _News()
        self._stopping = self._online = False
        self._thread = threading.Thread(target=self._run, name="publisher")

    def start(self) -> None:
        """Begin to connect and publish, in the background."""
        self._session.start()
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end. What is not acknowledged goes out at the next start."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()
        self._session.publish(self._state, encode_state(GatewayState(online=False)), retain=True)
        self._session.stop()

    def wake(self) -> None:
        """Something new is in the outbox. From any thread."""
        with self._condition:
            self._news.committed = True
            self._condition.notify()

    # On the session's thread

    def _connected(self) -> None:
        with self._condition:
            self._news.connected = True
            self._condition.notify()

    def _received(self, message: Message) -> None:
        message.acknowledge()
        try:
            ack = decode_acknowledgement(message.payload)
        except PayloadError as error:
            log.warning("acknowledgement refused %s", fields(reason=error.problem))
            return
        with self._condition:
            self._news.acks.append(ack)
            self._condition.notify()

    # On the publisher's thread

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn(self._wait())
            except OutboxDamaged as error:
                self._on_damage(error)
                return
            except Exception:  # this loop's one catch-all: the outbox keeps what could not go
                log.exception("publishing failed")
                time.sleep(_AFTER_A_FAILURE_S)
        self._note_settled()

    def _wait(self) -> _News:
        """What is new, as soon as there is something or the next deadline has come."""
        deadline = min(self._patience.ends_at, self._states.due_at, self._tidyings.due_at)
        left = None if deadline == math.inf else max(deadline - time.monotonic(), 0)
        with self._condition:
            self._condition.wait_for(lambda: bool(self._news) or self._stopping, left)
            news, self._news = self._news, _News()
        return news

    def _turn(self, news: _News) -> None:
        _, head = self._outbox.span()
        for ack in news.acks:
            self._believe(ack, head)
        oldest, head = self._outbox.span()
        if news.connected:
            self._online, self._told = True, GatewayState(online=False)
        if news.connected or self._patience.has_ended():
            self._window.start_over()
        self._send(oldest, head)
        self._patience.waiting(self._window.in_flight > 0)
        self._tell_state(head)
        self._tidy()

    def _believe(self, ack: Acknowledgement, head: int) -> None:
        if ack.epoch != self._outbox.epoch:
            log.info("acknowledgement of another epoch ignored %s", fields(epoch=ack.epoch[:64]))
            return
        before = self._window.settled, self._window.in_flight
        if self._is_of_ours(ack, head) and self._window.acknowledged(ack, head):
            self._patience.heard(progress=before != (self._window.settled, self._window.in_flight))
        else:
            self._begin_epoch(ack, head)

    def _is_of_ours(self, ack: Acknowledgement, head: int) -> bool:
        """Whether the batch `upto` is the same at both ends, as far as both still have it."""
        rows = self._outbox.rows([ack.upto] if ack.digest and ack.upto <= head else [])
        return all(digest_of(row.octets).hex() == ack.digest for row in rows)

    def _begin_epoch(self, ack: Acknowledgement, head: int) -> None:
        """The collector holds other batches under our names. A refusing disk leaves all as it was."""
        told = fields(upto=ack.upto, newest=head)
        if not self._epochs.due(True):
            log.error("acknowledgement refused, an epoch has just begun %s", told)
            return
        try:
            self._outbox.begin_epoch()
        except OutboxUnavailable as error:
            log.error("no new epoch %s", fields(reason=error.problem))
            return
        self._window, self._noted = SendWindow(0), 0
        self._patience.waiting(False)
        log.error("outbox older than what it has sent, all goes again %s epoch=%s", told, self._outbox.epoch)

    def _send(self, oldest: int, head: int) -> None:
        """What the session takes before it has told of its connection, paho sends twice."""
        for row in self._outbox.rows(self._window.wanted(oldest, head) if self._online else []):
            self._online = self._session.publish(self._readings, row.octets)
            if not self._online:
                break
            self._window.sent(row.seq)

    def _tell_state(self, head: int) -> None:
        state = GatewayState(
            online=True,
            epoch=self._outbox.epoch,
            head=head,
            acknowledged=self._window.settled,
            clock=self._table.clock.partition(":")[0],
            version=__version__,
            every_s=int(self._table.every.total_seconds()),
            lines=self._lines,
        )
        if self._states.due(state != self._told and self._online) and self._session.publish(
            self._state, encode_state(state), retain=True
        ):
            self._told = state

    def _tidy(self) -> None:
        """Now and then note what is settled, and delete what is old enough."""
        if self._tidyings.due(self._window.settled != self._noted):
            self._note_settled()
            before = self._now() - self._table.keep_acknowledged
            while self._outbox.prune(before) == PRUNED_AT_ONCE and not self._news:
                pass

    def _note_settled(self) -> None:
        """For the next start. A disk that refuses costs no more than sending something twice."""
        try:
            self._outbox.acknowledge(self._window.settled)
            self._noted = self._window.settled
        except OutboxUnavailable as error:
            log.warning("acknowledgement not noted %s", fields(reason=error.problem))
