"""What an address asks for, the same on pages and in the JSON interface: a range, a table, a meter."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query

from dashboards.history import RangeName
from dashboards.listing import DEFAULT_SORT, Question
from dashboards.network import MeterStatus, State
from dashboards.problems import NoSuchMeter
from dashboards.watch import Watch

AskedRange = Annotated[RangeName, Query(alias="range", description="How far back from now.")]


def asked_question(
    search: Annotated[
        str, Query(alias="q", description="Parts of a meter's, gateway's or line's name.")
    ] = "",
    state: Annotated[State | Literal[""], Query(description="Only meters in this state.")] = "",
    sort: Annotated[
        str, Query(description="A column; with a dash in front in falling order.")
    ] = DEFAULT_SORT,
    page: Annotated[int, Query(ge=1)] = 1,
) -> Question:
    """The query of a table of meters."""
    return Question(search, state, sort, page)


AskedQuestion = Annotated[Question, Depends(asked_question)]


def known_meter(watch: Watch, meter: str) -> MeterStatus:
    """A meter's status. Raises NoSuchMeter, SourceUnavailable."""
    status = watch.status(meter)
    if status is None:
        raise NoSuchMeter(meter)
    return status
