"""Kafka as a source of the archive: the topic of events or of exposures, read without a group.

The archive's manifest is the truth about offsets, so nothing is committed to Kafka: each reading
starts where the manifest says. Two archivers at once cost twice the reading, and the manifest
lets one of them go on.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

import msgspec
import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from clickwise.archive import Gap, Manifest, Mark, Stream
from clickwise.errors import ConfigurationError, InvalidInputError, UnavailableError
from clickwise.events import Event
from clickwise.settings import Settings
from clickwise.topics import EVENTS, EXPOSURES
from streams.archive_rows import (
    EventAt,
    ExposureAt,
    events_frame,
    exposures_frame,
    read_exposure,
)
from streams.archive_source import ROWS_AT_ONCE, Batch, Reading, moved_on
from streams.kafka import MAX_REQUEST_BYTES, connection_options, describe_topics, translated
from streams.records import Record, event_of, fetched_record

POLL_SECONDS = 0.25
SILENT_SECONDS = 10.0

_TOPICS = {Stream.EVENTS: EVENTS, Stream.EXPOSURES: EXPOSURES}


class KafkaLog:
    """See `streams.archive_source.Source`. A context manager; used by one thread, outside a loop.

    A reading ends where the topic ended when it began.
    """

    def __init__(
        self, settings: Settings, stream: Stream, *, rows_at_once: int | None = None
    ) -> None:
        """`stream` is one of `_TOPICS`."""
        self._settings = settings
        self._stream = stream
        self._topic = _TOPICS[stream].full_name(settings.kafka_topic_prefix)
        self._rows_at_once = rows_at_once or ROWS_AT_ONCE[stream]
        self._runner = asyncio.Runner()
        self._client: AIOKafkaConsumer | None = None
        self._positions: dict[TopicPartition, int] = {}

    def read(self, manifest: Manifest, *, now: datetime) -> Reading:
        """See Source."""
        try:
            return self._runner.run(self._read(manifest, now))
        except OffsetOutOfRangeError as error:
            raise UnavailableError(
                f"{self._topic} forgets as it is read; it is read again"
            ) from error
        except KafkaError as error:
            raise translated(error, f"reading {self._topic}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._stop())
        self._runner.close()

    async def _read(self, manifest: Manifest, now: datetime) -> Reading:
        client = await self._started()
        places = sorted(client.assignment())
        begins = await client.beginning_offsets(places)
        ends = await client.end_offsets(places)
        marks = {place: self._mark(manifest, place.partition) for place in places}
        gaps = []
        for place, mark in marks.items():
            if mark.next > ends[place]:
                raise ConfigurationError(
                    f"{place.topic} ends at offset {ends[place]} of partition {place.partition}"
                    f" and the archive holds {mark.next}: it is another topic of that name; name"
                    " another folder in CLICKWISE_ARCHIVE_URL"
                )
            if mark.next < begins[place]:
                gaps.append(_gap(mark, begins[place] - 1, now))
        starts = {place: max(mark.next, begins[place]) for place, mark in marks.items()}
        for place, start in starts.items():
            if self._positions.get(place) != start:  # else it would forget what it has fetched
                client.seek(place, start)
        found = await self._records(client, starts, ends)
        batches = []
        following = {place: await client.position(place) for place in places}
        self._positions = following
        for place, mark in marks.items():
            if following[place] > mark.next:
                records = found.get(place, [])
                frame, refused = _FRAMES[mark.stream](records, place)
                moved = moved_on(
                    mark, following=following[place], rows=frame.height, refused=refused
                )
                batches.append(Batch(moved, starts[place], frame))
        done = all(following[place] >= ends[place] for place in places)
        return Reading(tuple(batches), tuple(gaps), done)

    async def _records(
        self,
        client: AIOKafkaConsumer,
        starts: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, list[Record]]:
        """Up to so many records, or all there are before `ends`."""
        found: dict[TopicPartition, list[Record]] = {}
        number = 0
        heard = time.monotonic()
        while number < self._rows_at_once:
            positions = [await client.position(place) for place in starts]
            if all(at >= ends[place] for at, place in zip(positions, starts, strict=True)):
                break
            fetched = await client.getmany(
                timeout_ms=round(POLL_SECONDS * 1000), max_records=self._rows_at_once - number
            )
            for place, records in fetched.items():
                found.setdefault(place, []).extend(map(fetched_record, records))
                number += len(records)
            if fetched:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENT_SECONDS:
                if number:
                    break
                raise UnavailableError(f"Kafka gave no record for {SILENT_SECONDS:g} s")
        return found

    async def _started(self) -> AIOKafkaConsumer:
        if self._client is not None:
            return self._client
        found = (await describe_topics(self._settings, [self._topic])).get(self._topic)
        if found is None:
            raise ConfigurationError(f"{self._topic}: no such topic; run `clickwise topics create`")
        client = AIOKafkaConsumer(
            **connection_options(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="none",  # else what was forgotten meanwhile is skipped in silence
            max_partition_fetch_bytes=MAX_REQUEST_BYTES,
        )
        try:
            await client.start()
        except KafkaError:
            await client.stop()
            raise
        client.assign([TopicPartition(self._topic, n) for n in range(found.partitions)])
        self._client = client
        return client

    async def _stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    def _mark(self, manifest: Manifest, partition: int) -> Mark:
        known = manifest.mark(self._stream, self._topic, partition)
        return known or Mark(stream=self._stream, source=self._topic, partition=partition, next=0)


def _gap(mark: Mark, last: int, noticed: datetime) -> Gap:
    return Gap(
        stream=mark.stream, source=mark.source, partition=mark.partition,
        first=mark.next, last=last, noticed=noticed,
    )  # fmt: skip


def _events(records: Sequence[Record], place: TopicPartition) -> tuple[pl.DataFrame, int]:
    """Events as columns, and how many records are dead letters; merges are neither."""
    events: list[EventAt] = []
    refused = 0
    for record in records:
        try:
            event = event_of(record)
        except InvalidInputError:
            refused += 1
            continue
        if isinstance(event, Event):
            events.append((record.offset, record.received, event))
    frame = events_frame(events, source=place.topic, partition=place.partition)
    return frame, refused


def _exposures(records: Sequence[Record], place: TopicPartition) -> tuple[pl.DataFrame, int]:
    exposures: list[ExposureAt] = []
    for record in records:
        try:
            exposure = read_exposure(record.value or b"")
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        exposures.append((record.offset, record.received, exposure))
    frame = exposures_frame(exposures, source=place.topic, partition=place.partition)
    return frame, len(records) - len(exposures)


_FRAMES = {Stream.EVENTS: _events, Stream.EXPOSURES: _exposures}
