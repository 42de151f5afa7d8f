"""`kaukoluenta dashboards run | check` as processes: settings, the printed address, a quick end."""

import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

COMMAND = [sys.executable, "-m", "dashboards"]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KAUKOLUENTA_")}
    return kept | more


def finished(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def config(folder, text: str) -> str:
    path = folder / "dashboards.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def running(tmp_path):
    """Starts `dashboards run` and gives it with its first line on stdout; ended by its pid."""
    started = []

    def start(*arguments, **more):
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*COMMAND, "run", *arguments],
                env=environment(**more),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        started.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_the_data_folder_alone_is_enough_and_the_printed_address_answers(village, tmp_path, running):
    process, said = running(
        KAUKOLUENTA_DATA=str(village.path.parent), KAUKOLUENTA_DASHBOARDS__DASHBOARDS__PORT="0"
    )
    address = said.removeprefix("Open ")
    assert address.startswith("http://127.0.0.1:")
    assert httpx.get(f"{address}readyz").json() == {"status": "ok"}
    assert "server" not in httpx.get(address).headers
    with httpx.Client(base_url=address) as kept_open:
        kept_open.get("/")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert "/readyz" not in (tmp_path / "log").read_text()


def test_pages_go_up_and_stay_up_without_a_database(tmp_path, running):
    path = config(
        tmp_path, f'[dashboards]\nport = 0\ncollector_database = "{tmp_path}/absent/collector.db"\n'
    )
    process, said = running("--config", path)
    assert httpx.get(said.removeprefix("Open ")).status_code == 503
    assert process.poll() is None


def test_the_clock_of_a_conductor_is_what_the_page_calls_now(village, tmp_path, running):
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "now").write_text(village.clock.time.isoformat())
    path = config(tmp_path, f'[dashboards]\nport = 0\nclock = "stepped:{clock}"\n')
    _, said = running("--config", path, KAUKOLUENTA_DATA=str(village.path.parent))
    assert httpx.get(said.removeprefix("Open ") + "api/v1/overview").json()["now"] == "2026-10-20T09:20:00Z"


MISTAKES = [
    # the config file                           what the message names
    ("[dashboards]\nprot = 1\n",                ":2: [dashboards] prot"),
    ("[dashboards]\nport = 70000\n",            "[dashboards] port"),
    ("[dashboards]\nrefresh_s = 0\n",           "refresh_s"),
    ('[dashboards]\nclock = "sundial"\n',       "names no clock"),
    ("[dashboards\n",                           "Mend the TOML"),
]  # fmt: skip


@pytest.mark.parametrize("verb", ["run", "check"])
@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_settings_that_cannot_be_used_end_with_exit_3_and_name_the_place(tmp_path, verb, text, message):
    ended = finished(verb, "--config", config(tmp_path, text), KAUKOLUENTA_DATA=str(tmp_path))
    assert ended.returncode == 3
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_data_folder_or_config_both_ways_are_said():
    ended = finished("run")
    assert ended.returncode == 3
    assert "KAUKOLUENTA_DATA" in ended.stderr
    assert "[dashboards] collector_database" in ended.stderr


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = finished(
            "run",
            "--config",
            config(tmp_path, f"[dashboards]\nport = {port}\n"),
            KAUKOLUENTA_DATA=str(tmp_path),
        )
    assert ended.returncode == 3
    assert f"127.0.0.1 port {port}" in ended.stderr


def test_check_tells_what_the_pages_would_show(village):
    folder = str(village.path.parent)
    ended = finished("check", "--json", KAUKOLUENTA_DATA=folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert (told["meters"], told["database"], told["address"]) == (3, str(village.path), "127.0.0.1:8080")
    assert "meters    3" in finished("check", KAUKOLUENTA_DATA=folder).stdout


def test_check_names_the_remedy_when_there_is_nothing_to_show(tmp_path):
    ended = finished("check", KAUKOLUENTA_DATA=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (4, "")
    assert "Start the collector" in ended.stderr


def test_help_does_not_load_the_web_stack():
    code = "import sys, dashboards.__main__ as m; m.build_parser(); sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
