"""What a batch skips is looked for, on a real broker."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from clickwise.settings import Settings, load
from clickwise.testing.kafka import KafkaServer
from streams import kafka as client
from streams.continuity import Continuity, NotDeliveredError
from streams.kafka import WantedTopic
from streams.records import Record


@pytest.fixture
def settings(kafka: KafkaServer, topic_prefix: str) -> Settings:
    chosen = load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        database_url="sqlite:///unused.db",
    )
    asyncio.run(client.create_topics(chosen, [WantedTopic(f"{topic_prefix}.x", 1, 1, {})]))
    return chosen


def topic_of(settings: Settings) -> str:
    return f"{settings.kafka_topic_prefix}.x"


def record(settings: Settings, offset: int) -> Record:
    return Record(topic_of(settings), 0, offset, b"u", b"{}", 0.0)


async def write(settings: Settings, number: int, *, transactions: str | None = None) -> list[int]:
    """Write messages, each in a transaction of its own if so asked; their offsets."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka_bootstrap, transactional_id=transactions
    )
    await producer.start()
    offsets = []
    try:
        for _ in range(number):
            if transactions is None:
                sent = await producer.send_and_wait(topic_of(settings), b"{}", partition=0)
            else:
                async with producer.transaction():
                    sent = await producer.send_and_wait(topic_of(settings), b"{}", partition=0)
            offsets.append(sent.offset)
    finally:
        await producer.stop()
    return offsets


async def forget(settings: Settings, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        place = TopicPartition(topic_of(settings), 0)
        await admin.delete_records({place: RecordsToDelete(before_offset=before)})
    finally:
        await admin.close()


def check(settings: Settings, offsets: list[int], *, following: int) -> None:
    async def run() -> None:
        continuity = Continuity(settings, lambda *_: following)
        try:
            for _ in range(2):  # with a client that it had to open, and with one that it kept
                await continuity.check([record(settings, offset) for offset in offsets])
        finally:
            await continuity.close()

    asyncio.run(run())


@pytest.mark.case(17)
def test_what_was_passed_over_is_refused_with_its_place(settings: Settings) -> None:
    asyncio.run(write(settings, 6))

    with pytest.raises(NotDeliveredError, match="offsets 2 to 3 of partition 0 were not delivered"):
        check(settings, [4, 5], following=2)
    with pytest.raises(NotDeliveredError, match="offsets 1 to 2 of partition 0 were not delivered"):
        check(settings, [0, 3], following=0)
    with pytest.raises(NotDeliveredError, match="offsets 4 to 4 of partition 0 were not delivered"):
        check(settings, [0, 1, 2, 3, 5], following=0)


def test_markers_of_transactions_are_no_loss(settings: Settings) -> None:
    offsets = asyncio.run(write(settings, 3, transactions=topic_of(settings)))

    assert offsets == [0, 2, 4]
    check(settings, offsets, following=0)


def test_what_the_topic_has_forgotten_is_no_loss(settings: Settings) -> None:
    asyncio.run(write(settings, 5))
    asyncio.run(forget(settings, before=3))

    check(settings, [3, 4], following=0)
    asyncio.run(forget(settings, before=5))
    check(settings, [4], following=2)  # it was read before, and nothing is left


def test_what_comes_again_is_no_gap(settings: Settings) -> None:
    asyncio.run(write(settings, 5))

    check(settings, [1, 2, 3, 4], following=3)
