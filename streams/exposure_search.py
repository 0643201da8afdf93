"""Finding one exposure in its topic: its request id tells when it was made.

The topic has no index. But ids are made in order of time, and Kafka finds offsets by time: so a
slice of a few seconds is read instead of the topic.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.errors import UnavailableError
from clickwise.ids import time_of
from clickwise.recommend.exposures import is_of
from clickwise.settings import Settings
from streams.kafka import connection_options, describe_topics, translated

# Producers write exposures within milliseconds; clocks of machines differ by more.
BEFORE = timedelta(seconds=5)
AFTER = timedelta(seconds=60)
SEARCH_SECONDS = 10.0
POLL_SECONDS = 0.25
# A client has waits without an end: for metadata, for a position, for its own stop.
LONGEST_SECONDS = SEARCH_SECONDS + 5.0
STOP_SECONDS = 2.0


async def find_exposure(settings: Settings, topic: str, request: str) -> bytes | None:
    """The value of the message whose `request_id` is `request`; None: not there, or not yet.

    Raises:
        UnavailableError: Kafka does not answer, or the slice is too large for ten seconds.
    """
    made = time_of(request)
    if made is None:
        return None
    found = (await describe_topics(settings, [topic])).get(topic)
    if found is None:
        return None
    client = AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False)
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            return await _found(client, topic, found.partitions, made, request)
    except TimeoutError as error:
        raise UnavailableError(
            f"Kafka did not give {topic} within {LONGEST_SECONDS:g} s"
        ) from error
    except KafkaError as error:
        raise translated(error, f"reading {topic}") from error
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await client.stop()


async def _found(
    client: AIOKafkaConsumer, topic: str, partitions: int, made: datetime, request: str
) -> bytes | None:
    await client.start()
    places = [TopicPartition(topic, number) for number in range(partitions)]
    begin = round((made - BEFORE).timestamp() * 1000)
    end = round((made + AFTER).timestamp() * 1000)
    return await _search(client, places, begin, end, request)


async def _search(
    client: AIOKafkaConsumer, places: list[TopicPartition], begin: int, end: int, request: str
) -> bytes | None:
    """`begin` and `end` in milliseconds since 1970."""
    starts = await client.offsets_for_times(dict.fromkeys(places, begin))
    stops = await client.offsets_for_times(dict.fromkeys(places, end))
    ends = await client.end_offsets(places)
    left = {
        place: stops[place].offset if stops[place] is not None else ends[place]
        for place in places
        if starts[place] is not None
    }
    if not left:
        return None
    client.assign(list(left))
    for place in left:
        client.seek(place, starts[place].offset)
    deadline = time.monotonic() + SEARCH_SECONDS
    while left:
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"too many exposures around {request} for {SEARCH_SECONDS:g} seconds"
            )
        batches = await client.getmany(timeout_ms=round(POLL_SECONDS * 1000))
        for record in (record for batch in batches.values() for record in batch):
            if record.value is not None and is_of(record.value, request):
                value: bytes = record.value
                return value
        await asyncio.sleep(0)  # others of this process go on meanwhile
        left = {p: stop for p, stop in left.items() if await client.position(p) < stop}
    return None
