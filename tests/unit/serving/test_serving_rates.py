"""How often a key may ask."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.applications import Starlette

from clickwise.access import Scope
from clickwise.clock import ReplayClock
from clickwise.testing.doors import MemorySite, StoppedClock
from clickwise.testing.keys import MemoryKeys
from serving.auth import LOCAL, Identity
from serving.errors import RateError
from serving.rates import MAX_BUCKETS, Rates

AppOf = Callable[..., Starlette]
ClientOf = Callable[[Starlette], httpx.AsyncClient]

NOW = datetime(2026, 11, 25, 8, 30, tzinfo=UTC)
READ = frozenset({Scope.READ})


def let_through(rates: Rates, identity: Identity, asked: int) -> int:
    passed = 0
    for _ in range(asked):
        try:
            rates.take(identity)
        except RateError:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize(("rate", "at_once"), [(5.0, 5), (1.0, 1), (0.1, 1)])
def test_a_second_s_worth_is_let_through_at_once(rate: float, at_once: int) -> None:
    rates = Rates(0.0, monotonic=ReplayClock(NOW).monotonic)

    assert let_through(rates, Identity("k", READ, rate), 20) == at_once


def test_what_was_used_comes_back_with_time_and_no_more_than_a_bucket() -> None:
    clock = ReplayClock(NOW)
    rates = Rates(0.0, monotonic=clock.monotonic)
    key = Identity("k", READ, 10.0)
    let_through(rates, key, 20)

    clock.advance(timedelta(seconds=0.5))
    after_half = let_through(rates, key, 20)
    clock.advance(timedelta(hours=1))

    assert after_half == 5
    assert let_through(rates, key, 20) == 10


def test_it_says_when_to_come_back() -> None:
    rates = Rates(0.0, monotonic=ReplayClock(NOW).monotonic)
    key = Identity("k", READ, 0.25)
    rates.take(key)

    with pytest.raises(RateError) as refused:
        rates.take(key)

    assert refused.value.retry_after_seconds == 4.0


def test_keys_do_not_use_each_others() -> None:
    rates = Rates(2.0, monotonic=ReplayClock(NOW).monotonic)

    first = let_through(rates, Identity("a", READ), 10)

    assert (first, let_through(rates, Identity("b", READ), 10)) == (2, 2)


def test_a_key_s_own_rate_goes_before_the_setting_and_this_machine_has_none() -> None:
    rates = Rates(2.0, monotonic=ReplayClock(NOW).monotonic)

    assert let_through(rates, Identity("a", READ, 7.0), 10) == 7
    assert let_through(rates, LOCAL, 10) == 10
    assert let_through(Rates(0.0, monotonic=lambda: 0.0), Identity("a", READ), 10) == 10


async def test_over_the_rate_it_is_429_with_retry_after_until_time_passed(
    app_of: AppOf, client_of: ClientOf, site: MemorySite, keys: MemoryKeys
) -> None:
    assert isinstance(site.clock, StoppedClock)
    key = keys.make(Scope.READ, now=NOW)
    async with client_of(app_of(key_rate=2.0)) as client:
        client.headers["x-api-key"] = key
        answers = [await client.get("/v1/items/a") for _ in range(3)]
        probe = await client.get("/healthz")
        site.clock.time += timedelta(seconds=1)
        later = await client.get("/v1/items/a")

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["error"] == "rate_limited"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert probe.status_code == later.status_code == 200


def test_many_holders_of_tokens_are_bounded_and_who_asks_too_often_is_remembered() -> None:
    clock = ReplayClock(NOW)
    rates = Rates(1.0, monotonic=clock.monotonic)
    for number in range(MAX_BUCKETS - 1):
        rates.take(Identity(f"oidc-{number}", READ))
    clock.advance(timedelta(seconds=1))
    busy = Identity("oidc-busy", READ)
    rates.take(busy)

    rates.take(Identity("oidc-one-more", READ))

    assert len(rates._buckets) == 2
    assert let_through(rates, busy, 1) == 0
