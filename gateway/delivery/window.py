"""Which batches to send now: the sender's side of the end-to-end acknowledgement. Numbers only.

At most `size` batches are in flight: sent, and not known to be stored. What lies above the acknowledgement
goes again over a new connection and after a time without progress, what an acknowledgement shows missing
goes again at once. So a message may be lost anywhere, and may arrive twice; neither does harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from kaukoluenta.acknowledgement import Acknowledgement

SIZE = 200

Span = tuple[int, int]


class SendWindow:
    """One sender's books. The outbox holds `oldest` to `head` without a gap; older batches are pruned."""

    def __init__(self, acknowledged: int, size: int = SIZE) -> None:
        self._size = size
        self._upto = acknowledged
        self._missing: list[Span] = []
        self._in_flight: set[int] = set()  # above upto
        self._repeated: dict[int, int] = {}  # missing, sent again -> the newest seq that was out before it

    @property
    def in_flight(self) -> int:
        return len(self._in_flight) + len(self._repeated)

    @property
    def settled(self) -> int:
        """The collector holds everything up to this seq."""
        return self._missing[0][0] - 1 if self._missing else self._upto

    def start_over(self) -> None:
        """Nothing that was sent counts any more: a new connection, or no progress for too long."""
        self._in_flight.clear()
        self._repeated.clear()

    def acknowledged(self, ack: Acknowledgement, head: int) -> bool:
        """Take an acknowledgement. False when it cannot be true; then nothing changes.

        One that says less than the last is believed: a restored collector asks for a replay. A hole that
        was sent again is a hole anew once a batch sent after it has been acknowledged.
        """
        if ack.upto > head:
            return False
        if ack.upto < self._upto:
            self.start_over()
        self._upto, self._missing = ack.upto, _tidy(ack)
        self._in_flight = {seq for seq in self._in_flight if seq > ack.upto}
        self._repeated = {
            seq: newest
            for seq, newest in self._repeated.items()
            if newest >= ack.upto and any(first <= seq <= last for first, last in self._missing)
        }
        return True

    def wanted(self, oldest: int, head: int) -> list[int]:
        """What to send now, in order, as far as the window has room. Say `sent` for each that went out."""
        room = max(self._size - self.in_flight, 0)
        return list(islice(self._unsent(oldest, head), room))

    def sent(self, seq: int) -> None:
        if seq > self._upto:
            self._in_flight.add(seq)
        else:
            self._repeated[seq] = self._newest()

    def _newest(self) -> int:
        return max(self._in_flight, default=self._upto)

    def _unsent(self, oldest: int, head: int) -> Iterator[int]:
        for first, last in (*self._missing, (self._newest() + 1, head)):
            for seq in range(max(first, oldest), last + 1):
                if seq not in self._repeated:
                    yield seq


def _tidy(ack: Acknowledgement) -> list[Span]:
    """The spans in order, within 1 to `upto`, whatever was written."""
    spans = sorted((max(first, 1), min(last, ack.upto)) for first, last in ack.missing)
    return [(first, last) for first, last in spans if first <= last]
