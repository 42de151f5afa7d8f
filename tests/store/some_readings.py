"""What the tests of the contract put into a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, settings

from collector.store import Arrival, Correction, ReadingStore
from kaukoluenta.identifiers import meter_id
from kaukoluenta.quantities import Amount
from kaukoluenta.reading import Reading, Source

MIDNIGHT = datetime(2026, 9, 30, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVER = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
ARRIVAL = Arrival(datetime(2026, 11, 1, tzinfo=UTC), "kirkonkyla-1/5f0c")
CORRECTION = Correction("aino", "read wrong on the form")
KAM, LUG, DME = meter_id("KAM-00000001"), meter_id("LUG-00000002"), meter_id("DME-00000003")


def energy(meter=KAM, read_at=MIDNIGHT, value="100", unit="kWh", source=Source.LIVE) -> Reading:
    return Reading(meter, read_at, source, {"energy": Amount(Decimal(value), unit)})


def everything(store: ReadingStore) -> list[Reading]:
    return list(store.readings(*EVER))


thorough = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
