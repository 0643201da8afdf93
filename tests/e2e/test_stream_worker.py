"""A stream worker as its operator sees it: how it starts, waits, stops, and what it says."""

import asyncio
import json
import re
import signal
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace as changed
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from clickwise.cli.exits import Exit
from clickwise.codec import encode
from clickwise.messages import Recommendations
from clickwise.profile import from_stored
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.testing.kafka import KafkaServer, free_ports
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import HASHING
from clickwise.topics import EVENTS, ITEMS
from clickwise.types import UserId
from streams import kafka as client
from streams import topics_admin
from streams.dead_letters import replay
from streams.exits import EX_SOFTWARE
from streams.kafka import Message, Producer, WantedTopic

StartWorker = Callable[..., Program]


def event(name: str, user: str = "u1", **more: object) -> dict[str, object]:
    return {"id": name, "user": user, "item": "i1", "type": "click", **more}


def produce(settings: Settings, messages: Sequence[Message]) -> None:
    async def write() -> None:
        producer = Producer(settings)
        try:
            await producer.write(messages)
        finally:
            await producer.stop()

    asyncio.run(write())


def events_message(settings: Settings, value: bytes | None, key: bytes | None = b"u1") -> Message:
    return Message(EVENTS.full_name(settings.kafka_topic_prefix), key, value)


def read_topic(settings: Settings, name: str, number: int) -> list[object]:
    """The first `number` records of a topic."""

    async def read() -> list[object]:
        consumer = AIOKafkaConsumer(
            f"{settings.kafka_topic_prefix}.{name}",
            bootstrap_servers=settings.kafka_bootstrap,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            async with asyncio.timeout(30.0):
                return [await consumer.getone() for _ in range(number)]
        finally:
            await consumer.stop()

    return asyncio.run(read())


def assert_ended_once(worker: Program) -> None:
    """It says that it stopped in order, or that it waited no longer; Faust decides which."""
    ends = ['"event": "stopped"', "ended without waiting any longer"]
    assert [text in worker.output for text in ends].count(True) == 1, worker.output


def committed(settings: Settings, topic: str) -> list[int]:
    async def read() -> list[int]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka_bootstrap,
            group_id=settings.kafka_group,
            enable_auto_commit=False,
        )
        await consumer.start()
        try:
            places = [TopicPartition(topic, n) for n in range(settings.kafka_partitions)]
            return [await consumer.committed(place) or 0 for place in places]
        finally:
            await consumer.stop()

    return asyncio.run(read())


def version(state: State, user: str = "u1") -> int:
    return state.profile_versions([user]).get(user, 0)  # type: ignore[list-item, call-overload]  # plain text ids


def num_events(state: State, user: str = "u1") -> int:
    """How many events the profile has."""
    stored, _ = state.profile(UserId(user))
    return 0 if stored is None else len(from_stored(stored.body)[0].history)


@pytest.mark.case(18)
def test_without_a_broker_a_worker_waits_says_so_once_and_gives_up_with_a_reason(
    stream_settings: Settings, start_worker: StartWorker
) -> None:
    (port,) = free_ports(1)
    nowhere = msgspec.structs.replace(
        stream_settings, kafka_bootstrap=f"127.0.0.1:{port}", startup_timeout_seconds=4.0
    )

    worker = start_worker("lonely", nowhere)

    assert worker.wait(seconds=60.0) == 69
    assert worker.output.count("waiting for a service") == 1
    assert "kafka did not answer within 4 s" in worker.output
    assert len(worker.output.splitlines()) < 10


def test_a_worker_that_starts_before_the_broker_begins_when_it_is_there(
    stream_settings: Settings, start_worker: StartWorker, kafka: KafkaServer, state: State
) -> None:
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])
    kafka.stop()
    try:
        worker = start_worker("early")
        worker.wait_for("waiting for a service")
    finally:
        kafka.start()

    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")


def test_a_broker_that_goes_away_while_faust_starts_is_waited_for(
    stream_settings: Settings,
    start_worker: StartWorker,
    kafka: KafkaServer,
    state: State,
    tmp_path: Path,
) -> None:
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])
    held = tmp_path / "held"
    held.touch()
    worker = start_worker("early", CLICKWISE_TEST_HOLD=str(held))
    worker.wait_for("holding")

    kafka.stop()
    try:
        held.unlink()
        worker.wait_for("Kafka went away while Faust started")
    finally:
        kafka.start()

    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")
    assert worker.running


def test_missing_topics_are_named_with_the_command_that_makes_them(
    stream_settings: Settings, start_worker: StartWorker
) -> None:
    other = msgspec.structs.replace(stream_settings, kafka_topic_prefix="nothing-here")

    worker = start_worker("lost", other)

    assert worker.wait(seconds=60.0) == 78
    assert "missing: nothing-here.events, nothing-here.items" in worker.output
    assert "clickwise topics create" in worker.output


def test_a_wrong_number_of_partitions_stops_the_start(
    stream_settings: Settings, start_worker: StartWorker
) -> None:
    other = msgspec.structs.replace(stream_settings, kafka_partitions=8)

    worker = start_worker("eight", other)

    assert worker.wait(seconds=60.0) == 78
    assert "has 4 partitions where CLICKWISE_KAFKA_PARTITIONS says 8" in worker.output


def test_a_topic_made_anew_is_not_taken_for_the_old_one(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    worker = start_worker("before")
    messages = [events_message(stream_settings, encode(event(f"e{n}"))) for n in range(5)]
    produce(stream_settings, messages)
    wait_until(lambda: bool(version(state)), seconds=60.0, what="events applied")
    assert worker.terminate() == 0

    # The same database and group, and a topic that ends before what was applied.
    (place, applied) = next(iter(state.offsets(stream_settings.kafka_group).items()))
    with state.write() as write:
        write.put_offsets({place: applied + 1_000})
    again = start_worker("after")

    assert again.wait(seconds=60.0) == 78
    assert "the topic was made anew" in again.output


def test_sigterm_ends_a_worker_with_0_and_what_it_took_is_not_lost(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    worker = start_worker("one")
    worker.wait_for("partitions assigned")
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")

    assert worker.terminate() == 0
    assert "Traceback" not in worker.output
    assert '"event": "stopped"' in worker.output
    assert "ended without waiting" not in worker.output


def test_what_a_caller_does_after_an_end_in_order_is_not_cut_off(start_worker: StartWorker) -> None:
    worker = start_worker("one", CLICKWISE_TEST_AFTER="3")
    worker.wait_for("partitions assigned")

    assert worker.terminate() == 3
    assert '"event": "stopped"' in worker.output
    assert "done afterwards" in worker.output
    assert "ended without waiting" not in worker.output


def test_stores_that_never_close_end_a_worker_with_70_and_not_as_a_clean_stop(
    start_worker: StartWorker,
) -> None:
    worker = start_worker("one", CLICKWISE_TEST_CLOSE="never")
    worker.wait_for("partitions assigned")

    worker.send(signal.SIGTERM)

    assert worker.wait(seconds=60.0) == EX_SOFTWARE
    assert "ended without waiting any longer" in worker.output
    assert "closing the stores" in worker.output
    assert '"event": "stopped"' not in worker.output


def test_an_unexpected_fault_ends_the_process_and_the_next_one_applies_the_batch(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    failing = start_worker("failing", CLICKWISE_TEST_DIE="raise:1")
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])

    assert failing.wait(seconds=60.0) == 70
    assert "the third wheel came off" in failing.output
    start_worker("next")
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")


@pytest.mark.case(18)
@pytest.mark.parametrize("how", ["stands still", "is killed", "is stopped"])
def test_sigterm_ends_a_worker_with_0_while_kafka_is_away_and_its_events_count_once(
    stream_settings: Settings, start_worker: StartWorker, kafka: KafkaServer, state: State, how: str
) -> None:
    strike, mend = {
        "stands still": (kafka.pause, kafka.resume),
        "is killed": (kafka.kill, kafka.start),
        "is stopped": (kafka.stop, kafka.start),
    }[how]
    worker = start_worker("one", CLICKWISE_TEST_LISTS="1")
    worker.wait_for("partitions assigned")
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")

    strike()
    try:
        worker.send(signal.SIGTERM)
        # Patience only: left to Faust it takes more than a minute, or never comes.
        code = worker.wait(seconds=45.0)
    finally:
        mend()

    assert code == 0
    assert_ended_once(worker)
    start_worker("next", CLICKWISE_TEST_LISTS="1")
    again = [encode(event("e1")), encode(event("e2"))]
    produce(stream_settings, [events_message(stream_settings, body) for body in again])
    wait_until(lambda: version(state) >= 2, seconds=60.0, what="the next event applied")
    newest = lists_until(stream_settings, version(state))
    assert version(state) == 2
    assert newest.profile_version == 2


def test_a_worker_ends_although_a_batch_never_does(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    stuck = start_worker("stuck", CLICKWISE_TEST_DIE="stand-still:1")
    produce(stream_settings, [events_message(stream_settings, encode(event("slow")))])
    stuck.wait_for("standing still")

    stuck.send(signal.SIGTERM)

    assert stuck.wait(seconds=45.0) == 0
    assert "ended without waiting any longer" in stuck.output
    start_worker("next")
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")


@pytest.mark.parametrize("how", ["crashes", "cancels"])
def test_when_faust_fails_the_command_ends_with_70_and_says_so(
    start_worker: StartWorker, how: str
) -> None:
    failing = start_worker(
        "failing", CLICKWISE_TEST_COMMAND="1", CLICKWISE_TEST_CRASH=how, **HASHING
    )

    assert failing.wait(seconds=120.0) == Exit.FAULT == EX_SOFTWARE
    said = {"crashes": "stopping: Faust crashed", "cancels": "Faust failed"}[how]
    assert said in failing.output


@pytest.mark.case(19)
def test_a_batch_that_never_ends_is_not_skipped_by_the_commit_of_later_ones(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    stuck = start_worker("stuck", CLICKWISE_TEST_DIE="stand-still:2")
    topic = EVENTS.full_name(stream_settings.kafka_topic_prefix)
    produce(stream_settings, [events_message(stream_settings, encode(event("e0")))])
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the first event applied")
    wait_until(lambda: sum(committed(stream_settings, topic)) == 1, seconds=30.0, what="commit")
    produce(stream_settings, [events_message(stream_settings, encode(event("slow")))])
    stuck.wait_for("standing still")
    produce(
        stream_settings,
        [
            Message(topic, f"v{n}".encode(), encode(event(f"v{n}", user=f"v{n}")))
            for n in range(100)
        ],
    )

    # Longer than a commit interval; nothing after the stuck batch may have been committed.
    time.sleep(1.5)  # a claim that something does not happen needs a while
    assert sum(committed(stream_settings, topic)) == 1
    stuck.kill()
    start_worker("next")
    wait_until(lambda: len(state.users()) == 101, seconds=60.0, what="all of them applied")
    assert version(state) == 2


@pytest.mark.case(7)
def test_poison_is_set_aside_with_its_reason_and_the_partition_goes_on(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    poison: list[tuple[bytes | None, bytes | None, str]] = [
        (b"u1", b"{", "invalid"),
        (b"u1", b"\xff\xfe\x00", "invalid"),
        (b"u1", b"[1]", "invalid"),
        (b"u1", encode(event("p1", type="nod")), "invalid"),
        (b"u1", encode(event("p2", item=7)), "invalid"),
        (b"u1", encode(event("p3", item="i" * 300)), "invalid"),
        (b"u1", encode(event("p4", item="a\0b")), "invalid"),
        (b"u1", None, "empty"),
        (b"u1", encode(event("p5", user="u2")), "key"),
        (None, encode(event("p6")), "key"),
        (b"u1", encode(event("p7", note="x" * 1_000_001)), "too_large"),
    ]
    messages = []
    for number, (key, value, _) in enumerate(poison):
        messages.append(events_message(stream_settings, value, key))
        messages.append(events_message(stream_settings, encode(event(f"good{number}"))))
    items = ITEMS.full_name(stream_settings.kafka_topic_prefix)
    # (A broker takes no record without a key for a compacted topic; see the unit test.)
    messages.append(Message(items, b"\xff", b"{}"))
    messages.append(Message(items, b"i1", b'{"id":"i2","kind":"news","title":"t"}'))

    produce(stream_settings, messages)
    start_worker("one")

    wanted = len(poison) + 2
    wait_until(lambda: len(state.dead_letters()) == wanted, seconds=60.0, what="dead letters")
    letters = state.dead_letters()
    of_events = [one for one in letters if one.topic.endswith(".events")]
    assert sorted((one.value, one.reason) for one in of_events if one.value) == sorted(
        (value, reason) for _, value, reason in poison if value
    )
    assert sorted(one.reason for one in letters if one.topic == items) == ["invalid", "key"]
    assert all(one.detail for one in letters)
    copies = {
        (dict(record.headers)["topic"].decode(), dict(record.headers)["offset"]): record.value
        for record in read_topic(stream_settings, "dead-letters", wanted)
    }
    for one in of_events:
        assert (one.topic, str(one.offset).encode()) in copies


@pytest.mark.case(7)
def test_a_message_of_20_megabytes_is_set_aside_whole(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    # A deployment whose topic lets such messages in.
    other = msgspec.structs.replace(
        stream_settings, kafka_topic_prefix=f"{stream_settings.kafka_topic_prefix}big"
    )
    topic = EVENTS.full_name(other.kafka_topic_prefix)
    wide = WantedTopic(topic, 4, 1, {"max.message.bytes": "32000000"})
    assert asyncio.run(client.create_topics(other, [wide])) == {}

    topics_admin.create_topics(other)
    huge = encode(event("huge", note="x" * 20_000_000))

    async def write() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=other.kafka_bootstrap, max_request_size=32_000_000
        )
        await producer.start()
        await producer.send_and_wait(topic, huge, key=b"u1")
        await producer.send_and_wait(topic, encode(event("small")), key=b"u1")
        await producer.stop()

    asyncio.run(write())
    start_worker("one", other)

    wait_until(lambda: bool(state.dead_letters()), seconds=60.0, what="the dead letter")
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the small one applied")
    (letter,) = state.dead_letters()
    assert (letter.reason, letter.value) == ("too_large", huge)
    (copy,) = read_topic(other, "dead-letters", 1)
    assert copy.value is None  # type: ignore[attr-defined]  # untyped upstream
    assert dict(copy.headers)["cut"] == str(len(huge)).encode()  # type: ignore[attr-defined]  # same


@pytest.mark.case(7)
def test_a_replayed_dead_letter_is_applied_once_its_cause_is_gone(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    # Set aside for a cause that is gone now: what the letter holds is a good event without an
    # id, so that its identity is its first place.
    good = encode({"user": "u1", "item": "i1", "type": "click"})
    produce(stream_settings, [events_message(stream_settings, b"{")])
    start_worker("one")
    wait_until(lambda: len(state.dead_letters()) == 1, seconds=60.0, what="the dead letter")
    (letter,) = state.dead_letters()
    with state.write() as write:
        write.add_dead_letters([changed(letter, offset=9_999, value=good, id=0)])
    mended = max(state.dead_letters(), key=lambda one: one.id)

    replay(stream_settings, state, mended.id)
    replay(stream_settings, state, mended.id)
    wait_until(lambda: num_events(state) == 1, seconds=60.0, what="the letter applied")
    produce(stream_settings, [events_message(stream_settings, encode(event("after")))])

    wait_until(lambda: num_events(state) > 1, seconds=60.0, what="the event after it applied")
    assert num_events(state) == 2
    found = state.dead_letter(mended.id)
    assert found is not None
    assert found.replayed is not None
    assert len(state.dead_letters()) == 2


@pytest.mark.case(18)
@pytest.mark.case(20)
def test_an_outage_is_logged_once_and_needs_no_restart(
    stream_settings: Settings, start_worker: StartWorker, kafka: KafkaServer, state: State
) -> None:
    worker = start_worker("one")
    worker.wait_for("partitions assigned")
    before = len(worker.output.splitlines())
    kafka.kill()
    try:
        time.sleep(8.0)  # an outage of some length: unfiltered, 70 lines a second
    finally:
        kafka.start()
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])

    wait_until(lambda: version(state) == 1, seconds=60.0, what="the event applied")
    said = worker.output.splitlines()[before:]
    assert len(said) < 40, "\n".join(said)
    assert worker.running


def test_metrics_tell_lag_outcomes_and_freshness(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    (port,) = free_ports(1)
    settings = msgspec.structs.replace(stream_settings, stream_metrics_port=port)
    start_worker("one", settings)
    bodies = [encode(event("e1")), encode(event("e1")), encode(event("e2")), b"{"]
    produce(settings, [events_message(settings, body) for body in bodies])
    wait_until(lambda: len(state.dead_letters()) == 1, seconds=60.0, what="all of them taken")
    topic = EVENTS.full_name(settings.kafka_topic_prefix)

    def told() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            text: str = answer.read().decode()
            return text

    def lags() -> list[str]:
        return re.findall(rf'clickwise_lag_messages{{.*"{topic}"}} (\S+)', told())

    wait_until(lambda: lags() == ["0.0"] * 4, seconds=30.0, what="no lag in four partitions")
    text = told()
    assert 'clickwise_events_total{outcome="applied",type="click"} 2.0' in text
    assert 'clickwise_events_total{outcome="duplicate",type="click"} 1.0' in text
    assert 'clickwise_dead_letters_total{reason="invalid",topic="events"} 1.0' in text
    assert 'clickwise_event_to_profile_seconds_count{since="receipt"} 2.0' in text


def test_a_changed_profile_is_published_at_most_once_an_interval(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    settings = msgspec.structs.replace(stream_settings, publish_interval_seconds=2.0)
    worker = start_worker("one", settings, CLICKWISE_TEST_LISTS="1")
    worker.wait_for("partitions assigned")
    # The first is applied alone: all at once they might be one batch, and one change.
    produce(settings, [events_message(settings, encode(event("e0")))])
    wait_until(lambda: version(state) == 1, seconds=60.0, what="the first event applied")
    for number in range(1, 30):
        produce(settings, [events_message(settings, encode(event(f"e{number}")))])
    wait_until(lambda: num_events(state) == 30, seconds=60.0, what="all of them applied")

    last = version(state)
    assert last > 1
    published: list[Recommendations] = []
    while not published or published[-1].profile_version < last:
        records = read_topic(settings, "recommendations", len(published) + 1)
        published = [
            msgspec.json.decode(r.value, type=Recommendations)  # type: ignore[attr-defined]  # untyped upstream
            for r in records
        ]
        last = version(state)
    times = [one.generated for one in published]
    assert len(times) > 1
    assert all((later - sooner).total_seconds() > 1.9 for sooner, later in pairwise(times))
    assert len({one.id for one in published}) == len(published) < 30
    assert {one.user for one in published} == {"u1"}


@pytest.mark.case(17)
def test_whoever_takes_over_from_a_killed_worker_publishes_the_lists_that_were_still_due(
    stream_settings: Settings, start_worker: StartWorker, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    topic = EVENTS.full_name(stream_settings.kafka_topic_prefix)
    first = start_worker("first", CLICKWISE_TEST_LISTS="1", CLICKWISE_TEST_HOLD_LISTS=str(held))
    produce(stream_settings, [events_message(stream_settings, encode(event("e1")))])
    assert [one.profile_version for one in lists(stream_settings, 1)] == [1]
    held.touch()
    for user in ("u1", "u2", "u3"):
        body = encode(event(f"{user}-late", user=user))
        produce(stream_settings, [events_message(stream_settings, body, user.encode())])
    # Kafka was told, too: nobody delivers these events again.
    wait_until(lambda: sum(committed(stream_settings, topic)) == 4, seconds=60.0, what="commits")

    first.kill()
    start_worker("second", CLICKWISE_TEST_LISTS="1")

    found = {one.user: one.profile_version for one in lists(stream_settings, 4)}
    assert found == {"u1": 2, "u2": 1, "u3": 1}


@pytest.mark.case(17)
def test_who_has_a_list_of_the_newest_profile_gets_none_from_the_next_owner(
    stream_settings: Settings, start_worker: StartWorker, state: State
) -> None:
    first = start_worker("first", CLICKWISE_TEST_LISTS="1")
    first.wait_for("partitions assigned")
    for number in range(3):
        body = encode(event(f"e{number}", user=f"u{number}"))
        produce(stream_settings, [events_message(stream_settings, body, b"u%d" % number)])
    lists(stream_settings, 3)
    group = stream_settings.kafka_group

    def marks() -> int:
        kept = state.offsets(group).items()
        return sum(at for place, at in kept if place.topic.endswith(".recommendations"))

    wait_until(lambda: marks() == 3, seconds=30.0, what="the marks are kept")

    first.kill()
    second = start_worker("second", CLICKWISE_TEST_LISTS="1")
    second.wait_for("partitions assigned")
    body = encode(event("last", user="u4"))
    produce(stream_settings, [events_message(stream_settings, body, b"u4")])

    assert [one.user for one in lists(stream_settings, 4)][3:] == ["u4"]
    assert "looked back" not in second.output


def lists(settings: Settings, number: int) -> list[Recommendations]:
    """The first `number` lists of the topic, in order of their making."""
    found = [
        msgspec.json.decode(record.value, type=Recommendations)  # type: ignore[attr-defined]  # untyped upstream
        for record in read_topic(settings, "recommendations", number)
    ]
    return sorted(found, key=lambda one: one.generated)


def lists_until(settings: Settings, version: int) -> Recommendations:
    """The first list of the topic that is of this version of the profile, or a newer one."""
    number = 1
    while (newest := lists(settings, number)[-1]).profile_version < version:
        number += 1
    return newest


def test_a_log_for_machines_is_json_and_holds_no_secret(start_worker: StartWorker) -> None:
    worker = start_worker("one")
    worker.wait_for("partitions assigned")
    worker.send(signal.SIGTERM)
    worker.wait()

    for line in worker.output.splitlines():
        json.loads(line)
    assert "postgresql+psycopg" not in worker.output
