"""The breaker in front of the database."""

import pytest
from prometheus_client import REGISTRY

from clickwise.errors import UnavailableError
from clickwise.state.breaker import PAUSE_SECONDS, Breaker


class Watch:
    """Seconds that grow when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_breaker_lets_everybody_pass_while_the_database_answers() -> None:
    breaker = Breaker(Watch())

    breaker.check()
    breaker.check()


def test_after_a_failure_everybody_fails_fast_for_a_pause() -> None:
    watch = Watch()
    breaker = Breaker(watch)
    breaker.failed(seconds=0.0)

    watch.seconds += PAUSE_SECONDS * 0.9
    with pytest.raises(UnavailableError):
        breaker.check()


def test_after_the_pause_one_tries_and_the_others_still_fail_fast() -> None:
    watch = Watch()
    breaker = Breaker(watch)
    breaker.failed(seconds=0.0)

    watch.seconds += PAUSE_SECONDS
    breaker.check()
    with pytest.raises(UnavailableError):
        breaker.check()


def test_a_success_lets_everybody_pass_again() -> None:
    watch = Watch()
    breaker = Breaker(watch)
    breaker.failed(seconds=0.0)

    watch.seconds += PAUSE_SECONDS
    breaker.check()
    breaker.succeeded()

    breaker.check()
    breaker.check()


def test_a_slow_failure_pauses_as_long_as_it_took() -> None:
    watch = Watch()
    breaker = Breaker(watch)
    breaker.failed(seconds=3.0)

    watch.seconds += 2.9
    with pytest.raises(UnavailableError):
        breaker.check()
    watch.seconds += 0.2
    breaker.check()


def test_the_gauge_follows_the_database() -> None:
    def up() -> float | None:
        return REGISTRY.get_sample_value("clickwise_dependency_up", {"dependency": "database"})

    breaker = Breaker(Watch())
    breaker.succeeded()
    assert up() == 1
    breaker.failed(seconds=0.0)
    assert up() == 0
    breaker.succeeded()
    assert up() == 1
