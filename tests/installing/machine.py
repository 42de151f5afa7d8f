"""A server in a folder, to follow a page on: the page's paths and ports are put there.

Real are the shell, the files, Mosquitto and our processes. What needs root is played: packages and accounts
are not made, `install`, `runuser` and `sudo` do without the account, systemd and Docker start what the unit
files and docker-compose.yml say (tests/installing/played.py).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port
from tests.installing.deployed import clean_environment
from tests.installing.pages import ROOT, blocks, compare
from tests.installing.processes import Processes

_ABSOLUTE = re.compile(r"(?<![\w./-])/(?=(?:etc|var|opt|srv|usr/local)\b)")
_SHIMS = {
    **dict.fromkeys(("apt-get", "adduser", "chown", "make"), "exit 0"),
    "install": "n=$#; while [ $n -gt 0 ]; do a=$1; shift; n=$((n - 1)); case $a in\n"
    '    -o | -g) shift; n=$((n - 1)) ;;\n    *) set -- "$@" "$a" ;;\nesac; done; exec /usr/bin/install "$@"',
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"',
    "sudo": 'exec "$@"',
    **{
        name: f'PYTHONPATH={ROOT} exec {sys.executable} -m tests.installing.played {name} "$@"'
        for name in ("systemctl", "docker")
    },
}
_LASTING = ("export ", "umask ", ". ")
"""What a line changes of the shell in which the whole page is followed."""
_DEBIAN_MOSQUITTO = """\
persistence true
persistence_location /var/lib/mosquitto/
log_dest file /var/lib/mosquitto/log
include_dir /etc/mosquitto/conf.d
"""
_MOSQUITTO_UNIT = "[Service]\nExecStart={program} -c /etc/mosquitto/mosquitto.conf\n"


class Machine:
    """`root` is the folder, `source` the program's tree in it, `meters` where its converter really is."""

    def __init__(self, root: Path, mosquitto: str, meters: str) -> None:
        self.root, self.source, self._meters = root, root / "opt" / "kaukoluenta", meters
        self.ports = {"1883": free_port(), "8080": free_port()}
        self.processes = Processes(root / "run")
        self._lay_out(mosquitto)

    def here(self, text: str) -> str:
        """A page's or file's text with this machine's paths and ports, and readings that come at once."""
        text = _ABSOLUTE.sub(f"{self.root}/", text)
        for usual, port in self.ports.items():
            text = re.sub(rf"\b{usual}\b", str(port), text)
        text = text.replace('every = "1h"', 'every = "1h"\nwindow = "1h"\nspread = "0s"')
        return text.replace("tcp://192.0.2.10:10001", self._meters)

    def follow(self, page: Path, before: Callable[[str], None], folder: Path) -> int:
        """Do what the page says, in `folder`; how many blocks of commands that were.

        `before` is told the section before each block.
        """
        commands, printed, session = 0, "", ""
        for block in blocks(page):
            before(block.section)
            if block.kind == "toml":
                name = block.text.partition("\n")[0].removeprefix("# ")
                (folder / self.here(name)).write_text(self.here(block.text), encoding="utf-8")
            elif block.kind == "sh":
                printed = self.run(session + block.text, folder)
                session += "".join(line for line in block.text.splitlines(True) if line.startswith(_LASTING))
                commands += 1
            elif block.kind == "text":
                compare(self.here(block.text), printed)
        return commands

    def run(self, script: str, folder: Path) -> str:
        """What a shell prints on this machine. Fails when a command does."""
        path = (self.root / "shims", self.root / "usr/local/bin", clean_environment()["PATH"])
        done = subprocess.run(
            ["sh", "-e", "-c", self.here(script)],
            cwd=folder,
            env={**clean_environment(), "PATH": ":".join(map(str, path)), "MACHINE": str(self.root)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done.stdout

    def logs(self) -> str:
        return "\n".join(
            f"== {log.name}\n{log.read_text()}" for log in sorted((self.root / "run").glob("*.log"))
        )

    def _lay_out(self, mosquitto: str) -> None:
        for folder in ("shims", "run", "usr/local/bin", "etc/mosquitto/conf.d", "etc/systemd/system"):
            (self.root / folder).mkdir(parents=True)
        for folder in ("var/lib/mosquitto", "var/backups", "srv", "opt/kaukoluenta/.venv"):
            (self.root / folder).mkdir(parents=True)
        for name, script in _SHIMS.items():
            shim = self.root / "shims" / name
            shim.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            shim.chmod(0o755)
        (self.source / ".venv/bin").symlink_to(Path(sys.executable).parent)
        shutil.copytree(ROOT / "deploy", self.source / "deploy")
        shutil.copy(ROOT / "docker-compose.yml", self.source)
        for file in (*self.source.glob("deploy/*"), self.source / "docker-compose.yml"):
            file.write_text(self.here(file.read_text(encoding="utf-8")), encoding="utf-8")
        user = "user root\n" if os.geteuid() == 0 else ""  # it would drop root, and then our folder is shut
        (self.root / "etc/mosquitto/mosquitto.conf").write_text(self.here(user + _DEBIAN_MOSQUITTO))
        unit = _MOSQUITTO_UNIT.format(program=mosquitto)
        (self.root / "etc/systemd/system/mosquitto.service").write_text(self.here(unit))


@contextmanager
def machine(root: Path, meters: str, mosquitto: str) -> Iterator[Machine]:
    """A machine whose processes are ended by their pids."""
    made = Machine(root, mosquitto, meters)
    try:
        yield made
    finally:
        made.processes.stop_all()
