"""What VIF and VIFE say: the ends of every range, and every VIFE that changes more than a name."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gateway.mbus.records import DataRecord, read_records


def read(vib: str, *, dif: str = "02", data: str = "02 00", to_slave: bool = False) -> DataRecord:
    found = read_records(bytes.fromhex(dif + vib + data), to_slave=to_slave)
    assert found.broken is None, found.broken
    (record,) = found.records
    assert isinstance(record, DataRecord)
    return record


MEANINGS = [
    #  VIB       two steps of it are
    ("00", "energy", "Wh", "0.002"),
    ("07", "energy", "Wh", "20000"),
    ("08", "energy", "J", "2"),
    ("0F", "energy", "J", "20000000"),
    ("10", "volume", "m3", "0.000002"),
    ("17", "volume", "m3", "20"),
    ("18", "mass", "kg", "0.002"),
    ("1F", "mass", "kg", "20000"),
    ("20", "on_time", "s", "2"),
    ("21", "on_time", "s", "120"),
    ("22", "on_time", "s", "7200"),
    ("23", "on_time", "s", "172800"),
    ("24", "operating_time", "s", "2"),
    ("27", "operating_time", "s", "172800"),
    ("28", "power", "W", "0.002"),
    ("2F", "power", "W", "20000"),
    ("30", "power", "J/h", "2"),
    ("37", "power", "J/h", "20000000"),
    ("38", "volume_flow", "m3/h", "0.000002"),
    ("3F", "volume_flow", "m3/h", "20"),
    ("40", "volume_flow", "m3/h", "0.000012"),
    ("47", "volume_flow", "m3/h", "120"),
    ("48", "volume_flow", "m3/h", "0.0000072"),
    ("4F", "volume_flow", "m3/h", "72"),
    ("50", "mass_flow", "kg/h", "0.002"),
    ("57", "mass_flow", "kg/h", "20000"),
    ("58", "flow_temperature", "degC", "0.002"),
    ("5B", "flow_temperature", "degC", "2"),
    ("5C", "return_temperature", "degC", "0.002"),
    ("5F", "return_temperature", "degC", "2"),
    ("60", "temperature_difference", "K", "0.002"),
    ("63", "temperature_difference", "K", "2"),
    ("64", "external_temperature", "degC", "0.002"),
    ("67", "external_temperature", "degC", "2"),
    ("68", "pressure", "bar", "0.002"),
    ("6B", "pressure", "bar", "2"),
    ("6E", "heat_cost_allocation", "HCA", "2"),
    ("6F", "reserved_6f", "", "2"),
    ("70", "averaging_duration", "s", "2"),
    ("73", "averaging_duration", "s", "172800"),
    ("74", "actuality_duration", "s", "2"),
    ("77", "actuality_duration", "s", "172800"),
    ("78", "fabrication_number", "", "2"),
    ("79", "identification", "", "2"),
    ("7A", "bus_address", "", "2"),
    ("7B", "reserved_7b", "", "2"),
    ("7D", "reserved_7d", "", "2"),
    ("7E", "any", "", "2"),
    ("7F", "manufacturer_specific", "", "2"),
    ("EF 12", "reserved_ef_12", "", "2"),
    ("FB 00", "energy", "Wh", "200000"),
    ("FB 01", "energy", "Wh", "2000000"),
    ("FB 02", "reactive_energy", "varh", "2000"),
    ("FB 05", "apparent_energy", "VAh", "20000"),
    ("FB 06", "reserved_fb_06", "", "2"),
    ("FB 08", "energy", "J", "200000000"),
    ("FB 0C", "energy", "cal", "200000"),
    ("FB 0F", "energy", "cal", "200000000"),
    ("FB 10", "volume", "m3", "200"),
    ("FB 14", "reactive_power", "var", "2"),
    ("FB 17", "reactive_power", "var", "2000"),
    ("FB 18", "mass", "kg", "200000"),
    ("FB 1A", "relative_humidity", "%", "0.2"),
    ("FB 1B", "relative_humidity", "%", "2"),
    ("FB 20", "volume", "ft3", "2"),
    ("FB 21", "volume", "ft3", "0.2"),
    ("FB 28", "power", "W", "200000"),
    ("FB 2A", "phase_angle_voltage", "deg", "0.2"),
    ("FB 2B", "phase_angle_current", "deg", "0.2"),
    ("FB 2C", "frequency", "Hz", "0.002"),
    ("FB 2F", "frequency", "Hz", "2"),
    ("FB 31", "power", "J/h", "2000000000"),
    ("FB 34", "apparent_power", "VA", "2"),
    ("FB 37", "apparent_power", "VA", "2000"),
    ("FB 68", "rating_factor_k", "", "0.00048828125"),
    ("FB 69", "rating_factor_kq", "W", "2"),
    ("FB 6E", "rating_factor_kd", "", "0.00048828125"),
    ("FB 74", "temperature_limit", "degC", "0.002"),
    ("FB 78", "cumulative_max_power", "W", "0.002"),
    ("FB 7F", "cumulative_max_power", "W", "20000"),
    ("FD 00", "credit", "currency", "0.002"),
    ("FD 07", "debit", "currency", "2"),
    ("FD 08", "access_number", "", "2"),
    ("FD 0C", "model_version", "", "2"),
    ("FD 0F", "software_version", "", "2"),
    ("FD 11", "customer", "", "2"),
    ("FD 15", "access_code_developer", "", "2"),
    ("FD 19", "security_key", "", "2"),
    ("FD 1B", "digital_input", "", "2"),
    ("FD 1C", "baud_rate", "baud", "2"),
    ("FD 1D", "response_delay", "bit_time", "2"),
    ("FD 1F", "remote_control", "", "2"),
    ("FD 22", "storage_block_size", "", "2"),
    ("FD 23", "tariff_descriptor", "", "2"),
    ("FD 27", "storage_interval", "s", "172800"),
    ("FD 28", "storage_interval", "month", "2"),
    ("FD 29", "storage_interval", "year", "2"),
    ("FD 2B", "time_point_second", "", "2"),
    ("FD 2C", "duration_since_readout", "s", "2"),
    ("FD 31", "tariff_duration", "s", "120"),
    ("FD 34", "tariff_period", "s", "2"),
    ("FD 39", "tariff_period", "year", "2"),
    ("FD 3A", "dimensionless", "", "2"),
    ("FD 3B", "wireless_container", "", "2"),
    ("FD 3F", "transmission_period", "s", "172800"),
    ("FD 40", "voltage", "V", "0.000000002"),
    ("FD 4F", "voltage", "V", "2000000"),
    ("FD 50", "current", "A", "0.000000000002"),
    ("FD 5F", "current", "A", "2000"),
    ("FD 61", "cumulation_counter", "", "2"),
    ("FD 64", "week_number", "", "2"),
    ("FD 67", "special_supplier_info", "", "2"),
    ("FD 68", "duration_since_cumulation", "s", "7200"),
    ("FD 69", "duration_since_cumulation", "s", "172800"),
    ("FD 6B", "duration_since_cumulation", "year", "2"),
    ("FD 6C", "battery_operating_time", "s", "7200"),
    ("FD 6E", "battery_operating_time", "month", "2"),
    ("FD 71", "rssi", "dBm", "2"),
    ("FD 73", "listening_window", "", "2"),
    ("FD 74", "battery_remaining", "s", "172800"),
    ("FD 76", "manufacturer_container", "", "2"),
    ("FD 77", "reserved_fd_77", "", "2"),
    ("FD FD 00", "selected_application", "", "2"),
    ("FD FD 03", "battery_remaining", "year", "2"),
    ("FD FD 04", "reserved_fdfd_04", "", "2"),
]


@pytest.mark.parametrize(("vib", "quantity", "unit", "two"), MEANINGS)
def test_a_vif_means_quantity_unit_and_scale(vib: str, quantity: str, unit: str, two: str) -> None:
    record = read(vib)
    assert (record.quantity, record.unit, record.value) == (quantity, unit, Decimal(two))


@pytest.mark.parametrize("vib", ["6C", "6D", "FD 30", "FD 65", "FD 70"])
def test_these_vif_hold_dates(vib: str) -> None:
    assert read(vib, data="8D 33").coding == "date_g"


UNSIGNED = ["78", "79", "7A", "FD 08", "FD 17", "FD 1B", "FD 1C", "FD 23", "FD 2A", "FD 60", "FD 66", "FD 75"]


@pytest.mark.parametrize("vib", UNSIGNED)
def test_numbers_flags_and_versions_are_unsigned_and_know_no_invalid_marker(vib: str) -> None:
    record = read(vib, data="00 80")
    assert (record.coding, record.value) == ("uint", Decimal(0x8000))


SAID_MORE = [
    #  VIFE    to the master, value and unit stay
    ("00", "record_status:none"),
    ("0B", "record_status:too_many_vifes"),
    ("11", "record_status:reserved_11"),
    ("15", "record_status:no_data_available"),
    ("1C", "record_status:premature_end_of_record"),
    ("12", "average_value"),
    ("14", "relative_deviation"),
    ("1D", "standard_conform_content"),
    ("20", "per_second"),
    ("27", "per_revolution"),
    ("28", "per_input_pulse_0"),
    ("2B", "per_output_pulse_1"),
    ("2C", "per_litre"),
    ("2F", "per_K"),
    ("33", "per_Kl"),
    ("35", "per_A"),
    ("36", "times_s"),
    ("38", "times_s_per_A"),
    ("3A", "uncorrected_unit"),
    ("3B", "accumulation_positive"),
    ("3C", "accumulation_negative_abs"),
    ("3F", "obis"),
    ("40", "lower_limit"),
    ("48", "upper_limit"),
    ("44", "reserved_44"),
    ("68", "during_lower_limit_exceed"),
    ("6D", "overflow"),
    ("78", "additive_correction_e-3"),
    ("7B", "additive_correction_e0"),
    ("7E", "future_value"),
    ("FC 01", "phase_l1"),
    ("FC 07", "phase_l3_l1"),
    ("FC 0B", "quadrant_4"),
    ("FC 0C", "delta_import_export"),
    ("FC 10", "accumulation_abs"),
    ("FC 12", "type_d"),
    ("FC 15", "direction_from_meter"),
    ("FC 30", "reserved_fc_30"),
]


@pytest.mark.parametrize(("vife", "modifier"), SAID_MORE)
def test_a_vife_says_more_about_a_value_that_stays(vife: str, modifier: str) -> None:
    record = read("93" + vife)
    assert (record.quantity, record.unit, record.value) == ("volume", "m3", Decimal("0.002"))
    assert record.modifiers == (modifier,)


@pytest.mark.parametrize(
    ("vife", "shift"),
    [("70", -6), ("71", -5), ("72", -4), ("73", -3), ("74", -2), ("75", -1), ("76", 0), ("77", 1), ("7D", 3)],
)
@pytest.mark.parametrize("vib", ["93", "FB82", "FDBA", "FDC9"])
def test_a_correction_moves_the_decimal_point_behind_any_vif(vib: str, vife: str, shift: int) -> None:
    plain, corrected = read(vib[:-2] + f"{int(vib[-2:], 16) & 0x7F:02X}"), read(vib + vife)
    assert isinstance(plain.value, Decimal)
    assert corrected.value == plain.value.scaleb(shift)
    assert corrected.modifiers == (f"correction_e{shift}",)


DURATIONS = [
    ("50", "duration_of_first_lower_limit_exceed", 1),
    ("55", "duration_of_last_lower_limit_exceed", 60),
    ("5A", "duration_of_first_upper_limit_exceed", 3600),
    ("5F", "duration_of_last_upper_limit_exceed", 86400),
    ("60", "duration_of_first", 1),
    ("67", "duration_of_last", 86400),
]


@pytest.mark.parametrize(("vife", "modifier", "seconds"), DURATIONS)
def test_the_duration_of_an_event_is_in_seconds_whatever_the_vif(
    vife: str, modifier: str, seconds: int
) -> None:
    record = read("BB" + vife)
    assert (record.quantity, record.unit, record.value) == ("volume_flow", "s", Decimal(2 * seconds))
    assert record.modifiers == (modifier,)


@pytest.mark.parametrize("vib", ["BBD174", "BBF451"])
def test_a_correction_counts_before_and_behind_a_vife_with_a_scale_of_its_own(vib: str) -> None:
    record = read(vib)
    assert (record.unit, record.value) == ("s", Decimal("1.20"))


@pytest.mark.parametrize("vife", ["FC11", "FC12"])
def test_data_said_to_be_of_type_c_or_d_have_no_sign(vife: str) -> None:
    record = read("93" + vife, data="F0 FF")
    assert (record.coding, record.value) == ("uint", Decimal("65.520"))
    assert read("93" + vife, data="00 80").value == Decimal("32.768")


DATES = [
    ("39", "start_date_of"),
    ("42", "date_of_begin_first_lower_limit_exceed"),
    ("43", "date_of_end_first_lower_limit_exceed"),
    ("46", "date_of_begin_last_lower_limit_exceed"),
    ("4F", "date_of_end_last_upper_limit_exceed"),
    ("6A", "date_of_begin_first"),
    ("6F", "date_of_end_last"),
]


@pytest.mark.parametrize(("vife", "modifier"), DATES)
@pytest.mark.parametrize(
    ("dif", "data", "coding"),
    [("02", "8D33", "date_g"), ("04", "0D0B8D33", "datetime_f"), ("06", "0721088D3300", "datetime_i")],
)
def test_the_date_of_an_event_is_a_date_whatever_the_vif(
    vife: str, modifier: str, dif: str, data: str, coding: str
) -> None:
    record = read("AE" + vife, dif=dif, data=data)
    assert (record.quantity, record.unit, record.coding) == ("power", "", coding)
    assert record.invalid is None
    assert record.modifiers == (modifier,)


@pytest.mark.parametrize(("vife", "limit"), [("41", "lower"), ("49", "upper")])
def test_how_often_a_limit_was_passed_is_a_count(vife: str, limit: str) -> None:
    record = read("AE" + vife)
    assert (record.unit, record.value) == ("", Decimal(2))
    assert record.modifiers == (f"{limit}_limit_exceed_count",)


@pytest.mark.parametrize(
    ("vife", "profile"),
    [("13", "inverse_compact_profile"), ("1E", "compact_profile_with_registers"), ("1F", "compact_profile")],
)
def test_a_profile_holds_many_values_and_has_no_unit(vife: str, profile: str) -> None:
    record = read("93" + vife, dif="8D04", data="03 01 02 03")
    assert (record.quantity, record.unit, record.coding) == ("volume", "", "text")
    assert record.modifiers == (profile,)


def test_modifiers_stand_in_the_order_of_their_octets() -> None:
    assert read("FB82F33C").modifiers == ("correction_e-3", "accumulation_negative_abs")


@pytest.mark.parametrize(
    ("vife", "action"),
    [("00", "action:write"), ("08", "action:add_entry"), ("0D", "action:delete_from_readout")],
)
def test_on_the_way_to_the_meter_the_low_vife_are_actions(vife: str, action: str) -> None:
    assert read("86" + vife, to_slave=True).modifiers == (action,)


def test_behind_a_manufacturers_vif_everything_is_the_manufacturers() -> None:
    record = read("FFF7FD3B")
    assert (record.quantity, record.unit, record.value) == ("manufacturer_specific", "", Decimal(2))
    assert record.manufacturer_specific
    assert record.modifiers == ()


def test_behind_a_manufacturers_vife_the_vif_stays_and_the_rest_is_not_read() -> None:
    record = read("93FF7D")
    assert (record.quantity, record.unit, record.value) == ("volume", "m3", Decimal("0.002"))
    assert record.manufacturer_specific
    assert record.modifiers == ("manufacturer_specific_vife",)


PLAIN_TEXT = [
    #  VIB                            unit     value  modifiers
    ("7C 03 48 52 25", "%RH", "2", ()),
    ("FC 03 48 52 25 74", "%RH", "0.02", ("correction_e-2",)),
    ("FC 74 03 48 52 25", "%RH", "0.02", ("correction_e-2",)),
    ("FC 00 02 57 6B", "kW", "2", ("record_status:none",)),
    ("FC F3 3C 02 57 6B", "kW", "0.002", ("correction_e-3", "accumulation_negative_abs")),
    ("FC 02 43 B0 3B", "°C", "2", ("accumulation_positive",)),
    ("7C 00", "", "2", ()),
]


@pytest.mark.parametrize(("vib", "unit", "value", "modifiers"), PLAIN_TEXT)
def test_a_unit_in_plain_text_is_read_before_or_behind_its_vife(
    vib: str, unit: str, value: str, modifiers: tuple[str, ...]
) -> None:
    record = read(vib)
    assert (record.quantity, record.unit, record.value) == ("plain_text", unit, Decimal(value))
    assert record.modifiers == modifiers
    assert record.vib == bytes.fromhex(vib)


def test_a_unit_in_plain_text_is_turned_round_in_mode_1_only() -> None:
    octets = bytes.fromhex("02 7C 02 57 6B 00 02")
    turned = [read_records(octets, reversed_octets=mode_2).records[0] for mode_2 in (False, True)]
    assert [record.unit for record in turned if isinstance(record, DataRecord)] == ["kW", "Wk"]
