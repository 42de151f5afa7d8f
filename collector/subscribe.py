"""`collector run`: what the broker brings, stored first, then acknowledged end to end, then to the broker.

The network thread only puts messages into a queue; one worker takes what is there, in order. While the store
cannot take anything nothing is acknowledged, so the gateways keep what they sent; the worker tries again.
"""

from __future__ import annotations

import logging
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from pathlib import Path
from queue import Empty, SimpleQueue

from collector.intake import Intake, open_intake
from collector.settings import CollectorSettings
from collector.store import StoreUnavailable
from kaukoluenta.acknowledgement import Acknowledgement, encode_acknowledgement
from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.identifiers import GatewayName
from kaukoluenta.runtime.clock import open_clock
from kaukoluenta.runtime.database import DatabaseTooNew
from kaukoluenta.runtime.lock import only_one
from kaukoluenta.runtime.log import fields
from kaukoluenta.runtime.mqtt import Message, MqttSession
from kaukoluenta.topics import topic

log = logging.getLogger(__name__)

CLIENT_ID = "kaukoluenta-collector"
MOST_MESSAGES = 100
"""In one round: enough to share a commit among, few enough to answer soon."""
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 10.0


class Signal(Enum):
    CONNECTED = auto()
    STOP = auto()


Publish = Callable[[str, bytes], object]


class Subscriber:
    """The worker: waits at the queue, opens the intake when it can, answers in the order of arrival."""

    def __init__(
        self, queue: SimpleQueue[Message | Signal], open_intake: Callable[[], Intake], publish: Publish
    ) -> None:
        self._queue, self._open_intake, self._publish = queue, open_intake, publish
        self._intake: Intake | None = None
        self._waiting: deque[Message] = deque()
        self._greeting = self._stopping = False

    def prepare(self) -> None:
        """Open the store if it is there. Raises DatabaseTooNew, which no waiting mends."""
        try:
            self._intake = self._open()
        except StoreUnavailable as error:
            log.error("store unavailable %s", fields(reason=error))

    def serve(self) -> None:
        """Work until STOP is in the queue. Raises DatabaseTooNew."""
        pause_s = 0.0
        while not self._stopping:
            try:
                self._answer()
                pause_s = 0.0
            except StoreUnavailable as error:
                pause_s = min(max(2 * pause_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
                log.error("store unavailable, nothing acknowledged %s", fields(pause_s=pause_s, reason=error))
                self._close()
            self._listen(pause_s)
        self._close()

    def _listen(self, pause_s: float) -> None:
        """Wait out a pause, or without one until something is there; then take all that is there."""
        until = time.monotonic() + pause_s
        block = pause_s == 0
        while not self._stopping:
            left = until - time.monotonic()
            try:
                item = self._queue.get(block or left > 0, None if block else max(left, 0))
            except Empty:
                return
            block = False
            self._file(item)

    def _file(self, item: Message | Signal) -> None:
        match item:
            case Signal.STOP:
                self._stopping = True
            case Signal.CONNECTED:
                self._greeting = True
            case message:
                self._waiting.append(message)

    # Answering --------------------------------------------------------------------------------------

    def _answer(self) -> None:
        """Make what waits durable, round by round, and say so."""
        intake = self._intake = self._intake or self._open()
        if self._greeting:
            self._tell(intake.acknowledgements())
            self._greeting = False
        while self._waiting:
            messages = [*self._waiting][:MOST_MESSAGES]
            self._tell(self._take(intake, messages))
            for message in messages:
                message.acknowledge()
                self._waiting.popleft()

    def _take(self, intake: Intake, messages: Sequence[Message]) -> list[tuple[GatewayName, Acknowledgement]]:
        """One round; if it hits a bug of ours, message by message, the one at fault set aside."""
        try:
            return intake.take((message.topic, message.payload) for message in messages)
        except StoreUnavailable:
            raise
        except Exception as bug:  # the loop's one catch-all: a message must not wedge it
            log.exception("cannot take %s", fields(messages=len(messages)))
            if len(messages) > 1:
                return [told for message in messages for told in self._take(intake, [message])]
            intake.set_aside(messages[0].topic, messages[0].payload, f"The collector failed: {bug!r}.")
            return []

    def _tell(self, acknowledgements: Iterable[tuple[GatewayName, Acknowledgement]]) -> None:
        for gateway, acknowledgement in acknowledgements:
            self._publish(topic(gateway, "ack"), encode_acknowledgement(acknowledgement))

    def _open(self) -> Intake:
        try:
            return self._open_intake()
        except DatabaseTooNew:
            raise
        except ConfigurationInvalid as error:  # a disk that is away, a file that is locked: it may come back
            raise StoreUnavailable(error.problem, remedy=error.remedy) from error

    def _close(self) -> None:
        if self._intake:
            self._intake.close()
            self._intake = None


def run(settings: CollectorSettings) -> int:
    """Serve until SIGTERM or SIGINT. A broker or a store that is not there is waited for.

    Raises:
        ConfigurationInvalid: settings that cannot be used, a database of a newer version, or another
            collector runs with it.
    """
    path = settings.database()
    remedy = "Stop it: two would push each other from the broker. For another town set another data folder."
    with only_one("collector", path, remedy=remedy):
        return _serve(settings, path)


def _serve(settings: CollectorSettings, path: Path) -> int:
    table = settings.collector
    clock = open_clock(table.clock, CLIENT_ID)
    queue: SimpleQueue[Message | Signal] = SimpleQueue()
    session = MqttSession(
        settings.mqtt,
        CLIENT_ID,
        subscriptions=[topic("+", "readings"), topic("+", "state")],
        on_message=queue.put,
        on_connect=lambda: queue.put(Signal.CONNECTED),
        persistent=True,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: queue.put(Signal.STOP))
    subscriber = Subscriber(
        queue,
        lambda: open_intake(table.store, path, clock, table.ahead),
        lambda name, octets: session.publish(name, octets, retain=True),
    )
    log.info("collector starts %s", fields(database=path, store=table.store))
    subscriber.prepare()
    session.start()
    try:
        subscriber.serve()
    finally:
        session.stop()
    log.info("collector stopped")
    return 0
