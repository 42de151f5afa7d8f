"""The web application: pages, JSON interface, health, and the headers that keep a browser to ourselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from dashboards.api import PREFIX, api_routes
from dashboards.pages import page_routes
from dashboards.problems import add_problem_pages
from dashboards.watch import Watch
from kaukoluenta import __version__

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def build_app(watch: Watch, refresh_s: int) -> FastAPI:
    """The application over what `watch` sees. Nothing in it writes, and nothing asks another host."""
    app = FastAPI(
        title="Kaukoluenta",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )

    @app.middleware("http")
    async def with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        response = await answer(request)
        response.headers.update(_HEADERS)
        response.headers.setdefault("Cache-Control", "no-cache" if _is_static(request) else "no-store")
        return response

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, str]:
        """The readings can be had too; else 503."""
        watch.network()
        return {"status": "ok"}

    app.include_router(page_routes(watch, refresh_s))
    app.include_router(api_routes(watch))
    app.mount("/static", StaticFiles(directory=str(resources.files("dashboards") / "static")), name="static")
    add_problem_pages(app, refresh_s)
    return app


def _is_static(request: Request) -> bool:
    return request.url.path.startswith("/static/")
