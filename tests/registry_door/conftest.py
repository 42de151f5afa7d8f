"""A folder of the four files that differs from a good one only in what a test says, and a registry for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kaukoluenta.runtime.database import open_database
from registry.import_files import Imported, import_files, read_folder
from registry.records import Holding, load
from registry.schema import MIGRATIONS

GOOD = {
    "customers.csv": [
        "customer_number,kind,name,identity,email,phone,address",
        "1001,person,Maija Malli,131052-308T,maija@example.fi,040 123,Mallitie 1",
        "1002,organisation,Mallikoulu,0163687-9,,,Koulutie 2",
    ],
    "delivery_points.csv": ["delivery_point,line,address", "KP-1,pohjoinen,Mallitie 1", "KP-2,,Koulutie 2"],
    "contracts.csv": [
        "contract,customer_number,delivery_point,valid_from,valid_to",
        "S-1,1001,KP-1,2025-01-01,2026-07-01",
        "S-2,1002,KP-2,2025-01-01,",
    ],
    "installations.csv": [
        "delivery_point,meter,installed_at,start_energy,removed_at,end_energy,energy_unit",
        "KP-1,KAM-00000001,2025-01-01,0,2026-06-01T10:00:00+03:00,1234.5,kWh",
        "KP-2,LUG-00000002,2025-01-01,,,,GJ",
    ],
}


class Office:
    """Writes files and imports them, as the office does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines = {file: list(lines) for file, lines in GOOD.items()}
        self.connection = open_database(folder / "registry.db", MIGRATIONS)

    def add(self, file: str, *lines: str) -> None:
        self.lines[file] += lines

    def only(self, file: str, *lines: str) -> None:
        """Just the heading and these."""
        self.lines[file][1:] = lines

    def write(self) -> Path:
        for file, lines in self.lines.items():
            (self.folder / file).write_text("\n".join(lines) + "\n")
        return self.folder

    def take(self) -> dict[str, Imported]:
        imported = import_files(self.connection, read_folder(self.write()))
        return {file.file: file for file in imported}

    def holding(self) -> Holding:
        return load(self.connection)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    with closing(made.connection):
        yield made


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`kaukoluenta registry ...` in this process, on the office's registry."""
    from kaukoluenta.runtime.command import run_command
    from registry.__main__ import build_parser

    monkeypatch.setenv("KAUKOLUENTA_DATA", str(tmp_path))
    return lambda *arguments: run_command(build_parser(), [str(argument) for argument in arguments])
