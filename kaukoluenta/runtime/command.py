"""How a command ends: results on stdout, logs and problems on stderr, a known exit code.

0 ok; 1 a problem was found; 2 usage; 3 configuration invalid; 4 unreachable; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from kaukoluenta.errors import KaukoluentaError

INTERRUPTED = 130


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> int:
    """Parse, call the chosen `run` function and turn its errors into the exit code.

    Each sub-parser sets `run`: a function from the parsed arguments to an exit code.
    """
    chosen = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] | None = getattr(chosen, "run", None)
    if run is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        return run(chosen)
    except KaukoluentaError as error:
        sys.stderr.write(f"{error.problem}\n{error.remedy.strip()}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def print_json(value: Any) -> None:
    """One JSON document on stdout, keys in the order given."""
    sys.stdout.write(json.dumps(msgspec.to_builtins(value), ensure_ascii=False, indent=2) + "\n")


def print_table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns for people; numbers belong in --json."""
    lines = [list(heading), *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
