"""Customers stay in registry and billing: in imports, in running processes, in what leaves them.

Import contracts are static; the subprocess test catches importlib and plugins as well.
"""

import subprocess
import sys

import pytest

PROCESSES = ["gateway.__main__", "collector.__main__", "dashboards.__main__", "simulator.__main__"]


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_of_the_metering_side_never_loads_customer_code(process):
    code = (
        f"import sys, {process}, pkgutil, importlib\n"
        f"room = importlib.import_module({process.split('.')[0]!r})\n"
        "for module in pkgutil.walk_packages(room.__path__, room.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "sys.exit(any(name.split('.')[0] in ('registry', 'billing') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_wall_test_can_fail():
    code = "import sys, billing, registry; sys.exit('registry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
