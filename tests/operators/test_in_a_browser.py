"""The pages in Debian's Chromium: they update by themselves, draw, fit, can be read, and ask nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from dashboards.languages import CODES, language
from kaukoluenta.identifiers import meter_id

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, MOBILE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
GOOD = "/meter/KAM-69183621"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a new, empty profile. Skipped, or failed where everything is required, without it."""
    if not CHROMIUM.exists():
        missing = pytest.fail if os.environ.get("KAUKOLUENTA_REQUIRE") else pytest.skip
        missing("install chromium (Debian package)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


class Tab:
    """One page in a profile of its own, and whatever it complained of or asked of others."""

    def __init__(self, browser: Browser, address: str, scheme: str, size: dict[str, int]) -> None:
        self._context = browser.new_context(color_scheme=scheme, viewport=size, locale="fi-FI")
        self.page: Page = self._context.new_page()
        self._address, self.complaints = address, []
        self.page.on(
            "console", lambda message: self._heard(message.type in ("error", "warning"), message.text)
        )
        self.page.on("pageerror", lambda error: self._heard(True, str(error)))
        self.page.on("request", lambda asked: self._heard(not asked.url.startswith(address), asked.url))

    def open(self, path: str) -> Page:
        self.page.goto(self._address + path)
        return self.page

    def close(self) -> None:
        self._context.close()

    def _heard(self, complaint: bool, text: str) -> None:
        if complaint:
            self.complaints.append(text)


@pytest.fixture
def tab(browser: Browser, address: str):
    """Opens tabs; at the end none of them may have complained or asked another host."""
    opened = []

    def open_tab(scheme: str = "light", size: dict[str, int] = DESKTOP) -> Tab:
        opened.append(Tab(browser, address, scheme, size))
        return opened[-1]

    yield open_tab
    for one in opened:
        one.close()
    assert [complaint for one in opened for complaint in one.complaints] == []


def until(page: Page, true: Callable[[], bool]) -> None:
    """Wait, without code made of text: the page's own policy forbids that to us as well."""
    for _ in range(200):
        if true():
            return
        page.wait_for_timeout(50)
    pytest.fail("it did not come true in 10 s")


def canvases(page: Page) -> list[int]:
    """How many pixels of each chart are drawn in its first line's ink."""
    page.wait_for_selector("figure.chart canvas")
    return page.evaluate(INK_PIXELS)


INK_PIXELS = """() => [...document.querySelectorAll("figure.chart")].map((figure) => {
            const probe = document.createElement("span");
            probe.className = "ink-" + JSON.parse(figure.dataset.panel).series[0].ink;
            document.getElementById("charts").append(probe);
            const ink = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
            probe.remove();
            const canvas = figure.querySelector("canvas");
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let found = 0;
            for (let at = 0; at < data.length; at += 4)
                found += data[at + 3] === 255 && ink.every((part, n) => Math.abs(part - data[at + n]) < 3);
            return found;
        })"""


def test_the_overview_shows_a_new_reading_without_being_asked(village, tab):
    page = tab().open("/?q=kam")
    page.wait_for_selector("text=62 / 72")
    page.fill("#search-q", "half a wo")
    page.evaluate("document.getElementById('meter-KAM-69183621').focus()")
    village.clock.time = village.noon + village.hour
    village.read(meter_id("KAM-69183621"), -1, energy="12347.5 kWh", power="77.7 kW")
    page.wait_for_selector("td:has-text('77,7')")
    assert page.input_value("#search-q") == "half a wo"
    assert page.evaluate("document.activeElement.id") == "meter-KAM-69183621"
    assert page.is_hidden("#stale")


def test_the_meter_page_draws_a_new_reading_and_keeps_what_is_open(village, tab):
    page = tab().open(f"{GOOD}?range=24h")
    before = canvases(page)
    page.click("summary")
    village.clock.time = village.noon + village.hour
    village.read(meter_id("KAM-69183621"), -1, energy="12375.0 kWh", power="2.5 kW")
    page.wait_for_selector("#summary-energy_use:has-text('30,0')")
    until(page, lambda: canvases(page)[0] != before[0])
    assert page.locator("figure.chart canvas").count() == 3
    assert page.evaluate("document.querySelector('details').open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_in_the_inks_of_the_scheme(village, tab, scheme):
    page = tab(scheme).open(f"{GOOD}?range=7d")
    until(page, lambda: [drawn > 50 for drawn in canvases(page)] == [True] * 3)
    assert is_dark(page) == (scheme == "dark")


def test_a_reading_between_readings_that_are_missing_is_still_seen_in_the_charts(office, tab):
    meter = meter_id("ITW-30250009")
    office.named({"koulu": [meter]})
    office.keep(*(office.reading(meter, hours_ago) for hours_ago in range(0, 168, 6)))
    page = tab().open(f"/meter/{meter}?range=7d")
    until(page, lambda: [drawn > 50 for drawn in canvases(page)] == [True] * 2)


def test_a_change_of_the_scheme_draws_the_charts_anew(village, tab):
    page = tab("light").open(f"{GOOD}?range=7d")
    until(page, lambda: min(canvases(page)) > 50)
    page.emulate_media(color_scheme="dark")
    until(page, lambda: is_dark(page) and min(canvases(page)) > 50)


def is_dark(page: Page) -> bool:
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    return sum(ground) < 3 * 128


def test_on_a_phone_the_reasons_of_gaps_are_seen_without_scrolling(village, tab):
    one = tab(size=MOBILE)
    for code in CODES:
        page = one.open(f"{GOOD}?lang={code}")
        assert page.evaluate(
            "[...document.querySelectorAll('.gaps')].map((t) => t.offsetWidth <= t.parentNode.clientWidth)"
        ) == [True], code


def test_the_axes_are_in_local_time_and_numbers_in_the_readers_way(village, tab):
    page = tab().open(f"{GOOD}?range=24h&lang=fi")
    page.wait_for_selector("figure.chart canvas")
    box = page.locator("#figure-energy_use .u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 40)
    page.wait_for_selector("#figure-energy_use .u-legend:has-text('2,5 kWh')")
    assert "UTC+3" in page.inner_text("#figure-energy_use .u-legend")


def test_a_page_that_hears_nothing_says_so_and_recovers(village, tab):
    one = tab()
    page = one.open("/")
    page.route("**/*", lambda route: route.abort())
    page.wait_for_selector("#stale:not([hidden])")
    page.unroute("**/*")
    page.wait_for_selector("#stale[hidden]", state="attached")
    assert all("ERR_FAILED" in text or "htmx:" in text for text in one.complaints)
    one.complaints.clear()


PAGES = ["/", f"{GOOD}?range=7d", "/meter/LUG-70412233?range=30d", "/meter/KAM-99999999", "/?q=nobody"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("size", [DESKTOP, MOBILE], ids=["desktop", "mobile"])
def test_no_page_is_wider_than_its_window_in_any_language(village, tab, path, size):
    one = tab(size=size)
    for code in CODES:
        page = one.open(f"{path}{'&' if '?' in path else '?'}lang={code}")
        assert page.locator("html").get_attribute("lang") == code
        assert language(code).text("site.times") in page.inner_text("footer")
        assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), code
    one.complaints = [text for text in one.complaints if "404" not in text or "99999999" not in path]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", f"{GOOD}?range=7d"])
def test_every_text_stands_out_from_its_ground(village, tab, path, scheme):
    page = tab(scheme).open(path)
    page.evaluate("document.querySelectorAll('details').forEach((box) => { box.open = true; })")
    assert page.evaluate(_FAINT_TEXTS) == []


_FAINT_TEXTS = """() => {
    const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
    const light = (rgb) => rgb.slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, n) => sum + part * [0.2126, 0.7152, 0.0722][n], 0);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
        const own = texts.map((node) => node.data).join("").trim();
        if (!own || !element.checkVisibility()) continue;
        const lights = [light(parts(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
        if (contrast < 4.5) faint.push(`${own} ${contrast.toFixed(2)}`);
    }
    return faint;
}"""


def test_the_keyboard_reaches_content_first_and_sees_where_it_is(village, tab):
    page = tab().open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_every_control_and_image_has_a_name(village, tab):
    for path in ("/", GOOD):
        page = tab().open(path)
        nameless = page.evaluate(_NAMELESS)
        assert nameless == []


_NAMELESS = """() => {
    const named = "a, button, input:not([type=hidden]), select, img, [role=img], [role=region]";
    const hasName = (one) => one.textContent.trim() || one.labels?.length || one.hasAttribute("alt")
        || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby");
    return [...document.querySelectorAll(named)].filter((one) => !hasName(one)).map((one) => one.outerHTML);
}"""
