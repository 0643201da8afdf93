"""Topics and doors on a real broker."""

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import REGISTRY

from clickwise.cli import topics
from clickwise.cli.announcing import announce
from clickwise.cli.exits import Exit
from clickwise.clock import SystemClock
from clickwise.codec import encode
from clickwise.doors import Exposure, Verdict
from clickwise.errors import ConfigurationError, OverloadedError, UnavailableError
from clickwise.events import Event
from clickwise.ids import time_ordered_id
from clickwise.items import Item
from clickwise.messages import LiveModel
from clickwise.settings import Settings, load
from clickwise.state.port import NamedRelease, Pointer
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.processes import wait_until
from clickwise.topics import EXPOSURES, MODELS, RECOMMENDATIONS, TOPICS
from clickwise.types import EventId, EventType, ItemId, ItemKind, ModelVersion, UserId
from streams import kafka as client
from streams import topics_admin
from streams.kafka import Message, Producer, WantedTopic
from streams.kafka_doors import KafkaEventDoor, KafkaExposureLog, KafkaItemDoor
from streams.tail import tail_topic


@pytest.fixture
def settings(kafka: KafkaServer, topic_prefix: str) -> Settings:
    return load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        database_url="sqlite:///unused.db",
    )


@pytest.fixture
def with_topics(settings: Settings) -> Settings:
    topics_admin.create_topics(settings)
    return settings


@pytest.fixture
def stopped(kafka: KafkaServer, with_topics: Settings) -> Iterator[KafkaServer]:
    """The broker, which the test may stop; it runs again afterwards."""
    del with_topics
    yield kafka
    if not kafka.ready():
        kafka.start()


@pytest.fixture(scope="module")
def stock(kafka: KafkaServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that makes topics which are asked for, as Kafka does unless it is told not to."""
    del kafka  # it is skipped where there is none
    folder = tmp_path_factory.mktemp("stock")
    with KafkaServer(folder, properties="auto.create.topics.enable=true\n") as broker:
        yield broker


def an_event(name: str, user: str = "u1") -> Event:
    return Event(
        id=EventId(name),
        user=UserId(user),
        item=ItemId("i1"),
        type=EventType.CLICK,
        time=datetime(2026, 11, 25, 8, 30, tzinfo=UTC),
    )


def an_item(name: str) -> Item:
    return Item(id=ItemId(name), kind=ItemKind.NEWS, title=name)


async def records(settings: Settings, topic: str, number: int) -> list[Any]:
    consumer = AIOKafkaConsumer(
        f"{settings.kafka_topic_prefix}.{topic}",
        bootstrap_servers=settings.kafka_bootstrap,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        async with asyncio.timeout(60.0):
            return [await consumer.getone() for _ in range(number)]
    finally:
        await consumer.stop()


def dropped() -> float:
    return REGISTRY.get_sample_value("clickwise_dropped_total", {"queue": "exposures"}) or 0.0


def test_what_was_just_created_can_be_written(settings: Settings) -> None:
    for number in range(5):
        just = msgspec.structs.replace(
            settings, kafka_topic_prefix=f"{settings.kafka_topic_prefix}-{number}"
        )
        topics_admin.create_topics(just)

        found = asyncio.run(
            client.describe_topics(just, [t.full_name(just.kafka_topic_prefix) for t in TOPICS])
        )

        assert {one.partitions for one in found.values()} == {settings.kafka_partitions}
        assert len(found) == len(TOPICS)


def test_looking_makes_no_topics_and_what_is_created_is_as_the_table_says(
    stock: KafkaServer, settings: Settings
) -> None:
    settings = msgspec.structs.replace(settings, kafka_bootstrap=stock.bootstrap)
    names = [topic.full_name(settings.kafka_topic_prefix) for topic in TOPICS]

    async def look() -> None:
        await client.count_under_replicated(settings, names)
        await client.committed_offsets(settings, names[0], 1)
        producer = Producer(settings, delivery_seconds=2.0)
        try:
            with pytest.raises((ConfigurationError, UnavailableError)):
                await producer.write([Message(names[0], None, b"{}")])
        finally:
            await producer.stop()
        consumer = client.topic_reader(settings)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(name, 0) for name in names])
            await consumer.getmany(timeout_ms=500)
        finally:
            await consumer.stop()

    assert len(topics_admin.check_topics(settings)) == 1  # missing
    asyncio.run(look())
    assert len(topics_admin.check_topics(settings)) == 1

    created = topics_admin.create_topics(settings)

    assert {report.outcome for report in created} == {"created"}
    assert topics_admin.check_topics(settings) == []


def test_topics_are_created_as_the_table_says_and_then_left_alone(settings: Settings) -> None:
    settings = msgspec.structs.replace(settings, exposure_days=11.0)
    (missing,) = topics_admin.check_topics(settings)
    created = topics_admin.create_topics(settings)

    assert missing.endswith("run `clickwise topics create`")
    assert {report.outcome for report in created} == {"created"}
    wait_until(lambda: topics_admin.check_topics(settings) == [], seconds=30.0, what="topics known")
    again = topics_admin.create_topics(settings)
    assert {report.outcome for report in again} == {"existed"}
    assert not any(report.problems for report in again)
    names = [topic.full_name(settings.kafka_topic_prefix) for topic in TOPICS]
    found = asyncio.run(client.describe_topics(settings, names))
    for topic, name in zip(TOPICS, names, strict=True):
        assert found[name].partitions == settings.kafka_partitions
        policy = found[name].configuration["cleanup.policy"]
        assert policy == ("compact" if topic.compacted else "delete")
        retention = timedelta(days=11) if topic is EXPOSURES else topic.retention
        if retention is not None:
            kept = int(found[name].configuration["retention.ms"])
            assert kept == retention.total_seconds() * 1000
            assert found[name].configuration["segment.ms"] == "86400000"
    lists = found[names[TOPICS.index(RECOMMENDATIONS)]].configuration
    assert lists["max.compaction.lag.ms"] == "86400000"


def test_topics_that_are_not_all_as_they_should_be_are_on_record_as_failed(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = msgspec.structs.replace(settings, log_format="json")
    narrow = WantedTopic(f"{settings.kafka_topic_prefix}.items", 2, 1, {})
    asyncio.run(client.create_topics(settings, [narrow]))

    code = topics.create(settings, json=True)

    (line,) = [one for one in capsys.readouterr().err.splitlines() if '"audit"' in one]
    told = msgspec.json.decode(line)
    assert (code, told["outcome"], told["reason"]) == (Exit.FAILED, "failed", "incomplete")


def test_what_differs_is_said_with_what_to_do(settings: Settings) -> None:
    items = f"{settings.kafka_topic_prefix}.items"
    narrow = WantedTopic(items, 2, 1, {"cleanup.policy": "delete"})
    asyncio.run(client.create_topics(settings, [narrow]))

    topics_admin.create_topics(settings)
    wait_until(
        lambda: not any("missing" in one for one in topics_admin.check_topics(settings)),
        seconds=30.0,
        what="the broker knows all topics",
    )

    partitions, policy = topics_admin.check_topics(settings)
    assert re.search(r"items has 2 partitions where CLICKWISE_KAFKA_PARTITIONS says 4", partitions)
    assert re.search(r"items has cleanup.policy=delete where compact is needed", policy)


def test_a_topic_that_the_broker_refuses_is_reported(settings: Settings) -> None:
    threefold = msgspec.structs.replace(settings, kafka_replication=3)

    reports = topics_admin.create_topics(threefold)

    assert {report.outcome for report in reports} == {"refused"}
    assert all("InvalidReplicationFactor" in report.problems[0] for report in reports)


async def test_an_accepted_event_is_in_kafka_under_its_user(with_topics: Settings) -> None:
    door = KafkaEventDoor(with_topics)
    await door.start()
    verdicts = await door.post([an_event("e1"), an_event("e2", "\N{SNOWMAN}")])
    await door.stop()

    assert verdicts == [Verdict.ACCEPTED] * 2
    found = await records(with_topics, "events", 2)
    assert {(r.key, r.value) for r in found} == {
        (b"u1", encode(an_event("e1"))),
        ("\N{SNOWMAN}".encode(), encode(an_event("e2", "\N{SNOWMAN}"))),
    }
    assert b'"time":"2026-11-25T08:30:00Z"' in found[0].value


async def test_items_are_put_and_deleted_under_their_id(with_topics: Settings) -> None:
    door = KafkaItemDoor(with_topics)
    await door.start()
    await door.put([an_item("i1")])
    await door.delete([ItemId("i1")])
    await door.stop()

    found = await records(with_topics, "items", 2)
    assert [(r.key, r.value) for r in found] == [(b"i1", encode(an_item("i1"))), (b"i1", None)]


async def test_over_the_bound_events_are_turned_away_and_none_is_taken(
    with_topics: Settings,
) -> None:
    tight = msgspec.structs.replace(with_topics, max_queued_events=10)
    door = KafkaEventDoor(tight)
    await door.start()
    try:
        with pytest.raises(OverloadedError, match="10 may"):
            await door.post([an_event(f"e{n}") for n in range(11)])
        assert await door.post([an_event("e1")]) == [Verdict.ACCEPTED]
    finally:
        await door.stop()
    (only,) = await records(with_topics, "events", 1)
    assert only.offset == 0


@pytest.mark.case(18)
async def test_an_event_that_kafka_did_not_confirm_is_refused_and_never_lost_in_silence(
    with_topics: Settings, stopped: KafkaServer
) -> None:
    door = KafkaEventDoor(with_topics, write_seconds=1.0)
    await door.start()
    stopped.kill()

    with pytest.raises(UnavailableError, match="send the same ids again"):
        await door.post([an_event("e1")])
    await asyncio.to_thread(stopped.start)

    (late,) = await records(with_topics, "events", 1)
    assert late.value == encode(an_event("e1"))
    assert await door.post([an_event("e2")]) == [Verdict.ACCEPTED]
    await door.stop()


@pytest.mark.case(18)
async def test_exposures_wait_through_an_outage_and_are_dropped_and_counted_over_the_bound(
    with_topics: Settings, stopped: KafkaServer
) -> None:
    log = KafkaExposureLog(msgspec.structs.replace(with_topics, max_queued_events=5))
    before = dropped()
    stopped.kill()
    await log.start()
    for number in range(8):
        log.add(Exposure(user="u1", body=b'{"n":%d}' % number))
    await asyncio.to_thread(stopped.start)

    found = await records(with_topics, "exposures", 5)
    assert [r.value for r in found] == [b'{"n":%d}' % number for number in range(5)]
    assert dropped() - before == 3
    await log.stop()


async def test_an_exposure_is_found_again_by_the_time_in_its_request_id(
    with_topics: Settings,
) -> None:
    log = KafkaExposureLog(with_topics)
    await log.start()
    wanted, other = (time_ordered_id(SystemClock().now()) for _ in range(2))
    assert await log.find(wanted) is None
    for name in (other, wanted):
        body = b'{"request_id":"%b"}' % name.encode()
        log.add(Exposure(user=f"user of {name}", body=body))
    await records(with_topics, "exposures", 2)

    assert await log.find(wanted) == b'{"request_id":"%b"}' % wanted.encode()
    assert await log.find(time_ordered_id(SystemClock().now())) is None
    assert await log.find("not-one-of-ours") is None
    await log.stop()


async def test_a_producer_whose_client_stands_still_gets_another(with_topics: Settings) -> None:
    producer = Producer(with_topics, delivery_seconds=1.0)
    message = Message(f"{with_topics.kafka_topic_prefix}.events", b"u1", b"{}")
    await producer.write([message])
    client = producer._client
    assert client is not None
    client._sender._sender_task.cancel()

    with pytest.raises(UnavailableError, match="starting anew"):
        await producer.write([message])

    await producer.write([message])
    assert producer._client is not client
    await producer.stop()


@pytest.mark.case(18)
async def test_a_producer_stopped_in_an_outage_leaves_nothing_behind(
    with_topics: Settings, stopped: KafkaServer
) -> None:
    producer = Producer(with_topics)
    message = Message(f"{with_topics.kafka_topic_prefix}.events", b"u1", b"{}")
    await producer.write([message])
    client = producer._client
    assert client is not None
    stopped.kill()
    writing = asyncio.create_task(producer.write([message]))
    await asyncio.sleep(0.2)

    await producer.stop()

    assert client._sender.sender_task.done()
    assert not any(one.connected() for one in client.client._conns.values())
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(writing, 60.0)


@pytest.mark.case(18)
async def test_who_waits_hears_that_another_sender_replaced_the_client(
    with_topics: Settings, stopped: KafkaServer
) -> None:
    producer = Producer(with_topics)
    message = Message(f"{with_topics.kafka_topic_prefix}.events", b"u1", b"{}")
    await producer.write([message])
    client = producer._client
    assert client is not None
    stopped.kill()
    writing = asyncio.create_task(producer.write([message] * 3))
    await asyncio.sleep(0.2)

    await producer._replace(client)

    with pytest.raises(UnavailableError, match="starting anew"):
        await asyncio.wait_for(writing, 60.0)
    await producer.stop()


async def test_a_producer_says_what_will_never_work(with_topics: Settings) -> None:
    producer = Producer(with_topics, delivery_seconds=2.0)
    with pytest.raises(ConfigurationError, match="clickwise topics create"):
        await producer.write([Message("no-such-topic", b"k", b"v")])
    await producer.stop()


def test_a_broker_that_is_away_is_named(with_topics: Settings, stopped: KafkaServer) -> None:
    stopped.stop()

    with pytest.raises(UnavailableError, match=with_topics.kafka_bootstrap):
        topics_admin.check_topics(with_topics)
    stopped.start()
    wait_until(
        lambda: topics_admin.check_topics(with_topics) == [], seconds=30.0, what="the topics again"
    )


async def test_the_live_model_is_announced_on_its_topic(with_topics: Settings) -> None:
    live = NamedRelease(
        role="live",
        version=ModelVersion("m1"),
        url="s3://models/m1",
        checksum="c" * 64,
        share=0.0,
        since=0,
        changed=datetime(2026, 11, 26, tzinfo=UTC),
    )

    announced = await asyncio.to_thread(announce, with_topics, Pointer(3, (live,)))

    shown: list[bytes] = []
    topic = MODELS.full_name(with_topics.kafka_topic_prefix)
    await tail_topic(
        with_topics, topic, last=1, follow=False, wanted=lambda _: True, show=shown.append
    )
    message = msgspec.json.decode(shown[0], type=LiveModel)
    assert announced
    assert (message.version, message.url, message.sequence) == ("m1", "s3://models/m1", 3)


async def test_a_broker_that_is_away_is_no_fault_of_a_promotion(
    stopped: KafkaServer, with_topics: Settings
) -> None:
    live = NamedRelease(
        "live", ModelVersion("m1"), "", "", 0.0, 0, datetime(2026, 11, 26, tzinfo=UTC)
    )
    stopped.stop()

    assert not await asyncio.to_thread(announce, with_topics, Pointer(1, (live,)))
