"""MQTT topic names, built and parsed in one place."""

from __future__ import annotations

from typing import Literal, get_args

from kaukoluenta.identifiers import BadIdentifier, GatewayName, gateway_name

Kind = Literal["readings", "state", "ack", "command", "response"]
ROOT = "kaukoluenta/v1"


def topic(gateway: GatewayName | Literal["+"], kind: Kind) -> str:
    """The topic of one gateway, or with `+` the filter for all of them."""
    return f"{ROOT}/{gateway}/{kind}"


def parse_topic(text: str) -> tuple[GatewayName, Kind] | None:
    """Whose topic it is and what travels on it; None when the topic is not ours."""
    root, _, rest = text.partition(ROOT + "/")
    gateway, _, kind = rest.partition("/")
    if root or kind not in get_args(Kind):
        return None
    try:
        return gateway_name(gateway), kind  # type: ignore[return-value]  # narrowed by get_args above
    except BadIdentifier:
        return None
