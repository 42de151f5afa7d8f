"""Why a slot was missed, as the gateway's words say it, and which of our texts says the same.

The gateway writes for its log, in English. What is not known here stands as it came.
"""

from __future__ import annotations

import re

SILENCE = "reason.silence"
"""No gateway said anything of the slot."""

_KNOWN = (
    (re.compile(r"no answer"), "reason.no_answer"),
    (re.compile(r"the gateway was not running"), "reason.not_running"),
    (re.compile(r"the gateway did not come to it in time"), "reason.not_in_time"),
    (re.compile(r"its turn came after the slot's window"), "reason.not_in_time"),
    (re.compile(r"answered after the slot's window"), "reason.too_late"),
    (re.compile(r"(?P<meter>\S+) answers instead"), "reason.wrong_meter"),
    (re.compile(r"line down: (?P<detail>.+)"), "reason.line_down"),
    (re.compile(r"not stored: (?P<detail>.+)"), "reason.not_stored"),
)


def reason_key(reason: str | None) -> tuple[str, dict[str, str]] | None:
    """The text's key and what fills its blanks; None for words that are not known."""
    if reason is None:
        return SILENCE, {}
    found = ((pattern.search(reason), key) for pattern, key in _KNOWN)
    return next(((key, match.groupdict()) for match, key in found if match), None)
