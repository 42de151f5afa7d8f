"""Every word is there in three languages and used; what the browser gets is ours or vendored unchanged."""

import hashlib
import re
import string
from pathlib import Path

import pytest

import dashboards
from dashboards.languages import CODES, language
from dashboards.listing import COLUMNS
from dashboards.network import State
from dashboards.overview_page import _CSV_HEADING
from dashboards.panels import panels
from kaukoluenta.quantities import QUANTITIES
from kaukoluenta.reading import Quality, Source

ROOM = Path(dashboards.__file__).parent
VENDOR = ROOM / "static" / "vendor"
SOURCES = [*ROOM.glob("*.py"), *ROOM.glob("templates/*.html")]

CUSTOMER_WORDS = re.compile(
    r"customer|client|tenant|contract|invoice|identity|asiakas|asiakka|sopimu|lasku|henkilö"
    r"|\bkund|avtal|faktur|personbeteckning|hetu",
    re.I,
)


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", CODES[1:])
def test_every_language_has_the_same_keys_and_the_same_blanks(code):
    first, other = language(CODES[0]).words, language(code).words
    assert list(first) == list(other)
    assert {key: fields(text) for key, text in first.items() if key != "format.instant"} == {
        key: fields(text) for key, text in other.items() if key != "format.instant"
    }


@pytest.mark.parametrize("code", CODES)
def test_no_word_is_empty_and_none_is_about_customers(code):
    for key, text in language(code).words.items():
        assert text.strip(), key
        assert not CUSTOMER_WORDS.search(text), key


def computed_keys() -> set[str]:
    """Keys that code puts together: `state.` + a state, and so on."""
    return {
        *(f"state.{state}" for state in State),
        *(f"source.{source}" for source in Source),
        *(f"doubt.{(doubt.name or '').lower()}" for doubt in Quality),
        *(f"register.{quantity}" for quantity in QUANTITIES),
        *(f"column.{column.key}" for column in COLUMNS),
        *(f"range.{name}" for name in ("24h", "7d", "30d", "all")),
        *(f"reading.{state}" for state in ("present", "missing", "spared", "disputed")),
        *(f"band.{band}" for band in ("good", "fair", "poor")),
        *(
            f"problem.{key}{text}"
            for key in ("not_found", "no_such_meter", "bad_request", "store")
            for text in ("", "_text")
        ),
        *(f"register.{series.column}" for panel in panels() for series in panel.series),
        *_CSV_HEADING,
    }


def test_every_key_that_is_asked_for_exists_and_every_key_is_asked_for():
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    written = set(
        re.findall(
            r"[\"']((?:" + "|".join({k.split(".")[0] for k in language("fi").words}) + r")\.[a-z0-9_]+)[\"']",
            text,
        )
    ) - {path.name for path in SOURCES}
    assert written | computed_keys() == set(language("fi").words)


def test_the_vendored_files_are_those_that_versions_names():
    lines = [
        line.split() for line in (VENDOR / "VERSIONS").read_text().splitlines() if not line.startswith("#")
    ]
    listed = {name: digest for name, *_, digest in lines}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.iterdir()
        if path.name != "VERSIONS"
    }
    assert listed == found
    assert {"uplot.LICENSE", "htmx.LICENSE"} <= found.keys()


def test_pages_and_static_files_name_no_other_host():
    for path in [*ROOM.glob("templates/*"), *ROOM.glob("static/*.*")]:
        hosts = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]+", path.read_text(encoding="utf-8")))
        assert hosts <= {"http://www.w3.org"}, path


def test_templates_hold_no_inline_script_style_or_handler():
    for path in ROOM.glob("templates/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), path
        assert all("src=" in script for script in re.findall(r"<script[^>]*>", text)), path


def test_the_browser_is_told_to_stay_with_us(village, pages):
    policy = pages.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert set(re.findall(r"'(\w+)'|https?:", policy)) == {"none", "self"}
    for path in ("/", "/static/style.css", "/api/v1/overview", "/nothing"):
        assert pages.get(path).headers["x-content-type-options"] == "nosniff", path


@pytest.mark.parametrize("path", ["/", "/meter/KAM-69183621?range=7d", "/api/v1/openapi.json"])
@pytest.mark.parametrize("code", CODES)
def test_no_page_has_a_word_about_customers(village, pages, path, code):
    answer = pages.get(path, params={"lang": code} if "json" not in path else {})
    assert answer.status_code == 200
    assert not CUSTOMER_WORDS.search(re.sub(r"https?://\S+", "", answer.text))


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel.key)
def test_a_panel_draws_known_columns_in_inks_that_the_style_knows(panel):
    style = (ROOM / "static" / "style.css").read_text()
    for series in panel.series:
        assert series.column in QUANTITIES or series.column == "energy_use"
        assert f".ink-{series.ink} " in style


def test_an_address_that_looks_like_another_host_makes_no_link_to_it(village, pages):
    page = pages.get(f"{pages.base_url}/%2Fexample.com/").text + pages.get("/?lang=fi&q=//example.com").text
    assert not re.search(r'(?:href|hx-get|action)="(?:https?:)?//', page)
