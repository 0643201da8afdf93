"""A batch on its way: what is durable before it may be acknowledged, and what a fault does."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from prometheus_client import REGISTRY

from clickwise.activity import Increment, counts
from clickwise.clock import SystemClock
from clickwise.codec import encode
from clickwise.errors import BundleError, ConflictError, InvalidInputError, UnavailableError
from clickwise.items import Item
from clickwise.masking import masking_of
from clickwise.profile import from_stored
from clickwise.state.port import Partition, State
from clickwise.state.sql import open_state
from clickwise.testing.hashed_index import HashedIndex
from clickwise.testing.releases import fixed_releases
from clickwise.types import ItemId, UserId
from streams.activity_messages import decode_increments, joined, messages_of
from streams.dead_letters import MAX_COPIED_BYTES, letter_message, replay_message
from streams.flows import ActivityFlow, EventFlow, ItemChanges, ItemFlow, SetAside
from streams.handlers import ActivityHandler, Applied, Arrival, EventHandler
from streams.kafka import Message
from streams.records import REASONS, Record, dead_letter, replay_of
from streams.waiting import persistently, wait_for_services

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


class Outlet:
    """Keeps what is written; fails as often as it is told to first."""

    def __init__(self, *faults: Exception) -> None:
        self.written: list[Message] = []
        self.faults = list(faults)

    async def write(self, messages: Sequence[Message]) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.written += messages

    def to(self, topic: str) -> list[Message]:
        return [message for message in self.written if message.topic == topic]


class Items:
    """Takes items; refuses the one named `bad`."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.taken: list[tuple[ItemId, Item | None]] = []
        self.fault = fault

    def apply(
        self,
        changes: Sequence[tuple[ItemId, Item | None]],
        places: Sequence[tuple[Partition, int]],
    ) -> None:
        assert len(changes) == len(places)
        if self.fault is not None and any(name == "bad" for name, _ in changes):
            raise self.fault
        self.taken += changes


class Deployment:
    """Flows on a database of their own."""

    def __init__(self, state: State, thread: ThreadPoolExecutor) -> None:
        self.state = state
        self.thread = thread
        self.outlet = Outlet()
        self.changed: list[UserId] = []
        self.reached: dict[int, int] = {}
        self.handler = EventHandler(
            state=state,
            releases=fixed_releases(state, HashedIndex()),
            clock=SystemClock(),
            keep_bodies=False,
        )

    @property
    def aside(self) -> SetAside:
        return SetAside(
            state=self.state, outlet=self.outlet, topic="dead-letters", clock=SystemClock()
        )

    def events(self, handler: EventHandler | None = None) -> EventFlow:
        return EventFlow(
            handler or self.handler,
            aside=self.aside,
            outlet=self.outlet,
            thread=self.thread,
            consumer="workers",
            activity_topic="item-activity",
            lists_topic="recommendations",
            partitions=4,
            changed=self.hear,
        )

    def hear(self, users: Sequence[UserId], following: Mapping[int, int]) -> None:
        self.changed += users
        self.reached |= following

    def items(self, handler: ItemChanges) -> ItemFlow:
        return ItemFlow(handler, aside=self.aside, thread=self.thread, consumer="workers")

    def activity(self) -> ActivityFlow:
        handler = ActivityHandler(state=self.state, half_life_seconds=3600.0)
        return ActivityFlow(handler, aside=self.aside, thread=self.thread)


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    with ThreadPoolExecutor(1) as thread:
        yield Deployment(state, thread)
    state.close()


def record(
    offset: int, value: bytes | None, key: bytes | None = b"u1", of: str | None = None
) -> Record:
    return Record("events", 0, offset, key, value, NOW.timestamp(), replay_of=of)


def click(offset: int, name: str = "", user: str = "u1") -> Record:
    body = {"id": name or f"e{offset}", "user": user, "item": f"i{offset}", "type": "click"}
    return record(offset, encode(body), user.encode())


def item_record(offset: int, name: str, value: bytes | None = None) -> Record:
    body = encode({"id": name, "kind": "news", "title": name}) if value is None else value
    return Record("items", 0, offset, name.encode(), body, NOW.timestamp())


def take(flow: EventFlow | ItemFlow | ActivityFlow, *records: Record) -> None:
    asyncio.run(flow.take(records))


def test_effects_are_sent_on_before_the_batch_may_be_acknowledged(deployment: Deployment) -> None:
    take(deployment.events(), click(0), click(1), click(2, user="u2"))

    sent = deployment.outlet.to("item-activity")
    bodies = [json.loads(message.value or b"") for message in sent]
    assert {body["group"] for body in bodies} == {"workers"}
    increments = [one for body in bodies for one in body["increments"]]
    assert {one[0] % 4 for one in increments} == {message.partition for message in sent}
    assert len({message.partition for message in sent}) == len(sent)
    assert len([one for one in increments if one[1] == 0]) == 3
    assert sorted(deployment.changed) == ["u1", "u2"]


def test_a_redelivered_batch_changes_nothing_and_is_sent_on_again(deployment: Deployment) -> None:
    take(deployment.events(), click(0), click(1))
    before = deployment.state.profile(UserId("u1"))
    first = list(deployment.outlet.written)

    take(deployment.events(), click(0), click(1))

    assert deployment.state.profile(UserId("u1")) == before
    assert deployment.outlet.written == first * 2


@pytest.mark.case(4)
def test_a_repeated_id_is_not_sent_on_even_when_redelivered(deployment: Deployment) -> None:
    take(deployment.events(), click(0, "same"))
    take(deployment.events(), click(1, "same"))
    take(deployment.events(), click(1, "same"))

    assert len(deployment.outlet.to("item-activity")) == 1


@pytest.mark.case(18)
def test_an_outage_of_kafka_is_waited_out_and_nothing_is_sent_twice(
    deployment: Deployment,
) -> None:
    deployment.outlet.faults = [UnavailableError("away"), UnavailableError("away")]

    take(deployment.events(), click(0), record(1, b"{"))

    assert len(deployment.outlet.to("item-activity")) == 1
    assert len(deployment.outlet.to("dead-letters")) == 1


@pytest.mark.case(18)
def test_an_outage_of_the_database_dead_letters_nothing(deployment: Deployment) -> None:
    class Away(EventHandler):
        tries = 0

        def apply(self, batch: Sequence[Arrival]) -> Applied:
            self.tries += 1
            if self.tries < 3:
                raise UnavailableError("the database is away")
            return super().apply(batch)

    flow = deployment.events(_as(Away, deployment))

    take(flow, click(0))

    assert deployment.state.dead_letters() == []
    assert deployment.state.profile_versions([UserId("u1")]) == {"u1": 1}


@pytest.mark.case(7)
def test_one_event_that_its_handler_refuses_does_not_take_the_others_with_it(
    deployment: Deployment,
) -> None:
    class Picky(EventHandler):
        def apply(self, batch: Sequence[Arrival]) -> Applied:
            if any(arrival.event.id == "e1" for arrival in batch):
                raise InvalidInputError("not this one", field="item")
            return super().apply(batch)

    take(deployment.events(_as(Picky, deployment)), click(0), click(1), click(2))

    (letter,) = deployment.state.dead_letters()
    assert (letter.offset, letter.reason, letter.detail) == (1, "invalid", "item: not this one")
    assert deployment.state.profile_versions([UserId("u1")]) == {"u1": 2}


def test_a_fault_that_no_record_is_to_blame_for_is_raised(deployment: Deployment) -> None:
    class Broken(EventHandler):
        def apply(self, batch: Sequence[Arrival]) -> Applied:
            raise BundleError(f"the model does not fit {len(batch)} events")

    with pytest.raises(BundleError):
        take(deployment.events(_as(Broken, deployment)), click(0))

    assert deployment.state.dead_letters() == []


@pytest.mark.case(7)
@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (b"u1", None, "empty"),
        (None, b'{"id":"e","user":"u1","item":"i","type":"click"}', "key"),
        (b"u2", b'{"id":"e","user":"u1","item":"i","type":"click"}', "key"),
        (b"u1", b"\xff", "invalid"),
        (
            b"u1",
            b'{"id":"e","user":"u1","item":"i","type":"click","time":1764000000000}',
            "invalid",
        ),
        (b"u1", b"[" * 100_000, "invalid"),
        (b"u1", b'"' + b"x" * 1_000_001 + b'"', "too_large"),
    ],
)
def test_a_record_that_is_no_event_becomes_a_dead_letter_as_it_came(
    deployment: Deployment, key: bytes | None, value: bytes | None, reason: str
) -> None:
    take(deployment.events(), record(7, value, key))
    take(deployment.events(), record(7, value, key))

    (letter,) = deployment.state.dead_letters()
    assert (letter.topic, letter.partition, letter.offset) == ("events", 0, 7)
    assert (letter.key, letter.value, letter.reason) == (key, value, reason)
    assert letter.detail


@pytest.mark.case(7)
def test_an_item_needs_a_key_and_a_tombstone_deletes(deployment: Deployment) -> None:
    handler = Items()
    keyless = Record("items", 0, 0, None, b"{}", NOW.timestamp())
    tombstone = Record("items", 0, 2, b"old", None, NOW.timestamp())

    take(deployment.items(handler), keyless, item_record(1, "new"), tombstone)

    assert [(name, item is None) for name, item in handler.taken] == [("new", False), ("old", True)]
    assert [letter.reason for letter in deployment.state.dead_letters()] == ["key"]


@pytest.mark.parametrize("fault", [InvalidInputError("no"), ConflictError("the key is taken")])
def test_an_item_at_fault_is_set_aside_alone(deployment: Deployment, fault: Exception) -> None:
    handler = Items(fault)
    records = [item_record(n, name) for n, name in enumerate(("a", "bad", "b"))]

    take(deployment.items(handler), *records)

    assert [name for name, _ in handler.taken] == ["a", "b"]
    assert [letter.key for letter in deployment.state.dead_letters()] == [b"bad"]


def test_increments_sent_again_within_a_batch_count_once(deployment: Deployment) -> None:
    first, second = increment(5), increment(6)
    records = activity_records("workers", [first, second], [second, increment(7)])

    take(deployment.activity(), *records)
    take(deployment.activity(), *records)

    assert counted(deployment) == 3


def test_whoever_reads_item_activity_again_in_a_new_group_adds_nothing_twice(
    deployment: Deployment,
) -> None:
    old = activity_records("old", [increment(500)])
    take(deployment.activity(), *old)

    # The new group reads events that were made anew, from 0 on, and all of item-activity.
    new = activity_records("new", [increment(0), increment(1)])
    take(deployment.activity(), *old, *new)
    take(deployment.activity(), *old, *new)

    assert counted(deployment) == 3


def test_a_batch_of_activity_and_of_items_is_timed(deployment: Deployment) -> None:
    before = sample("clickwise_batch_seconds_count", handler="activity")

    take(deployment.activity(), *activity_records("workers", [increment(1)]))

    assert sample("clickwise_batch_seconds_count", handler="activity") == before + 1


def test_a_refused_event_is_stored_before_the_offset_passes_over_it(
    deployment: Deployment,
) -> None:
    class Picky(EventHandler):
        def apply(self, batch: Sequence[Arrival]) -> Applied:
            if any(arrival.event.id == "e1" for arrival in batch):
                raise InvalidInputError("not this one", field="item")
            if batch[0].event.id == "e2":
                raise BundleError("the worker ends here")
            return super().apply(batch)

    with pytest.raises(BundleError):
        take(deployment.events(_as(Picky, deployment)), click(0), click(1), click(2))

    assert [letter.offset for letter in deployment.state.dead_letters()] == [1]


def test_a_refused_record_of_events_counts_as_a_refused_event(deployment: Deployment) -> None:
    before = sample("clickwise_events_total", type="unknown", outcome="refused")

    take(deployment.events(), record(1, b"{"))
    take(deployment.items(Items()), item_record(2, "bad", b"{"))

    assert sample("clickwise_events_total", type="unknown", outcome="refused") == before + 1


async def test_only_named_services_are_reported_up_or_down() -> None:
    async def answer() -> None:
        return

    await persistently(answer, dependency="stores")
    await persistently(answer, dependency="kafka")
    await wait_for_services({"topics": answer}, limit_seconds=5.0)

    assert REGISTRY.get_sample_value("clickwise_dependency_up", {"dependency": "kafka"}) == 1
    for stray in ("stores", "topics"):
        assert REGISTRY.get_sample_value("clickwise_dependency_up", {"dependency": stray}) is None


def test_joined_keeps_all_increments_of_one_event() -> None:
    one = [increment(5), increment(5, item=9)]

    assert joined([one, one, [increment(6)]]) == [*one, increment(6)]


def test_what_is_no_list_of_increments_is_refused() -> None:
    for value in (None, b"{}", b"[[1]]", b'{"group":"g","increments":[[1]]}', b"\xff"):
        with pytest.raises(InvalidInputError):
            decode_increments(record(0, value))


def test_a_letter_too_large_for_the_topic_goes_without_its_value() -> None:
    huge = record(3, b"x" * (MAX_COPIED_BYTES + 1))
    letter = dead_letter(huge, InvalidInputError("no"), at=NOW)

    message = letter_message("dead-letters", letter)

    assert message.value is None
    assert dict(message.headers)["cut"] == str(MAX_COPIED_BYTES + 1).encode()
    assert letter.value == huge.value


def test_a_replayed_event_without_an_id_keeps_the_identity_of_its_first_place(
    deployment: Deployment,
) -> None:
    body = encode({"user": "u1", "item": "i1", "type": "click"})
    take(deployment.events(), record(3, body))

    take(deployment.events(), record(9, body, of="events-0-3"))

    assert deployment.state.profile_versions([UserId("u1")]) == {"u1": 1}


def test_letters_of_other_topics_are_not_replayed() -> None:
    letter = dead_letter(record(3, b"{"), InvalidInputError("no"), at=NOW)

    with pytest.raises(InvalidInputError, match="takes no replays"):
        replay_message(letter, topics=frozenset({"items"}))
    headers = replay_message(letter, topics=frozenset({"events"})).headers
    assert replay_of(dict(headers)) == ("events-0-3", NOW.timestamp())


@pytest.mark.parametrize("moment", [b"", b"soon", b"nan", b"inf", b"1e300", b"\xff"])
def test_a_replay_that_does_not_say_when_its_letter_was_set_aside_is_one_too(
    moment: bytes,
) -> None:
    assert replay_of({"replay-of": b"events-0-3", "set-aside": moment}) == ("events-0-3", None)
    assert replay_of({"set-aside": b"1.0"}) == (None, None)


def test_an_event_without_a_time_that_comes_again_after_its_users_erasure_has_no_effect(
    deployment: Deployment,
) -> None:
    body = encode({"user": "u1", "item": "i1", "type": "click"})
    first = record(3, body)
    deployment.state.people.forget(
        UserId("u1"), until=NOW + timedelta(seconds=1), events_of=lambda _: ()
    )
    later = (NOW + timedelta(days=1)).timestamp()
    replayed = msgspec.structs.replace(
        record(9, body, of="events-0-2"), timestamp=later, set_aside=first.timestamp
    )

    take(deployment.events(), first, replayed)  # from the broker, and put back by hand
    again = deployment.state.profile_versions([UserId("u1")])
    take(deployment.events(), msgspec.structs.replace(record(10, body), timestamp=later))

    assert again == {}
    # A producer that writes it once more says that it happened now.
    assert deployment.state.profile_versions([UserId("u1")]) == {"u1": 1}


def increment(offset: int, item: int = 1) -> Increment:
    return Increment(item, 0, 1, 1.0, NOW.timestamp(), 0, offset)


def activity_records(group: str, *batches: list[Increment]) -> list[Record]:
    messages = [
        message
        for batch in batches
        for message in messages_of(batch, group=group, topic="item-activity", partitions=4)
    ]
    return [
        Record("item-activity", m.partition or 0, n, None, m.value, NOW.timestamp())
        for n, m in enumerate(messages)
    ]


@pytest.mark.case(20)
def test_the_log_says_where_a_dead_letter_was_and_nothing_of_what_it_says(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    misplaced = encode({"id": "e1", "user": "rosalind", "item": "i", "type": "click"})
    worded = encode({"id": "e2", "user": "u1", "item": "i", "type": "words of rosalind"})

    take(deployment.events(), record(50_001, misplaced, b"viola"))
    take(deployment.events(), record(50_002, worded, b"u1"))

    said = capsys.readouterr().out + caplog.text  # the second where a test has set logging up
    assert all(text in said for text in ("messages set aside", "50001", "50002"))
    assert not any(text in said for text in ("rosalind", "viola"))


@pytest.mark.parametrize("topic", ["events", "items", "item-activity"])
def test_the_first_message_that_is_set_aside_is_growth_for_prometheus(
    deployment: Deployment, topic: str
) -> None:
    assert deployment.aside

    for reason in REASONS:
        labels = {"topic": topic, "reason": reason}
        assert REGISTRY.get_sample_value("clickwise_dead_letters_total", labels) is not None


def counted(deployment: Deployment) -> int:
    """Events that were counted for the item of `increment`."""
    ((_, row),) = deployment.state.activity([1]).items()  # type: ignore[list-item]  # a plain key
    return sum(counts(row).values())


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def _as(kind: type[EventHandler], deployment: Deployment) -> EventHandler:
    return kind(
        state=deployment.state,
        releases=fixed_releases(deployment.state, HashedIndex()),
        clock=SystemClock(),
        keep_bodies=False,
    )


def test_a_broken_event_of_an_erased_user_is_set_aside_without_its_bytes(
    deployment: Deployment,
) -> None:
    deployment.state.people.forget(UserId("u1"), until=NOW, events_of=lambda _: ())

    take(deployment.events(), record(0, b'{"user": "u1"', b"u1"), record(1, b"{", b"u2"))

    newest, oldest = deployment.state.dead_letters()
    assert (newest.key, newest.value) == (b"u2", b"{")
    assert (oldest.key, oldest.value, oldest.reason) == (None, None, "invalid")
    assert "u1" not in oldest.detail


def test_a_copy_of_a_letter_always_has_a_key_or_a_value() -> None:
    letter = dead_letter(record(0, None, None), InvalidInputError("empty"), at=NOW)
    large = dead_letter(record(0, None, b"k" * 2_000_000), InvalidInputError("empty"), at=NOW)

    assert letter_message("dead-letters", letter).value == b""
    assert letter_message("dead-letters", large).value == b""


def test_the_databases_offsets_pass_over_what_was_set_aside(deployment: Deployment) -> None:
    take(deployment.events(), click(0), record(1, b"{"), record(2, None))
    take(deployment.items(Items()), item_record(4, "bad", b"{"))

    offsets = deployment.state.offsets("workers")
    assert {(place.topic, offset) for place, offset in offsets.items()} == {
        ("events", 3), ("items", 5),
    }  # fmt: skip


def test_who_waits_for_a_list_is_told_with_how_far_the_partition_is_read(
    deployment: Deployment,
) -> None:
    take(deployment.events(), click(4), record(5, b"{"))

    assert deployment.changed == ["u1"]
    assert deployment.reached == {0: 6}


def test_an_older_batch_that_is_set_aside_again_moves_no_offset_back(
    deployment: Deployment,
) -> None:
    take(deployment.events(), record(0, b"{"), click(5))

    take(deployment.events(), record(0, b"{"))

    assert set(deployment.state.offsets("workers").values()) == {6}
    assert len(deployment.state.dead_letters()) == 1


def merge(offset: int, into: str, guest: str = "u1") -> Record:
    body = {"type": "merge", "id": f"m{offset}", "user": guest, "into": into}
    return record(offset, encode(body), guest.encode())


def test_a_merge_moves_the_guest_and_takes_back_its_published_list(deployment: Deployment) -> None:
    take(deployment.events(), click(0), merge(1, "ann"), click(2), click(3, user="u2"))

    lists = deployment.outlet.to("recommendations")
    assert deployment.state.profile_versions([UserId("u1"), UserId("ann"), UserId("u2")]) == {
        "ann": 2,
        "u2": 1,
    }
    assert [(one.key, one.value) for one in lists] == [(b"u1", None)]
    assert set(deployment.changed) == {"u1", "ann", "u2"}


def test_a_merge_that_cannot_be_is_a_dead_letter_and_costs_the_others_nothing(
    deployment: Deployment,
) -> None:
    take(deployment.events(), click(0), merge(1, "ann"), merge(2, "bob"), merge(3, "u1"), click(4))

    reasons = [(one.offset, one.reason) for one in deployment.state.dead_letters()]
    profile, _ = deployment.state.profile(UserId("ann"))
    assert sorted(reasons) == [(2, "conflict"), (3, "invalid")]
    assert profile is not None
    assert from_stored(profile.body)[0].events_applied == 2


def test_text_from_kafka_is_masked_before_anything_sees_it(deployment: Deployment) -> None:
    items = Items()
    flow = ItemFlow(
        items, aside=deployment.aside, thread=deployment.thread, consumer="workers",
        masking=masking_of("title,body"),
    )  # fmt: skip
    body = {"id": "i1", "kind": "ad", "title": "ann@example.com", "body": "tel 030 1234567"}

    take(flow, item_record(0, "i1", encode(body)), item_record(1, "i2", None))

    ((_, item), _) = items.taken
    assert item is not None
    assert (item.title, item.body) == ("[email]", "tel [phone]")


def test_the_reason_of_a_dead_letter_repeats_nobodys_address(deployment: Deployment) -> None:
    sent = {"id": "e1", "user": "u1", "item": "i", "type": "ann@example.com"}

    take(deployment.events(), record(0, encode(sent)))

    (letter,) = deployment.state.dead_letters()
    assert "[email]" in letter.detail
    assert "ann@" not in letter.detail
