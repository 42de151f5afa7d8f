"""What we send as a meter is what we read as a master."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mbus import encode
from gateway.mbus.encode import DoesNotFit, Place
from gateway.mbus.header import identity_of, manufacturer_code, manufacturer_name
from gateway.mbus.records import DataRecord, read_records
from gateway.mbus.telegram import Telegram, decode_frame, decode_telegram

METER = identity_of("01234567", "KLU", 0x21, 0x04)
ENERGY_KWH = encode.vib_of("energy", "Wh", 3)

places = st.builds(
    Place,
    function=st.sampled_from(["instantaneous", "maximum", "minimum", "error"]),
    storage=st.integers(0, 2**41 - 1),
    tariff=st.integers(0, 2**20 - 1),
    subunit=st.integers(0, 2**10 - 1),
)
minutes = st.datetimes(datetime(1981, 1, 1), datetime(2080, 12, 31)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)


def only_record(octets: bytes) -> DataRecord:
    found = read_records(octets)
    assert found.broken is None
    (record,) = found.records
    assert isinstance(record, DataRecord)
    return record


def place_of(record: DataRecord) -> tuple[str, int, int, int]:
    return record.function, record.storage, record.tariff, record.subunit


@given(st.sampled_from([1, 2, 3, 4, 6, 8]), st.data(), places)
def test_a_binary_register_comes_back_exactly(octets: int, data: st.DataObject, place: Place) -> None:
    limit = 1 << (8 * octets - 1)
    steps = data.draw(st.integers(1 - limit, limit - 1))
    record = only_record(encode.integer_record(b"\x13", steps, octets, place))
    assert record.value == Decimal(steps).scaleb(-3)
    assert place_of(record) == (place.function, place.storage, place.tariff, place.subunit)


@given(st.sampled_from([2, 4, 6, 8, 12]), st.data())
def test_a_decimal_register_comes_back_exactly(digits: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1 - 10 ** (digits - 1), 10**digits - 1))
    assert only_record(encode.bcd_record(ENERGY_KWH, steps, digits)).value == steps * 1000


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_register_comes_back_as_the_shortest_decimal_of_that_float(value: float) -> None:
    read = only_record(encode.real_record(b"\x2b", value)).value
    assert isinstance(read, Decimal)
    again = encode.real_record(b"\x2b", float(read))
    assert again == encode.real_record(b"\x2b", value if value else 0.0)
    assert len(read.as_tuple().digits) <= 9


@given(minutes, st.booleans())
def test_a_minute_comes_back_with_its_summer_time_bit(moment: datetime, summer_time: bool) -> None:
    record = only_record(encode.datetime_record(moment, summer_time=summer_time))
    assert record.value == moment
    assert record.modifiers == (("summer_time",) if summer_time else ())


@given(st.datetimes(datetime(1981, 1, 1), datetime(2080, 12, 31)).map(lambda m: m.replace(microsecond=0)))
def test_a_second_comes_back(moment: datetime) -> None:
    assert only_record(b"\x06\x6d" + encode.type_i(moment)).value == moment


@given(st.dates(date(1981, 1, 1), date(2080, 12, 31)))
def test_a_day_comes_back(day: date) -> None:
    assert only_record(encode.date_record(day)).value == day


@given(st.text(st.characters(max_codepoint=255), max_size=191))
def test_text_comes_back_letter_by_letter(text: str) -> None:
    assert only_record(encode.text_record(b"\xfd\x11", text)).value == text


def test_no_value_is_sent_as_the_marker_and_read_as_none() -> None:
    record = only_record(encode.integer_record(ENERGY_KWH, None))
    assert (record.value, record.invalid) == (None, "int_invalid_marker")


def test_a_unit_of_ones_own_and_a_modifier_come_back() -> None:
    own = only_record(encode.integer_record(encode.plain_text_vib("l/kWh"), 7))
    exported = only_record(encode.integer_record(encode.with_vife(ENERGY_KWH, 0x3C), 7))
    assert (own.quantity, own.unit) == ("plain_text", "l/kWh")
    assert exported.modifiers == ("accumulation_negative_abs",)


@pytest.mark.parametrize(
    ("meaning", "vib"),
    [
        (("energy", "Wh", 3), "06"),
        (("energy", "J", 6), "0E"),
        (("energy", "Wh", 6), "FB 01"),
        (("volume", "m3", -2), "14"),
        (("flow_temperature", "degC", -2), "59"),
        (("voltage", "V", -1), "FD 48"),
        (("battery_remaining", "month", 0), "FD FD 02"),
    ],
)
def test_a_vif_is_found_by_what_it_means(meaning: tuple[str, str, int], vib: str) -> None:
    assert encode.vib_of(*meaning) == bytes.fromhex(vib)


def test_a_duration_vif_is_found_by_its_seconds() -> None:
    assert encode.vib_of("on_time", "s", factor=3600) == b"\x22"


def test_a_whole_telegram_comes_back_with_who_sent_it() -> None:
    records = [encode.integer_record(ENERGY_KWH, 12345), encode.bcd_record(b"\x14", 6789)]
    telegram = decode_telegram(
        encode.variable_response(5, METER, records, access_no=7, status=0x04).to_bytes()
    )
    assert telegram.outcome == "ok"
    assert telegram.identity == METER
    assert telegram.header is not None
    assert (telegram.header.access_no, telegram.header.status) == (7, 4)
    assert values(telegram) == [Decimal(12345000), Decimal("67.89")]
    assert not telegram.more_records_follow


@given(st.lists(st.integers(0, 2**31 - 1), max_size=200))
def test_a_readout_of_any_length_is_split_without_losing_a_record(registers: list[int]) -> None:
    records = [
        encode.integer_record(b"\x03", steps, 4, Place(storage=n)) for n, steps in enumerate(registers)
    ]
    telegrams = [decode_frame(frame) for frame in encode.variable_responses(5, METER, records)]
    read = [value for telegram in telegrams for value in values(telegram)]
    assert read == registers
    assert [t.more_records_follow for t in telegrams] == [True] * (len(telegrams) - 1) + [False]


def values(telegram: Telegram) -> list[object]:
    return [record.value for record in telegram.records if isinstance(record, DataRecord)]


@pytest.mark.parametrize("name", ["KLU", "AAA", "ZZZ", "@@@"])
def test_a_manufacturers_letters_are_their_word(name: str) -> None:
    assert manufacturer_name(manufacturer_code(name)) == name


def test_what_a_record_cannot_carry_is_refused_with_a_remedy() -> None:
    for too_big in (
        lambda: encode.integer_record(b"\x06", 40000, 2),
        lambda: encode.unsigned_record(b"\x7a", -1, 1),
        lambda: encode.bcd_record(b"\x06", 100, 2),
        lambda: encode.bcd_record(b"\x06", -10, 2),
        lambda: encode.vib_of("energy", "kWh"),
        lambda: encode.variable_response(1, METER, [bytes(241)]),
    ):
        with pytest.raises(DoesNotFit) as refused:
            too_big()
        assert refused.value.remedy
