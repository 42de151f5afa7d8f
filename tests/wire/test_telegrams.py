"""Telegrams of every CI field, secured ones, and octets that are none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.mbus import encode
from gateway.mbus.errors import BadKey
from gateway.mbus.header import identity_of
from gateway.mbus.link import Ack, LongFrame, ShortFrame
from gateway.mbus.records import DataRecord
from gateway.mbus.security import initial_vector
from gateway.mbus.telegram import Telegram, decode_frame, decode_telegram, same_telegram

METER = identity_of("01234567", "KLU", 0x21, 0x04)
ENERGY = encode.integer_record(b"\x06", 12345)
LONG_HEADER = encode.identity_octets(METER) + bytes.fromhex("07 10 00 00")
KEY = bytes.fromhex("000102030405060708090A0B0C0D0E0F")


def from_meter(ci: int, user_data: bytes) -> Telegram:
    return decode_frame(LongFrame(0x08, 5, ci, user_data))


def to_meter(ci: int, user_data: bytes = b"") -> Telegram:
    return decode_frame(LongFrame(0x53, 5, ci, user_data))


def values(telegram: Telegram) -> list[object]:
    return [record.value for record in telegram.records if isinstance(record, DataRecord)]


def test_a_long_header_says_who_and_how_the_meter_is() -> None:
    telegram = from_meter(0x72, LONG_HEADER + ENERGY)
    assert (telegram.outcome, telegram.identity, values(telegram)) == ("ok", METER, [Decimal(12345000)])
    assert telegram.header is not None
    assert (telegram.header.access_no, telegram.header.status, telegram.header.config_word) == (7, 0x10, 0)


def test_in_mode_2_the_header_is_turned_round_field_by_field() -> None:
    header = bytes.fromhex("01234567 2D95 21 04 07 10 0000")
    telegram = from_meter(0x76, header + bytes.fromhex("04 06 00 00 30 39"))
    assert (telegram.identity, values(telegram)) == (METER, [Decimal(12345000)])


def test_a_short_header_says_only_how_the_meter_is() -> None:
    telegram = from_meter(0x7A, bytes.fromhex("07 10 00 00") + ENERGY)
    assert (telegram.identity, values(telegram)) == (None, [Decimal(12345000)])
    assert telegram.header is not None
    assert telegram.header.access_no == 7


def test_without_a_header_the_records_come_at_once() -> None:
    assert values(from_meter(0x78, ENERGY)) == [Decimal(12345000)]


def test_a_manufacturer_word_keeps_its_top_bit() -> None:
    octets = bytearray(LONG_HEADER)
    octets[5] |= 0x80
    identity = from_meter(0x72, bytes(octets)).identity
    assert identity is not None
    assert (identity.manufacturer, identity.manufacturer_code) == ("KLU", 0xAD95)


FIXED = [
    #  status  units  counters                first                      second
    (0x00, "42 66", "45 23 01 00 78 56 34 12", ("energy", "Wh", "12345"), ("volume", "m3", "12.345678")),
    (0x01, "45 69", "39 30 00 00 FE FF FF FF", ("energy", "Wh", "12345000"), ("volume", "m3", "-0.002")),
    (0x00, "4B 6F", "01 00 00 00 01 00 00 00", ("energy", "J", "1000"), ("volume_flow", "m3/h", "0.000001")),
    (0x00, "54 5D", "01 00 00 00 01 00 00 00", ("power", "W", "1"), ("power", "J/h", "1000")),
    (
        0x00,
        "78 79",
        "01 00 00 00 01 00 00 00",
        ("temperature", "degC", "0.001"),
        ("heat_cost_allocation", "HCA", "1"),
    ),
    (0x00, "7F 7A", "01 00 00 00 01 00 00 00", ("dimensionless", "", "1"), ("reserved_3a", "", "1")),
]


@pytest.mark.parametrize(("status", "units", "counters", "first", "second"), FIXED)
def test_the_fixed_structure_holds_two_counters(
    status: int, units: str, counters: str, first: tuple[str, str, str], second: tuple[str, str, str]
) -> None:
    octets = bytes.fromhex("67 45 23 01 0A") + bytes((status,)) + bytes.fromhex(units + counters)
    telegram = from_meter(0x73, octets)
    assert telegram.fixed is not None
    assert (telegram.fixed.id, telegram.fixed.medium, telegram.fixed.access_no) == ("01234567", 5, 10)
    read = [(r.quantity, r.unit, r.value) for r in telegram.fixed.records]
    assert read == [(quantity, unit, Decimal(value)) for quantity, unit, value in (first, second)]


def test_a_counter_of_the_others_unit_is_its_value_at_a_fixed_date() -> None:
    telegram = from_meter(0x73, bytes.fromhex("67452301 0A 00 E9 7E 01000000 35010000"))
    assert telegram.fixed is not None
    now, historic = telegram.fixed.records
    assert (now.function, now.storage, now.value) == ("instantaneous", 0, Decimal("0.001"))
    assert (historic.function, historic.storage, historic.value) == (
        "stored_at_fixed_date",
        1,
        Decimal("0.135"),
    )


def test_two_counters_that_point_at_each_other_have_no_unit() -> None:
    telegram = from_meter(0x73, bytes.fromhex("67452301 0A 00 FE 7E 01000000 35010000"))
    assert [record.quantity for record in telegram.records if isinstance(record, DataRecord)] == [
        "reserved_3e",
        "reserved_3e",
    ]


def test_the_fixed_structure_in_mode_2_turns_number_and_counters_round() -> None:
    mode_1 = from_meter(0x73, bytes.fromhex("67452301 0A 01 45 69 39300000 FEFFFFFF"))
    mode_2 = from_meter(0x77, bytes.fromhex("01234567 0A 01 45 69 00003039 FFFFFFFE"))
    assert values(mode_1) == values(mode_2)
    assert mode_1.fixed is not None
    assert mode_2.fixed is not None
    assert mode_1.fixed.id == mode_2.fixed.id


ERRORS = [
    ("", "unspecified"),
    ("00", "unspecified"),
    ("01", "unimplemented_ci"),
    ("06", "more_than_10_vifes"),
    ("08", "application_busy"),
    ("09", "too_many_readouts"),
    ("07", "reserved_07"),
    ("2A", "reserved_2a"),
]


@pytest.mark.parametrize(("code", "name"), ERRORS)
def test_an_application_error_has_a_name_behind_any_header(code: str, name: str) -> None:
    for ci, header in ((0x70, b""), (0x6E, LONG_HEADER[8:]), (0x6F, LONG_HEADER)):
        telegram = from_meter(ci, header + bytes.fromhex(code))
        assert (telegram.outcome, telegram.app_error) == ("app_error", name)


def test_an_alarm_is_given_as_it_came_behind_any_header() -> None:
    for ci, header in ((0x71, b""), (0x74, LONG_HEADER[8:]), (0x75, LONG_HEADER)):
        telegram = from_meter(ci, header + b"\x05")
        assert (telegram.outcome, telegram.alarm) == ("alarm", b"\x05")


COMMANDS = [
    (0x50, "application_reset"),
    (0x51, "data_send"),
    (0x52, "select"),
    (0x54, "synchronise"),
    (0xB8, "set_baud"),
    (0xBF, "set_baud"),
    (0x5C, "ci_5c"),
]


@pytest.mark.parametrize(("ci", "command"), COMMANDS)
def test_a_frame_to_the_meter_is_a_command(ci: int, command: str) -> None:
    telegram = to_meter(ci)
    assert (telegram.outcome, telegram.command) == ("command", command)


def test_records_sent_to_a_meter_are_read_as_orders() -> None:
    (record,) = to_meter(0x51, bytes.fromhex("0C 86 00 07 01 00 00")).records
    assert isinstance(record, DataRecord)
    assert (record.value, record.modifiers) == (Decimal(107000), ("action:write",))


def test_records_sent_behind_a_header_are_read_too() -> None:
    telegram = to_meter(0x5B, LONG_HEADER + ENERGY)
    assert (telegram.outcome, telegram.command, telegram.identity) == ("ok", "ci_5b", METER)
    assert values(telegram) == [Decimal(12345000)]


TOO_SHORT = [
    (0x72, 11, "app:variable_header_too_short (11)"),
    (0x76, 0, "app:variable_header_too_short (0)"),
    (0x7A, 3, "app:variable_header_too_short (3)"),
    (0x6F, 11, "app:variable_header_too_short (11)"),
    (0x75, 0, "app:variable_header_too_short (0)"),
    (0x73, 15, "app:fixed_structure_too_short (15)"),
    (0xA5, 9, "app:unknown_ci (A5)"),
]


@pytest.mark.parametrize(("ci", "octets", "reason"), TOO_SHORT)
def test_a_telegram_too_short_for_its_ci_is_rejected(ci: int, octets: int, reason: str) -> None:
    telegram = from_meter(ci, bytes(octets))
    assert (telegram.outcome, telegram.reason) == ("reject", reason)


def test_a_broken_record_makes_a_telegram_partial() -> None:
    telegram = from_meter(0x72, LONG_HEADER + ENERGY + b"\x04\x06\x01")
    assert (telegram.outcome, telegram.reason) == ("partial", "records:premature_end_of_data")
    assert values(telegram) == [Decimal(12345000)]


def test_more_records_may_follow_in_the_next_telegram() -> None:
    assert from_meter(0x72, LONG_HEADER + ENERGY + b"\x1f").more_records_follow
    assert not from_meter(0x72, LONG_HEADER + ENERGY + b"\x0f").more_records_follow


def encrypted_telegram(records: bytes, tail: bytes = b"", access_no: int = 0x2A) -> LongFrame:
    plain = b"\x2f\x2f" + records
    plain += b"\x2f" * (-len(plain) % 16)
    vector = initial_vector(METER, access_no)
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(vector)).encryptor()
    secret = encryptor.update(plain) + encryptor.finalize()
    config_word = 0x0500 | len(plain) // 16 << 4
    return encode.variable_response(5, METER, [secret, tail], access_no=access_no, config_word=config_word)


def test_encrypted_records_are_read_with_their_key_and_the_plain_tail_too() -> None:
    telegram = decode_frame(encrypted_telegram(ENERGY, tail=encode.integer_record(b"\x2d", 16, 2)), KEY)
    assert (telegram.outcome, telegram.encrypted) == ("ok", True)
    assert values(telegram) == [Decimal(12345000), Decimal(1600)]


@pytest.mark.parametrize(
    ("key", "reason"), [(None, "security:key needed"), (bytes(16), "security:wrong key")]
)
def test_encrypted_records_without_their_key_are_not_guessed(key: bytes | None, reason: str) -> None:
    telegram = decode_frame(encrypted_telegram(ENERGY), key)
    assert (telegram.outcome, telegram.reason) == ("encrypted_no_key", reason)
    assert telegram.identity == METER
    assert telegram.records == ()


def test_a_short_header_does_not_say_whose_key_to_use() -> None:
    telegram = decode_frame(LongFrame(0x08, 5, 0x7A, bytes.fromhex("2A 00 10 05") + bytes(16)), KEY)
    assert telegram.outcome == "encrypted_no_key"


@pytest.mark.parametrize("config_word", ["FFFF", "27B6", "0200", "0005", "F005", "1006"])
def test_an_old_signature_in_place_of_the_configuration_word_is_no_encryption(config_word: str) -> None:
    user_data = LONG_HEADER[:10] + bytes.fromhex(config_word) + ENERGY
    telegram = from_meter(0x72, user_data)
    assert (telegram.outcome, telegram.encrypted, values(telegram)) == ("ok", False, [Decimal(12345000)])


@pytest.mark.parametrize(
    ("config_word", "reason"),
    [("F005", "security:fewer octets than are encrypted"), ("2007", "security:mode 7 is not read")],
)
def test_of_a_meter_with_a_key_it_is_no_signature_and_nothing_is_guessed(
    config_word: str, reason: str
) -> None:
    frame = LongFrame(8, 5, 0x72, LONG_HEADER[:10] + bytes.fromhex(config_word) + ENERGY)
    assert decode_frame(frame).outcome == "ok"
    telegram = decode_frame(frame, bytes(16))
    assert (telegram.outcome, telegram.reason, telegram.records) == ("encrypted_no_key", reason, ())


@pytest.mark.parametrize("config_word", ["0000", "0005"])
def test_a_meter_with_a_key_may_send_a_plain_telegram(config_word: str) -> None:
    user_data = LONG_HEADER[:10] + bytes.fromhex(config_word) + ENERGY
    assert decode_frame(LongFrame(8, 5, 0x72, user_data), bytes(16)).outcome == "ok"


def test_records_that_are_plain_already_need_no_key() -> None:
    user_data = LONG_HEADER[:10] + b"\x10\x05" + b"\x2f\x2f" + ENERGY + b"\x2f" * 8
    assert values(from_meter(0x72, user_data)) == [Decimal(12345000)]


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(17)])
def test_what_is_no_aes_key_is_refused_with_a_remedy(key: bytes) -> None:
    with pytest.raises(BadKey, match="32 hexadecimal digits"):
        decode_telegram(encrypted_telegram(ENERGY).to_bytes(), key)


INPUTS = [
    #  octets                                     outcome   reason
    ("", "reject", "link:no_octets"),
    ("E5", "ok", None),
    ("10 40 01 41 16", "ok", None),
    ("04 04 68 53 FE 50 10 B1 16", "reject", "link:start_byte"),
    ("68 03 04 68 08 05 78 85 16", "reject", "link:length_bytes_differ"),
    ("68 03 03 10 08 05 78 85 16", "reject", "link:second_start_byte"),
    ("68 00 00 68 08 16", "reject", "link:L_too_small"),
    ("68 03 03 68 08 05 78 86 16", "reject", "link:checksum"),
    ("68 03 03 68 08 05 78 85 17", "reject", "link:stop_byte"),
    ("68 03 03 68 08 05 78 85", "reject", "link:truncated"),
    ("68 03 03 68 08 05 78 85 16 00", "reject", "link:trailing_bytes"),
    ("68 03 03 68 08 05 78 85 16 E5", "reject", "link:trailing_bytes"),
    ("10 40 01 41 16 00", "reject", "link:trailing_bytes"),
    ("00 68 03 03 68 08 05 78 85 16", "stream", None),
    ("10 7B 05 80 16 68 03 03 68 08 05 78 85 16", "stream", None),
    ("10 40 01 41 16 E5", "stream", None),
]


@pytest.mark.parametrize(("octets", "outcome", "reason"), INPUTS)
def test_any_input_has_an_outcome(octets: str, outcome: str, reason: str | None) -> None:
    telegram = decode_telegram(bytes.fromhex(octets))
    assert (telegram.outcome, telegram.reason) == (outcome, reason)


def test_a_stream_tells_the_frames_in_it() -> None:
    telegram = decode_telegram(bytes.fromhex("10 7B 05 80 16 E5 00 68 03 03 68 08 05 78 85 16"))
    assert telegram.heard == (ShortFrame(0x7B, 5), Ack(), LongFrame(0x08, 5, 0x78))


def test_a_repeated_telegram_is_known_in_spite_of_its_access_number() -> None:
    one, again, other = (
        encode.variable_response(5, METER, [encode.integer_record(b"\x06", energy)], access_no=access_no)
        for energy, access_no in ((1, 1), (1, 2), (2, 1))
    )
    assert same_telegram(one, again)
    assert not same_telegram(one, other)
