"""Three years of a real meter through the file door: every month is billed and adds up to the register.

The series is other people's: it is taken from KAUKOLUENTA_MATERIAL and stays there.
"""

import csv
import gzip
import json
import os
import subprocess
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import pytest

from kaukoluenta.periods import local_midnight, month, months_within, parse_instant
from simulator.children import our_command

METER = "DKM-00000660"
WATT_HOUR = Decimal("0.001")


@pytest.fixture(scope="module")
def series():
    folder = os.environ.get("KAUKOLUENTA_MATERIAL")
    if not folder:
        pytest.skip("set KAUKOLUENTA_MATERIAL to the folder that holds data/danish-heat-meter.csv.gz")
    with gzip.open(Path(folder) / "data" / "danish-heat-meter.csv.gz", "rt") as text:
        rows = list(csv.DictReader(text))
    return {
        row["time_rounded"]: Decimal(row["energy_heat_kwh"]).quantize(WATT_HOUR, ROUND_DOWN) for row in rows
    }


def kaukoluenta(folder, *command, expected=0):
    environment = {**os.environ, "KAUKOLUENTA_DATA": str(folder / "data")}
    done = subprocess.run(our_command(*command), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == expected, done.stderr
    return done.stdout


def write_files(folder, series):
    files = {
        "customers.csv": (
            "customer_number,kind,name,identity,email,phone,address\n1,person,Testi Asiakas,,,,\n"
        ),
        "delivery_points.csv": "delivery_point,line,address\nKP-1,keskusta,Testikuja 1\n",
        "contracts.csv": (
            "contract,customer_number,delivery_point,valid_from,valid_to\nS-1,1,KP-1,2017-01-01,\n"
        ),
        "installations.csv": (
            "delivery_point,meter,installed_at,start_energy,removed_at,end_energy,energy_unit\n"
            f"KP-1,{METER},2017-01-01,,,,kWh\n"
        ),
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    rows = "".join(f"{METER},{instant},{energy},kWh,log\n" for instant, energy in series.items())
    (folder / "readings.csv").write_text("meter,read_at,energy,energy_unit,source\n" + rows)


def test_every_complete_month_is_billed_and_adds_up_to_the_register(series, tmp_path):
    instants = {parse_instant(text): energy for text, energy in series.items()}
    months = months_within(min(instants), max(instants))
    write_files(tmp_path, series)
    kaukoluenta(tmp_path, "registry", "import", str(tmp_path))
    kaukoluenta(tmp_path, "collector", "import", str(tmp_path / "readings.csv"))

    billed = Decimal(0)
    for name in months:
        run = json.loads(kaukoluenta(tmp_path, "billing", "run", name, "--json"))
        [row] = run["rows"]
        period = month(name)
        assert Decimal(row["energy"]) == instants[period.end] - instants[period.start]
        billed += Decimal(row["energy"])
    assert len(months) == 35
    assert billed == instants[month(months[-1]).end] - instants[month(months[0]).start]


def test_the_series_begins_in_the_middle_of_a_month(series):
    first = parse_instant(min(series))
    assert local_midnight(datetime(2018, 1, 1).date()) < first < local_midnight(datetime(2018, 2, 1).date())
