"""Which registers of a device may be read together, and how far a request may be widened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gateway.modbus.frames import MOST_REGISTERS

Register = tuple[int, int]
"""Function and address."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`count` registers from `address` on, as on the wire, read by one function."""

    function: int
    address: int
    count: int

    @property
    def end(self) -> int:
        return self.address + self.count

    def holds(self, other: Span) -> bool:
        return self.function == other.function and self.address <= other.address and other.end <= self.end

    def until(self, other: Span) -> Span:
        """The span over both and all between."""
        first = min(self.address, other.address)
        return Span(self.function, first, max(self.end, other.end) - first)

    def registers(self) -> Iterable[Register]:
        return ((self.function, address) for address in range(self.address, self.end))


@dataclass(frozen=True, slots=True)
class Limits:
    """`most` registers a request, none of the `holes`, at most `gap` undocumented ones in a row."""

    documented: tuple[Span, ...]
    holes: tuple[Span, ...] = ()
    most: int = MOST_REGISTERS
    gap: int = 16


@dataclass(frozen=True, slots=True)
class Learned:
    """What a device has shown that its map did not say: registers it lacks, values it lacks, and cuts.

    No request reaches across a cut: the device refused what lies on both of its sides together.
    """

    holes: frozenset[Register] = frozenset()
    cuts: frozenset[Register] = frozenset()
    lacking: frozenset[str] = frozenset()


NOTHING_LEARNED: Final = Learned()


class Ground:
    """The map of one device, with what was learned of it."""

    def __init__(self, limits: Limits, learned: Learned) -> None:
        self._limits, self._cuts, self._is_strict = limits, learned.cuts, bool(learned.holes)
        self._known = frozenset(register for span in limits.documented for register in span.registers())
        self._holes = learned.holes | {register for span in limits.holes for register in span.registers()}

    def allows(self, span: Span) -> bool:
        """Whether one request may read these registers."""
        if span.count > self._limits.most or span.address < 0 or span.end > 1 << 16:
            return False
        unknown = 0
        for register in span.registers():
            unknown = 0 if register in self._known else unknown + 1
            is_cut = register in self._cuts and register[1] > span.address
            if is_cut or register in self._holes or unknown > self._limits.gap:
                return False
        return True

    def joined(self, one: Span, other: Span) -> Span | None:
        """One request over both, where the device allows it."""
        if one.function != other.function:
            return None
        both = one.until(other)
        return both if self.allows(both) else None

    def merge(self, spans: Iterable[Span]) -> list[Span]:
        """As few requests as hold all spans, none of them split."""
        merged: list[Span] = []
        for span in sorted(spans):
            if merged and (both := self.joined(merged[-1], span)):
                merged[-1] = both
            else:
                merged.append(span)
        return merged

    def widest(self, span: Span) -> Span:
        """The span, and what may be read around it; never beyond the first and last register of the map.

        A device that refused a register of no name once is asked for named ones only.
        """
        known = [address for function, address in self._known if function == span.function]
        first, last = min(known, default=span.address), max(known, default=span.end - 1)
        while span.end <= last and (wider := self._wider(span, span.end)):
            span = wider
        while span.address > first and (wider := self._wider(span, span.address - 1)):
            span = wider
        return span

    def _wider(self, span: Span, address: int) -> Span | None:
        register = (span.function, address)
        if self._is_strict and register not in self._known:
            return None
        return self.joined(span, Span(*register, 1))
