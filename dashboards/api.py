"""The JSON interface, version 1: what the pages show, for programs. Described by /api/v1/openapi.json."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from dashboards.api_models import (
    Meter,
    MeterGaps,
    MeterList,
    MeterSeries,
    Overview,
    Problem,
    gaps_answer,
    list_answer,
    meter_answer,
    overview_answer,
    series_answer,
)
from dashboards.asked import AskedQuestion, AskedRange, known_meter
from dashboards.history import DEFAULT_RANGE
from dashboards.listing import listing
from dashboards.watch import Watch

PREFIX = "/api/v1"

_PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (404, 422, 503)}
_PAGE_SIZE = 1000


def api_routes(watch: Watch) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix=PREFIX, responses=_PROBLEMS)

    @router.get("/overview", summary="The network now")
    def overview() -> Overview:
        return overview_answer(watch.network())

    @router.get("/meters", summary="Meters with their last readings")
    def meters(question: AskedQuestion) -> MeterList:
        return list_answer(listing(watch.network().meters, question, _PAGE_SIZE))

    @router.get("/meters/{meter}", summary="One meter's last reading")
    def meter(meter: str) -> Meter:
        return meter_answer(known_meter(watch, meter))

    @router.get("/meters/{meter}/series", summary="One meter's registers and energy use over time")
    def series(meter: str, range_name: AskedRange = DEFAULT_RANGE) -> MeterSeries:
        return series_answer(watch.history(known_meter(watch, meter), range_name))

    @router.get("/meters/{meter}/gaps", summary="The slots in which one meter gave no reading, and why")
    def meter_gaps(meter: str, range_name: AskedRange = DEFAULT_RANGE) -> MeterGaps:
        return gaps_answer(watch.history(known_meter(watch, meter), range_name))

    @router.get("/gaps", summary="Meters that missed slots of the last day")
    def gaps() -> list[Meter]:
        return [meter_answer(status) for status in watch.network().meters if status.read < status.expected]

    return router
