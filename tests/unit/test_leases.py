"""One process at a time does what one should, and another follows it."""

import threading
from contextlib import suppress

import pytest
from prometheus_client import REGISTRY

from clickwise import leases
from clickwise.errors import UnavailableError
from clickwise.leases import LEASE_SECONDS, RENEW_SECONDS, STALLED_SECONDS, Lease
from clickwise.state.lease_port import FREE
from tests.site import ManualClock


class Rows:
    """The database. Nothing is stored while it is `away`; `mute`: stored, and not said."""

    def __init__(self):
        self.marks = {}
        self.asked = 0
        self.away = self.mute = False

    def mark(self, work):
        self.asked += 1
        if self.away:
            raise UnavailableError("away")
        return self.marks.get(work, FREE)

    def replace(self, work, expected, mark):
        self.asked += 1
        if self.away:
            raise UnavailableError("away")
        if self.marks.get(work, FREE) not in expected:
            return False
        self.marks[work] = mark
        if self.mute:
            raise UnavailableError("no answer in time")
        return True


@pytest.fixture
def rows():
    return Rows()


@pytest.fixture
def clock():
    return ManualClock()


def live(clock, seconds, *running):
    """Let time pass in which these go on; what they have at the end of each second."""
    has = []
    for _ in range(round(seconds)):
        clock.advance(seconds=1)
        has.append([one.held() for one in running])
    return has


def test_one_has_it_for_as_long_as_it_goes_on(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)

    assert one.held()
    assert not two.held()
    assert live(clock, 10 * LEASE_SECONDS, one, two) == [[True, False]] * round(10 * LEASE_SECONDS)


def test_the_database_is_asked_now_and_then(rows, clock):
    one = Lease(rows, "texts", clock)
    one.held()
    before = rows.asked

    live(clock, 4 * RENEW_SECONDS, one)

    assert rows.asked - before == 4


def test_what_is_given_back_is_taken_at_the_next_look(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)
    one.held(), two.held()

    one.release()

    assert live(clock, RENEW_SECONDS, two)[-1] == [True]


def test_what_its_holder_left_without_a_word_is_taken_after_the_leases_time(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)
    one.held(), two.held()

    has = live(clock, LEASE_SECONDS + RENEW_SECONDS, two)

    assert has.index([True]) + 1 == LEASE_SECONDS


def test_who_stood_still_has_lost_it_before_another_one_takes_it(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)
    one.held(), two.held()
    live(clock, LEASE_SECONDS - 1, two)
    assert not two.held()
    clock.advance(seconds=1)

    assert not one.held() or not two.held()
    live(clock, RENEW_SECONDS, two)
    assert [one.held(), two.held()].count(True) == 1


def test_a_holder_that_does_not_reach_the_database_stops(rows, clock):
    one = Lease(rows, "texts", clock)
    one.held()
    rows.away = True

    for _ in range(round(LEASE_SECONDS)):
        clock.advance(seconds=1)
        with suppress(UnavailableError):
            one.held()

    with pytest.raises(UnavailableError):
        one.held()
    rows.away = False
    rows.marks["texts"] = 1  # another one was there first
    assert not one.held()


@pytest.mark.parametrize("renewal", [False, True])
def test_what_was_stored_without_a_word_is_its_own(rows, clock, renewal):
    one = Lease(rows, "texts", clock)
    if renewal:
        one.held()
        clock.advance(seconds=RENEW_SECONDS)
    rows.mute = True
    with pytest.raises(UnavailableError):
        one.held()

    rows.mute = False

    assert one.held()


def test_a_renewal_without_an_answer_and_one_that_failed_lose_nothing(rows, clock):
    one = Lease(rows, "texts", clock)
    one.held()
    for fault in ("mute", "away"):
        clock.advance(seconds=RENEW_SECONDS)
        setattr(rows, fault, True)
        with pytest.raises(UnavailableError):
            one.held()
        setattr(rows, fault, False)

    assert live(clock, 3 * RENEW_SECONDS, one) == [[True]] * round(3 * RENEW_SECONDS)


def test_what_was_seen_late_counts_from_when_it_was_seen(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)
    one.held()
    mark = rows.mark

    def slow(work):
        clock.advance(seconds=4)
        one.held()  # renewed while the other one's look is under way
        clock.advance(seconds=4)
        return mark(work)

    clock.advance(seconds=RENEW_SECONDS)
    rows.mark = slow
    assert not two.held()
    rows.mark = mark

    rows.away = True  # for the holder alone
    has_one = []
    for _ in range(round(LEASE_SECONDS)):
        clock.advance(seconds=1)
        with suppress(UnavailableError):
            has_one.append(one.held())
        rows.away = False
        assert not (two.held() and one._mark != FREE)  # what it believes
        rows.away = True
    rows.away = False


def test_the_thread_beside_takes_nothing_by_itself(rows, clock):
    lease = Lease(rows, "texts", clock)

    lease.renew()
    clock.advance(seconds=RENEW_SECONDS)
    lease.renew()

    assert rows.marks == {}


def test_who_has_not_asked_for_it_in_long_is_followed(rows, clock):
    one, two = Lease(rows, "texts", clock), Lease(rows, "texts", clock)
    one.held()
    seen = []
    for _ in range(round(STALLED_SECONDS + LEASE_SECONDS + 2 * RENEW_SECONDS)):
        clock.advance(seconds=1)
        one.renew()  # the thread beside one that hangs
        seen.append(two.held())

    assert not any(seen[: round(STALLED_SECONDS)])
    assert seen[-1]


def test_what_another_took_is_not_given_back_for_it(rows, clock):
    one = Lease(rows, "texts", clock)
    one.held()
    rows.marks["texts"] = 1

    one.release()

    assert rows.marks["texts"] == 1


def test_the_figures_say_who_has_it(rows, clock):
    def told():
        return REGISTRY.get_sample_value("clickwise_lease_held", {"work": "texts"})

    one = Lease(rows, "texts", clock)
    assert told() == 0
    one.held()
    assert told() == 1
    one.release()
    assert told() == 0


def test_it_is_renewed_while_its_holder_is_busy_and_given_back_at_the_end(rows, clock, monkeypatch):
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.001)
    lease = Lease(rows, "texts", clock)
    lease.held()
    renewed = threading.Event()
    replace = rows.replace

    def noted(work, expected, mark):
        renewed.set()
        return replace(work, expected, mark)

    rows.replace = noted

    with lease.beside():
        clock.advance(seconds=LEASE_SECONDS / 2)  # one long call
        assert renewed.wait(60)
        assert rows.marks["texts"] != FREE

    assert rows.marks["texts"] == FREE
