"""The demo's folders: databases on a disk, as they would be, and what steps the clock in memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.meters_file import load_gateway_settings
from kaukoluenta.errors import UsageError
from simulator import conductor
from simulator.conductor import plant_in
from simulator.plan import plan_town
from simulator.plant import write_gateway_config


def test_nothing_is_left_of_a_plant_without_a_folder() -> None:
    with plant_in(None) as plant:
        folders = [plant.folder, plant.sockets]
        assert all(folder.is_dir() for folder in folders)
    assert not any(folder.exists() for folder in folders)


def test_only_the_clock_lies_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "_MEMORY", str(tmp_path))
    with plant_in(None) as plant:
        assert plant.clock.is_relative_to(tmp_path)
        assert not plant.data.is_relative_to(tmp_path)


def test_a_machine_without_such_a_place_has_a_plant_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conductor, "_MEMORY", str(tmp_path / "nowhere"))
    with plant_in(None) as plant:
        assert plant.sockets.is_dir()


def test_a_folder_that_was_given_is_kept(tmp_path: Path) -> None:
    with plant_in(tmp_path / "town") as plant:
        (plant.folder / "here").touch()
    assert os.listdir(tmp_path) == ["town"]
    with pytest.raises(UsageError, match="is not empty"), plant_in(tmp_path / "town"):
        pass


def test_the_gateways_config_is_one_that_the_gateway_takes(tmp_path: Path) -> None:
    town = plan_town(7, 24)
    ports = {line.name: 10_001 + number for number, line in enumerate(town.lines)}
    with plant_in(tmp_path / "town") as plant:
        write_gateway_config(plant, "", town, ports, town.start)
        settings = load_gateway_settings(plant.gateway_config)
    assert [line.name for line in settings.line] == [line.name for line in town.lines]
    assert sum(len(line.meter) for line in settings.line) == 24
