"""A round of messages made durable: any repeat, any order, forks and bad rows beside good ones."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.books import Books, open_books
from collector.intake import Intake, open_intake
from collector.store.backends import open_store
from kaukoluenta.acknowledgement import Acknowledgement
from kaukoluenta.gateway_state import GatewayState, encode_state
from kaukoluenta.payload import MOST_OCTETS, Batch, Missed, digest_of, encode
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality, Reading, Source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
TOWN = "kirkonkyla-1"


class StoppedClock:
    def now(self) -> datetime:
        return NOON + 48 * HOUR

    async def sleep_until(self, instant: datetime) -> None: ...


class Room:
    """A collector's database, its intake, and a look into it from another connection."""

    def __init__(self, path) -> None:
        self.path = path
        self.open()

    def open(self) -> None:
        self.intake = open_intake("sqlite", self.path, StoppedClock(), HOUR)

    def restart(self) -> None:
        self.intake.close()
        self.open()

    def take(self, *batches: Batch):
        """What is told, without the digests."""
        return [(gateway, replace(told, digest=None)) for gateway, told in self.told(*batches)]

    def told(self, *batches: Batch):
        return self.intake.take(
            (f"kaukoluenta/v1/{batch.gateway}/readings", encode(batch)) for batch in batches
        )

    def readings(self) -> list[Reading]:
        with closing(open_store("sqlite", self.path, read_only=True)) as store:
            return [*store.readings(*EVER)]

    def quarantine(self):
        with closing(open_books(self.path, read_only=True)) as books:
            return books.quarantine()


@pytest.fixture
def room(tmp_path):
    opened = Room(tmp_path / "collector.db")
    yield opened
    opened.intake.close()


def reading(hour: int, value: int | None = None, meter: str = "KAM-1") -> Reading:
    energy = Amount(Decimal(100 + hour if value is None else value), "kWh")
    return Reading(meter, NOON + hour * HOUR, Source.LIVE, {"energy": energy})


def batch(seq: int, *readings: Reading, gateway: str = TOWN, epoch: str = "5f0c") -> Batch:
    return Batch(gateway, epoch, seq, NOON, readings or (reading(seq),))


def ack(upto: int, *missing: tuple[int, int], epoch: str = "5f0c"):
    return Acknowledgement(epoch, upto, missing)


def with_digest(told: Acknowledgement, last: Batch) -> Acknowledgement:
    return replace(told, digest=digest_of(encode(last)).hex())


def test_a_round_is_stored_and_then_acknowledged(room):
    assert room.take(batch(1), batch(2)) == [(TOWN, ack(2))]
    assert room.readings() == [reading(1), reading(2)]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_whatever_comes_twice_late_or_after_a_restart_is_stored_once(tmp_path_factory, data):
    """Every batch one to three times, in any order, cut into rounds anywhere, restarted between them."""
    room = Room(tmp_path_factory.mktemp("rounds") / "collector.db")
    seqs = data.draw(st.permutations([*range(1, 9), *data.draw(st.lists(st.integers(1, 8), max_size=10))]))
    while seqs:
        cut = data.draw(st.integers(1, len(seqs)))
        ((_, told),) = room.take(*map(batch, seqs[:cut]))
        seqs = seqs[cut:]
        if data.draw(st.booleans()):
            room.restart()
    room.intake.close()
    assert told == ack(8)
    assert room.readings() == [reading(hour) for hour in range(1, 9)]
    assert room.quarantine() == []


class Dying(Books):
    """The process ends after the store has committed and before the books have."""

    def record(self, entries, received_at) -> None:
        raise KeyboardInterrupt


def test_a_death_between_store_and_books_is_made_good_when_the_round_comes_again(room):
    with closing(open_books(room.path)) as books, closing(open_store("sqlite", room.path)) as store:
        dying = Intake(store, Dying(books._connection), StoppedClock(), HOUR)
        with pytest.raises(KeyboardInterrupt):
            dying.take([(f"kaukoluenta/v1/{TOWN}/readings", encode(batch(1)))])
    assert room.readings() == [reading(1)]
    assert room.intake.acknowledgements() == []
    assert room.take(batch(1)) == [(TOWN, ack(1))]
    assert room.readings() == [reading(1)]


def test_holes_are_told_until_they_are_filled(room):
    assert room.take(batch(1), batch(4)) == [(TOWN, ack(4, (2, 3)))]
    assert room.take(batch(2)) == [(TOWN, ack(4, (3, 3)))]
    assert room.take(batch(3)) == [(TOWN, ack(4))]


def test_a_batch_that_is_known_is_acknowledged_again(room):
    room.take(batch(1))
    assert room.take(batch(1)) == [(TOWN, ack(1))]
    assert room.intake.acknowledgements() == [(TOWN, with_digest(ack(1), batch(1)))]


@pytest.mark.parametrize("at_once", [True, False])
def test_other_bytes_under_a_known_name_are_set_aside_and_acknowledged(room, at_once):
    first, other = batch(1, reading(1, 100)), batch(1, reading(1, 999))
    if at_once:
        assert room.take(first, other) == [(TOWN, ack(1))]
    else:
        room.take(first)
        assert room.take(other) == [(TOWN, ack(1))]
    assert room.readings() == [reading(1, 100)]
    (aside,) = room.quarantine()
    assert (aside.place, aside.text) == ("kirkonkyla-1/5f0c/1", encode(other).decode())
    assert "restored" in aside.reason


def test_a_fork_is_told_by_the_digest_of_what_is_held_also_behind_newer_batches(room):
    room.take(batch(1), batch(3))
    forked = [batch(3, reading(3, 999)), batch(4)]
    assert room.told(*forked) == [
        (TOWN, with_digest(ack(3, (2, 2)), batch(3))),
        (TOWN, with_digest(ack(4, (2, 2)), batch(4))),
    ]


def test_a_gateway_with_a_new_database_counts_from_one_again(room):
    room.take(batch(1), batch(2))
    assert room.take(batch(1, reading(3), epoch="new card")) == [(TOWN, ack(1, epoch="new card"))]
    newest = with_digest(ack(1, epoch="new card"), batch(1, reading(3), epoch="new card"))
    assert room.intake.acknowledgements() == [(TOWN, newest)]
    assert len(room.readings()) == 3


def test_gateways_do_not_mix(room):
    told = room.take(batch(1), batch(5, reading(1, 7, "LUG-2"), gateway="asema", epoch="aa"))
    assert told == [(TOWN, ack(1)), ("asema", ack(5, (1, 4), epoch="aa"))]


def test_a_bad_row_is_set_aside_under_its_batch_and_its_neighbours_live(room):
    octets = encode(batch(1, reading(1), reading(2))).replace(b"2026-10-01T14", b"1970-01-01T14")
    ((_, told),) = room.intake.take([(f"kaukoluenta/v1/{TOWN}/readings", octets)])
    assert told.upto == 1
    assert room.readings() == [reading(1)]
    (aside,) = room.quarantine()
    assert aside.place == "kirkonkyla-1/5f0c/1"
    assert "before 2000" in aside.reason
    assert "1970-01-01T14" in aside.text


def test_what_is_unreadable_under_a_name_is_set_aside_acknowledged_and_leaves_no_hole(room):
    topic = f"kaukoluenta/v1/{TOWN}/readings"
    of_later_version = encode(batch(1)).replace(b'"v":1', b'"v":2,"padding":"%s"' % (b"x" * MOST_OCTETS))
    without_number = encode(batch(2, reading(2), reading(3))).replace(b"[103]", b"[NaN]")
    naive = encode(batch(3, reading(4))).replace(b'T12:00:00Z","groups"', b'T12:00:00","groups"')
    octets = [of_later_version, without_number, naive]
    ((_, told),) = room.intake.take([(topic, one) for one in octets] * 2)
    assert told == replace(ack(3), digest=digest_of(naive).hex())
    assert room.readings() == [reading(2), reading(4)]
    assert [aside.place for aside in room.quarantine()] == [f"{TOWN}/5f0c/{seq}" for seq in (1, 2, 3)]
    assert room.quarantine()[0].text == of_later_version[:MOST_OCTETS].decode()


def test_a_message_that_is_not_ours_changes_nothing_else(room):
    messages = [("kaukoluenta/v1/x/readings", b"21.5"), ("hall/temperature", b"21.5")]
    assert room.intake.take(messages) == []
    assert [aside.place for aside in room.quarantine()] == ["kaukoluenta/v1/x/readings", "hall/temperature"]


def test_another_value_of_a_known_hour_is_kept_as_a_conflict(room, caplog):
    room.take(batch(1, reading(1, 100)), batch(2, reading(1, 101)))
    assert room.readings() == [reading(1, 100)]
    with closing(open_store("sqlite", room.path)) as store:
        assert store.at(NOON + HOUR, ["KAM-1"])["KAM-1"] == [reading(1, 100), reading(1, 101)]
    assert "conflicting=1" in caplog.text


def test_an_energy_that_goes_back_is_kept_flagged_and_logged_also_after_a_restart(room, caplog):
    room.take(batch(1, reading(1, 100)))
    room.restart()
    room.take(batch(2, reading(2, 50)), batch(3, reading(3, 60)))
    assert [one.quality for one in room.readings()] == [0, Quality.IMPLAUSIBLE, 0]
    assert "meter=KAM-1 read_at=2026-10-01T14:00:00Z" in caplog.text


def test_a_reading_of_the_future_is_kept_flagged_and_does_not_stay_the_newest(room):
    far = replace(reading(1, 900), read_at=NOON + timedelta(days=900))
    room.take(batch(1, far))
    room.restart()
    room.take(batch(2, reading(2, 50)))
    assert [one.quality for one in room.readings()] == [0, Quality.CLOCK_SUSPECT]


def test_states_and_missed_slots_reach_the_books(room):
    state = GatewayState(online=True, every_s=3600, lines={"a": ["KAM-1"]})
    room.intake.take([(f"kaukoluenta/v1/{TOWN}/state", encode_state(state))])
    room.take(replace(batch(1), readings=(), missed=(Missed("KAM-1", NOON, "no answer"),)))
    with closing(open_books(room.path, read_only=True)) as books:
        assert [heard.state for heard in books.gateways()] == [state]
        assert [missed.reason for _, missed in books.missed(*EVER)] == ["no answer"]
        (watched,) = books.watched()
        assert (watched.line, watched.first_slot, watched.last_slot) == ("a", NOON, NOON)


def test_a_slot_of_a_clock_gone_wrong_does_not_say_when_a_meter_is_read(room):
    far = NOON + timedelta(days=99999)
    room.take(Batch(TOWN, "5f0c", 1, NOON, (replace(reading(1), read_at=far),), (Missed("LUG-2", far, "x"),)))
    with closing(open_books(room.path, read_only=True)) as books:
        assert books.watched() == []
        assert [missed.slot for _, missed in books.missed(NOON, far + HOUR)] == [far]
