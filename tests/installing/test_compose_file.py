"""docker-compose.yml: every name in it is one that is there, and the walls between its services stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import free_port
from tests.installing.deployed import DEPLOY, clean_environment, compose, mounts, services
from tests.installing.known_settings import unknown_settings
from tests.installing.pages import ROOT
from tests.installing.processes import Processes
from tests.installing.test_readme import takes

SERVICES = services()
ROOMS = {name: service for name, service in SERVICES.items() if "build" in service}
YOURS = ["config", "files", "secrets", ".env"]

KNOWN = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "logging",
    "network_mode", "networks", "ports", "profiles", "read_only", "restart", "secrets", "security_opt",
    "tmpfs", "user", "volumes",
}  # fmt: skip
"""Keys of the Compose Specification that we use: another is misspelt, or is looked up and added here."""


@pytest.mark.parametrize("name", SERVICES)
def test_every_key_of_a_service_is_one_of_compose(name: str) -> None:
    assert SERVICES[name].keys() <= KNOWN


@pytest.mark.parametrize("name", SERVICES)
def test_whatever_a_service_names_is_declared(name: str) -> None:
    whole, service = compose(), SERVICES[name]
    volumes = {source for source, _, _ in mounts(service) if not source.startswith("./")}
    assert volumes <= whole["volumes"].keys()
    assert set(service.get("networks", ())) <= whole["networks"].keys()
    assert set(service.get("secrets", ())) <= whole["secrets"].keys()
    assert set(service.get("depends_on", ())) <= SERVICES.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_from_the_tree_is_there_or_the_plants_own(name: str) -> None:
    sources = [Path(source) for source, _, _ in mounts(SERVICES[name]) if source.startswith("./")]
    assert [
        source for source in sources if source.parts[0] not in YOURS and not (ROOT / source).exists()
    ] == []


@pytest.mark.parametrize("name", ROOMS)
def test_every_variable_is_a_setting(name: str) -> None:
    assert unknown_settings(ROOMS[name].get("environment", ())) == []


def test_a_variable_that_is_no_setting_is_found() -> None:
    misspelt = [
        "KAUKOLUENTA_COLLECTOR__MQTT__HOSTS",
        "KAUKOLUENTA_COLLECTER__MQTT__HOST",
        "KAUKOLUENTA_DATAS",
    ]
    assert unknown_settings(misspelt) == misspelt


@pytest.mark.parametrize("name", [name for name in ROOMS if "command" in ROOMS[name]])
def test_every_room_is_started_by_a_command_that_it_takes(name: str) -> None:
    assert takes(ROOMS[name]["command"])


@pytest.mark.parametrize("name", SERVICES)
def test_every_secret_that_a_service_reads_is_given_to_it(name: str) -> None:
    values = [str(value) for value in SERVICES[name].get("environment", {}).values()]
    read = [value.removeprefix("/run/secrets/") for value in values if value.startswith("/run/secrets/")]
    assert set(read) <= set(SERVICES[name].get("secrets", ()))


def test_setup_makes_every_secret() -> None:
    (script,) = SERVICES["setup"]["command"][2:]
    made = {f"./secrets/{word.split('=')[0]}" for word in script.split() if "=" in word} | {
        "./secrets/passwords"
    }
    assert {secret["file"] for secret in compose()["secrets"].values()} == made


def test_the_gateway_finds_what_lies_beside_its_config_and_cannot_change_it() -> None:
    assert ("./config", "/config", False) in mounts(SERVICES["gateway"])


def test_pages_listen_where_the_published_port_leads_and_it_is_published_on_loopback() -> None:
    pages = SERVICES["dashboards"]
    assert pages["environment"]["KAUKOLUENTA_DASHBOARDS__DASHBOARDS__HOST"] == "0.0.0.0"
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:8080:8080"]


def test_customers_share_no_network_and_no_volume_with_anyone() -> None:
    office = SERVICES["office"]
    others = [service for service in SERVICES.values() if service is not office]
    assert not {*office["networks"]} & {name for other in others for name in other.get("networks", ())}
    assert "customers" not in [source for other in others for source, _, _ in mounts(other)]
    assert compose()["networks"]["customers"] == {"internal": True}


@pytest.mark.parametrize("name", ROOMS)
def test_a_room_can_write_to_its_volumes_and_nowhere_else(name: str) -> None:
    assert (ROOMS[name]["read_only"], ROOMS[name]["cap_drop"]) == (True, ["ALL"])
    assert ROOMS[name]["security_opt"] == ["no-new-privileges:true"]


# Health ---------------------------------------------------------------------------------------------


def checked(service: dict[str, Any], data: Path, port: int) -> int:
    """The exit code of a service's health check, asked on this machine."""
    kind, *words = service["healthcheck"]["test"]
    assert kind == "CMD"
    environment = clean_environment() | {
        "KAUKOLUENTA_DATA": str(data),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [word.replace("8080", str(port)) for word in words]
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode


@pytest.fixture
def pages(tmp_path: Path) -> Any:
    """Starts the pages over `tmp_path`; gives their port."""
    processes, port = Processes(tmp_path), free_port()
    environment = clean_environment() | {
        "KAUKOLUENTA_DATA": str(tmp_path),
        "KAUKOLUENTA_DASHBOARDS__DASHBOARDS__PORT": str(port),
    }
    processes.start("pages", [sys.executable, "-m", "dashboards", "run"], environment)
    log = tmp_path / "pages.log"
    yield port, lambda: log.read_text()
    processes.stop("pages")


def test_the_pages_are_healthy_when_they_can_show_readings(tmp_path: Path, pages: Any, until: Any) -> None:
    port, said = pages
    until(lambda: "Open" in said(), "the pages up")
    assert checked(SERVICES["dashboards"], tmp_path, port) == 1
    assert checked(SERVICES["collector"], tmp_path, port) == 0  # and makes the database
    assert checked(SERVICES["dashboards"], tmp_path, port) == 0


def test_the_collector_is_not_healthy_when_its_database_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "collector.db").write_bytes(b"this was a database" * 300)
    assert checked(SERVICES["collector"], tmp_path, 0) == 3


def test_the_files_that_are_mounted_from_deploy_are_not_secret() -> None:
    assert not [
        path for path in DEPLOY.rglob("*") if path.suffix in (".key", ".pem") or "secret" in path.name
    ]
