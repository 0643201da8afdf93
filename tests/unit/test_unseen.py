"""A profile that went by age is as none: later events begin anew, and none is lost on the way."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st

from clickwise.cli.pruning import prune_profiles
from clickwise.errors import UnavailableError
from clickwise.merges import Merge
from clickwise.privacy.unseen import drop_unseen
from clickwise.profile import (
    Rules,
    empty_profile,
    interaction_of,
    profile_bytes,
    received_in,
    stored_body,
    to_bytes,
)
from clickwise.settings import load
from clickwise.state.port import Partition, ProfileWrite
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.doors import StoppedClock
from clickwise.types import EventId, ModelVersion, UserId
from streams.handlers import Arrival, EventHandler
from streams.merging import MergeArrival
from tests.site import Site, three_topics

GUEST, USER, OTHER = UserId("guest-1"), UserId("ann"), UserId("bob")
MONTH = timedelta(days=30)
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    three_topics(made)
    yield made
    made.state.close()


@pytest.fixture
def handler(site):
    """As a stream worker has it: Kafka is the log."""
    return EventHandler(
        state=site.state, releases=site.releases, clock=site.clock, keep_bodies=False
    )


def happened(site, handler, user, item, offset):
    event = site.event(user, item)
    place = Partition("workers", "events", 0)
    applied = handler.apply([Arrival(event, site.clock.now(), place, offset)])
    return event, applied


def stored(site, user):
    row, _ = site.state.profile(user)
    return None if row is None else profile_bytes(row.body)


def of(site, *events):
    release = site.releases.live
    interactions = [interaction_of(event) for event in events]
    return to_bytes(release.fold(release.bundle.empty_profile(), interactions).profile)


def test_the_next_event_begins_a_new_profile(site, handler):
    happened(site, handler, USER, "sport0", 0)
    site.clock.advance(days=31)
    drop_unseen(site.state, before=site.clock.now() - MONTH)

    event, applied = happened(site, handler, USER, "money1", 1)

    assert applied.outcomes == ("applied",)
    assert stored(site, USER) == of(site, event)


def test_a_guests_later_events_begin_the_users_new_profile(site, handler):
    happened(site, handler, GUEST, "sport0", 0)
    merge = Merge(id=EventId("m1"), user=GUEST, into=USER, time=site.clock.now())
    place = Partition("workers", "events", 0)
    handler.merges.apply(MergeArrival(merge, site.clock.now(), place, 1))
    site.clock.advance(days=31)
    assert drop_unseen(site.state, before=site.clock.now() - MONTH) == 1

    event, _ = happened(site, handler, GUEST, "money1", 2)

    assert stored(site, USER) == of(site, event)
    assert stored(site, GUEST) is None


def test_who_comes_back_between_the_look_and_the_drop_keeps_everything(site, handler):
    first, _ = happened(site, handler, USER, "sport0", 0)
    site.clock.advance(days=31)
    later = []

    def comes_back():
        later.append(happened(site, handler, USER, "money1", 1)[0])
        return False

    dropped = drop_unseen(site.state, before=site.clock.now() - MONTH, stopped=comes_back)

    assert dropped == 0
    assert stored(site, USER) == of(site, first, *later)


def test_without_the_setting_no_profile_goes(site, handler):
    happened(site, handler, USER, "sport0", 0)
    site.clock.advance(days=3650)

    kept = prune_profiles(load({}), site.state, clock=site.clock)
    dropped = prune_profiles(load({"CLICKWISE_PROFILE_DAYS": "30"}), site.state, clock=site.clock)

    assert (kept, dropped) == (0, 1)


ages = st.integers(0, 60 * 24)  # hours


@of_hypothesis(max_examples=25, deadline=None)
@given(st.lists(st.tuples(ages, ages), max_size=12), st.integers(1, 50))
def test_exactly_those_go_who_neither_came_nor_did_anything_since(tmp_path_factory, people, days):
    folder = tmp_path_factory.mktemp("state")
    state = open_state(f"sqlite:///{folder}/s", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    clock = StoppedClock(NOW)
    with state.write() as write:
        write.put_profiles(
            [ProfileWrite(UserId(f"u{n}"), 0, body(*hours)) for n, hours in enumerate(people)]
        )

    drop_unseen(state, before=clock.now() - timedelta(days=days))

    seen = {f"u{n}" for n, hours in enumerate(people) if min(hours) <= days * 24}
    assert set(state.users()) == seen
    state.close()


def body(received, happened):
    profile = empty_profile(ModelVersion("m1"), dimension=4, rules=Rules())
    profile.time = int((NOW - timedelta(hours=happened)).timestamp()) * 1_000_000
    return stored_body(profile, received=(NOW - timedelta(hours=received)).timestamp())


def test_the_time_of_receipt_is_in_the_first_bytes_and_nothing_that_is_torn_is_old():
    whole = body(1, 5)

    assert received_in(whole[:8]) == (NOW - timedelta(hours=1)).timestamp()
    assert received_in(whole[:7]) == float("inf")


def test_the_servers_parent_counts_where_its_workers_are_read(tmp_path):
    program = (
        "from pathlib import Path; from clickwise import metrics\n"
        f"metrics.prepare(Path({str(tmp_path / 'metrics')!r}))\n"
        "metrics.count(metrics.profiles_expired, 2); metrics.count(metrics.profiles_expired, 1)\n"
        "print(metrics.expose().decode())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert "clickwise_profiles_expired_total 3.0" in done.stdout


class Apart(SqlState):
    """A database whose clock is far from this machine's."""

    def clock_skew_seconds(self):
        return -4_000.0


def test_nothing_goes_by_age_while_two_clocks_contradict_each_other(site, handler):
    happened(site, handler, USER, "sport0", 1)
    site.state.__class__ = Apart
    late = StoppedClock(site.clock.now() + timedelta(days=3_000))

    with pytest.raises(UnavailableError, match="clock differs"):
        prune_profiles(load({"CLICKWISE_PROFILE_DAYS": "30"}), site.state, clock=late)

    assert stored(site, USER) is not None
