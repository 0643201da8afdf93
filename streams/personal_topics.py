"""Kafka's topics as a place that keeps people's data.

A compacted topic takes a tombstone, which its broker obeys when it compacts. From the others no
single message can be taken: they go by age, and a receipt says when at the latest.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.codec import JsonObject, decode_object
from clickwise.errors import ClickwiseError
from clickwise.privacy.port import Erased, Whose
from clickwise.settings import Settings
from clickwise.topics import DEAD_LETTERS, EVENTS, EXPOSURES, RECOMMENDATIONS, Topic
from clickwise.types import UserId
from streams.kafka import (
    FoundTopic,
    Message,
    Producer,
    connection_options,
    describe_topics,
    translated,
)

_RETENTION = "retention.ms"
_SEGMENT = "segment.ms"
_LAG = "max.compaction.lag.ms"
_TOMBSTONE = "delete.retention.ms"
# What a broker does where nobody says otherwise: a segment is begun anew after so long, and only
# those that are closed are deleted or compacted.
_DEFAULT_SEGMENT = timedelta(days=7)
_ENDLESS = 2**62  # milliseconds; brokers say 2**63 - 1 where there is no end
_POLL_SECONDS = 0.5
_WITHDRAWAL_SECONDS = 5.0
_AGED = (EVENTS, EXPOSURES, DEAD_LETTERS)


class RecommendationsTopic:
    """The lists of users, compacted by user. See PersonalStore."""

    tells = "the newest list that was made for the person, as sent to the site's other programs"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.name = RECOMMENDATIONS.full_name(settings.kafka_topic_prefix)

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore. Writes a tombstone."""
        asyncio.run(self._write_tombstone(user))
        found = asyncio.run(describe_topics(self._settings, [self.name])).get(self.name)
        return Erased(
            store=self.name,
            records=1,
            left=(
                "lists from before the tombstone, and then it, until the broker compacts the topic,"
                " which it does where lists are written"
            ),
            left_until=None if found is None else _compacted_by(found, until),
        )

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore."""
        newest = asyncio.run(self._newest(user.__eq__))
        return iter([decode_object(value) for value in newest.values() if value is not None])

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore: lists that no tombstone follows. Those made since do not count."""
        newest = asyncio.run(self._newest(whose, until=until))
        return sum(value is not None for value in newest.values())

    async def _write_tombstone(self, user: UserId) -> None:
        producer = Producer(self._settings)
        await producer.start()
        try:
            await producer.write([Message(self.name, user.encode(), None)])
        finally:
            await producer.stop()

    async def _newest(
        self, whose: Whose, *, until: datetime | None = None
    ) -> dict[bytes, bytes | None]:
        """The newest value of each key that is meant, read from the whole topic.

        A list that is newer than `until` counts as none.
        """
        found = (await describe_topics(self._settings, [self.name])).get(self.name)
        if found is None:
            return {}
        client = AIOKafkaConsumer(**connection_options(self._settings), enable_auto_commit=False)
        try:
            await client.start()
            places = [TopicPartition(self.name, number) for number in range(found.partitions)]
            ends = await client.end_offsets(places)
            client.assign(places)
            await client.seek_to_beginning(*places)
            return await _read(client, ends, whose, until)
        except KafkaError as error:
            raise translated(error, f"reading {self.name}") from error
        finally:
            await client.stop()


class ListTombstones:
    """Withdraws users' lists, many at a time. A context manager, which connects; used by one
    thread, outside a loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._topic = RECOMMENDATIONS.full_name(settings.kafka_topic_prefix)
        self._runner = asyncio.Runner()
        # A database's transaction waits for it.
        self._producer = Producer(settings, delivery_seconds=_WITHDRAWAL_SECONDS)

    def __enter__(self) -> Self:
        try:
            self._runner.run(self._producer.start())
        except ClickwiseError:
            self._runner.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._producer.stop())
        self._runner.close()

    def write(self, users: Sequence[UserId]) -> None:
        """Return once each of them has a tombstone in the topic.

        Raises:
            UnavailableError: some may not have one; writing them again does no harm.
        """
        messages = [Message(self._topic, user.encode(), None) for user in users]
        self._runner.run(self._producer.write(messages))


class AgedTopics:
    """Topics whose messages go by age: nothing can be done but to say when. See PersonalStore."""

    tells = ""

    def __init__(self, settings: Settings, topic: Topic) -> None:
        self._settings = settings
        self.name = topic.full_name(settings.kafka_topic_prefix)

    def erase(self, user: UserId, *, until: datetime) -> Erased:
        """See PersonalStore."""
        del user
        described = asyncio.run(describe_topics(self._settings, [self.name]))
        found = described.get(self.name)
        if found is None:
            return Erased(store=self.name, records=0)
        return Erased(
            store=self.name,
            records=0,
            left="messages, until the topic's retention deletes them",
            left_until=_gone_by(found, until),
        )

    def export(self, user: UserId) -> Iterator[JsonObject]:
        """See PersonalStore. The archive has the same messages."""
        del user
        return iter(())

    def holds(self, whose: Whose, *, until: datetime) -> int:
        """See PersonalStore. Not looked at: the receipt says when its messages have gone."""
        del whose, until
        return 0


def topic_stores(settings: Settings) -> list[RecommendationsTopic | AgedTopics]:
    """Every topic that is keyed by a user, or may hold what one sent."""
    return [RecommendationsTopic(settings), *(AgedTopics(settings, topic) for topic in _AGED)]


async def _read(
    client: AIOKafkaConsumer,
    ends: dict[TopicPartition, int],
    whose: Whose,
    until: datetime | None,
) -> dict[bytes, bytes | None]:
    newest: dict[bytes, bytes | None] = {}
    latest = None if until is None else until.timestamp() * 1000
    left = {place: end for place, end in ends.items() if end}
    while left:
        batches = await client.getmany(timeout_ms=round(_POLL_SECONDS * 1000))
        for record in (record for batch in batches.values() for record in batch):
            if record.key is None or not whose(record.key.decode(errors="replace")):
                continue
            made_since = latest is not None and record.timestamp > latest
            newest[record.key] = None if made_since else record.value
        left = {place: end for place, end in left.items() if await client.position(place) < end}
    return newest


def _gone_by(found: FoundTopic, until: datetime) -> datetime | None:
    """When the last message from before `until` is deleted at the latest; None: never."""
    kept = _span(found, _RETENTION)
    if kept is None:
        return None
    return until + (_span(found, _SEGMENT) or _DEFAULT_SEGMENT) + kept


def _compacted_by(found: FoundTopic, until: datetime) -> datetime | None:
    """When a broker has compacted what is from before `until`, and taken the tombstone away, where
    messages go on coming; None: nobody can tell.
    """
    lag, tombstone = _span(found, _LAG), _span(found, _TOMBSTONE)
    if lag is None or tombstone is None:
        return None
    return until + min(lag, _span(found, _SEGMENT) or _DEFAULT_SEGMENT) + lag + tombstone


def _span(found: FoundTopic, name: str) -> timedelta | None:
    """A length of time that the broker tells of a topic; None: without end, or not told."""
    milliseconds = int(found.configuration.get(name) or -1)
    return timedelta(milliseconds=milliseconds) if 0 <= milliseconds < _ENDLESS else None
