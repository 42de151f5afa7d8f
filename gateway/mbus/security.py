"""Encrypted records of wired meters: security mode 5, AES-128-CBC (EN 13757-7:2018).

A configuration word is only taken for encryption when all of it fits: old meters keep an obsolete "signature"
in the same place. Of a meter that has a key, no such word is believed to be one.
"""

from __future__ import annotations

from typing import Final

from gateway.mbus.errors import BadKey
from gateway.mbus.header import Header, Identity

MODE_5: Final = 5
MODE_5_NAME: Final = "mode 5 AES-CBC-IV"
BLOCK: Final = 16  # octets
STARTS_PLAIN: Final = b"\x2f\x2f"
"""The first plain octets of every encrypted part: two idle fillers prove the key."""


def encrypted_octets(header: Header, octets: bytes) -> int:
    """How many octets behind the header are encrypted in mode 5; 0 when the records are plain."""
    if header.config_word >> 8 & 0x1F != MODE_5 or octets[:2] == STARTS_PLAIN:
        return 0
    length = (header.config_word >> 4 & 0x0F) * BLOCK
    return length if length <= len(octets) else 0


def why_not_plain(header: Header, octets: bytes) -> str | None:
    """Why octets without a usable mode 5 are no plain records, of a meter that is known to encrypt."""
    mode, blocks = header.config_word >> 8 & 0x1F, header.config_word >> 4 & 0x0F
    if mode == 0 or octets[:2] == STARTS_PLAIN or (mode == MODE_5 and blocks == 0):
        return None
    return f"security:{'fewer octets than are encrypted' if mode == MODE_5 else f'mode {mode} is not read'}"


def decrypt(identity: Identity, access_no: int, encrypted: bytes, key: bytes) -> bytes | None:
    """The plain octets, or None when the key is not the meter's.

    Raises:
        BadKey: not 16 octets.
    """
    from cryptography.hazmat.primitives.ciphers import (
        Cipher,
        algorithms,
        modes,
    )  # slow to import, rarely used

    check_key(key)
    decryptor = Cipher(algorithms.AES(key), modes.CBC(initial_vector(identity, access_no))).decryptor()
    plain = decryptor.update(encrypted) + decryptor.finalize()
    return plain if plain.startswith(STARTS_PLAIN) else None


def initial_vector(identity: Identity, access_no: int) -> bytes:
    """Manufacturer, number, version, medium as in the header, then the access number eight times."""
    number = bytes.fromhex(identity.id)[::-1]
    maker = identity.manufacturer_code.to_bytes(2, "little")
    return maker + number + bytes((identity.version, identity.medium)) + bytes((access_no,)) * 8


def check_key(key: bytes) -> None:
    """Raises BadKey unless the key has the 16 octets of AES-128."""
    if len(key) != BLOCK:
        raise BadKey(f"An AES-128 key has 16 octets, not {len(key)}.", remedy="Give 32 hexadecimal digits.")
