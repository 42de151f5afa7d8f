"""The plant and the office under accounts of their own, with the rights that the install page gives.

Only root can play two accounts; elsewhere this is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.installing.deployed import clean_environment
from tests.installing.pages import HOW_TO, ROOT
from tests.installing.test_install_pages import CUSTOMER_FILES, OCTOBER

PLANT, OFFICE, GROUP = 64_001, 64_002, 64_001
PYTHON = "/usr/bin/python3"
"""The system's: ours may lie in a home that is shut to other accounts."""

PAGE = (HOW_TO / "install-on-a-server.md").read_text(encoding="utf-8")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can play two accounts")


@pytest.fixture
def var_lib() -> Iterator[Path]:
    """The data folders as the page makes them. Not in pytest's own folder: that is shut to other accounts."""
    with tempfile.TemporaryDirectory(prefix="kl-accounts-") as folder:
        root = Path(folder)
        root.chmod(0o755)
        for line in PAGE.splitlines():
            if line.startswith("install ") and "/var/lib/" in line:
                subprocess.run(["sh", "-c", _here(line, root)], check=True)
        (root / "customers").mkdir()
        for name, text in {**CUSTOMER_FILES, "october.csv": OCTOBER}.items():
            (root / "customers" / name).write_text(text, encoding="utf-8")
        yield root


def _here(line: str, root: Path) -> str:
    """The line with accounts by number, under `root`."""
    owners = line.replace("-o kaukoluenta-office", f"-o {OFFICE}").replace("-o kaukoluenta", f"-o {PLANT}")
    return owners.replace("-g kaukoluenta", f"-g {GROUP}").replace("/var/lib/", f"{root}/")


def as_account(uid: int, root: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Under the strictest umask, as in the units."""

    def become() -> None:
        os.umask(0o077)
        os.setgroups([])
        os.setgid(GROUP)
        os.setuid(uid)

    packages = os.pathsep.join((str(ROOT), sysconfig.get_path("purelib")))
    return subprocess.run(
        [PYTHON, "-B", "-m", *command],
        preexec_fn=become,
        cwd=root,
        env={**clean_environment(), "PYTHONPATH": packages, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return as_account(PLANT, root, *command, KAUKOLUENTA_DATA=f"{root}/kaukoluenta")


def office(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    own, readings = root / "kaukoluenta-office", root / "kaukoluenta" / "collector.db"
    return as_account(
        OFFICE,
        root,
        *command,
        KAUKOLUENTA_REGISTRY__REGISTRY__DATABASE=f"{own}/registry.db",
        KAUKOLUENTA_BILLING__BILLING__DATABASE=f"{own}/billing.db",
        KAUKOLUENTA_BILLING__BILLING__REGISTRY_DATABASE=f"{own}/registry.db",
        KAUKOLUENTA_BILLING__BILLING__COLLECTOR_DATABASE=str(readings),
    )


def done(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def readable(var_lib: Path) -> Path:
    """The folders; skipped where another account cannot run the program at all."""
    try:
        if as_account(OFFICE, var_lib, "pydantic.version").returncode == 0:  # loads compiled code
            return var_lib
    except OSError:
        pass
    pytest.skip("another account cannot run the program")


def test_the_office_bills_from_readings_of_the_plant_which_goes_on(readable: Path) -> None:
    root = readable
    done(plant(root, "collector", "import", "customers/october.csv"))
    done(office(root, "registry", "import", "customers"))
    assert "1250" in done(office(root, "billing", "run", "2026-10"))
    assert "KAM-69183621" in done(plant(root, "collector", "export"))
    assert done(plant(root, "collector", "import", "customers/october.csv")).split()[-3:] == ["0", "2", "0"]


def test_the_plant_cannot_open_customers(readable: Path) -> None:
    root = readable
    done(office(root, "registry", "import", "customers"))
    database = f"{root}/kaukoluenta-office/registry.db"
    look = as_account(PLANT, root, "registry", "show", KAUKOLUENTA_REGISTRY__REGISTRY__DATABASE=database)
    assert (look.returncode, look.stdout) == (3, "")
    assert "Permission denied" in look.stderr or "unable to open" in look.stderr
