"""However many look, the source is asked once; again when something was stored or a minute has passed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dashboards.network import Facts, Place
from dashboards.source import SourceUnavailable
from dashboards.watch import Watch
from kaukoluenta.identifiers import GatewayName, meter_id

METER = meter_id("KAM-69183621")
NOW = datetime(2026, 10, 20, 12, 30, tzinfo=UTC)
PLACE = Place(GatewayName("kirkonkyla-1"), "koulu", timedelta(hours=1), NOW - timedelta(days=9))


class Counted:
    """A source and a clock that count how often the source is asked."""

    def __init__(self):
        self.stored, self.asked, self.gone, self.time = 0, [], False, NOW

    def now(self):
        return self.time

    def version(self):
        return self.stored

    def facts(self, now, grace):
        if self.gone:
            raise SourceUnavailable("Gone.", remedy="Wait.")
        self.asked.append("facts")
        return Facts(now, [], {METER: PLACE}, {}, {}, {})

    def series(self, meter, start, end):
        self.asked.append("series")
        return []

    def missed(self, meter, start, end):
        return {}


@pytest.fixture
def source():
    return Counted()


def watch_over(source, keep_s=0.0):
    return Watch(source, source, timedelta(minutes=15), keep_s)


CHANGES = [
    # what happens                                         asked again
    (lambda source: None, False),
    (lambda source: setattr(source, "stored", 1), True),
    (lambda source: setattr(source, "time", NOW + timedelta(seconds=10)), False),
    (lambda source: setattr(source, "time", NOW + timedelta(minutes=1)), True),
]


@pytest.mark.parametrize(("happens", "again"), CHANGES)
def test_the_network_is_asked_again_when_something_can_have_changed(source, happens, again):
    watch = watch_over(source)
    watch.network()
    happens(source)
    watch.network()
    assert source.asked == ["facts"] * (1 + again)


@pytest.mark.parametrize(("happens", "again"), CHANGES)
def test_a_history_is_asked_again_when_something_can_have_changed(source, happens, again):
    watch = watch_over(source)
    status = watch.status(METER)
    source.asked.clear()
    watch.history(status, "7d")
    happens(source)
    watch.history(status, "7d")
    assert source.asked == ["series"] * (1 + again)


def test_a_network_is_kept_for_its_time_whatever_is_stored(source):
    watch = watch_over(source, keep_s=3600)
    first = watch.network()
    source.stored += 1
    assert watch.network() is first


def test_trouble_is_told_and_does_not_last_longer_than_the_trouble(source):
    watch = watch_over(source)
    source.gone = True
    with pytest.raises(SourceUnavailable):
        watch.network()
    source.gone = False
    assert watch.network().meters[0].meter == METER


def test_only_the_latest_histories_are_remembered(source):
    watch = watch_over(source)
    status = watch.status(METER)
    for number in range(40):
        watch.history(replace(status, meter=meter_id(f"KAM-{number:08d}")), "24h")
    source.asked.clear()
    watch.history(replace(status, meter=meter_id("KAM-00000039")), "24h")
    watch.history(replace(status, meter=meter_id("KAM-00000000")), "24h")
    assert source.asked == ["series"]
