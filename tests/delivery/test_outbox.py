"""The outbox keeps what it took: over restarts, kills, a full disk and a damaged file."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.delivery.outbox import LOST, TOO_LARGE, Outbox, OutboxFull, OutboxUnavailable, SlotOutcome
from gateway.delivery.outbox_file import open_outbox
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import MOST_OCTETS, MOST_READINGS, Missed, decode
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

GATEWAY = GatewayName("kirkonkyla-1")
METERS = [MeterId(f"KAM-{serial}") for serial in range(69183621, 69183624)]
LINES = {"boiler-house": METERS}
SLOT = datetime(2026, 10, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)


def outcome(slot: datetime, meters: list[MeterId] = METERS, line: str = "boiler-house") -> SlotOutcome:
    steps = int(slot.timestamp()) % 100_000
    registers = {"energy": Amount(Decimal(steps), "kWh"), "volume": Amount(Decimal(steps).scaleb(-2), "m3")}
    return SlotOutcome(line, slot, tuple(Reading(meter, slot, Source.LIVE, registers) for meter in meters))


def opened(path: Path, limit_mb: int = 64) -> Outbox:
    return open_outbox(path, GATEWAY, LINES, limit_mb)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway-kirkonkyla-1.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    with closing(opened(path)) as outbox:
        yield outbox


def fill(outbox: Outbox, slots: int, first: datetime = SLOT) -> None:
    for number in range(slots):
        outbox.commit([outcome(first + number * HOUR)], first + number * HOUR)


def test_a_batch_lies_in_the_outbox_as_it_travels_and_names_itself(outbox: Outbox) -> None:
    fill(outbox, 3)
    batches = [(row.seq, decode(row.octets)) for row in outbox.rows(range(1, 100))]
    assert [seq for seq, _ in batches] == [1, 2, 3]
    assert all(
        (batch.gateway, batch.epoch, batch.seq) == (GATEWAY, outbox.epoch, seq) for seq, batch in batches
    )
    assert batches[1][1].readings == outcome(SLOT + HOUR).readings


def test_readings_lie_in_the_order_of_their_meters_whoever_answered_first(outbox: Outbox) -> None:
    outbox.commit([outcome(SLOT, METERS[::-1])], SLOT)
    assert [reading.meter for reading in decode(outbox.rows([1])[0].octets).readings] == METERS


def test_a_restart_goes_on_with_the_same_epoch_and_the_next_seq(path: Path) -> None:
    with closing(opened(path)) as first:
        fill(first, 2)
    with closing(opened(path)) as second:
        assert (second.epoch, second.span()[1]) == (first.epoch, 2)
        assert second.progress() == {"boiler-house": SLOT + HOUR}
        fill(second, 1, SLOT + 2 * HOUR)
        assert [row.seq for row in second.rows(range(1, 100))] == [1, 2, 3]


def test_seq_never_returns_even_when_every_batch_is_pruned(path: Path) -> None:
    with closing(opened(path)) as first:
        fill(first, 5)
        first.acknowledge(5)
        assert first.prune(SLOT + 99 * HOUR) == 5
    with closing(opened(path)) as second:
        assert second.span() == (6, 5)
        fill(second, 1)
        assert [row.seq for row in second.rows(range(1, 100))] == [6]


def test_a_new_epoch_names_all_batches_anew_and_keeps_what_is_in_them_and_the_progress(path: Path) -> None:
    with closing(opened(path)) as outbox:
        fill(outbox, 6)
        outbox.acknowledge(2)
        outbox.prune(SLOT + 99 * HOUR)
        old, before = outbox.epoch, [decode(row.octets) for row in outbox.rows(range(1, 100))]
        outbox.begin_epoch()
        fill(outbox, 1, SLOT + 6 * HOUR)
    with closing(opened(path)) as again:
        after = [decode(row.octets) for row in again.rows(range(1, 100))]
        assert [(batch.epoch, batch.seq) for batch in after] == [(again.epoch, seq) for seq in range(1, 6)]
        assert [batch.readings for batch in after[:4]] == [batch.readings for batch in before]
        assert (again.epoch != old, again.acknowledged(), again.span()) == (True, 0, (1, 5))
        assert again.progress() == {"boiler-house": SLOT + 6 * HOUR}


def test_a_new_epoch_of_an_empty_outbox_counts_from_one(outbox: Outbox) -> None:
    fill(outbox, 3)
    outbox.acknowledge(3)
    outbox.prune(SLOT + 99 * HOUR)
    outbox.begin_epoch()
    fill(outbox, 1)
    assert [row.seq for row in outbox.rows(range(1, 100))] == [1]


def test_a_row_damaged_before_a_new_epoch_is_told_as_a_loss_in_it(outbox: Outbox) -> None:
    fill(outbox, 2)
    with outbox._using() as connection:
        connection.execute("UPDATE batches SET octets = x'00' WHERE seq = 1")
    outbox.begin_epoch()
    lost, sound = (decode(row.octets) for row in outbox.rows([1, 2]))
    assert lost.missed == tuple(Missed(meter, SLOT, LOST) for meter in METERS)
    assert (lost.epoch, sound.readings) == (outbox.epoch, outcome(SLOT + HOUR).readings)


def test_a_disk_that_refuses_a_new_epoch_leaves_the_old_one_whole(path: Path, outbox: Outbox) -> None:
    fill(outbox, 3)
    old, rows = outbox.epoch, outbox.rows([1, 2, 3])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON acknowledged BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(OutboxUnavailable):
        outbox.begin_epoch()
    assert (outbox.epoch, outbox.rows([1, 2, 3]), outbox.span()) == (old, rows, (1, 3))


def test_an_outbox_made_anew_has_another_epoch(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "a.db")) as one, closing(opened(tmp_path / "b.db")) as other:
        assert one.epoch != other.epoch


def test_a_slot_of_thousands_of_meters_is_cut_into_batches_that_may_travel(outbox: Outbox) -> None:
    many = [MeterId(f"KAM-{serial:08}") for serial in range(1800)]
    missed = tuple(Missed(meter, SLOT, "no answer") for meter in METERS)
    outbox.commit([SlotOutcome("boiler-house", SLOT, outcome(SLOT, many).readings, missed)], SLOT)
    rows = outbox.rows(range(1, 100))
    batches = [decode(row.octets) for row in rows]
    assert all(len(row.octets) <= MOST_OCTETS for row in rows)
    assert all(len(batch.readings) <= MOST_READINGS for batch in batches)
    assert [reading.meter for batch in batches for reading in batch.readings] == many
    assert [event for batch in batches for event in batch.missed] == list(missed)


def test_a_reading_too_large_to_travel_is_told_and_stops_nothing(outbox: Outbox) -> None:
    registers = {f"energy_tariff_{tariff}": Amount(Decimal(tariff), "kWh") for tariff in range(1, 3000)}
    monster = Reading(METERS[0], SLOT, Source.LIVE, registers)
    others = outcome(SLOT, METERS[1:]).readings
    outbox.commit([SlotOutcome("boiler-house", SLOT, (monster, *others))], SLOT)
    rows = outbox.rows(range(1, 10))
    batches = [decode(row.octets) for row in rows]
    assert all(len(row.octets) <= MOST_OCTETS for row in rows)
    assert [reading.meter for batch in batches for reading in batch.readings] == METERS[1:]
    assert [missed for batch in batches for missed in batch.missed] == [Missed(METERS[0], SLOT, TOO_LARGE)]


def test_a_slot_without_meters_moves_the_line_on_without_a_batch(outbox: Outbox) -> None:
    outbox.commit([SlotOutcome("boiler-house", SLOT)], SLOT)
    assert (outbox.span()[1], outbox.progress()) == (0, {"boiler-house": SLOT})


def test_progress_never_goes_back_when_the_clock_does(outbox: Outbox) -> None:
    fill(outbox, 2)
    outbox.commit([outcome(datetime(2001, 1, 1, tzinfo=UTC))], SLOT)
    assert outbox.progress() == {"boiler-house": SLOT + HOUR}


def test_only_what_is_acknowledged_and_old_is_pruned(outbox: Outbox) -> None:
    fill(outbox, 6)
    outbox.acknowledge(4)
    assert outbox.prune(SLOT + 2 * HOUR) == 2
    assert [row.seq for row in outbox.rows(range(1, 100))] == [3, 4, 5, 6]
    assert outbox.prune(SLOT + 99 * HOUR) == 2
    assert [row.seq for row in outbox.rows(range(1, 100))] == [5, 6]


def test_a_commit_reaches_the_disk_before_it_returns(outbox: Outbox) -> None:
    with outbox._using() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


COMMITTER = """
import sys
from datetime import timedelta
sys.path.insert(0, {tests!r})
from test_outbox import HOUR, METERS, SLOT, opened, outcome
from pathlib import Path
outbox, number = opened(Path(sys.argv[1])), 0
while True:
    outbox.commit([outcome(SLOT + number * HOUR), outcome(SLOT + number * HOUR, line="harbour")], SLOT)
    number += 1
    print(outbox.span()[1], flush=True)
"""


@pytest.mark.parametrize("reports", [1, 7, 30])
def test_a_kill_at_any_moment_leaves_batches_and_progress_in_step(path: Path, reports: int) -> None:
    script = COMMITTER.format(tests=str(Path(__file__).parent))
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(reports)]
        child.kill()
    with closing(opened(path)) as outbox:
        rows = [decode(row.octets) for row in outbox.rows(range(1, 10000))]
        assert [batch.seq for batch in rows] == list(range(1, outbox.span()[1] + 1))
        assert outbox.span()[1] >= told[-1]
        last = SLOT + (outbox.span()[1] // 2 - 1) * HOUR
        assert outbox.progress() == {"boiler-house": last, "harbour": last}
        assert {reading.read_at for reading in rows[-1].readings} == {last}


def test_at_its_limit_acknowledged_batches_make_room_and_others_never(path: Path) -> None:
    with closing(opened(path, limit_mb=1)) as outbox:
        many = [MeterId(f"KAM-{serial:08}") for serial in range(500)]
        slots = iter(range(10_000))

        def until_full() -> None:
            while True:
                slot = SLOT + next(slots) * HOUR
                outbox.commit([outcome(slot, many)], slot)

        with pytest.raises(OutboxFull, match="no room"):
            until_full()
        head, progress = outbox.span()[1], outbox.progress()
        assert [row.seq for row in outbox.rows(range(1, 10000))] == list(range(1, head + 1))
        with pytest.raises(OutboxFull):
            outbox.commit([outcome(SLOT + 20_000 * HOUR, many)], SLOT)
        assert (outbox.span()[1], outbox.progress()) == (head, progress)

        outbox.acknowledge(head // 2)
        outbox.commit([outcome(SLOT + 20_000 * HOUR, many)], SLOT)
        left = [row.seq for row in outbox.rows(range(1, 10000))]
        assert left == list(range(head // 2 + 1, head + 2))


LIMITED = """
import resource, signal, sys
sys.path.insert(0, {tests!r})
from gateway.delivery.outbox import OutboxUnavailable
from test_outbox import HOUR, SLOT, opened, outcome
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
outbox = opened(Path(sys.argv[1]))
outbox.commit([outcome(SLOT)], SLOT)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1024, most))
try:
    outbox.commit([outcome(SLOT + HOUR)], SLOT)
except OutboxUnavailable as error:
    print(type(error).__name__, outbox.span()[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
outbox.commit([outcome(SLOT + HOUR)], SLOT)
print(outbox.span()[1], len(outbox.rows(range(1, 10))))
"""


def test_a_disk_that_refuses_is_told_and_taken_up_again(path: Path) -> None:
    script = LIMITED.format(tests=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["OutboxUnavailable 1", "2 2"]


def spoil_row(path: Path, seq: int, column: str, value: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE batches SET {column} = ? WHERE seq = ?", (value, seq))


@pytest.mark.parametrize(
    ("column", "value"), [("octets", b"{}"), ("crc", 1), ("made_at", "1970"), ("octets", "text")]
)
def test_a_damaged_row_is_never_sent_but_told_under_its_own_seq(
    path: Path, outbox: Outbox, column: str, value: object
) -> None:
    fill(outbox, 3)
    whole = outbox.rows(range(1, 10))
    spoil_row(path, 2, column, value)

    sent = outbox.rows(range(1, 10))

    assert (sent[0], sent[2]) == (whole[0], whole[2])
    told = decode(sent[1].octets)
    assert (told.seq, told.epoch, told.readings) == (2, outbox.epoch, ())
    assert list(told.missed) == [Missed(meter, SLOT + HOUR, LOST) for meter in METERS]
    assert outbox.rows(range(1, 10)) == sent, "the loss is told with the same bytes again"


@pytest.mark.parametrize(("column", "value"), [("line", "nobody"), ("slot", "yesterday"), ("slot", b"\xff")])
def test_a_row_that_no_longer_says_whose_it_was_becomes_an_empty_batch(
    path: Path, outbox: Outbox, column: str, value: object
) -> None:
    fill(outbox, 2)
    spoil_row(path, 1, column, value)
    told = decode(outbox.rows([1])[0].octets)
    assert (told.seq, told.readings, told.missed) == (1, (), ())
    assert len(outbox.rows(range(1, 10))) == 2


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_bit_anywhere_in_the_file_never_makes_a_wrong_batch(path: Path, seed: int) -> None:
    with closing(opened(path)) as outbox:
        fill(outbox, 30)
        whole = {row.seq: row.octets for row in outbox.rows(range(1, 100))}
        epoch = outbox.epoch
    octets = bytearray(path.read_bytes())
    chance = random.Random(seed)
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    path.write_bytes(octets)

    with closing(opened(path)) as outbox:
        rows = {row.seq: row.octets for row in outbox.rows(range(1, 100))}
        told = [decode(octets) for octets in rows.values()]
        if outbox.epoch == epoch:
            assert all(rows[seq] == whole[seq] or not decode(rows[seq]).readings for seq in rows)
        slots = [outcome(SLOT + number * HOUR).readings for number in range(30)]
        assert all(batch.readings in slots for batch in told if batch.readings)
        assert len([batch for batch in told if batch.readings]) >= 15
        fill(outbox, 1, SLOT + 99 * HOUR)


def test_a_file_without_its_first_page_is_set_aside_and_the_gateway_goes_on(path: Path) -> None:
    with closing(opened(path)) as outbox:
        fill(outbox, 3)
        old_epoch = outbox.epoch
    octets = bytearray(path.read_bytes())
    octets[100:140] = bytes(40)
    path.write_bytes(octets)

    with closing(opened(path)) as outbox:
        assert outbox.epoch != old_epoch
        assert path.with_name(path.name + ".damaged-1").exists()
        fill(outbox, 1, SLOT + 999 * HOUR)
        assert outbox.span()[1] == 1


def test_of_a_broken_file_all_that_is_sound_and_not_acknowledged_goes_on(path: Path) -> None:
    with closing(opened(path)) as outbox:
        fill(outbox, 200)
        outbox.acknowledge(120)
        page_of_row_150 = path_page(path, outbox, 150)
    octets = bytearray(path.read_bytes())
    octets[page_of_row_150 * 4096 : (page_of_row_150 + 1) * 4096] = bytes(4096)
    path.write_bytes(octets)

    with closing(opened(path)) as outbox:
        saved = [decode(row.octets).readings for row in outbox.rows(range(1, 1000))]
        expected = [outcome(SLOT + number * HOUR).readings for number in range(120, 200)]
        assert 60 < len(saved) < 80
        assert [readings for readings in expected if readings in saved] == saved
        assert outbox.progress() == {"boiler-house": SLOT + 199 * HOUR}


def path_page(path: Path, outbox: Outbox, seq: int) -> int:
    """The page that holds a row, counted from 0; the log is written back first."""
    with outbox._using() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes().index(outbox.rows([seq])[0].octets) // 4096


def test_a_file_that_is_no_database_is_set_aside_again_and_again(path: Path) -> None:
    for number in (1, 2):
        path.write_bytes(b"not a database at all" * 500)
        with closing(opened(path)) as outbox:
            fill(outbox, 1)
        assert path.with_name(f"{path.name}.damaged-{number}").exists()
