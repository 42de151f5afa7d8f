"""`kaukoluenta gateway decode`: telegrams in, one JSON object each out.

A line of standard input is a telegram in hexadecimal and, after a blank, its AES key where it has one. A line
of standard output is what it says, always, and the exit code is 0: what cannot be read is a result too.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterable
from typing import Final, TextIO

from gateway.mbus.security import BLOCK
from gateway.mbus.telegram import decode_telegram
from gateway.telegram_view import Json, telegram_json

LONGEST_LINE: Final = 1_000_000
"""In characters. A frame has 261 octets at most; a line may hold a stream of them."""


def decode_lines(lines: Iterable[bytes], answers: TextIO) -> None:
    """Each answer is flushed, so that two programs can talk line by line."""
    for line in lines:
        text = line.removeprefix(BOM_UTF8).decode("ascii", "replace")
        answers.write(json.dumps(decode_line(text)) + "\n")
        answers.flush()


def decode_line(text: str) -> Json:
    """The answer to one line: hexadecimal digits (octets may stand apart) and, last, a key of 32 digits."""
    try:
        if len(text) > LONGEST_LINE:
            raise ValueError(f"longer than {LONGEST_LINE} characters")
        octets, key = _octets_and_key(text.split())
    except ValueError as error:
        return {"outcome": "reject", "reason": f"input:{error}"}
    return telegram_json(decode_telegram(octets, key))


def _octets_and_key(words: list[str]) -> tuple[bytes, bytes | None]:
    """Raises ValueError with the reason as the contract's answer shows it."""
    if not words:
        raise ValueError("the line is empty")
    key = words.pop() if len(words) > 1 and len(words[-1]) == 2 * BLOCK else None
    if len(words) > 1 and any(len(word) != 2 for word in words):
        raise ValueError("more than a telegram and its key, which has 32 hexadecimal digits")
    try:
        return bytes.fromhex("".join(words)), None if key is None else bytes.fromhex(key)
    except ValueError:
        raise ValueError("not an even number of hexadecimal digits") from None
