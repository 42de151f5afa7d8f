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
from decimal import Context, Decimal, getcontext, localcontext
from operator import mul
from typing import Any, Final

from gateway.mbus.datatypes import LVAR, Value, bcd_number, decode_data
from gateway.mbus.header import LONG
from gateway.mbus.link import LongFrame, checksum
from gateway.mbus.packed_bcd import bcd_to_binary
from gateway.mbus.records import Cut, DataRecord, Special, pieces
from gateway.mbus.telegram import decode_telegram
from gateway.mbus.vib import Meaning, meaning_of

CI_LONG_HEADER: Final = 0x72
SUMMED: Final = slice(4, -2)
"""What the checksum is over: all between 68 L L 68 and the checksum itself."""
USER_DATA: Final = 4 + 3
RECORDS: Final = USER_DATA + LONG
MODEL: Final = slice(USER_DATA + 4, USER_DATA + 8)
"""Manufacturer, version and medium."""
FREE: Final = (5, *range(USER_DATA, USER_DATA + 4), USER_DATA + 8, USER_DATA + 9, -2)
"""Octets that say nothing of the layout: address, number, access number, status, checksum."""

UNSIGNED: Final = {1: ("B", 1), 2: ("H", 2), 3: ("I", 4), 4: ("I", 4), 6: ("Q", 8), 8: ("Q", 8)}
"""Octets of a register -> struct code and its octets. Three are read as four and six as eight: together with
the end of their VIB, which is then shifted out."""

Found = int | bytes | None
"""A column as the frame holds it. None: the meter marks no value."""

Step = int | Value
"""A register's integer step; for what is no integer (dates, texts, floats) its value. None: no value."""

MOST_DIGITS: Final = 28
"""Of a step: 64 bits in days make 25. What the decimal module keeps by default is exact for all of them."""

MOST_REMEMBERED: Final = 64

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
    def factor(self) -> int:
        """Of a number: whole units in one of the register's, such as 3600 seconds in an hour."""
        return self.meaning.factor if self.is_number else 1

    @property
    def octets(self) -> int:
        return self.end - self.start

    @property
    def is_signed(self) -> bool:
        return self.is_binary and self.record.coding == "int"

    @property
    def is_binary(self) -> bool:
        return self.record.coding in ("int", "uint") and not isinstance(self.record.value, str)

    @property
    def is_bcd(self) -> bool:
        return self.record.coding == "bcd"

    @property
    def is_number(self) -> bool:
        return self.is_binary or self.is_bcd


class Plan:
    """One layout of telegrams: its `columns`, and how to read all of them at once."""

    def __init__(
        self, octets: bytes, columns: Sequence[Column], mask: int, *, more_records_follow: bool
    ) -> None:
        self.columns = tuple(columns)
        self.length = len(octets)
        self.more_records_follow = more_records_follow
        self.mask, self.expected = mask, int.from_bytes(octets, "little") & mask
        numbered = list(enumerate(columns))
        self._unpack = _unpacker([_packed(column) for column in columns])
        self._shifts = [(at, shift) for at, column in numbered if (shift := _shift(column))]
        self._markers = [(at, -1 << 8 * column.octets - 1) for at, column in numbered if column.is_signed]
        self._signs = sum(0x80 << 8 * (column.end - 1) for column in columns if column.is_signed)
        self._bcd = [(at, slice(c.start, c.end)) for at, c in numbered if c.is_bcd]
        self._to_binary = bcd_to_binary(len(octets), [(c.start, c.end) for c in columns if c.is_bcd])
        self._factors = [(at, c.factor) for at, c in numbered if c.factor != 1]
        self._units = [Decimal(f"{c.factor}E{c.exponent}") if c.is_number else 1 for c in columns]
        self._others = [(at, _Remembered(column)) for at, column in numbered if not column.is_number]

    def find(self, octets: bytes, number: int) -> list[Found]:
        """The columns of a frame of this layout; `number` is the frame as an integer."""
        binary = self._to_binary(number) if self._bcd else octets
        found: list[Any] = [*self._unpack(binary or octets)]
        for at, bits in self._shifts:
            found[at] >>= bits
        if binary is None:  # some BCD register has a sign, or a meter's error code for a digit
            for at, place in self._bcd:
                found[at] = bcd_number(octets[place][::-1].hex().upper())
        if number & self._signs:  # else no register is negative, and none holds its marker
            for at, marker in self._markers:
                found[at] = None if found[at] == marker else found[at]
        return found

    def steps(self, found: Sequence[Found]) -> list[Step]:
        """What was found, as exact steps: a number is step x 10^exponent of its column."""
        steps: list[Any] = [*found]
        for at, factor in self._factors:
            if steps[at] is not None:
                steps[at] *= factor
        for at, remembered in self._others:
            steps[at] = remembered[steps[at]]
        return steps

    def values(self, found: Sequence[Any]) -> list[Value]:
        """What was found, as the plain decoder's values."""
        if getcontext().prec < MOST_DIGITS:
            with localcontext(_EXACT):
                return self.values(found)
        values: list[Any]
        try:
            values = [*map(mul, self._units, found)]
        except TypeError:  # some register has no value
            pairs = zip(self._units, found, strict=True)
            values = [None if one is None else unit * one for unit, one in pairs]
        for at, remembered in self._others:
            values[at] = remembered[found[at]]
        return values


class PlanCache:
    """The plans of the meters seen lately: at most `limit` layouts, the oldest model goes first."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._count = 0
        self._plans: dict[bytes, list[Plan]] = {}  # by model: a few layouts each

    def read(self, octets: bytes) -> tuple[Plan, list[Found]] | None:
        """The plan of a frame as it came from the line, and what it finds there.

        None when no plan can hold it (a broken frame, another kind of telegram, broken or encrypted records):
        the plain decoder then says what it is.
        """
        number = int.from_bytes(octets, "little")
        for plan in self._plans.get(octets[MODEL], ()):
            if plan.length == len(octets) and number & plan.mask == plan.expected:
                whole = checksum(octets[SUMMED]) == octets[-2]
                return (plan, plan.find(octets, number)) if whole else None
        new = compile_plan(octets)
        if new is None:
            return None
        self._keep(octets[MODEL], new)
        return new, new.find(octets, number)

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


def _unpacker(fields: Sequence[tuple[int, str]]) -> Callable[[bytes], tuple[Any, ...]]:
    """Reads fields (start, struct code) in one step, and skips what lies between them."""
    layout, at = "<", 0
    for start, code in fields:
        layout += f"{start - at}x{code}"
        at = start + struct.calcsize(f"<{code}")
    return struct.Struct(layout).unpack_from


def _packed(column: Column) -> tuple[int, str]:
    """Where to read a column from, and by which struct code."""
    if column.octets not in UNSIGNED:
        return column.start, f"{column.octets}s"
    code, octets = UNSIGNED[column.octets]
    return column.end - octets, code.lower() if column.is_signed else code


def _shift(column: Column) -> int:
    """Bits of the VIB that are read with it."""
    start, _ = _packed(column)
    return 8 * (column.start - start)


class _Remembered(dict[int | bytes, Value]):
    """One column's dates, texts or floats by the plain decoder, remembered: most of them seldom change."""

    def __init__(self, column: Column) -> None:
        super().__init__()
        self._column = column

    def __missing__(self, found: int | bytes) -> Value:
        if len(self) >= MOST_REMEMBERED:
            self.clear()
        column = self._column
        octets = found if isinstance(found, bytes) else found.to_bytes(column.octets, "little")
        value = self[found] = decode_data(column.field, octets, column.meaning).value
        return value
