"""A batch comes back as it went out; what is wrong in it is refused alone, and nothing else raises."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.acknowledgement import Acknowledgement, decode_acknowledgement, encode_acknowledgement
from kaukoluenta.gateway_state import GatewayState, decode_state, encode_state
from kaukoluenta.identifiers import GatewayName, MeterId
from kaukoluenta.payload import (
    MOST_OCTETS,
    MOST_READINGS,
    Batch,
    Missed,
    PayloadError,
    decode,
    digest_of,
    encode,
    renamed,
    within_limits,
)
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Quality, Reading, Source

AT = datetime(2026, 11, 24, 3, tzinfo=UTC)
GATEWAY = GatewayName("kirkonkyla-1")

UNITS = {"energy": "kWh", "cooling_energy": "GJ", "volume": "m3", "power": "kW", "flow_temperature": "degC"}
amounts = st.builds(
    lambda steps, exponent: Decimal(steps).scaleb(exponent),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-6, 6),
)
registers = st.dictionaries(st.sampled_from(sorted(UNITS)), amounts, min_size=1).map(
    lambda values: {name: Amount(value, UNITS[name]) for name, value in values.items()}
)
readings = st.builds(
    Reading,
    meter=st.integers(0, 10**8 - 1).map(lambda serial: MeterId(f"KAM-{serial:08}")),
    read_at=st.integers(0, 10**9).map(lambda seconds: AT + timedelta(seconds=seconds)),
    source=st.sampled_from(Source),
    registers=registers,
    quality=st.integers(0, 31).map(Quality),
    asked_at=st.none() | st.just(AT),
    meter_time=st.none() | st.just("2026-11-24T05:00"),
    info_code=st.none() | st.text(max_size=8),
)


def batch(*entries, seq=1):
    return Batch(GATEWAY, "5f0c", seq, AT, tuple(entries))


@given(st.lists(readings, max_size=6))
def test_what_goes_out_comes_back_exponents_included(entries):
    back = decode(encode(batch(*entries)))
    assert not back.refused
    assert sorted(map(repr, back.readings)) == sorted(map(repr, entries))


def test_the_wire_form_is_the_contract():
    reading = Reading(
        MeterId("KAM-69183621"),
        AT,
        Source.LIVE,
        {"energy": Amount(Decimal("12.345"), "MWh"), "volume": Amount(Decimal("678.90"), "m3")},
        asked_at=AT + timedelta(seconds=2),
    )
    missed = Missed(MeterId("LUG-70412233"), AT, "no answer")
    assert json.loads(encode(Batch(GATEWAY, "5f0c", 1812, AT, (reading,), (missed,)))) == {
        "v": 1,
        "gateway": "kirkonkyla-1",
        "epoch": "5f0c",
        "seq": 1812,
        "made_at": "2026-11-24T03:00:00Z",
        "groups": [
            {
                "columns": [["energy", "kWh", 0], ["volume", "m3", -2]],
                "rows": [
                    [
                        "KAM-69183621",
                        "2026-11-24T03:00:00Z",
                        "live",
                        0,
                        [12345, 67890],
                        {"asked_at": "2026-11-24T03:00:02Z"},
                    ]
                ],
            }
        ],
        "events": [["LUG-70412233", "2026-11-24T03:00:00Z", "missed", "no answer"]],
    }


def wire(rows, columns=(("energy", "kWh", 0),), events=()):
    return json.dumps(
        {
            "v": 1, "gateway": GATEWAY, "epoch": "e", "seq": 7, "made_at": "2026-11-24T03:00:04Z",
            "groups": [{"columns": columns, "rows": rows}], "events": events,
        }
    ).encode()  # fmt: skip


GOOD = ["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [12]]
BAD_ROWS = [
    (["KAM-1", "2026-11-24T03:00:00", "live", 0, [12]], "naive instant"),
    (["KAM-1", "1970-01-01T00:00:00Z", "live", 0, [12]], "1970"),
    (["KAM-1", "2026-11-24T03:00:00Z", "guess", 0, [12]], "unknown source"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [12, 13]], "too many values"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, []], "no value"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [None]], "nothing known"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [10**15]], "sixteen digits"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [1.5]], "a float"),
    (["kam 1", "2026-11-24T03:00:00Z", "live", 0, [12]], "no meter id"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", -1, [12]], "negative quality"),
    (["KAM-1", "2026-11-24T03:00:00Z", "live", 0, [12], {"asked_at": "yesterday"}], "bad extra"),
    ("not a row", "no row"),
]


@pytest.mark.parametrize(("row", "why"), BAD_ROWS, ids=[why for _, why in BAD_ROWS])
def test_a_bad_row_is_refused_alone(row, why):
    back = decode(wire([GOOD, row, ["KAM-2", *GOOD[1:]]]))
    assert [reading.meter for reading in back.readings] == ["KAM-1", "KAM-2"]
    assert len(back.refused) == 1
    assert back.refused[0].reason


@pytest.mark.parametrize("column", [["energy", "kW", 0], ["temp_flow", "degC", 0], ["energy", "kWh", 99]])
def test_a_column_of_another_vocabulary_refuses_its_rows(column):
    assert len(decode(wire([GOOD], [column])).refused) == 1


def test_an_unknown_extra_key_and_field_are_ignored():
    back = decode(wire([[*GOOD, {"shoe_size": 43}, "later"]]))
    assert (len(back.readings), back.refused) == (1, ())


def test_null_is_absent_never_zero():
    columns = [["energy", "kWh", 0], ["power", "kW", -1]]
    [reading] = decode(wire([[*GOOD[:4], [12, None]]], columns)).readings
    assert set(reading.registers) == {"energy"}


def test_an_unknown_event_is_kept_with_its_reason():
    back = decode(wire([GOOD], events=[["KAM-1", "2026-11-24T03:00:00Z", "exploded", ""], ["KAM-1"]]))
    assert len(back.refused) == 2


ENVELOPE = {"v": 1, "gateway": "a", "epoch": "e", "seq": 1, "made_at": "2026-11-24T03:00:04Z"}
NO_BATCHES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"v":NaN}',
    b"[" * 100_000,
    *(
        json.dumps({**ENVELOPE, **change}).encode()
        for change in (
            {"gateway": "a/b"},
            {"seq": 0},
            {"seq": 2**70},
            {"epoch": ""},
        )
    ),
]


@pytest.mark.parametrize("octets", NO_BATCHES, ids=lambda octets: octets[:30].decode("latin-1"))
def test_what_is_no_batch_is_refused_whole(octets):
    with pytest.raises(PayloadError):
        decode(octets)


@given(st.binary(max_size=300))
def test_noise_raises_the_documented_error_only(octets):
    for reader in (decode, decode_acknowledgement, decode_state):
        try:
            reader(octets)
        except PayloadError as error:
            assert error.remedy


@given(st.integers(0, 1200), st.integers(0, 700), st.integers(0, 500))
def test_parts_stay_within_the_limits_and_lose_nothing(count, missed_count, length):
    reading = Reading(MeterId("KAM-1"), AT, Source.LIVE, {"energy": Amount(Decimal(1), "kWh")})
    whole = Batch(
        GATEWAY, "e", 1, AT, (reading,) * count, (Missed(MeterId("KAM-1"), AT, "x" * length),) * missed_count
    )
    parts = list(within_limits(whole))
    assert sum(len(part.readings) for part in parts) == count
    assert sum(len(part.missed) for part in parts) == missed_count
    for part in parts:
        assert len(part.readings) + len(part.missed) <= MOST_READINGS
        assert len(encode(part)) <= MOST_OCTETS


def test_acknowledgements_and_states_come_back():
    ack = Acknowledgement("5f0c", 1800, ((3, 5), (9, 9)))
    state = GatewayState(True, "5f0c", 9, 7, "system", "0.1.0", 3600, {"boiler-house": ["KAM-1"]})
    assert decode_acknowledgement(encode_acknowledgement(ack)) == ack
    with_digest = replace(ack, digest=digest_of(b"a batch").hex())
    assert decode_acknowledgement(encode_acknowledgement(with_digest)) == with_digest
    assert decode_state(encode_state(state)) == state


def test_an_acknowledgement_without_a_digest_is_the_older_form_and_other_keys_are_ignored():
    assert decode_acknowledgement(b'{"epoch":"e","upto":3}') == Acknowledgement("e", 3)
    assert decode_acknowledgement(b'{"epoch":"e","upto":3,"digest":null,"by":1}') == Acknowledgement("e", 3)
    assert b"digest" not in encode_acknowledgement(Acknowledgement("e", 3))


@pytest.mark.parametrize("digest", ["", "5f0c", 17, "g" * 32, ["0" * 32]])
def test_a_digest_that_can_be_none_refuses_the_acknowledgement(digest):
    with pytest.raises(PayloadError):
        decode_acknowledgement(json.dumps({"epoch": "e", "upto": 3, "digest": digest}).encode())


@given(st.lists(readings, max_size=4))
def test_a_renamed_batch_is_the_one_that_would_have_been_made_under_that_name(entries):
    one = batch(*entries, seq=9)
    assert renamed(encode(one), "f00d", 3) == encode(replace(one, epoch="f00d", seq=3))
