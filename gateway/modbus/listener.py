"""What a master hears on its line: the one answer it waits for, and everything else, with what that means.

Sans-IO: octets in, at most one verdict out. On RTU an answer carries no number, so an answer that nobody
waits for is evidence: of a question given up earlier (`late`), or that an answer already taken may have been
an older one (`doubts`).
"""

from __future__ import annotations

from collections import Counter

from gateway.modbus.frames import (
    NEED_DATA,
    Answer,
    AnswerEvent,
    AnswerReader,
    Framing,
    Misfit,
    Question,
    Refusal,
    Signature,
)

_STRAYS_KEPT = 8

Verdict = Answer | Refusal | Misfit


class Listener:
    """What came on the line besides verdicts is open to the caller.

    `late`: answers that nobody waited for, by their shape, since that was last asked for. `doubts`: those of
    them that contradict the answer taken before, by unit. `octets` were heard on this connection; `strays`
    are the last events that were no verdict.
    """

    def __init__(self, framing: Framing) -> None:
        self._reader = AnswerReader(framing)
        self._question: Question | None = None
        self.waiting = False
        self._answered: dict[Signature, bytes] = {}
        self.late: Counter[Signature] = Counter()
        self.doubts: Counter[int] = Counter()
        self.strays: list[AnswerEvent] = []
        self.octets = 0

    @property
    def is_mid_frame(self) -> bool:
        """Octets have come that are no whole frame yet."""
        return self._reader.is_mid_frame

    @property
    def is_restless(self) -> bool:
        """Something else than the answer is, or was just now, on the line."""
        return bool(self.strays) or self.is_mid_frame

    def connected(self) -> None:
        """A new connection: nothing that was answered before can be answered again on it."""
        self._answered.clear()
        self.octets = 0

    def ask(self, question: Question, transaction: int) -> None:
        """`question` goes out now. What arrived before it cannot answer it."""
        self._reader.expect(question, transaction)
        self._question, self.waiting = question, True
        self._answered.pop(question.signature, None)
        del self.late[question.signature]
        self.strays.clear()

    def give_up(self) -> None:
        """Nobody waits for the answer any more: from now on it is late."""
        self.waiting = False

    def hear(self, octets: bytes) -> Verdict | None:
        """Take octets from the line. Returns the verdict on the question, once."""
        self.octets += len(octets)
        self._reader.receive_data(octets)
        verdict = None
        while (event := self._reader.next_event()) is not NEED_DATA:
            match event:
                case Answer() | Refusal() | Misfit(final=True) if self.waiting:
                    verdict = self._take(event)
                case _:
                    self._stray(event)
        return verdict

    def _take(self, verdict: Verdict) -> Verdict:
        self.waiting = False
        if isinstance(verdict, Answer) and self._question:
            self._answered[self._question.signature] = verdict.octets
        return verdict

    def _stray(self, event: AnswerEvent) -> None:
        self.strays.append(event)
        del self.strays[:-_STRAYS_KEPT]
        signature = self._signature_of(event)
        if signature is None:
            return
        self.late[signature] += 1
        if self._answered.get(signature, event.octets) != event.octets:
            self.doubts[signature.unit] += 1

    def _signature_of(self, event: AnswerEvent) -> Signature | None:
        if isinstance(event, Answer | Refusal):
            return self._question.signature if self._question else None
        return event.signature if isinstance(event, Misfit) else None
