"""The HTML pages: the overview, one meter, and the tables of both as CSV files."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dashboards.asked import AskedQuestion, AskedRange, known_meter
from dashboards.csv_file import CsvFile, csv_octets
from dashboards.history import DEFAULT_RANGE
from dashboards.languages import Language
from dashboards.meter_page import meter_csv, meter_values
from dashboards.overview_page import overview_csv, overview_values
from dashboards.rendering import Renderer, language_of
from dashboards.watch import Watch


def page_routes(watch: Watch, refresh_s: int) -> APIRouter:
    """The routes of people. The address holds all of a page's state, so that it can be mailed."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def overview(request: Request, question: AskedQuestion) -> Response:
        renderer = Renderer(request, refresh_s)
        values = overview_values(watch.network(), question, renderer.language)
        export = renderer.with_query(path="/meters.csv", lang=renderer.language.code, page=None)
        return renderer.live("overview.html", "_network.html", {**values, "export": export})

    @router.get("/meters.csv")
    def meters(request: Request, question: AskedQuestion) -> Response:
        words = language_of(request)
        return _download(overview_csv(watch.network(), question, words), words)

    @router.get("/meter/{meter}")
    def meter(request: Request, meter: str, range_name: AskedRange = DEFAULT_RANGE) -> Response:
        renderer, status = Renderer(request, refresh_s), known_meter(watch, meter)
        values = meter_values(status, watch.history(status, range_name), range_name, renderer.language)
        return renderer.live("meter.html", "_meter.html", values)

    @router.get("/meter/{meter}/readings.csv")
    def readings(request: Request, meter: str, range_name: AskedRange = DEFAULT_RANGE) -> Response:
        words, status = language_of(request), known_meter(watch, meter)
        return _download(meter_csv(watch.history(status, range_name), words), words)

    return router


def _download(file: CsvFile, words: Language) -> Response:
    disposition = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(csv_octets(file, words), media_type="text/csv; charset=utf-8", headers=disposition)
