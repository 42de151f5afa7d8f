"""What must hold of the whole registry after an import: no dangling name, nothing twice at once.

Each rule says what is wrong as a Violation of one entry; the import gives it a file and row. An entry that
lay in the registry already has no row: it kept the rules before, so the other one breaks them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from registry.model import Lasting
from registry.records import Holding

Rows = Mapping[Hashable, int]
"""Row in the file of each entry that came with this import, by key."""


@dataclass(frozen=True, slots=True)
class Violation:
    entry: Lasting
    column: str
    what: str
    remedy: str


def violations(holding: Holding, rows: Rows) -> Iterator[Violation]:
    """All that is wrong with the registry as it would be, contracts first."""
    contracts, installations = holding.contracts.values(), holding.installations.values()
    yield from _dangling(contracts, "customer_number", holding.customers, "customers.csv")
    yield from _dangling(contracts, "delivery_point", holding.delivery_points, "delivery_points.csv")
    yield from _dangling(installations, "delivery_point", holding.delivery_points, "delivery_points.csv")
    for entry, other in _at_once(contracts, "delivery_point", rows):
        yield Violation(
            entry,
            "valid_from" if entry.since >= other.since else "valid_to",
            f"The delivery point has another contract at that time, {_place(other, rows)}.",
            "Give the earlier one a valid_to no later than the valid_from of the later.",
        )
    for entry, other in _at_once(installations, "meter", rows):
        yield Violation(
            entry,
            "installed_at" if entry.since >= other.since else "removed_at",
            f"The meter has another installation at that time, {_place(other, rows)}.",
            "Give the earlier one a removed_at no later than the installed_at of the later.",
        )


def _dangling(
    entries: Iterable[Lasting], column: str, known: Container[Hashable], file: str
) -> Iterator[Violation]:
    for entry in entries:
        if getattr(entry, column) not in known:
            what = f"No such {column.replace('_', ' ')} in {file} or in the registry."
            yield Violation(entry, column, what, f"Correct it, or add a row to {file}.")


def _at_once(entries: Iterable[Lasting], at: str, rows: Rows) -> Iterator[tuple[Lasting, Lasting]]:
    """Pairs that hold at the same time with the same `at`; first of the two what came with the import."""
    together = defaultdict(list)
    for entry in entries:
        if entry.since < entry.until:
            together[getattr(entry, at)].append(entry)
    for group in together.values():
        group.sort(key=lambda entry: (entry.since, entry.until))
        longest = group[0]
        for entry in group[1:]:
            if entry.since < longest.until:
                yield _newest_first(entry, longest, rows)
            longest = max(longest, entry, key=lambda entry: entry.until)


def _newest_first(entry: Lasting, other: Lasting, rows: Rows) -> tuple[Lasting, Lasting]:
    if rows.get(entry.key, 0) >= rows.get(other.key, 0):
        return entry, other
    return other, entry


def _place(entry: Lasting, rows: Rows) -> str:
    return f"in row {rows[entry.key]}" if entry.key in rows else "which the registry holds already"
