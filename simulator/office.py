"""What the office does at the end of each month, through the same commands and files as any office."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kaukoluenta.errors import KaukoluentaError
from kaukoluenta.periods import months_within
from simulator.children import our_command
from simulator.plant import Plant
from simulator.registry_files import write_registry_files
from simulator.town import Town

Bill = Mapping[str, Any]
"""The JSON of `billing run`."""


class OfficeFailed(KaukoluentaError):
    """A command of the office did not do its work."""


def import_customers(town: Town, plant: Plant) -> None:
    """Write the customer files and import them."""
    write_registry_files(town, plant.customer_files)
    _run(plant, {0}, "registry", "import", str(plant.customer_files))


def bill_complete_months(town: Town, plant: Plant) -> dict[str, Bill]:
    """Bill each complete month of the town's span, write extract and bill."""
    return {name: _bill(plant, name) for name in months_within(town.start, town.end)}


def extract_file(plant: Plant, month: str) -> Path:
    return plant.folder / f"extract-{month}.csv"


def _bill(plant: Plant, month: str) -> Bill:
    text = _run(plant, {0, 1}, "billing", "run", month, "--json")
    (plant.folder / f"bill-{month}.json").write_text(text, encoding="utf-8")
    bill: Bill = json.loads(text)
    _run(plant, {0}, "billing", "export", bill["run"], "--out", str(extract_file(plant, month)))
    return bill


def _run(plant: Plant, expected: set[int], *command: str) -> str:
    done = subprocess.run(
        our_command(*command),
        env={**os.environ, "KAUKOLUENTA_DATA": str(plant.data)},
        capture_output=True,
        text=True,
        check=False,
    )
    with plant.log("office").open("a", encoding="utf-8") as log:
        log.write(f"$ kaukoluenta {' '.join(command)}\n{done.stderr}")
    if done.returncode not in expected:
        raise OfficeFailed(
            f"`kaukoluenta {' '.join(command)}` ended with {done.returncode}.", remedy=done.stderr.strip()
        )
    return done.stdout
