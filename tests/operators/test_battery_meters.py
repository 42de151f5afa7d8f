"""A meter asked only so often that its battery lasts: the slots between are neither missing nor hidden."""

import csv
import io
import re
from datetime import timedelta

import pytest

from gateway.budget import attempts_in, why_spared
from gateway.settings import MeterSettings
from kaukoluenta.identifiers import meter_id

BATTERY = meter_id("ITW-30250009")
PAGE = f"/meter/{BATTERY}"


def text_of(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())


def told(office, hours: range, reads: int, silent: range = range(0)) -> None:
    """The slots of those hours ago as a gateway tells them with such a budget; `silent`: no answer came."""
    reason = why_spared(MeterSettings(id=BATTERY, address=1, reads_per_day=reads))
    for ago in hours:
        slot = office.noon - ago * office.hour
        if not attempts_in(slot, office.hour, reads, 3):
            office.missed(BATTERY, ago, reason)
        elif ago in silent:
            office.missed(BATTERY, ago, "no answer")
        else:
            office.read(BATTERY, ago)


@pytest.fixture
def battery(office):
    """Polled every hour with four reads a day: at 00, 06, 12, 18 o'clock. It is 17.20; last read at 12."""
    office.noon_is(office.noon + 5 * office.hour)
    office.named({"koulu": [BATTERY]})
    return office


def test_it_is_not_late_before_its_turn_and_owes_only_its_turns(battery, pages):
    told(battery, range(60), reads=4)
    status = pages.get(f"/api/v1/meters/{BATTERY}").json()
    assert (status["state"], status["age_s"], status["expected"], status["read"]) == ("read", 19200, 4, 4)
    said = text_of(pages.get("/").text)
    assert "100,0 % Hyvä 4 / 4 lukemaa" in said
    assert "Jokainen luettava mittari vastaa." in said
    assert pages.get("/api/v1/gaps").json() == []


def test_it_is_late_after_a_turn_without_an_answer_then_silent_for_the_reason_of_that_turn(battery, pages):
    told(battery, range(60), reads=4, silent=range(12))
    status = pages.get(f"/api/v1/meters/{BATTERY}").json()
    assert (status["state"], status["expected"], status["read"]) == ("late", 4, 2)
    assert status["last_missed"] == {"slot": "2026-10-20T09:00:00Z", "reason": "no answer"}
    battery.noon_is(battery.noon + 7 * battery.hour)
    told(battery, range(7), reads=4, silent=range(7))
    silent = re.search(r'<ul class="silent">(.*?)</ul>', pages.get("/").text, re.S)
    assert text_of(silent[1]).startswith(f"Hiljaa {BATTERY} 24 h 20 min Mittari ei vastannut")


def test_with_one_read_a_day_it_is_read_until_that_one_is_missed(battery, pages):
    told(battery, range(60), reads=1)
    assert pages.get(f"/api/v1/meters/{BATTERY}").json()["state"] == "read"
    battery.noon_is(battery.noon + 7 * battery.hour)
    told(battery, range(7), reads=1, silent=range(7))
    assert pages.get(f"/api/v1/meters/{BATTERY}").json()["state"] == "late"


def test_its_page_counts_the_slots_between_but_does_not_call_them_missing(battery, pages):
    told(battery, range(60), reads=4, silent=range(5, 6))
    said = text_of(pages.get(f"{PAGE}?range=24h").text)
    assert "Puuttuvat lukemat 1 " in said
    assert "20.10.2026 klo 12.00 1 Mittari ei vastannut" in said
    assert "Pariston säästämiseksi väliin jätettyjä lukuhetkiä: 20." in said
    assert "20.10.2026 klo 11.00 – – – – – Jätetty väliin" in said


def test_without_a_missed_turn_nothing_is_missing_and_no_area_is_grey(battery, pages):
    told(battery, range(60), reads=4)
    said = text_of(pages.get(f"{PAGE}?range=24h").text)
    assert "Aikaväliltä ei puutu lukemia." in said
    assert "Harmaa alue" not in said
    assert set(pages.get(f"/api/v1{PAGE.replace('meter', 'meters')}/series").json()["state"]) == {
        "present",
        "spared",
    }


def test_programs_and_files_are_told_of_every_slot_and_why(battery, pages):
    told(battery, range(60), reads=4)
    gaps = pages.get(f"/api/v1/meters/{BATTERY}/gaps?range=24h").json()["gaps"]
    assert [(gap["slots"], gap["reason"]) for gap in gaps] == [(5, "not asked: it allows 4 reads a day")] * 4
    rows = list(csv.reader(io.StringIO(pages.get(f"{PAGE}/readings.csv?lang=en&range=24h").text)))
    assert rows[1][0] == "2026-10-19T18:00:00+03:00"
    assert rows[2][-4:] == ["Skipped", "", "", "Skipped to spare the battery (reads a day: at most 4)"]


def test_a_slot_that_nothing_was_said_of_is_missing_as_with_every_meter(battery, pages):
    told(battery, range(10, 60), reads=4)
    assert battery.clock.time - battery.noon == timedelta(minutes=20)
    said = text_of(pages.get(f"{PAGE}?range=24h").text)
    assert "20.10.2026 klo 8.00 20.10.2026 klo 17.00 10 Yhdyskäytävältä ei ole tietoa" in said
    assert pages.get(f"/api/v1/meters/{BATTERY}").json()["state"] == "silent"
