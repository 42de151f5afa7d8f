"""A database that is absent, newer, damaged or replaced: a clear page and 503, and the process goes on."""

import shutil
import sqlite3

import pytest

from kaukoluenta.identifiers import meter_id


def absent(office):
    office.path.unlink(missing_ok=True)


def newer(office):
    with sqlite3.connect(office.path) as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()


def damaged(office):
    absent(office)
    office.path.write_bytes(b"this is no database" * 100)


def empty(office):
    absent(office)
    office.path.touch()


TROUBLES = [
    # what happened   what the JSON says
    (absent,          "cannot be read: No such file"),
    (newer,           "schema version 999"),
    (damaged,         "file is not a database"),
    (empty,           "no such table"),
]  # fmt: skip


@pytest.mark.parametrize(("happens", "problem"), TROUBLES)
def test_trouble_with_the_database_is_told_and_passes_with_it(village, pages, happens, problem):
    assert pages.get("/").status_code == 200
    backup = village.path.with_suffix(".backup")
    with sqlite3.connect(village.path) as connection:
        connection.execute("VACUUM INTO ?", (str(backup),))
    connection.close()
    happens(village)
    for path in ("/", "/meter/KAM-69183621", "/meters.csv"):
        answer = pages.get(path)
        assert (answer.status_code, "Lukemiin ei pääse käsiksi" in answer.text) == (503, True), path
        assert '<meta http-equiv="refresh" content="1">' in answer.text
    assert problem in pages.get("/api/v1/overview").json()["problem"]
    assert pages.get("/readyz").status_code == 503
    assert pages.get("/healthz").json() == {"status": "ok"}
    for leftover in village.path.parent.glob("collector.db-*"):
        leftover.unlink()
    shutil.move(backup, village.path)
    assert pages.get("/readyz").json() == {"status": "ok"}
    assert "KAM-69183621" in pages.get("/").text


def test_the_pages_start_before_the_collector_ever_did(office, pages):
    assert pages.get("/").status_code == 503
    office.named({"koulu": [meter_id("KAM-69183621")]})
    assert pages.get("/").status_code == 200


def test_a_page_that_is_not_there_is_a_page_in_the_readers_language(village, pages):
    answer = pages.get("/meter/KAM-99999999?lang=sv")
    assert answer.status_code == 404
    assert "Ingen avläsning har kommit från mätaren KAM-99999999" in answer.text
    assert pages.get("/nothing?lang=sv").status_code == 404
    assert "Sidan finns inte" in pages.get("/nothing?lang=sv").text
    assert pages.get("/meter/KAM-69183621?range=2y&lang=sv").status_code == 422


def test_the_pages_write_nothing_into_the_collectors_database(village, pages):
    before = village.path.read_bytes()
    for path in ("/", "/meter/KAM-69183621?range=all", "/api/v1/meters", "/meters.csv"):
        assert pages.get(path).status_code == 200
    assert village.path.read_bytes() == before
