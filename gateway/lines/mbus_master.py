"""The time on an M-Bus line: performs a dialogue over a link, octet by octet and to the second.

A wait ends with the last octet of a frame, not with a pause behind it. After anything but a clean answer the
line is heard quiet before it is spoken to again, so that nothing late meets the next answer. Octets that
cannot be whole yet are left to gather: one process serves hundreds of lines that bring 200 octets a second.
"""

from __future__ import annotations

import time
from typing import TypeVar

from gateway.links import Link
from gateway.mbus.dialogue import Dialogue, Heard, Listen, Request, Silence, UseBaud
from gateway.mbus.link import LONG_OVERHEAD, NEED_DATA, Ack, Garbled, LinkReader, LongFrame, ShortFrame
from gateway.mbus.timing import answer_timeout, idle_time, soonest_answer, transmission_time

LONGEST_FRAME = 255 + LONG_OVERHEAD

T = TypeVar("T")


class MbusMaster:
    """One link to one bus. Not for two dialogues at once.

    Args:
        timeout_s: how long an answer may keep us waiting, for its first octet and inside it. By default what
            the standard allows a meter at the line's speed, and the link's latency.
    """

    def __init__(self, link: Link, timeout_s: float | None = None) -> None:
        self.link, self._timeout_s, self._baud = link, timeout_s, link.address.baud
        self._reader = LinkReader()
        self._sent: ShortFrame | LongFrame | None = None
        self._heard: Heard = Silence()
        self._answer_soonest = self._answer_due = self._latest_end = self._octets_at = 0.0
        self._restless = False

    async def perform(self, dialogue: Dialogue[T]) -> T:
        """Run a dialogue to its end, connecting first where there is no connection.

        Raises:
            LineDown: and what the dialogue raises.
        """
        if not self.link.is_open:
            await self.link.open()
            self._restless = False
        try:
            request = next(dialogue)
            while True:
                request = dialogue.send(await self._do(request))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            dialogue.close()

    async def _do(self, request: Request) -> Heard:
        match request:
            case UseBaud(baud):
                await self.link.use_baud(baud)
                self._baud = baud
                return Silence()
            case Listen():
                self._restless |= self._heard != self._sent  # our own octets are only an echo
            case frame:
                await self._send(frame)
        self._heard = await self._hear()
        self._restless |= isinstance(self._heard, Garbled)
        return self._heard

    async def _send(self, frame: ShortFrame | LongFrame) -> None:
        if self._restless and not isinstance(self._heard, Ack | LongFrame):
            await self._quiet_down()
        self._restless = False  # what was heard last is the answer that the dialogue waited for
        await self.link.discard()
        self._reader, self._sent, self._heard = LinkReader(), frame, Silence()
        octets = frame.to_bytes()
        sent_at = time.monotonic() + transmission_time(len(octets), self._baud)
        await self.link.send(octets)
        self._answer_soonest = sent_at + soonest_answer(self._baud)
        self._answer_due = max(sent_at, time.monotonic()) + (
            self._timeout_s or answer_timeout(self._baud) + self.link.latency_s
        )
        self._latest_end = self._answer_due + transmission_time(2 * LONGEST_FRAME, self._baud)

    async def _hear(self) -> Heard:
        """The next event on the line, or Silence when the answer is overdue."""
        while (event := self._reader.next_event()) is NEED_DATA:
            octets = await self.link.receive(self._patience_s(), self._gather_s())
            if octets:
                self._octets_at = time.monotonic()
                self._reader.receive_data(octets)
                continue
            self._reader.line_idle()
            if (event := self._reader.next_event()) is NEED_DATA:
                return Silence()
            break
        return event

    def _patience_s(self) -> float:
        """Until the answer is due, and while one is arriving, until its next octets are."""
        missing = self._reader.octets_missing or 0
        quiet_s = (
            self._quiet_s() if self._timeout_s else self._quiet_s() + transmission_time(missing, self._baud)
        )
        due = max(self._answer_due, self._octets_at + quiet_s)
        return max(min(due, self._latest_end) - time.monotonic(), 0)

    def _gather_s(self) -> float:
        """Until the frame that is arriving can be whole, at the soonest."""
        missing = self._reader.octets_missing
        if not missing:
            return 0.0
        whole_at = self._answer_soonest + transmission_time(1 + missing, self._baud)
        return max(whole_at - time.monotonic(), 0)

    def _quiet_s(self) -> float:
        """So long a pause is no pause inside a frame."""
        return self._timeout_s or idle_time(self._baud) + self.link.latency_s

    async def _quiet_down(self) -> None:
        """Let whoever is still talking finish; a line that is never quiet is spoken to all the same."""
        give_up = time.monotonic() + transmission_time(LONGEST_FRAME, self._baud) + self._quiet_s()
        while await self.link.receive(self._quiet_s()) and time.monotonic() < give_up:
            pass
