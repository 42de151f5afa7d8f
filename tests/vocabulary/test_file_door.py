"""Files come in one way: the same separators, numbers, instants and messages at every door."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaukoluenta.file_door import FileRefused, read_table

COLUMNS = ("meter", "energy", "read_at")
ROWS = [("KAM-1", "12.5", "2026-10-01"), ("KAM-2", "-0.125", "2026-10-01T00:00:00+03:00")]


def read(octets, columns=COLUMNS):
    table = read_table("r.csv", octets, columns)
    rows = table.entries(lambda row: (row.text("meter"), row.number_in("energy"), row.instant("read_at")))
    return [entry for _, entry in rows], table


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_every_usual_way_of_saving_a_file_reads_the_same(bom, separator, line_end, quote):
    lines = [separator.join(f"{quote}{cell}{quote}" for cell in line) for line in [COLUMNS, *ROWS]]
    entries, table = read(bom + line_end.join(lines).encode())
    assert not table.faults
    assert [(meter, number) for meter, number, _ in entries] == [
        ("KAM-1", Decimal("12.5")),
        ("KAM-2", Decimal("-0.125")),
    ]
    assert len({instant for _, _, instant in entries}) == 1


def test_a_decimal_comma_only_in_semicolon_files():
    assert read(b"meter;energy;read_at\nKAM-1;12,50;2026-10-01\n")[0][0][1] == Decimal("12.50")
    faults = read(b'meter,energy,read_at\nKAM-1,"12,50",2026-10-01\n')[1].faults
    assert [(fault.row, fault.column) for fault in faults] == [(2, "energy")]


@pytest.mark.parametrize(
    "number",
    ["", "1e3", "+1", "1.", ".5", "1 000", "0x10", "NaN", "Infinity", "1.000,5", "1234567890123456", "١٢"],
)
def test_what_is_no_plain_number_is_a_fault(number):
    _, table = read(f"meter;energy;read_at\nKAM-1;{number};2026-10-01\n".encode())
    assert [fault.column for fault in table.faults] == ["energy"]


def test_all_faults_are_shown_with_their_place_and_never_the_value():
    octets = b"meter,energy,read_at\nSECRET-A,abc,2026-10-01\n\nKAM-1,1,someday\nKAM-1,1\n"
    _, table = read(octets)
    assert [(fault.row, fault.column) for fault in table.faults] == [(5, ""), (2, "energy"), (4, "read_at")]
    message = str(FileRefused(table.faults))
    assert "r.csv, row 2, column energy" in message
    assert "SECRET" not in message
    assert "someday" not in message


@pytest.mark.parametrize(
    ("octets", "what"),
    [
        (b"", "column is missing"),
        (b"meter,energy\nKAM-1,1\n", "column is missing"),
        (b"meter,energy,read_at,energy\n", "there twice"),
        (b'meter,energy,read_at\n"KAM-1,1,2026-10-01\n', "quotes do not match"),
        (b"meter,energy,read_at\nK\xe4M,1,2026-10-01\n", "not UTF-8"),
    ],
)
def test_a_file_that_is_no_table_is_refused(octets, what):
    with pytest.raises(FileRefused, match=what):
        read(octets)


def test_extra_columns_are_named():
    assert read(b"meter,energy,read_at,note\nKAM-1,1,2026-10-01,x\n")[1].unknown_columns == ["note"]


def test_an_extra_column_without_a_plain_heading_goes_by_its_number():
    octets = b"meter,energy,read_at,Testi Asiakas,,\nKAM-1,1,2026-10-01,x,y,\n"
    assert read(octets)[1].unknown_columns == ["column 4", "column 5"]


def test_a_broken_quote_is_placed():
    with pytest.raises(FileRefused, match=r"r\.csv, row 3"):
        read(b'meter,energy,read_at\nKAM-1,1,2026-10-01\nKAM-2,"1,2026-10-01\n')


@given(st.binary(max_size=200))
def test_any_octets_end_in_rows_or_a_refusal(octets):
    try:
        read(b"meter,energy,read_at\n" + octets)
    except FileRefused as refused:
        assert refused.faults
