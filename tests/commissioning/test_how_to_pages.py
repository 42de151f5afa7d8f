"""docs/how-to, followed literally: each command is run as it stands, and prints what the page shows.

A block `sh` is run by a shell in one folder, a block `toml` is saved under the name in its first line, and a
block `text` is what the command before it prints: its lines in order, blanks aside, … for anything. Only
where the bus is, is put in: a page cannot know it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.lines.mbus_profile import load_profiles, shipped_profiles
from gateway.mbus import encode
from gateway.mbus.header import identity_of
from tests.commissioning.bench import Bench, BenchMeter, bench_meter, on_pty, on_tcp
from tests.installing.pages import HOW_TO, ROOT, blocks, compare

TCP, SERIAL = "tcp://192.0.2.10:10001", "serial:///dev/ttyUSB0"


def follow(page: str, folder: Path, link: Callable[[str], str], before: Callable[[str], None]) -> int:
    """Do what the page says; how many commands that were. `before` is told each section."""
    commands, printed, exports = 0, "", ""
    for block in blocks(HOW_TO / page):
        before(block.section)
        if block.kind == "toml":
            name = block.text.partition("\n")[0].removeprefix("# ")
            (folder / name).write_text(link(block.text), encoding="utf-8")
        elif block.kind == "sh":
            exports += "".join(line + "\n" for line in block.text.splitlines() if line.startswith("export "))
            printed = run(exports + link(block.text), folder)
            commands += 1
        elif block.kind == "text":
            compare(block.text, printed)
    return commands


def run(script: str, folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["sh", "-e", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def multical_603() -> BenchMeter:
    """A meter with the first example of its shipped profile."""
    example = shipped_profiles()["kamstrup-multical-603"].file.example[0]
    return BenchMeter(identity_of("69183621", "KAM", 0x35, 0x04), 17, [bytes.fromhex(example.records[0])])


def test_read_your_first_meter(tmp_path: Path) -> None:
    bench = Bench(multical_603())

    def before(section: str) -> None:
        if section.startswith("3.") and len(bench.meters) == 1:
            bench.meters.append(bench_meter("20000017", maker="EXM", version=0x01))

    with on_tcp(bench) as tcp, on_pty(bench) as device:
        commands = follow(
            "read-your-first-meter.md",
            tmp_path,
            lambda text: text.replace(SERIAL, f"serial://{device}?parity=N").replace(TCP, tcp),
            before,
        )
    assert commands == 9
    assert [meter.address for meter in bench.meters] == [17, 18]
    assert bench.writes == 1


def hm1() -> BenchMeter:
    records = [
        encode.integer_record(b"\x06", 12345),
        encode.integer_record(encode.with_vife(b"\x06", 0x3C), 417),
        encode.unsigned_record(b"\xff\x22", 16, 2),
    ]
    return BenchMeter(identity_of("20000017", "EXM", 0x01, 0x0D), 1, records)


@pytest.mark.parametrize("where", ["tcp", "pty"])
def test_add_a_meter_model(tmp_path: Path, where: str) -> None:
    bench = Bench(hm1())
    with on_tcp(bench) as tcp, on_pty(bench) as device:
        url = tcp if where == "tcp" else f"serial://{device}?parity=N"
        commands = follow(
            "add-a-meter-model.md", tmp_path, lambda text: text.replace(TCP, url), lambda section: None
        )
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        printed = run("kaukoluenta gateway read --config ../gateway.toml EXM-20000017", elsewhere)
    compare("cooling_energy 417 kWh", printed)
    assert commands == 4
    generic = ROOT / "gateway" / "profiles" / "generic.toml"
    assert load_profiles([generic, tmp_path / "example-hm1.toml"])["example-hm1"].rules["energy"]
    assert bench.writes == 0
