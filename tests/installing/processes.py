"""Processes that outlive the command which starts them, known by a file with their pid, as services are."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_PATIENCE_MS = 30_000


class Processes:
    """Those whose pids are in `folder`, with their logs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children[name] = child
        (self._folder / f"{name}.pid").write_text(str(child.pid))

    def stop(self, name: str) -> None:
        """SIGTERM, then wait until it has ended, whoever reaps it. Not running is as well."""
        pid_file = self._folder / f"{name}.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text())
        pid_file.unlink()
        with suppress(ProcessLookupError):
            ended = os.pidfd_open(pid)
            signal.pidfd_send_signal(ended, signal.SIGTERM)
            watch = select.poll()
            watch.register(ended, select.POLLIN)
            if not watch.poll(_PATIENCE_MS):
                signal.pidfd_send_signal(ended, signal.SIGKILL)
                raise TimeoutError(f"{name} does not end")
            os.close(ended)
        if child := self._children.pop(name, None):
            child.wait()

    def runs(self, name: str) -> bool:
        pid_file = self._folder / f"{name}.pid"
        if not pid_file.exists():
            return False
        try:
            ended = os.pidfd_open(int(pid_file.read_text()))
        except ProcessLookupError:
            return False
        watch = select.poll()
        watch.register(ended, select.POLLIN)
        running = not watch.poll(0)
        os.close(ended)
        return running

    def stop_all(self) -> None:
        for pid_file in self._folder.glob("*.pid"):
            self.stop(pid_file.stem)
