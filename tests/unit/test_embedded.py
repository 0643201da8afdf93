"""The embedded doors: durable before the answer, bounded, one bad request harms no other."""

import asyncio

import pytest

from clickwise.clock import SystemClock
from clickwise.doors import Exposure, Verdict
from clickwise.errors import ConflictError, OverloadedError, UnavailableError
from clickwise.ids import time_ordered_id
from clickwise.items import parse_item
from clickwise.types import UserId
from streams.embedded import EmbeddedEngine, EmbeddedExposureLog
from tests.site import NOW, Site, three_topics


@pytest.fixture
async def site(tmp_path):
    made = Site(tmp_path)
    three_topics(made, each=3)
    yield made
    made.state.close()


def engine_of(site, *, max_queued_events=1_000, events=None):
    return EmbeddedEngine(
        events=events if events is not None else site.events, items=site.items, clock=site.clock,
        max_queued_events=max_queued_events,
    )  # fmt: skip


@pytest.fixture
async def engine(site):
    made = engine_of(site)
    await made.start()
    yield made
    await made.stop()


@pytest.mark.case(13)
async def test_concurrent_clicks_of_one_user_are_all_counted(site, engine):
    await asyncio.gather(*(engine.post([site.event("anna", f"sport{n % 3}")]) for n in range(200)))

    assert site.profile("anna").events_applied == 200


@pytest.mark.case(4)
async def test_duplicates_are_named_across_requests(site, engine):
    event = site.event("anna", "sport0")

    verdicts = await asyncio.gather(engine.post([event, event]), engine.post([event]))

    assert sorted(v for group in verdicts for v in group) == [
        Verdict.APPLIED, Verdict.DUPLICATE, Verdict.DUPLICATE,
    ]  # fmt: skip


async def test_an_event_is_in_the_profile_when_its_request_is_answered(site, engine):
    await engine.post([site.event("anna", "sport0")])

    assert site.ask("anna").events_applied == 1


async def test_an_item_is_findable_when_its_request_is_answered(site, engine):
    item, _ = parse_item({"id": "new", "kind": "news", "title": "football goal"}, received=NOW)

    assert await engine.put([item]) == [Verdict.APPLIED]
    assert "new" in site.listed("anna", limit=20, exclude=("x",))
    assert await engine.delete(["new", "never"]) == [Verdict.DELETED, Verdict.DELETED]
    assert "new" not in site.listed("anna", limit=20)


async def test_a_full_queue_refuses_with_a_time_to_come_back(site):
    engine = engine_of(site, max_queued_events=5)
    waiting = asyncio.create_task(engine.post([site.event("anna", "sport0")] * 4))
    await asyncio.sleep(0)

    with pytest.raises(OverloadedError, match="4 events wait already, at most 5 may") as refused:
        await engine.post([site.event("bert", "sport0")] * 2)

    assert refused.value.retry_after_seconds > 0
    await engine.start()
    assert len(await waiting) == 4
    await engine.stop()


class _PickyHandler:
    """Fails any batch with an event of `mallory`."""

    def __init__(self, handler):
        self.handler = handler

    def apply(self, batch):
        if any(arrival.event.user == "mallory" for arrival in batch):
            raise ConflictError("no")
        return self.handler.apply(batch)


async def test_one_failing_request_does_not_fail_those_committed_with_it(site):
    engine = engine_of(site, events=_PickyHandler(site.events))
    posts = [
        asyncio.create_task(engine.post([site.event(user, "sport0")]))
        for user in ("anna", "mallory", "bert")
    ]
    await asyncio.sleep(0)
    await engine.start()

    results = await asyncio.gather(*posts, return_exceptions=True)

    assert results[0] == results[2] == [Verdict.APPLIED]
    assert isinstance(results[1], ConflictError)
    await engine.stop()


class _AwayHandler:
    """Stands for a handler whose database is away; counts the tries."""

    def __init__(self):
        self.tries = 0

    def apply(self, batch):
        self.tries += 1
        raise UnavailableError(f"{len(batch)} events, and the database is away")


async def test_an_outage_fails_all_that_wait_at_the_first_try(site):
    handler = _AwayHandler()
    engine = engine_of(site, events=handler)
    waiting = [asyncio.create_task(engine.post([site.event("anna", "sport0")])) for _ in range(5)]
    await asyncio.sleep(0)
    await engine.start()

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    await engine.stop()

    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 5
    assert handler.tries == 1


async def test_after_stop_nothing_is_taken(site):
    engine = engine_of(site)
    await engine.start()
    await engine.stop()

    with pytest.raises(UnavailableError, match="shutting down"):
        await engine.post([site.event("anna", "sport0")])


async def test_exposures_are_written_and_bounded(site):
    log = EmbeddedExposureLog(state=site.state, bound=3, every_seconds=0.01)
    for n in range(5):
        log.add(Exposure("anna", b"%d" % n))
    await log.start()
    await log.stop()

    assert [body for _, body in site.state.exposures()] == [b"0", b"1", b"2"]


async def test_an_exposure_is_found_again_by_the_time_in_its_request_id(site):
    log = EmbeddedExposureLog(state=site.state, bound=3, every_seconds=0.01)
    wanted, other = (time_ordered_id(SystemClock().now()) for _ in range(2))
    for name in (other, wanted):
        log.add(Exposure("anna", b'{"request_id":"%b","user":"anna"}' % name.encode()))
    await log.start()
    await log.stop()

    assert await log.find(wanted) == b'{"request_id":"%b","user":"anna"}' % wanted.encode()
    assert await log.find(time_ordered_id(SystemClock().now())) is None
    assert await log.find("anna") is None  # not an id of ours


async def test_an_exposure_that_waited_while_its_user_was_erased_is_not_written(site):
    log = EmbeddedExposureLog(state=site.state, every_seconds=0.01)
    moment = site.clock.now()
    for user, time in (
        ("anna", "2020-01-01T00:00:00Z"),
        ("anna", "2099-01-01T00:00:00Z"),
        ("b", ""),
    ):
        log.add(Exposure(user, b'{"time":"%b"}' % time.encode()))
    site.state.people.forget(UserId("anna"), until=moment, events_of=lambda _: ())
    await log.start()
    await log.stop()

    written = [body for _, body in site.state.exposures()]
    assert written == [b'{"time":"2099-01-01T00:00:00Z"}', b'{"time":""}']
