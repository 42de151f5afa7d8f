"""Throws mutated telegrams at everything that reads octets from an M-Bus line, for a minute or longer.

    python -m fuzz.mbus_telegrams [--seconds 60] [--keep FOLDER]

With atheris the mutations follow the coverage; without it Hypothesis mutates blindly. When something does not
hold, the telegram is printed in hexadecimal and the exit code is not 0: make it a test in tests/wire.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LONGEST = 600
EXAMPLES_AT_ONCE = 500


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="corpus to begin from and to add to")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        corpus = chosen.keep or Path(folder)
        corpus.mkdir(parents=True, exist_ok=True)
        if find_spec("atheris"):
            return _by_coverage(chosen.seconds, corpus)
        sys.stderr.write(
            "atheris is not installed (pip install atheris): Hypothesis mutates blindly instead.\n"
        )
        return _blindly(chosen.seconds)


def _by_coverage(seconds: int, corpus: Path) -> int:
    """Does not return: libFuzzer ends the process, with 77 when something does not hold."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["gateway", "kaukoluenta"]):
        checks = import_module("fuzz.mbus_checks")
    for seed in checks.seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-len_control=0", "-timeout=10"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda octets: _told(checks, octets))
    atheris.Fuzz()
    return 0


def _blindly(seconds: int) -> int:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    checks = import_module("fuzz.mbus_checks")
    mutations = _mutations(st, list(checks.seeds()))
    count = 0

    @settings(
        max_examples=EXAMPLES_AT_ONCE,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations)
    def some(octets: bytes) -> None:
        nonlocal count
        count += 1
        _told(checks, octets)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        some()
    sys.stderr.write(f"{count} telegrams in {seconds} s, nothing found.\n")
    return 0


def _mutations(st: Any, telegrams: list[bytes]) -> Any:
    """A telegram with some octets changed, cut out, put in or repeated."""
    octet, place = st.integers(0, 255), st.integers(0, LONGEST)
    edit = st.one_of(
        st.tuples(st.just("change"), place, octet),
        st.tuples(st.just("insert"), place, octet),
        st.tuples(st.just("cut"), place, st.integers(1, 30)),
        st.tuples(st.just("repeat"), place, st.integers(1, 30)),
    )
    return st.builds(_mutated, st.sampled_from(telegrams), st.lists(edit, max_size=6))


def _mutated(telegram: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    octets = bytearray(telegram)
    for kind, place, number in edits:
        at = place % (len(octets) + 1)
        if kind == "change":
            octets[at : at + 1] = bytes((number,))
        elif kind == "insert":
            octets.insert(at, number)
        elif kind == "cut":
            del octets[at : at + number]
        else:
            octets[at:at] = octets[at : at + number]
    return bytes(octets)


def _told(checks: Any, octets: bytes) -> None:
    """Check, and name the octets that break something."""
    try:
        checks.check(octets)
    except BaseException:
        sys.stderr.write(f"Does not hold: {octets.hex()}\n")
        raise


if __name__ == "__main__":
    sys.exit(main())
