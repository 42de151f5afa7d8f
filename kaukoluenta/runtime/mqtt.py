"""One MQTT session: connects and connects again, subscribes anew each time, never loses its thread.

paho runs callbacks on a network thread of its own, and an exception there kills that thread while the
client still calls itself connected. So everything given in here is guarded. Delivery is not this
module's business: a PUBACK is no proof of storage, and who needs certainty keeps his own books.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kaukoluenta.errors import ConfigurationInvalid
from kaukoluenta.runtime.log import fields
from kaukoluenta.runtime.mqtt_tls import connection_failure, tls_context
from kaukoluenta.runtime.settings import MqttSettings, read_secret

log = logging.getLogger(__name__)

_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_SHORTEST_RECONNECT_S, _LONGEST_RECONNECT_S = 0.2, 20
_MOST_UNACKNOWLEDGED = 1000
"""Messages that a broker may leave here without a PUBACK: a bound on memory while the store is away."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came. `acknowledge()` sends its PUBACK; until then the broker keeps it.

    After a reconnect that does nothing: the broker sends the message again, and its old number may be
    another message's by now.
    """

    topic: str
    payload: bytes
    acknowledge: Callable[[], None]


class MqttSession:
    """A broker connection that lives as long as the process.

    Args:
        client_id: stable name; the broker keeps the session of a `persistent` one.
        subscriptions: topic filters, QoS 1, subscribed at every connect.
        on_message: called on the network thread with each message; must not block for long.
        on_connect: called on the network thread after subscribing.
        will: (topic, payload), retained, published by the broker when this process is gone.

    Raises:
        ConfigurationInvalid: a secret or a certificate that cannot be used. Nothing has connected yet.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        *,
        subscriptions: Sequence[str] = (),
        on_message: Callable[[Message], None] | None = None,
        on_connect: Callable[[], None] | None = None,
        will: tuple[str, bytes] | None = None,
        persistent: bool = False,
    ) -> None:
        self._settings, self._subscriptions, self._persistent = settings, subscriptions, persistent
        self._on_message, self._on_connect = on_message, on_connect
        self._connections = 0
        self._failure_told = ""
        self._client = _client(settings, client_id, persistent)
        if will:
            self._client.will_set(will[0], will[1], qos=1, retain=True)
        self._client.on_connect = self._connected
        self._client.on_connect_fail = self._absent
        self._client.on_disconnect = self._disconnected
        self._client.on_message = self._received
        self._client.on_publish = self._published
        if settings.shows_its_password:
            log.warning(
                "password goes in clear %s",
                fields(
                    broker=self._broker,
                    remedy="name ca_file in [mqtt], unless nobody else is on the way to the broker",
                ),
            )

    def start(self) -> None:
        """Begin to connect, in the background, for ever. A broker that is not there is tried again."""
        settings = self._settings
        host, port = (str(settings.socket), 1) if settings.socket else (settings.host, settings.port)
        if settings.version == "5":
            properties = Properties(1)  # type: ignore[no-untyped-call]  # paho is not typed here
            properties.SessionExpiryInterval = 0xFFFFFFFF if self._persistent else 0
            properties.ReceiveMaximum = _MOST_UNACKNOWLEDGED
            self._client.connect_async(
                host, port, settings.keepalive_s, clean_start=not self._persistent, properties=properties
            )
        else:
            self._client.connect_async(host, port, settings.keepalive_s)
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye (no will is sent) and end the network thread."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    @property
    def _broker(self) -> str:
        return str(self._settings.socket or f"{self._settings.host}:{self._settings.port}")

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Hand a QoS 1 message to the network thread. False when there is no connection: not sent."""
        if not self._client.is_connected():
            return False
        return self._client.publish(topic, payload, qos=1, retain=retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _connected(
        self, client: paho.Client, userdata: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        if reason.is_failure:
            log.warning("broker refused %s", fields(reason=reason))
            return
        log.info("broker connected")
        self._connections += 1
        self._failure_told = ""
        if self._subscriptions:
            client.subscribe([(topic, 1) for topic in self._subscriptions])
        if self._on_connect:
            self._guarded(self._on_connect)

    def _absent(self, client: paho.Client, userdata: object) -> None:
        """paho calls this while it handles the exception, and does not hand it over."""
        what, why = connection_failure(sys.exception())
        if what != self._failure_told:
            log.warning("%s, trying on %s", what, fields(broker=self._broker, **why))
            self._failure_told = what

    def _disconnected(
        self, client: paho.Client, userdata: object, flags: object, reason: ReasonCode, properties: object
    ) -> None:
        log.warning("broker gone %s", fields(reason=reason))

    def _received(self, client: paho.Client, userdata: object, message: paho.MQTTMessage) -> None:
        self._guarded(lambda: self._hand_over(message))

    def _hand_over(self, message: paho.MQTTMessage) -> None:
        connection = self._connections

        def acknowledge() -> None:
            if connection == self._connections:
                self._client.ack(message.mid, message.qos)

        if self._on_message:
            self._on_message(Message(message.topic, bytes(message.payload), acknowledge))

    def _published(
        self, client: paho.Client, userdata: object, mid: int, reason: ReasonCode, properties: object
    ) -> None:
        if reason.is_failure:
            log.error(
                "broker refused a message %s", fields(reason=reason, remedy="check the broker's access list")
            )

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception:  # a callback's bug must not kill the network thread
            log.exception("callback failed")


def _client(settings: MqttSettings, client_id: str, persistent: bool) -> paho.Client:
    version = _VERSIONS.get(settings.version)
    if version is None:
        raise ConfigurationInvalid(
            f"[mqtt] version {settings.version!r} is not known.", remedy='Write "5" or "3.1.1".'
        )
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        clean_session=None if version == MQTTProtocolVersion.MQTTv5 else not persistent,
        protocol=version,
        transport="unix" if settings.socket else "tcp",
        manual_ack=True,
    )
    client.reconnect_delay_set(_SHORTEST_RECONNECT_S, _LONGEST_RECONNECT_S)  # type: ignore[arg-type]  # a float works
    client.max_inflight_messages_set(200)
    if settings.username:
        password = read_secret(settings.password_file) if settings.password_file else None
        client.username_pw_set(settings.username, password)
    if context := tls_context(settings):
        client.tls_set_context(context)
    return client
