"""Telegrams decoded per CPU second: this decoder, pyMeterBus and libmbus, over the same telegrams, as ratios.

    python benchmarks/mbus_decode.py [--seconds S] [--libmbus DIR]

The telegrams are built here: heat meters of several layouts, binary and BCD, with other values in each. The
contenders take turns, and a ratio is the median over the rounds: a busy machine is busy for all of them.

pyMeterBus takes part when it can be imported. libmbus takes part when DIR (or LIBMBUS) holds its headers
(mbus/mbus.h) and its library; a C compiler then makes libmbus_decode.c into the loop to measure.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from operator import truediv
from pathlib import Path

from gateway.mbus import encode
from gateway.mbus.encode import NOW, Place, vib_of
from gateway.mbus.header import identity_of
from gateway.mbus.plan import PlanCache
from gateway.mbus.telegram import decode_telegram

ROUNDS = 9
DUE_DATE, PEAK = Place(storage=1), Place("maximum")
Contender = Callable[[float], float]
"""Runs for about so many CPU seconds and returns telegrams per CPU second."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.5, help="of one turn of one contender")
    parser.add_argument(
        "--libmbus", default=os.environ.get("LIBMBUS"), help="folder with mbus/mbus.h and the library"
    )
    options = parser.parse_args()
    telegrams = heat_meter_telegrams(random.Random(7))
    print(f"{len(telegrams)} telegrams, {sum(map(len, telegrams)) / len(telegrams):.0f} octets on average")
    with contenders(telegrams, options.libmbus) as field:
        turns: dict[str, list[float]] = {name: [] for name in field}
        for _ in range(ROUNDS):
            for name, run in field.items():
                turns[name].append(run(options.seconds))
    show(turns)


def show(turns: dict[str, list[float]]) -> None:
    peers = [name for name in turns if name in ("libmbus", "pyMeterBus")]
    print(f"{'telegrams/s':>40}" + "".join(f"{'x ' + peer:>14}" for peer in peers))
    for name, speeds in turns.items():
        ratios = [statistics.median(map(truediv, speeds, turns[peer])) for peer in peers]
        print(f"{name:<26}{statistics.median(speeds):14,.0f}" + "".join(f"{ratio:14.2f}" for ratio in ratios))


@contextmanager
def contenders(telegrams: list[bytes], libmbus: str | None) -> Iterator[dict[str, Contender]]:
    with tempfile.TemporaryDirectory() as folder:
        field = ours(telegrams)
        field |= py_meter_bus(telegrams)
        field |= lib_mbus(telegrams, Path(libmbus), Path(folder)) if libmbus else {}
        yield field


def ours(telegrams: list[bytes]) -> dict[str, Contender]:
    plans = PlanCache()
    assert all(map(plans.read, telegrams)), "a telegram without a plan would cost nothing"

    def steps(octets: bytes) -> None:
        if read := plans.read(octets):
            read[0].steps(read[1])

    def values(octets: bytes) -> None:
        if read := plans.read(octets):
            read[0].values(read[1])

    return {
        "ours, steps and exponent": timed(telegrams, steps),
        "ours, Decimals": timed(telegrams, values),
        "ours, plain decoder": timed(telegrams, decode_telegram),
    }


def py_meter_bus(telegrams: list[bytes]) -> dict[str, Contender]:
    try:
        import meterbus  # type: ignore[import-not-found]  # never in our lock
    except ImportError:
        print("pyMeterBus is not installed: left out", file=sys.stderr)
        return {}

    def values(octets: bytes) -> None:
        for record in meterbus.load(octets).records:
            _ = record.value

    return {"pyMeterBus": timed(telegrams, values)}


def lib_mbus(telegrams: list[bytes], installed: Path, folder: Path) -> dict[str, Contender]:
    """The C loop as a child: link check, records, normalised value of each record."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("no C compiler: libmbus is left out", file=sys.stderr)
        return {}
    program, source = folder / "libmbus_decode", Path(__file__).with_suffix("").parent / "libmbus_decode.c"
    where = [f"-I{installed}", f"-I{installed / 'include'}", f"-L{installed}", f"-L{installed / 'lib'}"]
    rpath = f"-Wl,-rpath,{installed.resolve()}:{(installed / 'lib').resolve()}"
    subprocess.run(
        [compiler, "-O2", str(source), "-o", str(program), *where, rpath, "-lmbus", "-lm"], check=True
    )
    feed = "".join(f"{octets.hex()}\n" for octets in telegrams)

    def run(seconds: float) -> float:
        done = subprocess.run(
            [program, str(seconds)],
            input=feed,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        return float(done.stdout)

    return {"libmbus": run}


def timed(telegrams: list[bytes], decode: Callable[[bytes], object]) -> Contender:
    def run(seconds: float) -> float:
        done, began = 0, time.process_time()
        while (spent := time.process_time() - began) < seconds:
            for octets in telegrams:
                decode(octets)
            done += len(telegrams)
        return done / spent

    return run


def heat_meter_telegrams(chance: random.Random, meters: int = 10) -> list[bytes]:
    """`meters` of each model, each with its own number and values."""
    return [
        encode.variable_response(
            chance.randrange(1, 251),
            identity_of(f"{chance.randrange(10**8):08d}", maker, version, 0x04),
            layout(chance),
            access_no=chance.randrange(256),
        ).to_bytes()
        for _ in range(meters)
        for maker, version, layout in MODELS
    ]


def binary_kwh(chance: random.Random) -> list[bytes]:
    def register(vib: bytes, largest: int, octets: int = 4, place: Place = NOW) -> bytes:
        return encode.integer_record(vib, chance.randrange(largest), octets, place)

    return [
        number(chance),
        register(vib_of("energy", "Wh", 3), 10**7),
        register(vib_of("volume", "m3", -2), 10**8),
        register(vib_of("on_time", "s", factor=3600), 10**5),
        register(vib_of("flow_temperature", "degC", -2), 12000, 2),
        register(vib_of("return_temperature", "degC", -2), 8000, 2),
        register(vib_of("temperature_difference", "K", -2), 6000, 2),
        register(vib_of("power", "W", 2), 10**4),
        register(vib_of("power", "W", 2), 10**4, 4, PEAK),
        register(vib_of("volume_flow", "m3/h", -3), 10**4),
        register(vib_of("volume_flow", "m3/h", -3), 10**4, 4, PEAK),
        clock(chance),
        register(vib_of("energy", "Wh", 3), 10**7, 4, DUE_DATE),
        register(vib_of("volume", "m3", -2), 10**8, 4, DUE_DATE),
        encode.date_record(date(2025, 12, 31), DUE_DATE),
    ]


def bcd_kwh(chance: random.Random) -> list[bytes]:
    def register(vib: bytes, largest: int, digits: int = 8, place: Place = NOW) -> bytes:
        return encode.bcd_record(vib, chance.randrange(largest), digits, place)

    return [
        number(chance),
        register(vib_of("energy", "Wh", 3), 10**7),
        register(vib_of("volume", "m3", -2), 10**8),
        register(vib_of("on_time", "s", factor=3600), 10**5, 6),
        register(vib_of("flow_temperature", "degC", -1), 1200, 4),
        register(vib_of("return_temperature", "degC", -1), 800, 4),
        register(vib_of("temperature_difference", "K", -2), 6000, 6),
        register(vib_of("power", "W", 2), 10**4, 6),
        register(vib_of("volume_flow", "m3/h", -3), 10**4, 6),
        clock(chance),
        *(register(vib_of("energy", "Wh", 3), 10**7, 8, Place(storage=month)) for month in range(1, 7)),
        encode.date_record(date(2025, 12, 31), DUE_DATE),
    ]


def binary_gj_with_log(chance: random.Random) -> list[bytes]:
    """A long telegram: the registers of now and of twelve months."""
    months = [Place(storage=month) for month in range(1, 13)]
    return [
        *(
            encode.integer_record(vib_of("energy", "J", 7), chance.randrange(10**6), 4, m)
            for m in [NOW, *months]
        ),
        *(
            encode.integer_record(vib_of("volume", "m3", -1), chance.randrange(10**7), 4, m)
            for m in [NOW, *months]
        ),
        encode.integer_record(vib_of("flow_temperature", "degC", -1), chance.randrange(1200), 2),
        encode.integer_record(vib_of("return_temperature", "degC", -1), chance.randrange(800), 2),
        clock(chance),
    ]


def short_mixed(chance: random.Random) -> list[bytes]:
    return [
        number(chance),
        encode.bcd_record(vib_of("energy", "Wh", 3), chance.randrange(10**7)),
        encode.bcd_record(vib_of("volume", "m3", -3), chance.randrange(10**8)),
        encode.integer_record(vib_of("power", "W", 0), chance.randrange(10**5), 3),
        encode.integer_record(vib_of("flow_temperature", "degC", -2), chance.randrange(12000), 2),
        encode.integer_record(vib_of("return_temperature", "degC", -2), chance.randrange(8000), 2),
        encode.unsigned_record(vib_of("error_flags"), 0, 1),
    ]


def number(chance: random.Random) -> bytes:
    return encode.bcd_record(vib_of("fabrication_number"), chance.randrange(10**8))


def clock(chance: random.Random) -> bytes:
    moment = datetime(2026, 11, 24, chance.randrange(24), chance.randrange(60))  # noqa: DTZ001 - a meter's clock
    return encode.datetime_record(moment)


MODELS = (
    ("KLU", 0x21, binary_kwh),
    ("KLU", 0x22, bcd_kwh),
    ("LAM", 0x07, binary_gj_with_log),
    ("LAM", 0x08, short_mixed),
)


if __name__ == "__main__":
    main()
