"""From a template and its values to a page in one language."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dashboards.languages import CODES, COOKIE, Language, choose_language, language, unit_sign

_A_YEAR_S = 365 * 24 * 3600
_NOTHING_NEW = 204

_environment = Environment(
    loader=PackageLoader("dashboards"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Renderer:
    """Renders for one request: in its language, with links that keep its query."""

    def __init__(self, request: Request, refresh_s: int) -> None:
        self.language = language_of(request)
        self._request, self._refresh_s = request, refresh_s

    def page(self, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
        """A whole page. A language chosen in the address is remembered in a cookie."""
        response = HTMLResponse(self._text(template, values), status)
        if self._request.query_params.get("lang") == self.language.code:
            response.set_cookie(COOKIE, self.language.code, _A_YEAR_S, httponly=True, samesite="lax")
        return response

    def live(self, page: str, fragment: str, values: Mapping[str, Any]) -> Response:
        """A page around a fragment that renews itself; to the page's own question, the fragment alone.

        The question says which content is shown already (`seen`): 204 means that it still holds.
        """
        content = self._text(fragment, values)
        seen = hashlib.sha256(content.encode()).hexdigest()[:16]
        if self._request.headers.get("HX-Request") != "true":
            return self.page(page, {**values, "content": Markup(content), "seen": seen})  # noqa: S704  ours, escaped
        if self._request.query_params.get("seen") == seen:
            return Response(status_code=_NOTHING_NEW)
        return self.page("_live.html", {"content": Markup(content), "seen": seen})  # noqa: S704  ours, escaped

    def with_query(self, path: str = "", **changes: object) -> str:
        """A link to this page, or to `path`, with some of the query changed; None takes a part away."""
        query = {key: value for key, value in self._request.query_params.items() if key != "seen"}
        query |= {key: str(value) for key, value in changes.items() if value is not None}
        kept = {key: value for key, value in query.items() if changes.get(key, value) is not None}
        return f"{path}?{urlencode(kept)}"

    def _text(self, template: str, values: Mapping[str, Any]) -> str:
        words = self.language
        common: dict[str, Any] = {
            "language": words,
            "languages": [(code, language(code).text("site.language")) for code in CODES],
            "t": words.text,
            "number": words.number,
            "instant": words.instant,
            "age": words.age,
            "unit": unit_sign,
            "with_query": self.with_query,
            "refresh_s": self._refresh_s,
        }
        return _environment.get_template(template).render(common, **values)


def language_of(request: Request) -> Language:
    """The language of a request: its address, its cookie, what its browser asks for."""
    return choose_language(
        request.query_params.get("lang"), request.cookies.get(COOKIE), request.headers.get("accept-language")
    )
