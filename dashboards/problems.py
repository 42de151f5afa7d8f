"""What can go wrong with a request, said in the reader's language on pages and as JSON to programs."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from dashboards.rendering import Renderer
from dashboards.source import SourceUnavailable
from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.runtime.log import fields

log = logging.getLogger(__name__)

_NOT_FOUND, _NOT_UNDERSTOOD, _UNAVAILABLE = 404, 422, 503


class NoSuchMeter(KaukoluentaError):
    """A meter that no reading and no gateway names."""

    def __init__(self, meter: str) -> None:
        super().__init__("This meter is not known.", remedy="See /api/v1/meters for those that are.")
        self.meter = meter


def add_problem_pages(app: FastAPI, refresh_s: int) -> None:
    """Answer problems with a page, or under /api and /readyz with JSON."""

    def answer(request: Request, status: int, error: KaukoluentaError, key: str, **values: str) -> Response:
        if request.url.path.startswith(("/api/", "/readyz")):
            return JSONResponse({"problem": error.problem, "remedy": error.remedy}, status)
        renderer = Renderer(request, refresh_s)
        title, text = renderer.language.text(f"problem.{key}"), renderer.language.text(f"problem.{key}_text")
        shown = {"title": title, "text": text.format(**values), "again": status == _UNAVAILABLE}
        return renderer.page("problem.html", shown, status)

    @app.exception_handler(SourceUnavailable)
    def unavailable(request: Request, error: SourceUnavailable) -> Response:
        log.warning("no readings %s", fields(problem=error.problem, remedy=error.remedy))
        return answer(request, _UNAVAILABLE, error, "store")

    @app.exception_handler(NoSuchMeter)
    def no_such_meter(request: Request, error: NoSuchMeter) -> Response:
        return answer(request, _NOT_FOUND, error, "no_such_meter", meter=error.meter)

    @app.exception_handler(RequestValidationError)
    def not_understood(request: Request, error: RequestValidationError) -> Response:
        where = ", ".join(sorted({str(fault["loc"][-1]) for fault in error.errors()}))
        problem = KaukoluentaError(
            f"The request was not understood: {where}.", remedy="See /api/v1/openapi.json."
        )
        return answer(request, _NOT_UNDERSTOOD, problem, "bad_request")

    @app.exception_handler(HTTPException)
    def not_found(request: Request, error: HTTPException) -> Response:
        problem = KaukoluentaError(f"{error.detail}.", remedy="See /api/v1/openapi.json.")
        return answer(request, error.status_code, problem, "not_found")
