"""Whether a variable of the environment is a setting: KAUKOLUENTA_<ROOM>__<TABLE>__<KEY>."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel

from billing.settings import BillingSettings
from collector.settings import CollectorSettings
from dashboards.settings import DashboardsSettings
from gateway.settings import GatewaySettings
from kaukoluenta.runtime.data_folder import VARIABLE
from registry.settings import RegistrySettings

SETTINGS: dict[str, type[BaseModel]] = {
    "KAUKOLUENTA_BILLING": BillingSettings,
    "KAUKOLUENTA_COLLECTOR": CollectorSettings,
    "KAUKOLUENTA_DASHBOARDS": DashboardsSettings,
    "KAUKOLUENTA_GATEWAY": GatewaySettings,
    "KAUKOLUENTA_REGISTRY": RegistrySettings,
}


def unknown_settings(variables: Iterable[str]) -> list[str]:
    return [name for name in variables if name != VARIABLE and not _is_known(name)]


def _is_known(name: str) -> bool:
    room, *path = name.split("__")
    model: object = SETTINGS.get(room)
    for part in path:
        if not (
            isinstance(model, type) and issubclass(model, BaseModel) and part.lower() in model.model_fields
        ):
            return False
        model = model.model_fields[part.lower()].annotation
    return len(path) == 2
