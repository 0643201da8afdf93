"""A guest becomes a user: the profile is that of one person who did it all."""

from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise.merges import Merge
from clickwise.profile import (
    Rules,
    empty_profile,
    fold,
    interaction_of,
    profile_bytes,
    rebuilt,
    to_bytes,
    united,
)
from clickwise.state.alias_port import Alias
from clickwise.state.port import Partition
from clickwise.types import EventId, ModelVersion, UserId
from streams.handlers import Arrival, EventHandler
from streams.merging import MergeArrival
from streams.records import RefusedError
from tests.site import Site, three_topics
from tests.strategies import DIMENSION, KnownItems, distinct_interactions

ITEMS = KnownItems()
# Small numbers, so that windows move within a short example.
RULES = Rules(interests=3, history=8, anchor_every=4, half_life_seconds=5 * 86_400.0, topics=6)
SLIDING = Rules(interests=3, history=8, anchor_every=2, half_life_seconds=5 * 86_400.0, topics=6)
GUEST, USER, OTHER = UserId("guest-1"), UserId("ann"), UserId("bob")


def folded(interactions, rules):
    start = empty_profile(ModelVersion("test-1"), dimension=DIMENSION, rules=rules)
    return fold(start, interactions, ITEMS, rules).profile


@settings(max_examples=200, deadline=None)
@given(distinct_interactions, st.data(), st.sampled_from([RULES, SLIDING]))
def test_the_union_is_the_profile_of_one_person_who_did_all(interactions, data, rules):
    theirs = data.draw(st.sets(st.sampled_from(interactions))) if interactions else set()
    guest = [one for one in interactions if one in theirs]
    user = [one for one in interactions if one not in theirs]

    both = rebuilt(united(folded(user, rules), folded(guest, rules), rules), ITEMS, rules)

    assert to_bytes(both) == to_bytes(folded(interactions, rules))


@settings(max_examples=100, deadline=None)
@given(distinct_interactions, distinct_interactions)
def test_events_after_the_union_fold_on_as_for_one_person(before, after):
    known = {one.event for one in before}
    later = [one for one in after if one.event not in known]
    half = len(before) // 2

    joined = united(folded(before[:half], RULES), folded(before[half:], RULES), RULES)
    both = fold(rebuilt(joined, ITEMS, RULES), later, ITEMS, RULES).profile

    assert to_bytes(both) == to_bytes(folded([*before, *later], RULES))


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    three_topics(made)
    yield made
    made.state.close()


def worker(site):
    """A handler as a stream worker has it: Kafka is the log."""
    return EventHandler(
        state=site.state, releases=site.releases, clock=site.clock, keep_bodies=False
    )


def merge(site, *, guest=GUEST, user=USER, name="m1"):
    return Merge(id=EventId(name), user=guest, into=user, time=site.clock.now())


def arrived(site, merge, *, partition=0, offset=0):
    place = Partition("workers", "events", partition)
    return MergeArrival(merge, site.clock.now(), place, offset)


def arrivals(site, events, *, partition=0, first=0):
    place = Partition("workers", "events", partition)
    return [Arrival(one, site.clock.now(), place, first + n) for n, one in enumerate(events)]


def stored(site, user):
    row, _ = site.state.profile(UserId(user))
    return None if row is None else profile_bytes(row.body)


def as_one(site, *events):
    """The profile of one person who did all of these."""
    release = site.releases.live
    interactions = [interaction_of(event) for event in events]
    return to_bytes(release.fold(release.bundle.empty_profile(), interactions).profile)


def session(site):
    """What a guest and a user did, each in order."""
    theirs, own = [], []
    for n in range(6):
        site.clock.advance(seconds=1)
        theirs.append(site.event(GUEST, f"sport{n}"))
        site.clock.advance(seconds=1)
        own.append(site.event(USER, f"money{n}"))
    return theirs, own


def test_after_a_merge_the_user_is_one_person_and_the_guest_has_no_profile(site):
    theirs, own = session(site)
    handler = worker(site)
    handler.apply(arrivals(site, theirs))
    handler.apply(arrivals(site, own, partition=1))

    done = handler.merges.apply(arrived(site, merge(site), offset=6))

    assert (done.outcome, done.user, done.gone) == ("applied", USER, GUEST)
    assert stored(site, USER) == as_one(site, *theirs, *own)
    assert stored(site, GUEST) is None


def test_later_events_of_the_guest_are_the_users(site):
    theirs, own = session(site)
    handler = worker(site)
    handler.apply(arrivals(site, theirs[:3]))
    handler.merges.apply(arrived(site, merge(site), offset=3))
    applied = handler.apply(arrivals(site, theirs[3:], first=4))
    handler.apply(arrivals(site, own, partition=1))

    assert applied.users == (USER,)
    assert stored(site, USER) == as_one(site, *theirs, *own)
    assert stored(site, GUEST) is None


def test_the_log_read_again_into_an_empty_database_gives_the_same_profile(site, tmp_path):
    theirs, own = session(site)
    one = merge(site)
    first = worker(site)
    first.apply(arrivals(site, own[:3], partition=1))
    first.apply(arrivals(site, theirs[:4]))
    first.merges.apply(arrived(site, one, offset=4))
    first.apply(arrivals(site, own[3:], partition=1, first=3))
    first.apply(arrivals(site, theirs[4:], first=5))

    again = Site(tmp_path / "again")
    three_topics(again)
    second = worker(again)
    second.apply(arrivals(again, theirs[:4]))
    second.merges.apply(arrived(again, one, offset=4))
    second.apply(arrivals(again, theirs[4:], first=5))
    second.apply(arrivals(again, own, partition=1))

    assert stored(again, USER) == stored(site, USER)
    again.state.close()


def test_a_merge_that_is_delivered_again_or_sent_again_has_no_second_effect(site):
    theirs, own = session(site)
    handler = worker(site)
    handler.apply(arrivals(site, theirs))
    handler.apply(arrivals(site, own, partition=1))
    one = merge(site)
    handler.merges.apply(arrived(site, one, offset=6))
    before = site.state.profile(USER)

    redelivered = handler.merges.apply(arrived(site, one, offset=6))
    repeated = handler.merges.apply(arrived(site, one, offset=7))

    assert (redelivered.outcome, repeated.outcome) == ("redelivered", "duplicate")
    assert site.state.profile(USER) == before


def test_a_worker_that_dies_in_the_middle_leaves_all_or_nothing(site, monkeypatch):
    theirs, own = session(site)
    handler = worker(site)
    handler.apply(arrivals(site, theirs))
    handler.apply(arrivals(site, own, partition=1))

    writes = type(site.state).write

    @contextmanager
    def dying(state):
        with writes(state) as write:
            yield write
            raise SystemExit

    monkeypatch.setattr(type(site.state), "write", dying)
    with pytest.raises(SystemExit):
        handler.merges.apply(arrived(site, merge(site), offset=6))
    monkeypatch.undo()

    assert stored(site, USER) == as_one(site, *own)
    assert stored(site, GUEST) == as_one(site, *theirs)
    assert site.state.aliases.owners([GUEST]) == {}

    done = handler.merges.apply(arrived(site, merge(site), offset=6))
    assert done.outcome == "applied"
    assert stored(site, USER) == as_one(site, *theirs, *own)


@pytest.mark.parametrize(
    ("guest", "user"),
    [(GUEST, OTHER), (USER, OTHER), (USER, GUEST), (OTHER, GUEST)],
    ids=["another user", "a chain", "a circle", "into a guest"],
)
def test_a_merge_against_one_that_stands_is_refused_and_changes_nothing(site, guest, user):
    theirs, own = session(site)
    handler = worker(site)
    handler.apply(arrivals(site, theirs))
    handler.apply(arrivals(site, own, partition=1))
    handler.merges.apply(arrived(site, merge(site), offset=6))
    before = stored(site, USER)

    with pytest.raises(RefusedError) as refused:
        handler.merges.apply(
            arrived(site, merge(site, guest=guest, user=user, name="m2"), offset=7)
        )

    assert refused.value.label == "conflict"
    assert stored(site, USER) == before
    assert site.state.aliases.owners([GUEST, USER, OTHER]) == {GUEST: USER}


def test_a_merge_of_somebody_who_was_forgotten_since_has_no_effect(site):
    theirs, _ = session(site)
    handler = worker(site)
    one = merge(site)
    site.clock.advance(seconds=1)
    site.state.people.forget(GUEST, until=site.clock.now(), events_of=lambda _: ())
    handler.apply(arrivals(site, theirs))

    done = handler.merges.apply(MergeArrival(one, one.time))

    assert done.outcome == "forgotten"
    assert site.state.aliases.owners([GUEST]) == {}
    assert stored(site, USER) is None


def test_the_ids_of_a_person_are_known_from_any_of_them(site):
    for guest in ("g1", "g2"):
        site.state.aliases.pair(Alias(UserId(guest), USER, f"m-{guest}", site.clock.now()))

    assert site.state.aliases.ids_of(USER) == (USER, "g1", "g2")
    assert set(site.state.aliases.ids_of(UserId("g2"))) == {"g1", "g2", USER}
    assert site.state.aliases.ids_of(OTHER) == (OTHER,)


def test_events_of_both_partitions_that_are_delivered_again_after_a_merge_tell_items_the_same(
    site,
):
    theirs, own = session(site)
    handler = worker(site)
    first = handler.apply(arrivals(site, theirs))
    second = handler.apply(arrivals(site, own, partition=1))
    handler.merges.apply(arrived(site, merge(site), offset=6))

    both = [*arrivals(site, theirs), *arrivals(site, own, partition=1)]
    again = handler.apply(both)

    def told(increments):
        return [(one.partition, one.offset, one.item) for one in increments if not one.follower]

    assert set(again.outcomes) == {"redelivered"}
    assert told(again.activity) == told([*first.activity, *second.activity])
