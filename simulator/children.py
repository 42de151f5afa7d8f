"""Ordinary processes as children of the conductor: started, killed, started again, ended by pid."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_GRACE_S = 10.0


@dataclass(slots=True)
class Child:
    """One process that may be killed and started again with the same command. Its log is appended to."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """The process id of the running process; 0 when there is none."""
        return self.process.pid if self.process and self.process.poll() is None else 0

    def kill(self) -> None:
        """SIGKILL: no goodbye, no flush."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after a grace."""
        self._end(signal.SIGTERM)

    def last_lines(self, count: int = 15) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-count:])

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def our_command(*arguments: str) -> list[str]:
    """`kaukoluenta ROOM VERB` with the interpreter that runs now."""
    return [sys.executable, "-m", "kaukoluenta", *arguments]


def _end_with_parent() -> None:
    """A child must not outlive a conductor that was killed (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
