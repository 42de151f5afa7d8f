"""Why a slot was missed, as the gateway's words say it, and which of our texts says the same.

The gateway writes for its log, in English, and its words change with what they name: each reason is known by
a pattern of the whole of it. In a pattern `detail` is another reason, or the system's or a device's own
words; `register` is a register; `why` is what was added behind a colon, or nothing. What is not known here
stands as it came: nothing is guessed from half of the words.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

SILENCE: Final = "reason.silence"
"""No gateway said anything of the slot."""

_KNOWN: Final = (
    # the whole of what is said                                           our text
    # the gateway's own doing
    (r"the gateway was not running", "reason.not_running"),
    (r"the gateway did not come to it in time", "reason.not_in_time"),
    (r"its turn came after the slot's window", "reason.not_in_time"),
    (r"not asked: it allows (?P<reads>\d+) reads a day", "reason.spared"),
    (r"not stored: (?P<detail>.+)", "reason.not_stored"),
    (r"lost: its row in the outbox was damaged", "reason.lost"),
    (r"the reading has more registers than a message may carry", "reason.too_large"),
    (r"internal error: (?P<error>.+)", "reason.internal"),
    # nobody, or somebody else
    (r"no answer|Address \d+: no answer in .+|Unit \d+ does not answer\.", "reason.no_answer"),
    (r"Address \d+: only noise in .+|Unit \d+ gave only noise\.", "reason.noise"),
    (r"answered after the slot's window", "reason.too_late"),
    (r"a meter without a serial number answers instead", "reason.nameless_meter"),
    (r"(?:a meter with serial number )?(?P<meter>\S+) answers instead", "reason.wrong_meter"),
    (r"Address \d+: an acknowledgement came instead of its answer in .+", "reason.only_acknowledged"),
    (r"Address \d+: a frame of address (?P<address>\d+) .+", "reason.other_frame"),
    (r"Two answers came to one question to unit \d+\.", "reason.two_answers"),
    (r"its answers came out of step", "reason.out_of_step"),
    (r"Unit \d+ gave no answer that fits: (?P<detail>.+?)\.?", "reason.misfit"),
    # an answer that says no
    (r"Unit \d+ does not know function (?P<function>\d+)\.", "reason.no_function"),
    (r"Unit \d+ has no registers (?P<first>\d+) to (?P<last>\d+)\.", "reason.no_registers"),
    (r"Unit \d+ gives no (?P<count>\d+) registers at once\.", "reason.too_many_registers"),
    (r"Unit \d+ reports a failure of its own\.", "reason.device_failure"),
    (r"Unit \d+ is busy\.", "reason.busy"),
    (r"Unit \d+ cannot be reached: its converter knows no way\.", "reason.no_way"),
    (r"Unit \d+ does not answer its converter\.", "reason.behind_converter"),
    (r"Unit \d+ answers with exception (?P<code>\d+)\.", "reason.exception"),
    (r"it refuses its registers in ever new ways", "reason.refuses"),
    # an answer that is no reading
    (r"The readout broke off after (?P<telegrams>\d+) telegrams\. (?P<detail>.+)", "reason.broke_off"),
    (r"the meter reports an application error(?P<why>: .+)?", "reason.application_error"),
    (r"the meter gives an alarm instead of its data(?P<why>: .+)?", "reason.alarm"),
    (r"the telegram is encrypted(?P<why>: .+)?", "reason.encrypted"),
    (r"the telegram breaks off(?P<why>: .+)?", "reason.partial"),
    (r"the telegram cannot be read(?P<why>: .+)?", "reason.unreadable"),
    (r"the telegram does not say whose it is", "reason.nobodys"),
    (r"the telegram holds no register that is known", "reason.nothing_known"),
    (r"its unit, exponent or serial number changed while it was read", "reason.changed"),
    (r"its registers do not show their layout: (?P<detail>.+)", "reason.no_layout"),
    (r"none of its registers can be read: (?P<detail>.+)", "reason.none_readable"),
    (r"The reading has no register\.", "reason.no_register"),
    (r"(?P<register>\w+) is no number\.", "reason.no_number"),
    (r"(?P<register>\w+) has more than (?P<most>\d+) digits\.", "reason.too_many_digits"),
    (r"The instant has no offset\.", "reason.no_offset"),
    (r"The instant (?P<date>\S+) is before 2000\.", "reason.before_2000"),
    # the line
    (r"The connection to .+ was closed instead of an answer\.", "reason.dropped"),
    (r"(?:line down: )?There is no connection to (?P<detail>.+)\.", "reason.line_down"),
    (r"line down: (?P<detail>.+)", "reason.line_down"),
    # what reasons quote
    (r"The meter still promises more\.", "reason.endless"),
    (r"a late answer: nobody waits for it", "reason.late_answer"),
    (r"unit (?P<other>\d+) answered, not (?P<asked>\d+)", "reason.other_unit"),
    (r"function (?P<other>\d+) answered, not (?P<asked>\d+)", "reason.other_function"),
    (r"(?P<octets>\d+) octets of registers came, not (?P<wanted>\d+)", "reason.other_size"),
    (r"it answers in no way that its map leaves open", "reason.no_such_way"),
    (r"The outbox has no room left\.", "reason.no_room"),
    (r"The outbox cannot be written(?P<why>: .+?)\.?", "reason.not_written"),
    (r"connection closed", "reason.connection_closed"),
    (r"no connection within \S+ s|Connection timed out", "reason.no_connection"),
    (r"Connection refused", "reason.connection_refused"),
    (r"Connection reset by peer", "reason.connection_closed"),
    (r"No route to host|Network is unreachable", "reason.unreachable"),
)
_PATTERNS: Final = tuple((re.compile(pattern), key) for pattern, key in _KNOWN)


@lru_cache(maxsize=1024)
def reason_key(reason: str | None) -> tuple[str, dict[str, str]] | None:
    """The text's key and what fills its blanks; None for words that are not known."""
    if reason is None:
        return SILENCE, {}
    found = ((pattern.fullmatch(reason), key) for pattern, key in _PATTERNS)
    return next(((key, match.groupdict(default="")) for match, key in found if match), None)


def is_spared(reason: str | None) -> bool:
    """Whether the meter was not asked so that its battery lasts: nothing failed."""
    known = reason_key(reason)
    return known is not None and known[0] == "reason.spared"
