"""Looking at a topic: its newest messages, then new ones, without a consumer group.

It commits nothing and takes no partitions from the workers.
"""

import time
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from clickwise.errors import ConfigurationError
from clickwise.settings import Settings
from streams.kafka import connection_options, describe_topics, translated

POLL_SECONDS = 0.25
SILENT_SECONDS = 5.0


async def tail_topic(
    settings: Settings,
    topic: str,
    *,
    last: int,
    follow: bool,
    wanted: Callable[[bytes], bool],
    show: Callable[[bytes], None],
) -> None:
    """Show the newest `last` messages that are `wanted`, in order of time; then follow.

    Raises:
        ConfigurationError: there is no such topic.
        UnavailableError: Kafka does not answer.
    """
    found = (await describe_topics(settings, [topic])).get(topic)
    if found is None:
        raise ConfigurationError(f"{topic}: no such topic; run `clickwise topics create`")
    places = [TopicPartition(topic, number) for number in range(found.partitions)]
    client = AIOKafkaConsumer(**connection_options(settings), enable_auto_commit=False)
    try:
        await client.start()
        client.assign(places)
        for body in await _newest(client, places, last, wanted):
            show(body)
        while follow:
            for records in (await client.getmany(timeout_ms=round(POLL_SECONDS * 1000))).values():
                for record in records:
                    if record.value is not None and wanted(record.value):
                        show(record.value)
    except KafkaError as error:
        raise translated(error, f"reading {topic}") from error
    finally:
        await client.stop()


async def _newest(
    client: AIOKafkaConsumer,
    places: list[TopicPartition],
    last: int,
    wanted: Callable[[bytes], bool],
) -> list[bytes]:
    """Up to `last` messages of all partitions together, oldest first."""
    ends = await client.end_offsets(places)
    begins = await client.beginning_offsets(places)
    for place in places:
        client.seek(place, max(begins[place], ends[place] - last) if last else ends[place])
    found: list[tuple[int, int, bytes]] = []
    deadline = time.monotonic() + SILENT_SECONDS
    while last and time.monotonic() < deadline:
        positions = [await client.position(place) for place in places]
        if all(at >= ends[place] for at, place in zip(positions, places, strict=True)):
            break
        for records in (await client.getmany(timeout_ms=round(POLL_SECONDS * 1000))).values():
            deadline = time.monotonic() + SILENT_SECONDS
            found += [
                (record.timestamp, record.offset, record.value)
                for record in records
                if record.value is not None and wanted(record.value)
            ]
    return [body for _, _, body in sorted(found, key=lambda one: one[:2])[-last:]] if last else []
