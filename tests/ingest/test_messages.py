"""A message becomes a batch, a state, or a row of the quarantine with its reason. Never an exception."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.entries import SetAside
from collector.ingest import Arrived, StateSaid, judged, read_message
from collector.store import EnergyRead
from kaukoluenta.gateway_state import GatewayState, encode_state
from kaukoluenta.payload import MOST_OCTETS, Batch, Missed, encode
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality, Reading, Source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOPIC = "kaukoluenta/v1/kirkonkyla-1/readings"
STATE_TOPIC = "kaukoluenta/v1/kirkonkyla-1/state"


def reading(value: str = "100", unit: str = "kWh", read_at: datetime = NOON, meter: str = "KAM-1") -> Reading:
    return Reading(meter, read_at, Source.LIVE, {"energy": Amount(Decimal(value), unit)})


GOOD = Batch("kirkonkyla-1", "5f0c", 7, NOON, (reading(),), (Missed("LUG-2", NOON, "no answer"),))
GOOD_OCTETS = encode(GOOD)


def changed(**keys: object) -> bytes:
    return json.dumps({**json.loads(GOOD_OCTETS), **keys}).encode()


def json_with_oddities() -> st.SearchStrategy[object]:
    """JSON as Python's own writer makes it: NaN, infinities, half surrogate pairs, very long integers."""
    odd = st.sampled_from([float("nan"), float("inf"), float("-inf"), "\ud800", 10**4000])
    return st.recursive(
        odd | st.none() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
        max_leaves=8,
    )


def with_row(*row: object, columns: object = (("energy", "kWh", 0),)) -> bytes:
    good = ["KAM-1", "2026-10-01T12:00:00Z", "live", 0, [100]]
    return changed(groups=[{"columns": columns, "rows": [good, row]}])


def test_a_batch_is_read_as_it_was_sent():
    match read_message(TOPIC, GOOD_OCTETS):
        case Arrived(batch=batch, octets=octets) as arrived:
            assert (batch, octets, str(arrived.key)) == (GOOD, GOOD_OCTETS, "kirkonkyla-1/5f0c/7")
        case other:
            pytest.fail(str(other))


def test_a_state_is_read_as_it_was_said():
    state = GatewayState(online=True, every_s=3600, lines={"boiler-house": ["KAM-1"]})
    assert read_message(STATE_TOPIC, encode_state(state)) == StateSaid("kirkonkyla-1", state)


NOT_OURS = [
    #  topic                                    octets                          reason
    (TOPIC,                                     b"",                            "no batch"),
    (TOPIC,                                     b"21.5",                        "no batch"),
    (TOPIC,                                     b"\xff\xfe\x00",                "no batch"),
    (TOPIC,                                     GOOD_OCTETS[:-9],               "no batch"),
    (TOPIC,                                     b'{"v":NaN}',                   "no batch"),
    (TOPIC,                                     b"[" * 100_000,                 "no batch"),
    (TOPIC,                                     changed(seq=0),                 "seq"),
    (TOPIC,                                     changed(seq=2**63),             "no batch"),
    (TOPIC,                                     changed(v=2, gateway="asema"),  "of gateway asema"),
    (TOPIC,                                     changed(v=2, epoch=None),       "epoch"),
    (TOPIC,                                     changed(gateway="asema"),       "of gateway asema"),
    (TOPIC,                                     changed(gateway="a/b"),         "cannot name a gateway"),
    (STATE_TOPIC,                               b"online",                      "no state"),
    (STATE_TOPIC,                               b'{"online":true,"lines":{"a":["17"]}}', "no meter id"),
    (STATE_TOPIC,                               b'{"online":true,"every_s":-1}', "no cadence"),
    (STATE_TOPIC,                               b'{"online":true,"every_s":9999999999}', "no cadence"),
    ("kaukoluenta/v1/kirkon kyla/readings",     GOOD_OCTETS,                    "none of ours"),
    ("zigbee2mqtt/hall/temperature",            b"21.5",                        "none of ours"),
    ("kaukoluenta/v1/kirkonkyla-1/ack",         GOOD_OCTETS,                    "none of ours"),
]  # fmt: skip


@pytest.mark.parametrize(("topic", "octets", "reason"), NOT_OURS)
def test_what_is_not_ours_is_set_aside_whole_with_its_reason(topic, octets, reason):
    match read_message(topic, octets):
        case SetAside(place=place, reason=why, octets=kept):
            assert (place, kept) == (topic, octets)
            assert reason in why
        case other:
            pytest.fail(str(other))


BAD_ROWS = [
    #  row                                                              reason
    (("KAM-2", "2026-10-01T12:00:00", "live", 0, [1]),                  "timezone"),
    (("KAM-2", "1970-01-01T00:00:00Z", "live", 0, [1]),                 "before 2000"),
    (("KAM-2", "2026-10-01T12:00:00Z", "guess", 0, [1]),                "guess"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [10**20]),            "out of range"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1.5]),               "int"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1, 2]),              "2 values under 1 columns"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [None]),              "no register"),
    (("17", "2026-10-01T12:00:00Z", "live", 0, [1]),                    "no meter id"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", -1, [1]),                "int"),
    (("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1], {"asked_at": "2026-10-01"}), "datetime"),
    (("KAM-2",),                                                        "length"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_bad_row_is_refused_alone(row, reason):
    match read_message(TOPIC, with_row(*row)):
        case Arrived(batch=batch):
            assert [kept.meter for kept in batch.readings] == ["KAM-1"]
            (refused,) = batch.refused
            assert json.loads(refused.text) == [*row]
            assert reason in refused.reason
        case other:
            pytest.fail(str(other))


RECEIVED = [
    #  octets                                                        readings  refused  reason
    (changed(v=2),                                                   0,        1,       "version 2 is not"),
    (changed(v="1"),                                                 0,        1,       'version "1"'),
    (changed(made_at="2026-10-01"),                                  1,        1,       "made_at"),
    (changed(made_at=None),                                          1,        1,       "made_at"),
    (changed(note="\ud800x"),                                        1,        0,       ""),
    (changed(note=float("nan")),                                     1,        0,       ""),
    (changed(groups=float("inf")),                                   0,        1,       ""),
    (changed(groups={}),                                             0,        1,       "array"),
    (changed(events=17),                                             1,        1,       "array"),
    (with_row("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1], None), 2,       0,       ""),
    (with_row("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [float("nan")]), 1,  1,       "int"),
    (with_row("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1], {"info_code": float("nan")}), 1, 1, "str"),
    (with_row("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [float("-inf")]), 1, 1,       "int"),
    (with_row("KAM-2", float("nan"), "live", 0, [1]),                1,        1,       "datetime"),
    (with_row("KAM-2\ud800", "2026-10-01T12:00:00Z", "live", 0, [1]), 1,      1,       "no meter id"),
    (changed(note="\ud800", groups=[{"rows": []}]),                  0,        1,       "columns"),
]  # fmt: skip


@pytest.mark.parametrize(("octets", "readings", "refused", "reason"), RECEIVED)
def test_what_names_its_batch_is_received_and_only_what_is_bad_in_it_refused(
    octets, readings, refused, reason
):
    match read_message(TOPIC, octets):
        case Arrived(batch=batch, key=key):
            assert key == ("kirkonkyla-1", "5f0c", 7)
            assert (len(batch.readings), len(batch.refused)) == (readings, refused)
            assert all(reason in one.reason for one in batch.refused)
        case other:
            pytest.fail(str(other))


def test_a_bad_group_is_refused_alone():
    good = json.loads(GOOD_OCTETS)["groups"][0]
    bad = [{"columns": "bad", "rows": []}, {"rows": [["x"]]}, 17, {**good, "columns": [["energy", "kWh"]]}]
    match read_message(TOPIC, changed(groups=[bad[0], good, *bad[1:]])):
        case Arrived(batch=batch):
            assert batch.readings == GOOD.readings
            assert [json.loads(one.text) for one in batch.refused] == bad
        case other:
            pytest.fail(str(other))


@given(st.lists(json_with_oddities(), max_size=7), st.lists(json_with_oddities(), max_size=3))
def test_numbers_that_are_none_and_broken_text_take_no_good_row_along(row, groups):
    good = json.loads(GOOD_OCTETS)["groups"][0]
    rows = {"columns": good["columns"], "rows": [row, *good["rows"]]}
    match read_message(TOPIC, changed(groups=[*groups, rows])):
        case Arrived(batch=batch):
            assert GOOD.readings[0] in batch.readings
        case other:
            pytest.fail(str(other))


def test_a_batch_of_a_later_version_is_kept_whole():
    octets = changed(v=2, groups="in another form")
    match read_message(TOPIC, octets):
        case Arrived(batch=batch):
            assert [one.text for one in batch.refused] == [octets.decode()]
        case other:
            pytest.fail(str(other))


def test_a_column_of_another_family_refuses_its_rows_only():
    match read_message(
        TOPIC, with_row("KAM-2", "2026-10-01T12:00:00Z", "live", 0, [1], columns=[["energy", "m3", 0]])
    ):
        case Arrived(batch=batch):
            assert (len(batch.readings), len(batch.refused), len(batch.missed)) == (0, 2, 1)


def test_an_event_of_1970_or_of_another_kind_is_refused_alone():
    events = [
        ["LUG-2", "1970-01-01T00:00:00Z", "missed", "no answer"],
        ["LUG-2", "2026-10-01T12:00:00Z", "sang"],
    ]
    match read_message(TOPIC, changed(events=events)):
        case Arrived(batch=batch):
            assert batch.missed == ()
            assert len(batch.readings) == 1
            assert len(batch.refused) == 2


def test_a_batch_that_is_too_long_is_refused_whole_under_its_name_so_that_it_does_not_come_for_ever():
    octets = changed(padding="x" * MOST_OCTETS)
    match read_message(TOPIC, octets):
        case Arrived(batch=batch, key=key):
            assert (batch.readings, batch.missed, key.seq) == ((), (), 7)
            assert [len(refused.text) for refused in batch.refused] == [len(octets)]


@given(st.binary(max_size=200))
def test_noise_never_raises(octets):
    assert isinstance(read_message(TOPIC, octets), SetAside)
    assert isinstance(read_message(STATE_TOPIC, octets), SetAside)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD_OCTETS) - 1), st.integers(0, 255)), max_size=5),
    st.integers(0, len(GOOD_OCTETS)),
)
def test_a_damaged_batch_never_raises(damage, length):
    octets = bytearray(GOOD_OCTETS)
    for place, octet in damage:
        octets[place] = octet
    read_message(TOPIC, bytes(octets[:length]))
    read_message(STATE_TOPIC, bytes(octets[:length]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(
    key=st.sampled_from(["v", "gateway", "epoch", "seq", "made_at", "groups", "events"]),
    value=json_values,
)
def test_any_value_under_any_key_never_raises(key, value):
    read_message(TOPIC, changed(**{key: value}))


@given(st.lists(json_values, max_size=7))
def test_any_row_never_raises_and_takes_no_neighbour_along(row):
    match read_message(TOPIC, with_row(*row)):
        case Arrived(batch=batch):
            assert "KAM-1" in {kept.meter for kept in batch.readings}
        case other:
            pytest.fail(str(other))


# Doubts -------------------------------------------------------------------------------------------

BEFORE = {"KAM-1": EnergyRead("KAM-1", NOON, Amount(Decimal(100), "kWh"))}
DOUBTS = [
    #  reading                                       doubt
    (reading("100", read_at=NOON + HOUR),            Quality(0)),
    (reading("99", read_at=NOON + HOUR),             Quality.IMPLAUSIBLE),
    (reading("0.0999", "MWh", NOON + HOUR),          Quality.IMPLAUSIBLE),
    (reading("0.1", "MWh", NOON + HOUR),             Quality(0)),
    (reading("0.01", "GJ", NOON + HOUR),             Quality(0)),
    (reading("99", read_at=NOON - HOUR),             Quality(0)),
    (reading("101", read_at=NOON + 5 * HOUR),        Quality.CLOCK_SUSPECT),
    (reading("99", read_at=NOON + 5 * HOUR),         Quality.CLOCK_SUSPECT | Quality.IMPLAUSIBLE),
    (reading("1", read_at=NOON + HOUR, meter="LUG-2"), Quality(0)),
]  # fmt: skip


@pytest.mark.parametrize(("said", "doubt"), DOUBTS)
def test_what_is_odd_is_flagged_and_kept(said, doubt):
    (kept,), _ = judged([said], NOON + HOUR, 2 * HOUR, BEFORE)
    assert (kept.quality, kept.registers, kept.read_at) == (doubt, said.registers, said.read_at)


def test_a_doubt_of_the_gateway_stays():
    said = Reading("KAM-1", NOON + HOUR, Source.LIVE, reading("99").registers, Quality.METER_FAULT)
    (kept,), _ = judged([said], NOON + HOUR, HOUR, BEFORE)
    assert kept.quality == Quality.METER_FAULT | Quality.IMPLAUSIBLE


def test_readings_of_one_round_are_held_against_each_other():
    hours = [reading(value, read_at=NOON + n * HOUR) for n, value in enumerate(["100", "105", "104", "106"])]
    kept, after = judged(hours, NOON + 9 * HOUR, HOUR, {})
    assert [one.quality for one in kept] == [0, 0, Quality.IMPLAUSIBLE, 0]
    assert after == {"KAM-1": EnergyRead("KAM-1", NOON + 3 * HOUR, Amount(Decimal(106), "kWh"))}


def test_a_reading_from_the_future_is_no_measure_for_later_ones():
    odd, good = reading("999", read_at=NOON + 99 * HOUR), reading("101", read_at=NOON + HOUR)
    kept, after = judged([odd, good], NOON + HOUR, HOUR, BEFORE)
    assert [one.quality for one in kept] == [Quality.CLOCK_SUSPECT, 0]
    assert after["KAM-1"].energy.value == 101
