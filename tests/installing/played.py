"""`systemctl` and `docker` of a machine in a folder: they start what unit files and docker-compose.yml say.

No account is changed and nothing is walled off; paths inside a container are put where its volumes lie, and
the service names of its networks on loopback.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.installing.deployed import clean_environment, compose, mounts, read_unit
from tests.installing.processes import Processes

MACHINE = Path(os.environ["MACHINE"])
PROCESSES = Processes(MACHINE / "run")


# systemctl ------------------------------------------------------------------------------------------


def systemctl(verb: str, *arguments: str) -> int:
    names = [name for name in arguments if not name.startswith("-")]
    if verb == "enable":
        assert all(_unit(name).all("Install.WantedBy") for name in names)
    for name in names:
        if verb in ("stop", "restart"):
            PROCESSES.stop(name)
        if verb in ("start", "restart") or "--now" in arguments:
            _start_unit(name)
    if verb == "is-active":
        active = [PROCESSES.runs(name) for name in names]
        sys.stdout.writelines("active\n" if one else "failed\n" for one in active)
        return 0 if all(active) else 3
    return 0


def _unit(name: str) -> Any:
    path = MACHINE / "etc/systemd/system" / (name if "." in name else f"{name}.service")
    return read_unit(path)


def _start_unit(name: str) -> None:
    if name.endswith(".timer"):
        return
    unit = _unit(name)
    credentials = MACHINE / "run" / f"{name}.credentials"
    credentials.mkdir(exist_ok=True)
    for credential, path in unit.credentials().items():
        shutil.copy(path, credentials / credential)
    command = shlex.split(unit.one("Service.ExecStart"))
    PROCESSES.start(name, command, {**clean_environment(), **unit.environment(credentials)})


# docker compose -------------------------------------------------------------------------------------


def docker(word: str, verb: str, *arguments: str) -> int:
    assert word == "compose"
    services = compose(Path.cwd(), _dot_env())["services"]
    if verb == "run":
        _, name, *command = arguments
        return subprocess.run(**_container(services[name], command), check=False).returncode
    if verb == "up":
        for name, service in services.items():
            if "profiles" not in service:
                started = _container(service, [])
                PROCESSES.start(name, started["args"], started["env"])
    if verb == "ps":
        sys.stdout.writelines(f"{name}\n" for name in services if PROCESSES.runs(name))
    return 0


def _dot_env() -> dict[str, str]:
    lines = Path(".env").read_text().split()
    return dict(line.split("=", 1) for line in lines)


def _container(service: dict[str, Any], command: list[str]) -> dict[str, Any]:
    """Command line and environment of a service, for subprocess."""
    places = _places(service)
    inside = re.compile("|".join(rf"(?<![\w./-]){re.escape(place)}(?![\w.])" for place in places))

    def outside(text: str) -> str:
        return inside.sub(lambda match: str(places[match[0]]), text)

    variables = {"KAUKOLUENTA_DATA": outside("/data")} if "build" in service else {}
    variables |= {key: outside(str(value)) for key, value in service.get("environment", {}).items()}
    command = [outside(word) for word in command or service.get("command", ())]
    if "build" in service:
        program = [str(MACHINE / "opt/kaukoluenta/.venv/bin/kaukoluenta"), *command]
    else:
        program = command or _mosquitto(places, outside)
    return {"args": program, "env": {**clean_environment(), **_on_loopback(variables, service)}}


def _places(service: dict[str, Any]) -> dict[str, Path]:
    """Where the paths inside a container really are, the longest first."""
    secrets = {
        f"/run/secrets/{name}": Path("secrets", name).absolute() for name in service.get("secrets", ())
    }
    places = {**secrets, **{inside: _source(source) for source, inside, _ in mounts(service)}}
    return dict(sorted(places.items(), key=lambda place: -len(place[0])))


def _source(source: str) -> Path:
    volume = MACHINE / "var/lib/docker/volumes" / f"kaukoluenta_{source}" / "_data"
    path = Path(source).absolute() if source.startswith("./") else volume
    if not path.exists():
        path.mkdir(parents=True)
    return path


def _mosquitto(places: dict[str, Path], outside: Callable[[str], str]) -> list[str]:
    """The image's own command, with a config that listens on loopback only."""
    config = MACHINE / "run" / "mosquitto.conf"
    text = outside(places["/mosquitto/config/mosquitto.conf"].read_text())
    user = "user root\n" if os.geteuid() == 0 else ""
    config.write_text(user + re.sub(r"^listener \d+$", r"\g<0> 127.0.0.1", text, flags=re.MULTILINE))
    return [_program("mosquitto"), "-c", str(config)]


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or name


def _on_loopback(variables: dict[str, str], service: dict[str, Any]) -> dict[str, str]:
    """The network's names and all its addresses become loopback, with the ports of this machine."""
    broker = re.findall(r"^listener (\d+)$", Path("deploy/mosquitto.conf").read_text(), re.MULTILINE)
    ports = {"broker": broker, "0.0.0.0": [port.rpartition(":")[2] for port in service.get("ports", ())]}
    changed = dict(variables)
    for key, value in variables.items():
        if value in ports:
            changed |= {key: "127.0.0.1", key.replace("__HOST", "__PORT"): ports[value][0]}
    return changed


if __name__ == "__main__":
    sys.exit({"systemctl": systemctl, "docker": docker}[sys.argv[1]](*sys.argv[2:]))
