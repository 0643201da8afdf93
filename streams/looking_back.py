"""Whose events lie in a slice of the topic: read again by a client outside the group."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.errors import InvalidInputError
from clickwise.merges import Merge
from clickwise.settings import Settings
from clickwise.types import UserId
from streams.kafka import REQUEST_SECONDS, STOP_SECONDS, topic_reader, translated
from streams.records import Record, event_of, fetched_record

AT_ONCE = 500
POLL_SECONDS = 0.25


async def users_between(
    settings: Settings, topic: str, slices: Mapping[int, range]
) -> AsyncGenerator[list[UserId], None]:
    """Users of the events at these offsets of partitions, up to `AT_ONCE` of them at a time.

    Of a merge, the user that the guest became. What the topic has forgotten is left out, and what
    is no event.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    client = topic_reader(settings)
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            await client.start()
            left = await _positioned(client, topic, slices)
        while left:
            async with asyncio.timeout(REQUEST_SECONDS):
                fetched = await client.getmany(
                    timeout_ms=round(POLL_SECONDS * 1000), max_records=AT_ONCE
                )
                left = {p: stop for p, stop in left.items() if await client.position(p) < stop}
            yield _users(
                [fetched_record(one) for records in fetched.values() for one in records], slices
            )
    except (KafkaError, TimeoutError) as error:
        raise translated(error, f"reading {topic}") from error
    finally:
        with suppress(TimeoutError, KafkaError):
            async with asyncio.timeout(STOP_SECONDS):
                await client.stop()


async def _positioned(
    client: AIOKafkaConsumer, topic: str, slices: Mapping[int, range]
) -> dict[TopicPartition, int]:
    """Where each partition's slice ends, of those that have any record; the client is before it."""
    places = {TopicPartition(topic, number): one for number, one in slices.items()}
    begins = await client.beginning_offsets(list(places))
    ends = await client.end_offsets(list(places))
    left = {place: min(one.stop, ends[place]) for place, one in places.items()}
    left = {place: stop for place, stop in left.items() if begins[place] < stop}
    client.assign(list(left))
    for place in left:
        client.seek(place, max(places[place].start, begins[place]))
    return left


def _users(records: Sequence[Record], slices: Mapping[int, range]) -> list[UserId]:
    found: dict[UserId, None] = {}
    for record in records:
        if record.offset not in slices[record.partition]:
            continue  # it was fetched with the others
        with suppress(InvalidInputError):
            event = event_of(record)
            found[event.into if isinstance(event, Merge) else event.user] = None
    return list(found)
