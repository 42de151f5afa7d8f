"""The heat that a house draws: weather, space heating, hot water, and how well its substation cools.

Whole numbers throughout (J, ml, W, ml/h, thousandths of a degree), so that the same seed gives the same
registers on any machine. What a house has drawn by an instant is a function of house and instant alone;
the sums over whole hours are remembered, and within an hour the draw is even.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from kaukoluenta.periods import HELSINKI
from simulator.chance import between

HOUR = timedelta(hours=1)
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)

# Long-term means of January to December in eastern Finland, and the usual swing of a day by UTC hour.
_MONTH_MEAN_MC = (-8500, -8600, -3800, 2600, 9600, 14400, 17000, 15100, 10000, 4300, -500, -5300)
_DAY_SWING_MC = tuple(
    100 * tenths
    for tenths in (-14, -16, -18, -19, -18, -14, -8, -1, 6, 12, 17, 20,
                   21, 19, 15, 10, 5, 2, -1, -4, -6, -8, -10, -12)
)  # fmt: skip
_HALF_HOURS_OF_MONTH = 1461  # a twelfth of 365.25 days
_FRONTS = (("front", 60, 6000), ("shower", 17, 1800))  # name, hours apart, largest deviation in mC

# Parts of a day's hot water by local hour; they add up to 1000.
_HOT_WATER = (
    12, 6, 4, 4, 6, 18, 52, 78, 66, 46, 38, 36, 38, 36, 34, 36, 44, 58, 74, 86, 88, 72, 44, 24,
)  # fmt: skip

_HEATING_BELOW_MC = 17_000
_FLOW_CURVE = ((-26_000, 115_000), (8_000, 75_000))  # outdoor, flow temperature; the networks' usual curve
_RETURN_RISE_PERMILLE = 250  # the return warms by so much of what the outdoors lack to 17 degrees
_SMALLEST_COOLING_MC = 5_000
_WH_PER_M3_AND_K = 1_140  # water at the flow's temperature, where a meter measures the volume


@dataclass(frozen=True, slots=True)
class House:
    """What makes a house's load. `return_mc`: the return temperature that its substation gives in summer."""

    seed: int
    name: str
    since: datetime
    heat_loss_w_per_k: int
    hot_water_wh_a_day: int
    return_mc: int

    def __hash__(self) -> int:
        """Cheap, since sums are looked up by house at every request."""
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class HeatDrawn:
    """Counted since `House.since` (J, ml), and momentary (W, ml/h, thousandths of a degree)."""

    energy_j: int
    volume_ml: int
    power_w: int
    flow_ml_per_h: int
    flow_mc: int
    return_mc: int


@dataclass(frozen=True, slots=True)
class _HouseHour:
    energy_wh: int
    volume_ml: int
    flow_mc: int
    return_mc: int


def heat_drawn(house: House, instant: datetime) -> HeatDrawn:
    """What the house has drawn by `instant`, and draws then. Before `since` nothing is counted."""
    hours, rest = divmod(max(instant, house.since) - house.since, HOUR)
    seconds = rest // timedelta(seconds=1)
    running, now = _counted(house, hours), _house_hour(house, hours)
    return HeatDrawn(
        energy_j=running[0] * 3600 + now.energy_wh * seconds,
        volume_ml=running[1] + now.volume_ml * seconds // 3600,
        power_w=now.energy_wh,
        flow_ml_per_h=now.volume_ml,
        flow_mc=now.flow_mc,
        return_mc=now.return_mc,
    )


@lru_cache(maxsize=4096)
def outdoor_mc(seed: int, hour: int) -> int:
    """Outdoor temperature in the hour that begins `hour` hours after 2000-01-01 UTC, in mC."""
    weather = sum(_deviation(seed, name, hour, apart, most) for name, apart, most in _FRONTS)
    return _climate_mc(hour) + _DAY_SWING_MC[hour % 24] + weather


def _climate_mc(hour: int) -> int:
    """The long-term mean, straight from the middle of one month to that of the next."""
    month, part = divmod(
        (2 * hour - _HALF_HOURS_OF_MONTH // 2) % (12 * _HALF_HOURS_OF_MONTH), _HALF_HOURS_OF_MONTH
    )
    here, there = _MONTH_MEAN_MC[month], _MONTH_MEAN_MC[(month + 1) % 12]
    return here + (there - here) * part // _HALF_HOURS_OF_MONTH


def _deviation(seed: int, name: str, hour: int, apart: int, most: int) -> int:
    """Weather that comes and goes: straight between chance values `apart` hours apart."""
    knot, part = divmod(hour, apart)
    here, there = (between(-most, most, seed, name, index) for index in (knot, knot + 1))
    return here + (there - here) * part // apart


@cache
def _sums(house: House) -> list[tuple[int, int]]:
    """Energy (Wh) and volume (ml) counted before each whole hour since `since`; grows as it is asked."""
    return [(0, 0)]


def _counted(house: House, hours: int) -> tuple[int, int]:
    sums = _sums(house)
    while len(sums) <= hours:
        energy_wh, volume_ml = sums[-1]
        drawn = _house_hour(house, len(sums) - 1)
        sums.append((energy_wh + drawn.energy_wh, volume_ml + drawn.volume_ml))
    return sums[hours]


@lru_cache(maxsize=1 << 16)
def _house_hour(house: House, hours: int) -> _HouseHour:
    instant = house.since + hours * HOUR
    outdoor = outdoor_mc(house.seed, (instant - _ORIGIN) // HOUR)
    lacking = max(_HEATING_BELOW_MC - outdoor, 0)
    energy = house.heat_loss_w_per_k * lacking // 1000 + _hot_water_wh(house, instant)
    flow = _flow_mc(outdoor)
    back = min(house.return_mc + lacking * _RETURN_RISE_PERMILLE // 1000, flow - _SMALLEST_COOLING_MC)
    volume = energy * 1_000_000_000 // (_WH_PER_M3_AND_K * (flow - back))
    return _HouseHour(energy, volume, flow, back)


def _hot_water_wh(house: House, instant: datetime) -> int:
    """People's habits follow local time, each hour a little differently."""
    usual = house.hot_water_wh_a_day * _HOT_WATER[instant.astimezone(HELSINKI).hour]
    return usual * between(600, 1400, house.seed, "hot water", house.name, instant) // 1_000_000


def _flow_mc(outdoor: int) -> int:
    (coldest, hottest), (mildest, lowest) = _FLOW_CURVE
    within = min(max(outdoor, coldest), mildest)
    return hottest - (hottest - lowest) * (within - coldest) // (mildest - coldest)
