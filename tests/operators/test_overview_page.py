"""What an operator reads on the overview, from the collector's real database."""

import csv
import io
import re
from decimal import Decimal

import pytest

from dashboards.languages import CODES, language
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

HTMX = {"HX-Request": "true"}


def text_of(html: str) -> str:
    """The page's words: tags gone, white space single."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def rows_of(html: str) -> dict[str, str]:
    """The table's rows as words, by meter."""
    rows = (text_of(row) for row in re.findall(r"<tr>.*?</tr>", html, re.S))
    return {row.split()[0]: row for row in rows if row}


def test_the_figures_say_what_they_rest_on(village, pages):
    said = text_of(pages.get("/").text)
    assert "Tilanne 20.10.2026 klo 12.20 · Uusin lukema 20.10.2026 klo 12.00" in said
    assert "Luettu 24 h 86,1 % Heikko 62 / 72 lukemaa" in said
    assert "Mittarit 2 / 3" in said
    assert "Teho nyt 5,0 kW 2 / 3 mittaria mukana" in said
    assert "Meno / paluu 85,1 / 43,6 °C Painottamaton keskiarvo: 1 / 3 mittaria mukana" in said


def test_the_table_shows_each_meter_in_its_own_unit_with_age_and_state(village, pages):
    rows = rows_of(pages.get("/").text)
    assert rows["KAM-69183621"] == (
        "KAM-69183621 Luettu 20 min 12\u202f345,0\u00a0kWh 2,5\u00a0kW 85,1 43,6 kirkonkyla-1 koulu".replace(
            "\u202f", " "
        ).replace("\u00a0", " ")
    )
    assert "4,000 GJ 0,009 GJ/h – – kirkonkyla-1 kirkko" in rows["DME-41001234"]
    assert "Hiljaa 8 h 20 min" in rows["LUG-70412233"]


def test_a_silent_meter_is_listed_with_its_age_and_the_reason_of_its_last_missed_slot(village, pages):
    silent = re.search(r'<ul class="silent">(.*?)</ul>', pages.get("/").text, re.S)
    assert text_of(silent[1]) == "Hiljaa LUG-70412233 8 h 20 min Mittari ei vastannut kirkonkyla-1 · koulu"


def test_a_meter_that_was_never_read_is_listed_first(village, pages):
    village.named({"koulu": [meter_id("KAM-69183621"), meter_id("LUG-70412233"), meter_id("NEW-00000001")]})
    listed = re.findall(r'id="silent-([A-Z][^"]+)"', pages.get("/").text)
    assert listed == ["NEW-00000001", "LUG-70412233"]


def test_a_meter_that_its_gateway_reads_no_more_is_neither_silent_nor_owed(village, pages):
    village.named({"kirkko": [meter_id("DME-41001234")]})
    page = pages.get("/").text
    assert "Ei etäluennassa" in rows_of(page)["LUG-70412233"]
    assert language("fi").text("overview.none_silent") in page
    assert language("fi").text("overview.none_polled") not in page
    assert "24 / 24 lukemaa" in text_of(page)


def test_a_meter_read_by_hand_only_is_shown_with_its_age(village, pages):
    walked = Reading(
        meter_id("OLD-00000007"),
        village.noon - 50 * village.hour,
        Source.MANUAL,
        {"energy": Amount(Decimal("7.5"), "MWh")},
    )
    village.keep_without_gateway(walked)
    assert "OLD-00000007 Ei etäluennassa 2 vrk 2 h 7,5 MWh" in rows_of(pages.get("/").text)["OLD-00000007"]


def test_an_empty_database_says_so_instead_of_showing_zeros(office, pages):
    office.named({})
    said = text_of(pages.get("/").text)
    assert "Yhtään lukemaa ei ole vielä odotettu." in said
    assert "Teho nyt – Yksikään mittari ei kerro tehoaan." in said
    assert "Lukemia ei ole vielä tullut." in said
    assert "Yhtään mittaria ei vielä lueta." in said
    assert "Jokainen luettava mittari vastaa." not in said


def test_the_fragment_comes_alone_and_only_when_it_has_changed(village, pages):
    whole = pages.get("/?lang=fi")
    seen = re.search(r'data-seen="([0-9a-f]+)"', whole.text)[1]
    assert pages.get(f"/?lang=fi&seen={seen}", headers=HTMX).status_code == 204
    village.read(meter_id("LUG-70412233"), -1)
    village.clock.time = village.noon + village.hour
    changed = pages.get(f"/?lang=fi&seen={seen}", headers=HTMX)
    assert changed.status_code == 200
    assert changed.text.lstrip().startswith('<div id="live"')
    assert "<html" not in changed.text


@pytest.mark.parametrize(
    ("query", "meters"),
    [
        ("q=kam", ["KAM-69183621"]),
        ("q=kirkko", ["DME-41001234"]),
        ("q=kirkonkyla+koulu", ["KAM-69183621", "LUG-70412233"]),
        ("state=silent", ["LUG-70412233"]),
        ("sort=-meter", ["LUG-70412233", "KAM-69183621", "DME-41001234"]),
        ("sort=-age", ["LUG-70412233", "DME-41001234", "KAM-69183621"]),
        ("sort=flow_temperature", ["KAM-69183621", "LUG-70412233", "DME-41001234"]),
        ("q=nobody", []),
    ],
)
def test_the_address_searches_and_sorts_the_table(village, pages, query, meters):
    page = pages.get(f"/?{query}").text
    assert re.findall(r'id="meter-([^"]+)"', page) == meters
    exported = list(csv.reader(io.StringIO(pages.get(f"/meters.csv?{query}").text), delimiter=";"))
    assert [row[0] for row in exported[1:]] == meters


def test_a_long_table_is_cut_into_pages(office, pages):
    meters = [meter_id(f"KAM-{number:08d}") for number in range(250)]
    office.named({"koulu": meters})
    assert len(re.findall(r'id="meter-', pages.get("/").text)) == 100
    last = pages.get("/?page=3").text
    assert re.findall(r'id="meter-([^"]+)"', last)[-1] == "KAM-00000249"
    assert "Sivu 3 / 3" in text_of(last)
    assert "Sivu 3 / 3" in text_of(pages.get("/?page=99").text)


def test_the_exported_table_is_what_the_spreadsheet_of_the_language_expects(village, pages):
    finnish = pages.get("/meters.csv?lang=fi&q=kam")
    assert finnish.content.startswith(b"\xef\xbb\xbf")
    assert finnish.headers["content-disposition"] == 'attachment; filename="meters.csv"'
    assert finnish.text.splitlines()[1] == (
        "KAM-69183621;Luettu;2026-10-20T12:00:00+03:00;12345,0;kWh;2,5;kW;85,1;43,6;kirkonkyla-1;koulu"
    )
    assert pages.get("/meters.csv?lang=en&q=kam").text.splitlines()[1].split(",")[3] == "12345.0"


@pytest.mark.parametrize("code", CODES)
def test_each_language_is_complete_on_the_page_and_remembered(village, pages, code):
    page = pages.get(f"/?lang={code}")
    assert f'<html lang="{code}">' in page.text
    assert language(code).text("overview.read_rate") in page.text
    assert f'<html lang="{code}">' in pages.get("/").text


def test_what_comes_from_outside_is_never_markup(office, pages):
    office.named({"<script>alert(1)</script>": [meter_id("KAM-69183621")]})
    office.missed(meter_id("KAM-69183621"), 0, "<img src=x onerror=alert(1)>")
    page = pages.get("/?q=<b>&lang=fi").text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>" not in page
