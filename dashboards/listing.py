"""The overview's table of meters: searched, sorted and cut into pages. Its columns are the table below."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any

from dashboards.network import FLOW, RETURN, MeterStatus, State
from kaukoluenta.quantities import UNITS, Amount

PAGE_SIZE = 100
DEFAULT_SORT = "meter"

_SILENT = (State.SILENT, State.NEVER)


@dataclass(frozen=True, slots=True)
class TableColumn:
    """`key` names it in texts/ (`column.KEY`) and in `?sort=`; `order` gives None for what is unknown."""

    key: str
    order: Callable[[MeterStatus], Any]
    numeric: bool = False
    unit: str = ""


COLUMNS = (
    TableColumn("meter", lambda status: status.meter),
    TableColumn("state", lambda status: list(State).index(status.state)),
    TableColumn("age", lambda status: status.age, numeric=True),
    TableColumn("energy", lambda status: _size(status.register("energy")), numeric=True),
    TableColumn("power", lambda status: _size(status.register("power")), numeric=True),
    TableColumn(FLOW, lambda status: _size(status.register(FLOW)), numeric=True, unit="°C"),
    TableColumn(RETURN, lambda status: _size(status.register(RETURN)), numeric=True, unit="°C"),
    TableColumn("gateway", lambda status: status.place and status.place.gateway),
    TableColumn("line", lambda status: status.place and status.place.line),
)
SORTS = {column.key: column.order for column in COLUMNS}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the table: `sort` is a column's key, with a dash in front for falling order."""

    search: str = ""
    state: str = ""
    sort: str = DEFAULT_SORT
    page: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the table. `matching` counts the meters on all of its `pages`."""

    rows: tuple[MeterStatus, ...]
    matching: int
    page: int
    pages: int
    sort: str
    descending: bool


def listing(meters: Iterable[MeterStatus], question: Question, page_size: int = PAGE_SIZE) -> Listing:
    """The page that is asked for; one past the end is the last. An unknown sort is the default."""
    sort, descending = question.sort.removeprefix("-"), question.sort.startswith("-")
    sort = sort if sort in SORTS else DEFAULT_SORT
    found = ordered(_matching(meters, question), SORTS[sort], descending)
    pages = max(1, -(-len(found) // page_size))
    page = min(max(1, question.page), pages)
    rows = found[(page - 1) * page_size : page * page_size]
    return Listing(tuple(rows), len(found), page, pages, sort, descending)


def ordered(
    meters: Iterable[MeterStatus], order: Callable[[MeterStatus], Any], descending: bool
) -> list[MeterStatus]:
    """Meters by an order, what is unknown last either way."""
    keyed = [(order(status), status) for status in meters]
    known = [(key, status) for key, status in keyed if key is not None]
    known.sort(key=itemgetter(0), reverse=descending)
    return [status for _, status in known] + [status for key, status in keyed if key is None]


def _matching(meters: Iterable[MeterStatus], question: Question) -> list[MeterStatus]:
    found = list(meters)
    if question.state:
        wanted = _SILENT if question.state == State.SILENT else (question.state,)
        found = [status for status in found if status.state in wanted]
    for word in question.search.casefold().split():
        found = [status for status in found if word in _words(status)]
    return found


def _words(status: MeterStatus) -> str:
    place = (status.place.gateway, status.place.line) if status.place else ()
    return " ".join((status.meter, *place)).casefold()


def _size(amount: Amount | None) -> tuple[str, Decimal] | None:
    """For sorting: by unit family, then by size."""
    if amount is None:
        return None
    unit = UNITS[amount.unit]
    return unit.family, amount.value * unit.factor
