"""How many requests a day a key may make, of all processes together."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from clickwise.access import Scope
from clickwise.clock import ReplayClock
from clickwise.errors import UnavailableError
from clickwise.testing.doors import MemorySite, StoppedClock
from clickwise.testing.keys import MemoryKeys
from serving.auth import LOCAL, Identity
from serving.errors import QuotaError
from serving.quotas import Quotas

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

NOW = datetime(2026, 11, 25, 20, 30, tzinfo=UTC)
TODAY = date(2026, 11, 25)
READ = frozenset({Scope.READ})
KEY = Identity("k", READ, quota=5)


@pytest.fixture
def clock() -> ReplayClock:
    return ReplayClock(NOW)


@pytest.fixture
def usage() -> MemoryKeys:
    return MemoryKeys()


def let_through(quotas: Quotas, identity: Identity = KEY, asked: int = 20) -> int:
    passed = 0
    for _ in range(asked):
        try:
            quotas.take(identity)
        except QuotaError:
            continue
        passed += 1
    return passed


def test_a_day_s_requests_are_let_through_and_no_more(
    usage: MemoryKeys, clock: ReplayClock
) -> None:
    quotas = Quotas(usage, clock=clock)

    assert let_through(quotas) == 5
    with pytest.raises(QuotaError) as refused:
        quotas.take(KEY)
    assert refused.value.retry_after_seconds == timedelta(hours=3, minutes=30).total_seconds()


def test_another_day_of_utc_begins_anew(usage: MemoryKeys, clock: ReplayClock) -> None:
    quotas = Quotas(usage, clock=clock)
    let_through(quotas)

    clock.advance(timedelta(hours=3, minutes=30))

    assert let_through(quotas) == 5


def test_who_has_no_quota_is_not_counted(usage: MemoryKeys, clock: ReplayClock) -> None:
    quotas = Quotas(usage, clock=clock)

    assert let_through(quotas, Identity("free", READ)) == let_through(quotas, LOCAL) == 20
    quotas.exchange()
    assert usage.spent == {}


def test_what_another_process_let_through_counts_after_an_exchange(
    usage: MemoryKeys, clock: ReplayClock
) -> None:
    one, other = Quotas(usage, clock=clock), Quotas(usage, clock=clock)
    let_through(one, asked=3)
    one.exchange()
    let_through(other, asked=1)
    other.exchange()

    assert let_through(other) == 1
    other.exchange()
    assert usage.spent == {(TODAY, "k"): 5}


def test_keys_do_not_use_each_others(usage: MemoryKeys, clock: ReplayClock) -> None:
    quotas = Quotas(usage, clock=clock)
    let_through(quotas)

    assert let_through(quotas, Identity("other", READ, quota=2)) == 2


def test_a_process_that_starts_knows_of_the_day_after_its_first_exchange(
    usage: MemoryKeys, clock: ReplayClock
) -> None:
    usage.spent[TODAY, "k"] = 4
    quotas = Quotas(usage, clock=clock)

    quotas.take(KEY)
    quotas.exchange()

    assert let_through(quotas) == 0


def test_while_the_database_is_away_counts_are_kept(usage: MemoryKeys, clock: ReplayClock) -> None:
    quotas = Quotas(usage, clock=clock)
    let_through(quotas, asked=2)
    usage.fault = UnavailableError("away")
    with pytest.raises(UnavailableError):
        quotas.exchange()
    usage.fault = None
    let_through(quotas, asked=1)

    quotas.exchange()

    assert usage.spent == {(TODAY, "k"): 3}
    assert let_through(quotas) == 2


def test_what_was_counted_before_midnight_is_of_that_day(
    usage: MemoryKeys, clock: ReplayClock
) -> None:
    quotas = Quotas(usage, clock=clock)
    let_through(quotas, asked=4)
    clock.advance(timedelta(hours=4))
    let_through(quotas, asked=1)

    quotas.exchange()

    assert usage.spent == {(TODAY, "k"): 4, (TODAY + timedelta(days=1), "k"): 1}
    assert let_through(quotas) == 4


def test_what_a_process_counted_is_added_when_it_ends(
    usage: MemoryKeys, clock: ReplayClock
) -> None:
    quotas = Quotas(usage, clock=clock)
    quotas.start()
    let_through(quotas, asked=2)

    quotas.stop()

    assert usage.spent == {(TODAY, "k"): 2}


async def test_beyond_the_quota_it_is_429_until_midnight(
    app_of: AppOf, client_of: ClientOf, site: MemorySite, keys: MemoryKeys
) -> None:
    assert isinstance(site.clock, StoppedClock)
    key = keys.make(Scope.READ, now=site.clock.now(), quota=2)
    async with client_of(app_of()) as client:
        client.headers["x-api-key"] = key
        answers = [await client.get("/v1/items/a") for _ in range(3)]
        probe = await client.get("/healthz")
        site.clock.time += timedelta(days=1)
        later = await client.get("/v1/items/a")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"] == "quota_exhausted"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert probe.status_code == later.status_code == 200
