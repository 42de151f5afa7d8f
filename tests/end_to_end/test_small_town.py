"""A month of a small town, from wire bytes to the extract, with and without kills."""

import re

import pytest

PROMISE = re.compile(
    r"readings polled (\d+), stored (\d+), lost 0, doubled 0; energy billed = energy metered: yes"
)


def promise_of(town):
    found = PROMISE.search(town.output)
    assert found, town.output
    return found


def test_every_reading_arrives_once_and_the_bill_is_what_was_metered(plain_town):
    found = promise_of(plain_town)
    assert plain_town.code == 0
    assert found[1] == found[2] != "0"


def test_killing_gateway_broker_and_collector_changes_nothing(plain_town, struck_town):
    assert promise_of(struck_town)[0] == promise_of(plain_town)[0]
    assert struck_town.code == 0


def test_the_kills_really_happened(struck_town):
    started = {
        room: (struck_town.folder / "logs" / f"{room}.log").read_text() for room in ("gateway", "collector")
    }
    assert started["gateway"].count("broker connected") >= 4
    assert started["collector"].count("broker connected") >= 4


@pytest.mark.parametrize(
    "name", ["extract-2026-10.csv", "extract-2026-10.csv.control.json", "bill-2026-10.json"]
)
def test_the_extract_is_the_same_to_the_byte(plain_town, struck_town, name):
    assert (plain_town.folder / name).read_bytes() == (struck_town.folder / name).read_bytes()


def test_no_customer_reaches_the_metering_side(plain_town):
    names = (plain_town.folder / "customers" / "customers.csv").read_text().splitlines()[1:]
    secrets = {cell for line in names for cell in line.split(",")[2:] if len(cell) > 5}
    assert len(secrets) > 10
    for path in plain_town.folder.rglob("*"):
        inside = path.relative_to(plain_town.folder).parts
        if path.is_file() and inside[0] != "customers" and inside[-1].split(".db")[0] not in ("registry",):
            content = path.read_bytes()
            found = [secret for secret in secrets if secret.encode() in content]
            assert not found, f"{path} holds customer data"
