"""What a collector says back, end to end: which batches are stored or in quarantine. Contract v1.

A PUBACK is no such word: a broker may lose what it has acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from kaukoluenta.payload import PayloadError


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Every seq up to `upto` is stored or quarantined, except the ranges in `missing` (both ends in).

    `digest` is `digest_of` the batch `upto`, in hex: a gateway whose own batch of that number is another
    one has been restored from an old copy. Older collectors do not say it.
    """

    epoch: str
    upto: int
    missing: tuple[tuple[int, int], ...] = ()
    digest: str | None = None


class _Acknowledgement(msgspec.Struct):
    epoch: str
    upto: Annotated[int, msgspec.Meta(ge=0)]
    missing: list[tuple[int, int]] = []
    digest: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")] | None = None


_decode = msgspec.json.Decoder(_Acknowledgement).decode


def encode_acknowledgement(ack: Acknowledgement) -> bytes:
    told = {"epoch": ack.epoch, "upto": ack.upto, "missing": ack.missing}
    return msgspec.json.encode(told | {"digest": ack.digest} if ack.digest else told)


def decode_acknowledgement(octets: bytes) -> Acknowledgement:
    """Raises PayloadError."""
    try:
        ack = _decode(octets)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise PayloadError(
            f"This is no acknowledgement: {problem}.", remedy="Check who may write the topic."
        ) from None
    return Acknowledgement(ack.epoch, ack.upto, tuple(ack.missing), ack.digest)
