"""The site in memory keeps the promises of the ports that it stands in for."""

import pytest
from prometheus_client import REGISTRY

from clickwise.doors import EventDoor, Exposure, ExposureLog, ItemDoor, Verdict
from clickwise.errors import UnavailableError
from clickwise.events import Event
from clickwise.testing.doors import MemoryEventDoor, MemoryExposureLog, MemorySite
from clickwise.types import EventId, EventType, ItemId, UserId
from serving.parts import Lookups, RecommenderPort


def event(name: str, site: MemorySite) -> Event:
    return Event(
        id=EventId(name),
        user=UserId("ann"),
        item=ItemId("a"),
        type=EventType.CLICK,
        time=site.clock.now(),
    )


def test_it_fits_the_ports(site: MemorySite) -> None:
    events: EventDoor = site.events
    items: ItemDoor = site.items
    exposures: ExposureLog = site.exposures
    lookups: Lookups = site.lookups
    recommender: RecommenderPort = site.recommender

    assert all((events, items, exposures, lookups, recommender))


@pytest.mark.case(4)
async def test_verdicts_come_in_order_and_a_repeated_id_is_told(site: MemorySite) -> None:
    door = MemoryEventDoor(verdict=Verdict.ACCEPTED)

    verdicts = await door.post([event(name, site) for name in ("x", "y", "x")])

    assert verdicts == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.DUPLICATE]


async def test_when_the_log_is_away_nothing_is_accepted(site: MemorySite) -> None:
    site.events.fault = UnavailableError("away")

    with pytest.raises(UnavailableError):
        await site.events.post([event("x", site)])

    assert site.events.events == []


def test_a_full_exposure_log_drops_and_counts() -> None:
    log = MemoryExposureLog(limit=1)
    labels = {"queue": "exposures"}
    before = REGISTRY.get_sample_value("clickwise_dropped_total", labels) or 0.0

    for _ in range(3):
        log.add(Exposure(user="ann", body=b"{}"))

    assert len(log.exposures) == 1
    assert REGISTRY.get_sample_value("clickwise_dropped_total", labels) == before + 2
