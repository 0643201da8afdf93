"""Whose events lie in a slice of the topic, on a real broker."""

import asyncio
from collections.abc import Mapping

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from clickwise.codec import encode
from clickwise.errors import UnavailableError
from clickwise.settings import Settings, load
from clickwise.testing.kafka import KafkaServer, free_ports
from clickwise.types import UserId
from streams import kafka as client
from streams import looking_back
from streams.kafka import Message, Producer, WantedTopic
from streams.looking_back import users_between


@pytest.fixture
def settings(kafka: KafkaServer, topic_prefix: str) -> Settings:
    chosen = load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        database_url="sqlite:///unused.db",
    )
    asyncio.run(client.create_topics(chosen, [WantedTopic(topic_of(chosen), 2, 1, {})]))
    return chosen


def topic_of(settings: Settings) -> str:
    return f"{settings.kafka_topic_prefix}.events"


def click(user: str) -> tuple[str, bytes]:
    return user, encode({"id": f"of-{user}", "user": user, "item": "i", "type": "click"})


def write(settings: Settings, partition: int, *messages: tuple[str, bytes]) -> None:
    async def run() -> None:
        producer = Producer(settings)
        try:
            await producer.write(
                [
                    Message(topic_of(settings), key.encode(), value, partition)
                    for key, value in messages
                ]
            )
        finally:
            await producer.stop()

    asyncio.run(run())


def users(settings: Settings, slices: Mapping[int, range]) -> list[UserId]:
    async def run() -> list[UserId]:
        found = users_between(settings, topic_of(settings), slices)
        return [user async for some in found for user in some]

    return asyncio.run(run())


def test_users_of_the_slices_are_found_and_no_others(settings: Settings) -> None:
    write(settings, 0, *[click(f"a{number}") for number in range(9)])
    write(settings, 1, *[click(f"b{number}") for number in range(9)])

    assert users(settings, {0: range(3, 6)}) == ["a3", "a4", "a5"]
    assert sorted(users(settings, {0: range(2), 1: range(8, 20)})) == ["a0", "a1", "b8"]


def test_a_long_slice_comes_in_parts(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking_back, "AT_ONCE", 4)
    write(settings, 0, *[click(f"a{number}") for number in range(30)])

    assert users(settings, {0: range(30)}) == [f"a{number}" for number in range(30)]


def test_of_a_merge_it_is_the_user_and_what_is_no_event_is_nobodys(settings: Settings) -> None:
    merge = encode({"type": "merge", "id": "m", "user": "guest", "into": "ann"})
    write(settings, 0, ("guest", merge), ("bob", b"{"), click("eve"))

    assert users(settings, {0: range(3)}) == ["ann", "eve"]


def test_what_the_topic_has_forgotten_is_left_out(settings: Settings) -> None:
    write(settings, 0, *[click(f"a{number}") for number in range(6)])
    write(settings, 1, *[click(f"b{number}") for number in range(3)])

    async def forget() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        try:
            before = {0: 4, 1: 3}
            await admin.delete_records(
                {
                    TopicPartition(topic_of(settings), number): RecordsToDelete(before_offset=at)
                    for number, at in before.items()
                }
            )
        finally:
            await admin.close()

    asyncio.run(forget())

    assert users(settings, {0: range(6), 1: range(3)}) == ["a4", "a5"]


def test_a_broker_that_is_away_is_an_outage(settings: Settings) -> None:
    (port,) = free_ports(1)
    away = msgspec.structs.replace(settings, kafka_bootstrap=f"127.0.0.1:{port}")

    with pytest.raises(UnavailableError, match="reading"):
        users(away, {0: range(3)})
