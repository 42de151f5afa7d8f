"""Writes what a person would write for this town's plant: one config file a process, four customer files.

Nothing here is special to a demo: the same files with other addresses serve a real plant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from simulator.meters import NO_ADDRESS, Meter
from simulator.modbus_layouts import ModbusLayout
from simulator.town import BusLine, Town, configured

GATEWAY = "town-1"

_FAST_BUS = "?baud=4800&latency_s=0.05"
"""An M-Bus of twice the usual speed, and a converter in the same network: nobody is silent before 0.17 s."""

_TIMEOUT_S = 0.15
"""On Modbus. Nobody in this town is slow, and silence costs real time; a busy machine must not cause it."""


@dataclass(frozen=True, slots=True)
class Plant:
    """Where things lie. `folder` is kept with --out; `sockets`, and the clock in it, goes with the demo."""

    folder: Path
    sockets: Path

    @property
    def gateway_config(self) -> Path:
        return self.folder / "gateway.toml"

    @property
    def collector_config(self) -> Path:
        return self.folder / "collector.toml"

    @property
    def dashboards_config(self) -> Path:
        return self.folder / "dashboards.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def gateway_database(self) -> Path:
        return self.data / f"gateway-{GATEWAY}.db"

    @property
    def customer_files(self) -> Path:
        return self.folder / "customers"

    @property
    def ports_file(self) -> Path:
        return self.sockets / "ports.json"

    @property
    def clock(self) -> Path:
        return self.sockets / "clock"

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


def write_office_configs(plant: Plant, mqtt: str, port: int) -> None:
    """collector.toml and dashboards.toml."""
    plant.collector_config.write_text(
        f'[collector]\nclock = "stepped:{plant.clock}"\n\n[mqtt]\n{mqtt}', encoding="utf-8"
    )
    plant.dashboards_config.write_text(
        f'[dashboards]\nclock = "stepped:{plant.clock}"\nport = {port}\nrefresh_s = 2\n', encoding="utf-8"
    )


def write_gateway_config(
    plant: Plant, mqtt: str, town: Town, ports: Mapping[str, int], slot: datetime
) -> None:
    """gateway.toml as it stands from `slot` on."""
    text = [
        f'[gateway]\nname = "{GATEWAY}"\nevery = "1h"\nspread = "0s"\nretries = 1\n'
        f'clock = "stepped:{plant.clock}"\n',
        f"[mqtt]\n{mqtt}",
    ]
    meters = configured(town, slot)
    for line in town.lines:
        text.append(
            f'[[line]]\nname = "{line.name}"\nprotocol = "{line.protocol}"\n'
            + _way(line, ports[line.name])
            + "".join(map(_meter, meters[line.name]))
        )
    plant.gateway_config.write_text("\n".join(text), encoding="utf-8")


def _way(line: BusLine, port: int) -> str:
    """The way to a line's meters, and how long they may take. M-Bus has a rule for that, Modbus has none."""
    if line.protocol == "mbus":
        return f'link = "{line.link(port)}{_FAST_BUS}"\n'
    return f'link = "{line.link(port)}"\ntimeout_s = {_TIMEOUT_S}\n'


def _meter(meter: Meter) -> str:
    address = "" if meter.address == NO_ADDRESS else f"address = {meter.address}\n"
    layout = meter.layout
    profile = f'profile = "{layout.profile_file}"\n' if isinstance(layout, ModbusLayout) else ""
    return f'[[line.meter]]\nid = "{meter.id}"\n{address}{profile}area = "{meter.area}"\n'
