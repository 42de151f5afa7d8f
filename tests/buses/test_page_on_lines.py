"""docs/how-to/lines-and-converters.md: what it tells people to write can be written, and its figures hold."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gateway.links import link_to
from gateway.mbus.timing import answer_timeout, transmission_time
from gateway.settings import MeterSettings

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "lines-and-converters.md").read_text(encoding="utf-8")
LINKS = re.findall(r"`((?:tcp|serial|rfc2217)://[^`]+)`", PAGE)


def test_the_page_shows_a_link_of_each_kind() -> None:
    assert {link.partition(":")[0] for link in LINKS} == {"tcp", "serial", "rfc2217"}


@pytest.mark.parametrize("link", LINKS)
def test_each_link_can_be_written_in_a_config_file(link: str) -> None:
    assert link_to(link).latency_s > 0


@pytest.mark.parametrize("row", re.findall(r"^\| `(\w+://\S+)` \|.*\| (\S+) s \|$", PAGE, re.MULTILINE))
def test_the_latencies_are_the_links_own(row: tuple[str, str]) -> None:
    link, latency = row
    assert link_to(link).latency_s == float(latency)


def test_the_battery_meter_can_be_written_in_a_config_file() -> None:
    [snippet] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    [meter] = tomllib.loads(snippet)["line"]["meter"]
    assert MeterSettings(**meter).reads_per_day == 4


def test_a_silent_meter_costs_what_the_page_says() -> None:
    standard = answer_timeout(2400)
    request = transmission_time(5, 2400)
    assert f"that is {standard:.2f} s" in PAGE
    assert (
        f"costs {standard + request + 0.05:.2f} s, with that of a TCP link {standard + request + 0.4:.2f} s"
        in PAGE
    )
