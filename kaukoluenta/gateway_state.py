"""What a gateway says of itself: that it is there, how far it is, whom it reads, how often. Contract v1."""

from __future__ import annotations

import msgspec

from kaukoluenta.payload import PayloadError


class GatewayState(msgspec.Struct, frozen=True, omit_defaults=False):
    """What a gateway says of itself, retained. The last will says `online` false and nothing else."""

    online: bool
    epoch: str = ""
    head: int = 0
    acknowledged: int = 0
    clock: str = "system"
    version: str = ""
    every_s: int = 0
    lines: dict[str, list[str]] = {}


_decode = msgspec.json.Decoder(GatewayState).decode


def encode_state(state: GatewayState) -> bytes:
    return msgspec.json.encode(state)


def decode_state(octets: bytes) -> GatewayState:
    """Raises PayloadError."""
    try:
        return _decode(octets)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise PayloadError(f"This is no state: {problem}.", remedy="Check who may write the topic.") from None
