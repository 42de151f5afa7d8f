"""Decode plans: a meter sends the same layout again and again, so its layout is worked out once.

A plan is compiled from what the plain decoder (`records`) finds: where the octets of each register lie, how
they are read. A telegram is of a plan's layout when all octets that decide the layout are the same, which one
comparison of large integers tells. The plain decoder stays the only source of truth: a plan gives the same
values, only sooner, and what no plan can hold is left to it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, getcontext
from functools import lru_cache, partial
from operator import call, mul
from typing import Any, Final

from gateway.mbus.datatypes import LVAR, Decoded, Value, bcd_number, decode_data
from gateway.mbus.header import LONG
from gateway.mbus.link import LongFrame
from gateway.mbus.packed_bcd import bcd_reader
from gateway.mbus.records import Cut, DataRecord, Special, pieces
from gateway.mbus.telegram import decode_telegram
from gateway.mbus.vib import Meaning, meaning_of

CI_LONG_HEADER: Final = 0x72
BODY: Final = 4  # the checksum is over what follows 68 L L 68
USER_DATA: Final = BODY + 3
RECORDS: Final = USER_DATA + LONG
MODEL: Final = slice(USER_DATA + 4, USER_DATA + 8)
"""Manufacturer, version and medium."""
FREE: Final = (5, *range(USER_DATA, USER_DATA + 4), USER_DATA + 8, USER_DATA + 9, -2)
"""Octets that say nothing of the layout: address, number, access number, status, checksum."""

PACKED: Final = {
    ("int", 1): ("b", 1),
    ("int", 2): ("h", 2),
    ("int", 3): ("i", 4),
    ("int", 4): ("i", 4),
    ("int", 6): ("q", 8),
    ("int", 8): ("q", 8),
    ("uint", 1): ("B", 1),
    ("uint", 2): ("H", 2),
    ("uint", 3): ("I", 4),
    ("uint", 4): ("I", 4),
    ("uint", 6): ("Q", 8),
    ("uint", 8): ("Q", 8),
}
"""Struct code and its octets. Three are read as four and six as eight: together with the end of their VIB,
which is then shifted out."""

Step = int | Decoded | None
"""A register's integer step; None when the meter marks no value; Decoded for what is no integer."""

MOST_DIGITS: Final = 28
"""Of a step: 64 bits in days make 25. What the decimal module keeps by default is exact for all of them."""

_EXACT = Context(prec=100)


@dataclass(frozen=True, slots=True)
class Column:
    """One register of a layout: all but the value of `record` holds for every telegram of the layout.

    `start` and `end` are octets of the frame.
    """

    record: DataRecord
    field: int
    meaning: Meaning
    start: int
    end: int

    @property
    def exponent(self) -> int:
        """A value is step x 10^exponent, exactly."""
        return self.meaning.exponent

    @property
    def octets(self) -> int:
        return self.end - self.start

    @property
    def is_binary(self) -> bool:
        return self.record.coding in ("int", "uint") and not isinstance(self.record.value, str)

    @property
    def is_bcd(self) -> bool:
        return self.record.coding == "bcd"


class Plan:
    """One layout of telegrams. Its `columns` are grouped by how they are read, not in the frame's order."""

    def __init__(
        self, octets: bytes, columns: Sequence[Column], mask: int, *, more_records_follow: bool
    ) -> None:
        binary = [column for column in columns if column.is_binary]
        bcd = [column for column in columns if column.is_bcd]
        others = [column for column in columns if not column.is_binary and not column.is_bcd]
        numbers = binary + bcd
        self.columns = (*numbers, *others)
        self.length = len(octets)
        self.more_records_follow = more_records_follow
        self.mask, self.expected = mask, int.from_bytes(octets, "little") & mask
        self.even, self.odd = _body_masks(len(octets))
        self._unpack = _unpacker([_packed(column) for column in binary])
        self._shifts = [(at, shift) for at, column in enumerate(binary) if (shift := _shift(column))]
        self._markers = [_marker(column) for column in binary]
        self._signs = _mask_of_signs(binary)
        self._bcd_places = [slice(column.start, column.end) for column in bcd]
        self._read_bcd = bcd_reader(len(octets), [(column.start, column.end) for column in bcd])
        self._factors = [(at, c.meaning.factor) for at, c in enumerate(numbers) if c.meaning.factor != 1]
        self._units = [Decimal((0, (1,), column.exponent)) for column in numbers]
        self._readers = [_remembering(column) for column in others]
        self._cut_others = _unpacker([(column.start, f"{column.octets}s") for column in others])

    def steps(self, octets: bytes, number: int) -> list[Step]:
        """The steps of a frame of this layout, column by column; `number` is the frame as an integer."""
        steps: list[Any] = list(self._unpack(octets))
        for at, bits in self._shifts:
            steps[at] >>= bits
        if number & self._signs:  # else no register is negative, and none holds its marker
            steps = [
                None if step == marker else step for step, marker in zip(steps, self._markers, strict=True)
            ]
        if self._bcd_places:
            steps += self._read_bcd(number) or self._bcd_one_by_one(octets)
        for at, factor in self._factors:
            if steps[at] is not None:
                steps[at] *= factor
        if self._readers:
            steps += map(call, self._readers, self._cut_others(octets))
        return steps

    def values(self, steps: Sequence[Any]) -> list[Value]:
        """Steps as the plain decoder's values. Numbers stand first, as many as there are units."""
        multiply: Callable[[int, Decimal], Decimal]
        multiply = mul if getcontext().prec >= MOST_DIGITS else _EXACT.multiply
        values: list[Value]
        try:
            values = list(map(multiply, steps, self._units))
        except TypeError:  # some register has no value
            units = self._units  # fewer than the steps: the rest of them are no numbers
            values = [None if s is None else multiply(s, u) for s, u in zip(steps, units, strict=False)]
        values += [other.value for other in steps[len(self._units) :]]
        return values

    def _bcd_one_by_one(self, octets: bytes) -> list[int | None]:
        """Some register has a sign, or a meter's error code for a digit."""
        return [bcd_number(octets[place][::-1].hex().upper()) for place in self._bcd_places]


class PlanCache:
    """The plans of the meters seen lately: at most `limit` layouts, the oldest model goes first."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._count = 0
        self._plans: dict[bytes, list[Plan]] = {}  # by model: a few layouts each

    def read(self, octets: bytes) -> tuple[Plan, list[Step]] | None:
        """The plan and the steps of a frame as it came from the line.

        None when no plan can hold it (a broken frame, another kind of telegram, broken or encrypted records):
        the plain decoder then says what it is.
        """
        number = int.from_bytes(octets, "little")
        for plan in self._plans.get(octets[MODEL], ()):
            if plan.length == len(octets) and number & plan.mask == plan.expected:
                # Even and odd octets of the body are added side by side; their sum is 65 025 at most.
                total = ((number & plan.even) + (number >> 8 & plan.odd)) % 65_535
                return (plan, plan.steps(octets, number)) if total & 0xFF == octets[-2] else None
        new = compile_plan(octets)
        if new is None:
            return None
        self._keep(octets[MODEL], new)
        return new, new.steps(octets, number)

    def __len__(self) -> int:
        return self._count

    def _keep(self, model: bytes, plan: Plan) -> None:
        if self._count == self._limit:
            oldest = next(iter(self._plans))
            self._count -= len(self._plans.pop(oldest))
        self._plans.setdefault(model, []).append(plan)
        self._count += 1


def compile_plan(octets: bytes) -> Plan | None:
    """The plan of a frame's layout; None when it is no whole, plain telegram with the long header (CI 72)."""
    telegram = decode_telegram(octets)
    frame = telegram.frame
    if telegram.outcome != "ok" or not isinstance(frame, LongFrame) or frame.ci != CI_LONG_HEADER:
        return None
    if telegram.encrypted:
        return None
    found = list(pieces(frame.user_data[LONG:]))
    cuts = [piece for piece in found if isinstance(piece, Cut)]
    records = [record for record in telegram.records if isinstance(record, DataRecord)]
    columns = [_column(cut, record) for cut, record in zip(cuts, records, strict=True)]
    return Plan(
        octets,
        columns,
        _layout_mask(len(octets), found),
        more_records_follow=telegram.more_records_follow,
    )


def _column(cut: Cut, record: DataRecord) -> Column:
    meaning = meaning_of(cut.vib, to_slave=False)
    return Column(record, cut.dib.field, meaning, RECORDS + cut.start, RECORDS + cut.end)


def _layout_mask(length: int, found: Sequence[Cut | Special]) -> int:
    """All ones over the octets that decide the layout, an LVAR among them; none over data."""
    mask = bytearray(b"\xff" * length)
    for at in FREE:
        mask[at] = 0
    for piece in found:
        deciding = piece.dib.field == LVAR if isinstance(piece, Cut) else 1
        start = piece.start + deciding
        mask[RECORDS + start : RECORDS + piece.end] = bytes(piece.end - start)
    return int.from_bytes(mask, "little")


def _body_masks(length: int) -> tuple[int, int]:
    """Every second octet of the body, from the first and from the second; the latter moved down by one."""
    even, odd = bytearray(length), bytearray(length)
    for at in range(BODY, length - 2):
        if (at - BODY) % 2 == 0:
            even[at] = 0xFF
        else:
            odd[at - 1] = 0xFF
    return int.from_bytes(even, "little"), int.from_bytes(odd, "little")


def _unpacker(fields: Sequence[tuple[int, str]]) -> Callable[[bytes], tuple[Any, ...]]:
    """Reads fields (start, struct code) in one step, and skips what lies between them."""
    layout, at = "<", 0
    for start, code in fields:
        layout += f"{start - at}x{code}"
        at = start + struct.calcsize(f"<{code}")
    return struct.Struct(layout).unpack_from


def _packed(column: Column) -> tuple[int, str]:
    """Where to read a binary register from, and by which struct code."""
    code, octets = PACKED[column.record.coding, column.octets]
    return column.end - octets, code


def _shift(column: Column) -> int:
    """Bits of the VIB that are read with it."""
    return 8 * (PACKED[column.record.coding, column.octets][1] - column.octets)


def _marker(column: Column) -> int | None:
    """The step that means "no value"."""
    return -1 << 8 * column.octets - 1 if column.record.coding == "int" else None


def _mask_of_signs(columns: Sequence[Column]) -> int:
    """The sign bits of all signed registers."""
    return sum(0x80 << 8 * (column.end - 1) for column in columns if column.record.coding == "int")


def _remembering(column: Column) -> Callable[[bytes], Decoded]:
    """Dates, texts, floats by the plain decoder, remembered: most of them seldom change."""
    return lru_cache(maxsize=16)(partial(_decoded, column.field, column.meaning))


def _decoded(field: int, meaning: Meaning, octets: bytes) -> Decoded:
    return decode_data(field, octets, meaning)
