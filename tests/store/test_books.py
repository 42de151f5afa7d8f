"""The books: what arrived, what was missed, who said what of himself, what was set aside."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from collector.books import open_books
from collector.entries import BatchKey, Entries, SetAside, Watched
from kaukoluenta.acknowledgement import Acknowledgement
from kaukoluenta.gateway_state import GatewayState
from kaukoluenta.payload import MOST_OCTETS, Missed, digest_of

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOWN = "kirkonkyla-1"


@pytest.fixture
def books(tmp_path):
    with closing(open_books(tmp_path / "collector.db")) as opened:
        yield opened


def batches(*seqs: int, gateway: str = TOWN, epoch: str = "5f0c") -> Entries:
    return Entries({BatchKey(gateway, epoch, seq): digest_of(b"%d" % seq) for seq in seqs})


def ack(epoch: str, upto: int, *missing: tuple[int, int]) -> Acknowledgement:
    return Acknowledgement(epoch, upto, missing, digest_of(b"%d" % upto).hex())


def state(**lines: list[str]) -> GatewayState:
    return GatewayState(online=True, epoch="5f0c", every_s=900, lines=lines)


def test_an_acknowledgement_grows_with_what_arrives_and_survives_a_restart(books, tmp_path):
    books.record(batches(1, 2, 5), NOW)
    assert books.acknowledgement(TOWN, "5f0c") == ack("5f0c", 5, (3, 4))
    books.record(batches(3), NOW)
    with closing(open_books(tmp_path / "collector.db")) as again:
        again.record(batches(4), NOW)
        assert again.acknowledgement(TOWN, "5f0c") == ack("5f0c", 5)


def test_each_epoch_counts_for_itself_and_the_newest_is_told(books):
    books.record(batches(1, 2, 3), NOW)
    books.record(batches(1, gateway="asema", epoch="aa"), NOW)
    books.record(batches(1, epoch="new card"), NOW)
    assert books.newest_acknowledgements() == [
        ("asema", ack("aa", 1)),
        (TOWN, ack("new card", 1)),
    ]
    assert books.acknowledgement(TOWN, "5f0c") == ack("5f0c", 3)


def test_an_acknowledgement_may_end_at_an_earlier_batch(books):
    books.record(batches(1, 4, 5, 6), NOW)
    assert books.acknowledgement(TOWN, "5f0c", 5) == ack("5f0c", 5, (2, 3))


def test_the_first_digest_under_a_name_stands(books):
    key = BatchKey(TOWN, "5f0c", 1)
    books.record(Entries({key: b"first"}), NOW)
    books.record(Entries({key: b"other"}), NOW)
    assert books.digests([key, BatchKey(TOWN, "5f0c", 2)]) == {key: b"first"}


def test_a_missed_slot_is_told_once_with_its_first_reason(books):
    for reason in ("no answer", "line down"):
        books.record(Entries(missed=[(TOWN, Missed("KAM-1", NOW, reason))]), NOW)
    assert [*books.missed(NOW, NOW + HOUR)] == [(TOWN, Missed("KAM-1", NOW, "no answer"))]
    assert [*books.missed(NOW - HOUR, NOW)] == []


def test_what_is_set_aside_is_kept_once_whole_and_legible(books):
    aside = SetAside("kaukoluenta/v1/x/readings", "no batch", b"ok \xff\x00 \xc3\xa4")
    books.record(Entries(aside=[aside, aside]), NOW)
    books.record(Entries(aside=[aside]), NOW + HOUR)
    (kept,) = books.quarantine()
    assert (kept.text, kept.octets, kept.received_at) == ("ok \\xff\x00 ä", 8, NOW)


def test_a_huge_text_is_cut_and_its_length_remembered(books):
    books.record(Entries(aside=[SetAside("t", "r" * 5000, b"x" * 1_000_000)]), NOW)
    (kept,) = books.quarantine()
    assert (len(kept.text), kept.octets, len(kept.reason)) == (MOST_OCTETS, 1_000_000, 300)


def test_the_last_will_keeps_what_the_gateway_said_of_itself(books):
    books.record(Entries(states=[(TOWN, state(a=["KAM-1"]))]), NOW)
    books.record(Entries(states=[(TOWN, GatewayState(online=False))]), NOW + HOUR)
    (heard,) = books.gateways()
    assert (heard.online, heard.heard_at, heard.state) == (False, NOW + HOUR, state(a=["KAM-1"]))
    assert [one.line for one in books.watched()] == ["a"]


def test_a_will_of_a_gateway_never_heard_of_is_kept_as_it_is(books):
    books.record(Entries(states=[(TOWN, GatewayState(online=False))]), NOW)
    assert [heard.online for heard in books.gateways()] == [False]


def test_meters_are_watched_from_their_naming_until_the_state_names_them_no_more(books):
    books.record(Entries(states=[(TOWN, state(a=["KAM-1"], b=["LUG-2"]))]), NOW)
    books.record(Entries(states=[(TOWN, state(a=["LUG-2", "DME-3"]))]), NOW + HOUR)
    assert books.watched() == [
        Watched("DME-3", TOWN, "a", NOW + HOUR, None, None),
        Watched("KAM-1", TOWN, None, None, None, None),
        Watched("LUG-2", TOWN, "a", NOW, None, None),
    ]


def test_the_slots_of_a_meter_reach_from_the_first_to_the_last_that_was_spoken_of(books):
    for hours in (5, 3, 8, 4):
        entries = Entries()
        entries.heard_of("KAM-1", TOWN, NOW + hours * HOUR)
        books.record(entries, NOW)
    assert books.watched() == [Watched("KAM-1", TOWN, None, None, NOW + 3 * HOUR, NOW + 8 * HOUR)]


def test_a_round_is_written_whole_or_not_at_all(books):
    broken = Entries(batches(1).batches, aside=[SetAside(None, "a place is never None", b"")])
    with pytest.raises(Exception, match="NOT NULL"):
        books.record(broken, NOW)
    assert books.digests(broken.batches) == {}
    assert books.newest_acknowledgements() == []
