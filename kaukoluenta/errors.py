"""Errors raised on purpose: what happened, and what to do about it.

    KaukoluentaError        exit 1   a problem was found; nothing wrong was stored or sent
      UsageError            exit 2   the command was called in a way that cannot work
      ConfigurationInvalid  exit 3   settings, secrets or a data folder that cannot be used
      Unreachable           exit 4   a meter, broker or store did not answer (single commands)

The class says who can act, the remedy says how. Bad data from outside is a value (quality, refusal,
quarantine), never an exception that ends a loop.
"""

from __future__ import annotations

from typing import ClassVar


class KaukoluentaError(Exception):
    """Base of every error that we raise on purpose. `str(error)` is the problem and its remedy."""

    exit_code: ClassVar[int] = 1

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.problem, self.remedy = problem, remedy


class UsageError(KaukoluentaError):
    """The call itself is off: a wrong argument, a file that is not there."""

    exit_code = 2


class ConfigurationInvalid(KaukoluentaError):
    """Settings that cannot be used. Raised before anything connects."""

    exit_code = 3


class Unreachable(KaukoluentaError):
    """Something outside did not answer. `run` commands retry instead of raising it to the user."""

    exit_code = 4
