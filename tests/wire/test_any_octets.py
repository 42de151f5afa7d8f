"""Whatever the octets are: no exception comes out, and a plan says what the plain decoder says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import BasicContext, Decimal, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.decode import decode_line
from gateway.mbus import encode
from gateway.mbus.encode import Place, vib_of
from gateway.mbus.header import Identity, identity_of
from gateway.mbus.link import LongFrame
from gateway.mbus.plan import Found, Plan, PlanCache, compile_plan
from gateway.mbus.records import DataRecord
from gateway.mbus.telegram import decode_frame, decode_telegram

METER = identity_of("01234567", "KLU", 0x21, 0x04)
octet = st.integers(0, 255)

RESPONSE_CI = [0x72, 0x76, 0x7A, 0x78, 0x73, 0x77, 0x70, 0x71, 0x6E, 0x6F, 0x74, 0x75, 0x51, 0x55, 0x5A, 0x5B]


@given(st.binary(max_size=300))
def test_any_octets_have_an_outcome(octets: bytes) -> None:
    assert decode_telegram(octets).outcome
    assert decode_line(octets.hex())["outcome"]


@given(octet, st.sampled_from(RESPONSE_CI), st.binary(max_size=252), st.none() | st.just(bytes(16)))
def test_any_user_data_in_a_whole_frame_has_an_outcome(
    control: int, ci: int, user_data: bytes, key: bytes | None
) -> None:
    telegram = decode_telegram(LongFrame(control, 5, ci, user_data).to_bytes(), key)
    assert telegram.outcome != "stream"
    assert (telegram.reason is not None) == (telegram.outcome in ("partial", "reject", "encrypted_no_key"))


@given(st.text(max_size=80))
def test_any_line_of_text_has_an_outcome(line: str) -> None:
    assert decode_line(line)["outcome"]


chains = st.lists(octet, max_size=9).map(lambda codes: [code | 0x80 for code in codes])


@st.composite
def well_formed_records(draw: st.DrawFn) -> bytes:
    """A record that can be cut out: any DIB, any VIB without plain text, data of its length."""
    field = draw(st.sampled_from([*range(0xD), 0xE]))
    place = Place(
        draw(st.sampled_from(["instantaneous", "maximum", "minimum", "error"])),
        draw(st.integers(0, 300)),
        draw(st.integers(0, 20)),
        draw(st.integers(0, 3)),
    )
    vib = [*draw(chains), draw(st.integers(0, 0x7F))]
    if vib[0] & 0x7F == 0x7C:
        vib[0] = 0x93 if len(vib) > 1 else 0x13
    length = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 4, 6: 6, 7: 8, 8: 0, 9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}[
        field
    ]
    data = draw(st.one_of(st.binary(min_size=length, max_size=length), _digits(length)))
    return encode.dib(field, place) + bytes(vib) + data


def _digits(octets: int) -> st.SearchStrategy[bytes]:
    return st.text("0123456789", min_size=2 * octets, max_size=2 * octets).map(bytes.fromhex)


def lvar_records() -> st.SearchStrategy[bytes]:
    lvars = st.sampled_from([0x00, 0x04, 0xC0, 0xC3, 0xD2, 0xE4, 0xF0])
    lengths = {0x00: 0, 0x04: 4, 0xC0: 0, 0xC3: 3, 0xD2: 2, 0xE4: 4, 0xF0: 16}
    return lvars.flatmap(
        lambda lvar: st.binary(min_size=lengths[lvar], max_size=lengths[lvar]).map(
            lambda data: b"\x0d\x13" + bytes((lvar,)) + data
        )
    )


one_record = st.one_of(well_formed_records(), lvar_records(), st.just(b"\x2f"))
tails = st.sampled_from([b"", b"\x0f\x01\x02", b"\x1f"])


@st.composite
def layouts(draw: st.DrawFn) -> bytes:
    """Records that fit one telegram, and a tail."""
    body = b""
    for record in draw(st.lists(one_record, max_size=20)):
        if len(body) + len(record) <= 230:
            body += record
    return body + draw(tails)


def frame(records: bytes, who: Identity = METER, access_no: int = 0) -> bytes:
    return encode.variable_response(5, who, [records], access_no=access_no).to_bytes()


def plain_values(octets: bytes) -> list[tuple[bytes, bytes, str]]:
    records = [record for record in decode_telegram(octets).records if isinstance(record, DataRecord)]
    return [(record.dib, record.vib, repr(record.value)) for record in records]


def planned_values(plan: Plan, found: Sequence[Found]) -> list[tuple[bytes, bytes, str]]:
    values = plan.values(found)
    with localcontext(prec=100):
        by_steps = [
            Decimal(step).scaleb(column.exponent) if isinstance(step, int) else step
            for column, step in zip(plan.columns, plan.steps(found), strict=True)
        ]
    assert repr(by_steps) == repr(values)
    records = [column.record for column in plan.columns]
    return [(r.dib, r.vib, repr(value)) for r, value in zip(records, values, strict=True)]


@given(layouts())
def test_well_formed_records_are_all_read(records: bytes) -> None:
    telegram = decode_telegram(frame(records))
    assert telegram.outcome == "ok"


@given(layouts(), st.integers(0, 255))
@example(bytes.fromhex("0C 06 99 99 99 F9 0E 06 98 88 89 98 88 89 03 2B 00 00 80 06 2B FF FF FF FF FF FF"), 1)
def test_a_plan_reads_what_the_plain_decoder_reads(records: bytes, access_no: int) -> None:
    plans = PlanCache()
    octets = frame(records, access_no=access_no)
    for _ in range(2):
        read = plans.read(octets)
        assert read is not None
        assert planned_values(*read) == plain_values(octets)


@given(layouts(), st.data())
def test_a_plan_reads_other_values_of_its_layout_and_leaves_other_layouts_alone(
    records: bytes, data: st.DataObject
) -> None:
    plans = PlanCache()
    plans.read(frame(records))
    changed = bytearray(records)
    for at in data.draw(st.lists(st.integers(0, max(len(records) - 1, 0)), max_size=5)):
        if changed:
            changed[at] ^= data.draw(octet)
    octets = frame(bytes(changed), identity_of("99999998", "KLU", 0x21, 0x04), 7)
    read = plans.read(octets)
    if read is None:
        assert decode_telegram(octets).outcome != "ok"
    else:
        assert planned_values(*read) == plain_values(octets)


@given(st.binary(max_size=300))
def test_no_octets_make_a_plan_raise(octets: bytes) -> None:
    plans = PlanCache()
    plans.read(frame(b"\x04\x06\x01\x00\x00\x00"))
    assert plans.read(octets) is None or decode_telegram(octets).outcome == "ok"


ENERGY = encode.integer_record(b"\x06", 12345)


@pytest.mark.parametrize("at", range(6, 27))
def test_one_wrong_bit_makes_no_value(at: int) -> None:
    plans, octets = PlanCache(), bytearray(frame(ENERGY))
    assert plans.read(bytes(octets)) is not None
    octets[at] ^= 0x04
    assert plans.read(bytes(octets)) is None


NO_PLANS = [
    LongFrame(0x08, 5, 0x78, ENERGY),
    LongFrame(0x53, 5, 0x51, ENERGY),
    encode.variable_response(5, METER, [ENERGY, b"\x04\x06"]),
    encode.variable_response(5, METER, [bytes(16)], config_word=0x0510),
]


@pytest.mark.parametrize("no_plan", NO_PLANS)
def test_what_is_no_plain_whole_telegram_is_left_to_the_plain_decoder(no_plan: LongFrame) -> None:
    assert compile_plan(no_plan.to_bytes()) is None
    assert decode_frame(no_plan).outcome


def test_a_plan_is_compiled_once_for_all_meters_of_a_layout() -> None:
    plans = PlanCache()
    for number in range(20):
        assert plans.read(frame(ENERGY, identity_of(f"{number:08d}", "KLU", 0x21, 0x04), number)) is not None
    assert len(plans) == 1


def test_hostile_traffic_does_not_fill_the_memory() -> None:
    plans = PlanCache(limit=8)
    for version in range(100):
        for storage in range(3):
            record = encode.integer_record(b"\x06", 1, 4, Place(storage=storage))
            assert plans.read(frame(record, identity_of("00000001", "KLU", version, 4))) is not None
    assert len(plans) <= 8


def test_one_model_of_many_layouts_does_not_fill_the_memory_either() -> None:
    plans = PlanCache(limit=8)
    for storage in range(50):
        assert plans.read(frame(encode.integer_record(b"\x06", 1, 4, Place(storage=storage)))) is not None
    assert len(plans) <= 8


def test_values_are_exact_whatever_the_callers_decimal_context() -> None:
    records = [
        encode.bcd_record(b"\x13", 123456789012, 12),
        encode.integer_record(vib_of("on_time", "s", factor=3600), 2**63 - 1, 8),
        encode.date_record(date(2025, 12, 31)),
    ]
    octets = frame(b"".join(records))
    with localcontext(BasicContext):
        read = PlanCache().read(octets)
        assert read is not None
        assert planned_values(*read) == plain_values(octets)
