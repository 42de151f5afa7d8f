"""Names of things on the telemetry side. None of them says who the customer is."""

from __future__ import annotations

import re
from typing import NewType

from kaukoluenta.errors import KaukoluentaError

MeterId = NewType("MeterId", str)
"""Manufacturer and serial as on the plate: `KAM-69183621`. Leading zeros kept. A pseudonym."""

GatewayName = NewType("GatewayName", str)
"""A gateway's name, one MQTT topic level: `kirkonkyla-1`."""

_METER = re.compile(r"[A-Z@]{3}-[0-9A-Za-z]{1,20}")
_GATEWAY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class BadIdentifier(KaukoluentaError):
    """Text that names no meter or gateway."""


def meter_id(text: str) -> MeterId:
    """Check a meter's id. Raises BadIdentifier, which does not repeat the text."""
    if not _METER.fullmatch(text):
        raise BadIdentifier(
            "This is no meter id.",
            remedy="Write the maker's three letters, a dash and the serial as on the plate: KAM-69183621.",
        )
    return MeterId(text)


def meter_id_of(manufacturer: str, serial: str) -> MeterId:
    """The id of the meter whose plate shows this manufacturer code and serial number."""
    return meter_id(f"{manufacturer}-{serial}")


def gateway_name(text: str) -> GatewayName:
    """Check a gateway's name: it becomes a topic level and a file name."""
    if not _GATEWAY.fullmatch(text):
        raise BadIdentifier(
            f"{text[:70]!r} cannot name a gateway.",
            remedy="Use letters, digits, dash, dot and underscore, at most 64: kirkonkyla-1.",
        )
    return GatewayName(text)
