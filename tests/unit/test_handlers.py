"""A batch's effect happens exactly once, whatever is delivered again."""

import random

import pytest

from clickwise import activity
from clickwise.errors import ConflictError
from clickwise.profile import profile_bytes
from clickwise.state.port import Partition
from clickwise.types import EventType, UserId, item_key
from streams.handlers import ActivityHandler, Arrival, EventHandler
from tests.site import Site, WithBroken, three_topics

CONSUMER = "workers"


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    three_topics(made)
    yield made
    made.state.close()


def worker(site):
    """A handler as a stream worker has it: Kafka is the log, activity travels on."""
    return EventHandler(
        state=site.state, releases=site.releases, clock=site.clock,
        keep_bodies=False,
    )  # fmt: skip


def arrivals(site, events, *, partition=0, first=0):
    place = Partition(CONSUMER, "events", partition)
    return [
        Arrival(event=event, received=site.clock.now(), partition=place, offset=first + n)
        for n, event in enumerate(events)
    ]


def deliver(site, increments, partition=0):
    return site.activity.apply(
        increments, consumer=CONSUMER, topic="item-activity", partition=partition
    )


def clicks(site, item):
    row = site.state.activity([item_key(item)]).get(item_key(item))
    return activity.counts(row).get(EventType.CLICK, 0) if row else 0


def stored(site, user):
    row, _ = site.state.profile(UserId(user))
    return profile_bytes(row.body)


@pytest.mark.case(4)
def test_a_repeated_id_counts_once_in_a_batch_across_batches_and_across_producers(site):
    event = site.event("anna", "sport0")

    first = worker(site).apply(arrivals(site, [event, event]))
    second = worker(site).apply(arrivals(site, [event], first=2))
    other = worker(site).apply(arrivals(site, [event], partition=3))

    assert first.outcomes == ("applied", "duplicate")
    assert second.outcomes == ("duplicate",)
    assert other.outcomes == ("duplicate",)
    assert site.profile("anna").events_applied == 1


def test_a_model_that_answers_nobody_and_cannot_be_run_holds_up_no_event(site):
    handler = EventHandler(
        state=site.state, releases=WithBroken(site.releases.live), clock=site.clock,
        keep_bodies=False,
    )  # fmt: skip

    applied = handler.apply(arrivals(site, [site.event("anna", "sport0")]))

    assert applied.outcomes == ("applied",)


@pytest.mark.case(4)
def test_the_http_door_says_which_were_duplicates(site):
    event = site.event("anna", "sport0")

    assert site.post(event, event) == ("applied", "duplicate")
    assert site.post(event) == ("duplicate",)
    assert clicks(site, "sport0") == 1


@pytest.mark.case(17)
def test_a_redelivered_batch_has_no_effect_and_sends_its_increments_again(site):
    batch = arrivals(site, [site.event("anna", "sport0"), site.event("anna", "sport1")])
    first = worker(site).apply(batch)
    before = stored(site, "anna")

    again = worker(site).apply(batch)

    assert again.outcomes == ("redelivered", "redelivered")
    assert stored(site, "anna") == before
    assert again.activity == first.activity
    assert again.users == first.users == ("anna",)
    assert deliver(site, first.activity) == len(first.activity)
    assert deliver(site, again.activity) == 0
    assert clicks(site, "sport0") == clicks(site, "sport1") == 1


@pytest.mark.case(17)
def test_a_redelivered_repeat_is_not_counted_the_second_time(site):
    event = site.event("anna", "sport0")
    batch = arrivals(site, [event, site.event("anna", "sport1"), event])
    worker(site).apply(batch)

    again = worker(site).apply(batch)

    deliver(site, again.activity)
    assert clicks(site, "sport0") == 1


@pytest.mark.case(17)
def test_increments_lost_on_the_way_arrive_with_the_redelivery(site):
    batch = arrivals(site, [site.event("anna", f"sport{n}") for n in range(4)])
    worker(site).apply(batch[:2])  # committed, then the process was killed before sending

    applied = worker(site).apply(batch)

    deliver(site, applied.activity)
    assert [clicks(site, f"sport{n}") for n in range(4)] == [1, 1, 1, 1]


@pytest.mark.case(19)
def test_offsets_never_skip_and_never_go_back(site):
    events = [site.event("anna", f"sport{n}") for n in range(6)]
    batch = arrivals(site, events)

    worker(site).apply(batch[:3])
    worker(site).apply(batch[2:6])

    assert site.state.offsets(CONSUMER) == {Partition(CONSUMER, "events", 0): 6}
    with pytest.raises(ConflictError), site.state.write() as write:
        write.put_offsets({Partition(CONSUMER, "events", 0): 4})


@pytest.mark.case(17)
@pytest.mark.parametrize("seed", range(5))
def test_random_redeliveries_give_the_profile_of_one_clean_pass(tmp_path, seed):
    rng = random.Random(seed)
    for name in ("clean", "torn"):
        (tmp_path / name).mkdir()
    clean, torn = Site(tmp_path / "clean"), Site(tmp_path / "torn")
    for made in (clean, torn):
        three_topics(made)
    topics = ("sport", "money", "film")
    events = [
        clean.event(
            f"u{rng.randrange(4)}", f"{rng.choice(topics)}{rng.randrange(20)}",
            rng.choice(["click", "like", "dislike", "impression"]), id=f"e{rng.randrange(250)}",
            time=(clean.clock.now().timestamp() - rng.randrange(10**6)),
        )
        for _ in range(300)
    ]  # fmt: skip
    whole = worker(clean).apply(arrivals(clean, events))
    deliver(clean, whole.activity)

    at = 0
    while at < len(events):
        begin, end = max(0, at - rng.randrange(30)), min(len(events), at + rng.randrange(1, 40))
        applied = worker(torn).apply(arrivals(torn, events[begin:end], first=begin))
        if rng.random() < 0.7 or end == len(events):  # else: killed before sending
            deliver(torn, applied.activity)
            at = end
        else:
            at = begin

    for user in {event.user for event in events}:
        assert stored(torn, user) == stored(clean, user)
    for topic in topics:
        for n in range(20):
            assert clicks(torn, f"{topic}{n}") == clicks(clean, f"{topic}{n}")
    clean.state.close()
    torn.state.close()


@pytest.mark.case(13)
def test_concurrent_writers_of_one_user_lose_nothing(site):
    """Two handlers race on one profile: the loser reads again."""
    state = _Interfering(site)
    handler = EventHandler(state=state, releases=site.releases, clock=site.clock, keep_bodies=True)

    handler.apply([Arrival(event=site.event("anna", "sport0"), received=site.clock.now())])

    assert state.raced
    assert site.profile("anna").events_applied == 2


class _Interfering:
    """Lets another event of the same user be applied between the read and the write, once."""

    def __init__(self, site):
        self.site = site
        self.raced = False

    def __getattr__(self, name):
        return getattr(self.site.state, name)

    def write(self):
        if not self.raced:
            self.raced = True
            self.site.did("anna", "money0")
            return _LostWrite()
        return self.site.state.write()


class _LostWrite:
    def __enter__(self):
        raise ConflictError("somebody else wrote first")

    def __exit__(self, *_):
        return False


@pytest.mark.case(17)
def test_a_failing_batch_leaves_nothing_behind(site):
    class _Failing(ActivityHandler):
        def add(self, write, increments):
            super().add(write, increments)
            raise ConflictError("no")

    handler = EventHandler(
        state=site.state, releases=site.releases, clock=site.clock,
        keep_bodies=True, activity=_Failing(state=site.state, half_life_seconds=1.0),
    )  # fmt: skip
    with pytest.raises(ConflictError):
        handler.apply([Arrival(event=site.event("anna", "sport0"), received=site.clock.now())])

    assert site.state.users() == []
    assert site.state.events() == []
    assert clicks(site, "sport0") == 0


@pytest.mark.case(3)
def test_a_user_with_many_events_keeps_a_small_profile(site):
    for begin in range(0, 5_000, 500):
        site.clock.advance(seconds=60)
        site.post(
            *[site.event("busy", f"sport{n % 20}", id=f"b{n}") for n in range(begin, begin + 500)]
        )
    site.did("calm", "sport0")

    assert site.profile("busy").events_applied == 5_000
    assert len(stored(site, "busy")) < 40_000


def test_impressions_are_counted_for_the_item_and_leave_interest_alone(site):
    site.did("anna", "sport0", "impression")

    row = site.state.activity([item_key("sport0")])[item_key("sport0")]
    assert activity.counts(row) == {EventType.IMPRESSION: 1}
    assert len(site.profile("anna").history) == 0
    assert "sport0" in site.listed("anna", limit=60)


def forget(site, user):
    site.state.people.forget(UserId(user), until=site.clock.now(), events_of=lambda _: ())


def test_events_from_before_their_users_erasure_have_no_effect_and_are_passed_over(site):
    batch = arrivals(site, [site.event("anna", "sport0"), site.event("boris", "sport1")])
    worker(site).apply(batch)
    forget(site, "anna")
    site.clock.advance(seconds=60)
    late = site.event("anna", "sport2", time=(site.clock.now().timestamp() - 3_600))

    again = worker(site).apply([*batch, *arrivals(site, [late], first=2)])

    assert again.outcomes == ("forgotten", "redelivered", "forgotten")
    assert "anna" not in again.users
    assert site.state.profile(UserId("anna"))[0] is None
    assert site.state.offsets(CONSUMER)[Partition(CONSUMER, "events", 0)] == 3


def test_events_from_after_their_users_erasure_begin_a_new_profile(site):
    worker(site).apply(arrivals(site, [site.event("anna", "sport0")]))
    forget(site, "anna")
    site.clock.advance(seconds=1)

    applied = worker(site).apply(arrivals(site, [site.event("anna", "sport1")], first=1))

    assert applied.outcomes == ("applied",)
    assert site.profile("anna").events_applied == 1
