"""What an operator reads of one meter: its hours, its gaps and why, the same as a table and a file."""

import csv
import html
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from collector.store import Arrival, Correction
from collector.store.backends import open_store
from dashboards.languages import CODES, language
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality

GOOD = "/meter/KAM-69183621"
SILENT = "/meter/LUG-70412233"
JOULES = "/meter/DME-41001234"


def text_of(markup: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", markup).split()))


def table_rows(page: str, title: str) -> list[str]:
    """The rows below the heading with this id, as words."""
    table = page.split(f'id="{title}"')[1].split("</table>")[0].split("<tbody>")[1]
    return [text_of(row) for row in re.findall(r"<tr.*?</tr>", table, re.S)]


def test_the_last_values_stand_in_the_meters_own_units(village, pages):
    said = text_of(pages.get(GOOD).text)
    assert "Luettu Viimeisin lukema 20.10.2026 klo 12.00 (20 min sitten)" in said
    assert "Energia 12 345,0 kWh Vesimäärä 321,45 m³ Teho 2,5 kW" in said
    assert "Yhdyskäytävä kirkonkyla-1 · Väylä koulu" in said
    assert "Energia 4,000 GJ Teho 0,009 GJ/h" in text_of(pages.get(JOULES).text)


def test_the_heading_says_that_an_hour_is_named_by_its_start(village, pages):
    assert "Tuntienergia kWh, tunti merkitty alkuhetkellään" in text_of(pages.get(GOOD).text)


def test_each_chart_is_an_image_with_a_summary_made_of_the_data(village, pages):
    page = pages.get(f"{GOOD}?range=24h").text
    figures = re.findall(r'<figure [^>]*role="img"[^>]*aria-labelledby="(\S+) (\S+)"', page)
    assert [title for title, _ in figures] == ["panel-energy_use", "panel-temperatures", "panel-power"]
    summary = text_of(re.search(rf'id="{figures[0][1]}">(.*?)</p>', page)[1])
    assert summary == (
        "Tiedossa 20 / 23 väliä, niissä yhteensä 50,0 kWh; suurin 2,5 kWh, 19.10.2026 klo 13.00. "
        "Harmaa alue: ei lukemaa."
    )


def test_a_meter_without_a_register_has_no_chart_of_it(village, pages):
    assert re.findall(r'id="figure-([^"]+)"', pages.get(JOULES).text) == ["energy_use", "power"]


def test_the_table_never_shows_an_unknown_hour_as_zero(village, pages):
    rows = table_rows(pages.get(f"{GOOD}?range=24h").text, "table-title")
    assert rows[0].startswith("20.10.2026 klo 12.00 – 12 345,0")
    assert rows[1].startswith("20.10.2026 klo 11.00 2,5 12 342,5")
    assert rows[5] == "20.10.2026 klo 7.00 – – – – – – Puuttuu"
    assert rows[7].startswith("20.10.2026 klo 5.00 – 12 327,5")


def test_gaps_are_listed_with_their_reasons_newest_first(village, pages):
    assert table_rows(pages.get(GOOD).text, "gaps-title") == [
        "20.10.2026 klo 7.00 20.10.2026 klo 7.00 1 Mittari ei vastannut",
        "20.10.2026 klo 6.00 20.10.2026 klo 6.00 1 Yhdyskäytävältä ei ole tietoa",
    ]
    assert table_rows(pages.get(SILENT).text, "gaps-title") == [
        "20.10.2026 klo 5.00 20.10.2026 klo 12.00 8 Mittari ei vastannut"
    ]


def test_a_slot_is_no_gap_before_its_grace_is_over(village, pages):
    village.clock.time = village.noon + village.hour + timedelta(minutes=10)
    assert "13.00" not in "".join(table_rows(pages.get(GOOD).text, "gaps-title"))
    village.clock.time = village.noon + village.hour + timedelta(minutes=16)
    assert "13.00" in "".join(table_rows(pages.get(GOOD).text, "gaps-title"))


RANGES = [("24h", 24), ("7d", 31), ("30d", 31), ("all", 31)]


@pytest.mark.parametrize(("range_name", "slots"), RANGES)
def test_a_range_holds_its_slots_from_the_first_reading_on(village, pages, range_name, slots):
    series = pages.get(f"/api/v1/meters/DME-41001234/series?range={range_name}").json()
    assert len(series["at"]) == slots


def test_a_gap_at_the_beginning_of_a_range_is_shown_when_the_meter_was_read_before(village, pages):
    meter = meter_id("KAM-00000009")
    village.named({"koulu": [meter]})
    village.read(meter, 30)
    village.read(meter, 2)
    village.read(meter, 1)
    series = pages.get(f"/api/v1/meters/{meter}/series?range=24h").json()
    assert series["state"] == ["missing"] * 21 + ["present"] * 2 + ["missing"]


def test_a_corrected_reading_changes_the_chart_even_when_nothing_else_does(village, pages):
    before = re.search(r'data-digest="(\S+)"', pages.get(GOOD).text)[1]
    store = open_store("sqlite", village.path)
    (old,) = store.series(meter_id("KAM-69183621"), village.noon, village.noon)
    corrected = replace(old, registers={**old.registers, "energy": Amount(Decimal("12346.0"), "kWh")})
    store.correct([corrected], Arrival(village.noon, "sha256:1"), Correction("aino", "misread"))
    store.close()
    page = pages.get(GOOD).text
    assert re.search(r'data-digest="(\S+)"', page)[1] != before
    assert "12 346,0" in text_of(page)


def test_a_meter_read_every_quarter_is_shown_by_the_quarter(office, pages):
    meter = meter_id("KAM-00000015")
    office.named({"koulu": [meter]}, every=timedelta(minutes=15))
    for quarter in range(9):
        office.read(meter, quarter / 4, energy=f"{100 - quarter} kWh")
    said = text_of(pages.get(f"/meter/{meter}?range=24h").text)
    assert "Energiankäyttö lukuvälillä (15 min) kWh, väli merkitty alkuhetkellään" in said
    assert "Tiedossa 8 / 9 väliä, niissä yhteensä 8 kWh" in said


def test_doubts_about_the_last_reading_are_said_in_words(village, pages):
    village.read(meter_id("KAM-00000010"), 0, Quality.METER_FAULT | Quality.FROM_FLOAT, energy="5 kWh")
    page = text_of(pages.get("/meter/KAM-00000010").text)
    assert "Mittari ilmoittaa viasta, Likiarvo (liukuluku)" in page


def test_a_time_of_whole_hours_is_shown_in_hours(village, pages):
    village.read(meter_id("KAM-00000012"), 0, on_time="34506000 s", error_time="90 s")
    assert "Käyntiaika 9 585 h Vika-aika 90 s" in text_of(pages.get("/meter/KAM-00000012").text)


def test_the_file_holds_the_range_with_exact_values_reasons_and_local_instants(village, pages):
    answer = pages.get(f"{GOOD}/readings.csv?range=24h&lang=fi")
    assert answer.headers["content-disposition"] == 'attachment; filename="KAM-69183621.csv"'
    heading, *rows = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";")
    assert heading[:3] == ["Aika", "Energiankäyttö kWh", "Energia kWh"]
    assert rows[0][:3] == ["2026-10-19T13:00:00+03:00", "2,5", "12287,5"]
    by_instant = {row[0]: row for row in rows}
    assert by_instant["2026-10-20T07:00:00+03:00"][1:] == [
        "",
        "",
        "",
        "",
        "",
        "",
        "Puuttuu",
        "",
        "",
        "Mittari ei vastannut",
    ]
    assert by_instant["2026-10-20T12:00:00+03:00"][-4:] == ["Luettu", "etäluenta", "", ""]


@pytest.mark.parametrize("code", CODES)
def test_each_language_is_on_the_page_and_in_the_charts(village, pages, code):
    page = pages.get(f"{GOOD}?lang={code}").text
    words = language(code)
    drawing = json.loads(
        html.unescape(re.search(r"id=\"figure-temperatures\".*?data-panel='(.*?)'", page, re.S)[1])
    )
    assert [line["label"] for line in drawing["series"]] == [
        words.text("register.flow_temperature"),
        words.text("register.return_temperature"),
    ]
    assert words.text("gaps.title") in page


def test_a_meter_read_once_a_day_is_shown_by_local_days(office, pages):
    meter = meter_id("KAM-00000024")
    office.noon_is(datetime(2026, 10, 26, 22, tzinfo=UTC))
    office.named({"koulu": [meter]}, every=timedelta(days=1))
    for days, hours_ago in enumerate((0, 24, 49, 73)):
        office.read(meter, hours_ago, energy=f"{1000 - days * 24} kWh")
    page = pages.get(f"/meter/{meter}?range=7d").text
    said = text_of(page)
    assert "Energiankäyttö lukuvälillä (1 vrk) kWh, väli merkitty alkuhetkellään" in said
    assert "Tiedossa 3 / 3 väliä, niissä yhteensä 72 kWh" in said
    assert "Aikaväliltä ei puutu lukemia." in said
    assert "100,0 %" in text_of(pages.get("/").text)


def test_a_meter_that_never_said_anything_has_a_page_that_says_so_and_why(office, pages):
    office.named({"koulu": [meter_id("NEW-00000001")]})
    for hours_ago in range(1, 4):
        office.missed(meter_id("NEW-00000001"), hours_ago, "KAM-00000009 answers instead")
    page = pages.get("/meter/NEW-00000001").text
    assert "Ei koskaan luettu" in text_of(page)
    assert "Aikaväliltä ei ole yhtään lukemaa." in text_of(page)
    assert table_rows(page, "gaps-title") == [
        "20.10.2026 klo 12.00 20.10.2026 klo 12.00 1 Yhdyskäytävältä ei ole tietoa",
        "20.10.2026 klo 9.00 20.10.2026 klo 11.00 3 Toinen mittari vastasi: KAM-00000009",
    ]


def test_a_meter_that_has_been_silent_for_weeks_still_misses_its_slots(village, pages):
    village.noon_is(village.noon + timedelta(days=30))
    said = text_of(pages.get(f"{GOOD}?range=24h").text)
    assert "Puuttuvat lukemat 24 " in said
    assert "Aikaväliltä ei ole yhtään lukemaa." in said
    assert "Aikaväliltä ei puutu lukemia." not in said


def test_a_meter_that_nobody_polls_any_more_misses_nothing_after_its_last_slot(village, pages):
    village.named({"koulu": [meter_id("LUG-70412233")]})
    village.noon_is(village.noon + timedelta(days=2))
    said = text_of(pages.get(f"{JOULES}?range=7d").text)
    assert "Ei etäluennassa" in said
    assert "Aikaväliltä ei puutu lukemia." in said
    assert "20.10.2026 klo 7.00 1 Mittari ei vastannut" in text_of(pages.get(f"{GOOD}?range=7d").text)


def test_a_range_without_readings_says_so_instead_of_showing_an_empty_table(village, pages):
    village.keep_without_gateway(village.reading(meter_id("OLD-00000007"), 500))
    page = pages.get("/meter/OLD-00000007?range=7d").text
    assert "Aikaväliltä ei ole yhtään lukemaa." in text_of(page)
    assert "table-title" not in page
    assert "gaps-title" not in page


def test_the_two_long_and_short_days_have_25_and_23_hours(office, pages):
    meter = meter_id("KAM-00000025")
    office.named({"koulu": [meter]})
    office.noon_is(datetime(2026, 10, 25, 22, tzinfo=UTC))
    for hours_ago in range(26):
        office.read(meter, hours_ago)
    rows = table_rows(pages.get(f"/meter/{meter}?range=30d").text, "table-title")
    long_day = [row for row in rows if row.startswith("25.10.2026")]
    assert len(long_day) == 25
    assert [row.split("(")[0] for row in long_day if "klo 3.00" in row] == ["25.10.2026 klo 3.00 "] * 2
    assert {row.split("(")[1][:5] for row in long_day if "klo 3.00" in row} == {"UTC+3", "UTC+2"}
