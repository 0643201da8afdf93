"""The archive of a real broker: every offset once, whatever is killed."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from clickwise.archive import Archive, LocalStore, Stream
from clickwise.archive.columns import frame_of
from clickwise.clock import SystemClock
from clickwise.codec import encode
from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.merges import Merge
from clickwise.settings import Settings, environment_of, load
from clickwise.testing.kafka import KafkaServer, free_ports
from clickwise.testing.processes import Program, wait_until
from clickwise.topics import EVENTS, EXPOSURES
from clickwise.types import EventId, UserId
from streams import kafka as client
from streams import topics_admin
from streams.archive import Archiver, Summary
from streams.kafka import Message, Producer
from streams.kafka_archive import KafkaLog
from tests.naming import NAMES

ENTRY = Path(__file__).with_name("archive_entry.py")
STREAMS = (Stream.EVENTS, Stream.EXPOSURES)


@pytest.fixture
def settings(kafka: KafkaServer, topic_prefix: str, tmp_path: Path) -> Settings:
    made = load(
        {},
        kafka_bootstrap=kafka.bootstrap,
        kafka_topic_prefix=topic_prefix,
        database_url=f"sqlite:///{tmp_path}/state",
        archive_url=str(tmp_path / "archive"),
    )
    topics_admin.create_topics(made)
    return made


@pytest.fixture
def archive(settings: Settings) -> Archive:
    return Archive(LocalStore(Path(settings.archive_url)))


Start = Callable[..., Program]


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Start]:
    """Starts an archiver as a process; ends it if it still runs."""
    with ExitStack() as stack:

        def start_one(command: Sequence[str] = (str(ENTRY),), **extra: str) -> Program:
            program = Program(
                [sys.executable, *command],
                environment={**environment_of(settings), **extra},
                log=tmp_path / "archiver.log",
            )
            return stack.enter_context(program)

        yield start_one


def an_event(number: int, **fields: object) -> Message:
    user = f"u{number % 7}"
    body = {
        "id": f"e{number}", "user": user, "item": "i1", "type": "click",
        "time": datetime(2026, 11, 25, 8, 30, tzinfo=UTC), **fields,
    }  # fmt: skip
    return Message("", user.encode(), encode(body))


def an_exposure(number: int) -> Message:
    body = {
        "request_id": f"r{number}", "user": "u1", "time": datetime(2026, 11, 25, tzinfo=UTC),
        "items": [], "model": "m", "policy": "p", "profile_version": 0, "events_applied": 0,
        "personalized": False,
    }  # fmt: skip
    return Message("", b"u1", encode(body))


def produce(settings: Settings, messages: Sequence[Message], *, topic: str = EVENTS.name) -> None:
    name = f"{settings.kafka_topic_prefix}.{topic}"

    async def write() -> None:
        producer = Producer(settings)
        await producer.write(
            [Message(name, one.key, one.value, headers=one.headers) for one in messages]
        )
        await producer.stop()

    asyncio.run(write())


def run(settings: Settings, archive: Archive, *, rows: int = 100) -> Summary:
    with ExitStack() as stack:
        sources = [
            stack.enter_context(KafkaLog(settings, stream, rows_at_once=rows)) for stream in STREAMS
        ]
        return Archiver(archive, sources, names=NAMES, file_rows=1_000, clock=SystemClock()).run()


def rows_of(archive: Archive, stream: Stream) -> pl.DataFrame:
    files = archive.newest().files_of(stream)
    empty = pl.DataFrame(schema={"partition": pl.Int32, "offset": pl.Int64, "id": pl.String})
    frames = [frame_of(archive.store.read(file.name), stream) for file in files]
    return pl.concat(frames) if frames else empty


def places(archive: Archive, stream: Stream) -> Counter[tuple[int, int]]:
    return Counter(rows_of(archive, stream).select("partition", "offset").iter_rows())


def all_places(settings: Settings, topic: str) -> Counter[tuple[int, int]]:
    name = f"{settings.kafka_topic_prefix}.{topic}"
    ends = asyncio.run(client.end_offsets(settings, name, settings.kafka_partitions))
    return Counter((partition, n) for partition, end in ends.items() for n in range(end))


def forget(settings: Settings, *, before: int) -> None:
    """What retention does: the partitions of events begin at `before`."""
    topic = EVENTS.full_name(settings.kafka_topic_prefix)

    async def delete() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
        await admin.start()
        ends = await client.end_offsets(settings, topic, settings.kafka_partitions)
        await admin.delete_records(
            {
                TopicPartition(topic, partition): RecordsToDelete(before)
                for partition, end in ends.items()
                if end >= before
            }
        )
        await admin.close()

    asyncio.run(delete())


def test_every_offset_of_both_topics_is_archived_once(settings: Settings, archive: Archive) -> None:
    produce(settings, [an_event(n) for n in range(250)])
    produce(settings, [an_exposure(n) for n in range(30)], topic=EXPOSURES.name)

    first = run(settings, archive)
    produce(settings, [an_event(n) for n in range(250, 300)])
    second = run(settings, archive)

    assert (first.added, second.added) == ({"events": 250, "exposures": 30}, {"events": 50})
    assert places(archive, Stream.EVENTS) == all_places(settings, EVENTS.name)
    assert places(archive, Stream.EXPOSURES) == all_places(settings, EXPOSURES.name)
    assert set(rows_of(archive, Stream.EVENTS)["id"]) == {f"e{n}" for n in range(300)}


def test_an_archiver_killed_at_any_change_of_its_store_loses_and_repeats_nothing(
    settings: Settings, archive: Archive, start: Start
) -> None:
    produce(settings, [an_event(n) for n in range(400)])
    produce(settings, [an_exposure(n) for n in range(100)], topic=EXPOSURES.name)
    wanted = (all_places(settings, EVENTS.name), all_places(settings, EXPOSURES.name))
    halfway = 0

    for step in (1, 2, 5, 4, 7, 3, 6):
        killed = start(CLICKWISE_TEST_ROWS="40", CLICKWISE_TEST_DIE=str(step))
        assert killed.wait(seconds=60.0) == -signal.SIGKILL
        held = places(archive, Stream.EVENTS) | places(archive, Stream.EXPOSURES)
        assert set(held.values()) <= {1}
        halfway += 0 < len(held) < 400
        produce(settings, [an_event(1_000 + step)])
        wanted = (all_places(settings, EVENTS.name), wanted[1])
    last = start(CLICKWISE_TEST_ROWS="40")

    assert last.wait(seconds=60.0) == 0
    assert halfway
    assert (places(archive, Stream.EVENTS), places(archive, Stream.EXPOSURES)) == wanted


def test_the_command_killed_at_work_and_started_again_goes_on_where_it_was(
    settings: Settings, archive: Archive, start: Start
) -> None:
    command = ("-m", "clickwise.cli", "archive", "--every", "0.05")
    produced = 0
    for _ in range(3):
        before = archive.newest().number
        program = start(command)
        while archive.newest().number == before:
            produce(settings, [an_event(n) for n in range(produced, produced + 10)])
            produced += 10
            assert program.running, program.output
        program.kill()
    last = start(command)

    wait_until(
        lambda: len(places(archive, Stream.EVENTS)) >= produced, seconds=60.0, what="all archived"
    )
    assert last.terminate() == 0
    assert places(archive, Stream.EVENTS) == all_places(settings, EVENTS.name)


def test_messages_that_break_their_schema_are_counted_and_passed(
    settings: Settings, archive: Archive
) -> None:
    good = an_event(1)
    bad = [
        Message("", b"u1", b"{"),
        Message("", b"other", an_event(2).value),
        Message("", b"u", None),
    ]
    produce(settings, [*bad, good])
    produce(settings, [Message("", b"u1", b"[]")], topic=EXPOSURES.name)

    summary = run(settings, archive)

    assert (summary.added, summary.refused) == ({"events": 1, "exposures": 0}, 4)
    assert run(settings, archive).added == {}


def test_merges_are_passed_and_break_nothing(settings: Settings, archive: Archive) -> None:
    merge = Merge(id=EventId("m"), user=UserId("u1"), into=UserId("ann"), time=SystemClock().now())
    produce(settings, [an_event(1), Message("", b"u1", encode(merge)), Message("", b"u1", b"{")])

    summary = run(settings, archive)

    assert (summary.added, summary.refused) == ({"events": 1}, 1)
    assert sum(mark.next for mark in archive.newest().marks) == 3


def test_a_replayed_dead_letter_has_the_id_of_its_first_place(
    settings: Settings, archive: Archive
) -> None:
    body = msgspec.json.encode({"user": "u1", "item": "i1", "type": "click"})
    replayed = Message("", b"u1", body, headers=(("replay-of", b"first-place"),))
    produce(settings, [Message("", b"u1", body), replayed])

    run(settings, archive)

    frame = rows_of(archive, Stream.EVENTS).sort("offset")
    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    partition = frame["partition"][0]
    assert frame["id"].to_list() == [f"{topic}-{partition}-0", "first-place"]
    assert frame["time"].to_list() == frame["received"].to_list()


def test_what_the_topic_forgot_before_it_was_archived_is_a_gap(
    settings: Settings, archive: Archive
) -> None:
    produce(settings, [an_event(n) for n in range(100)])
    run(settings, archive)
    marks = {mark.partition: mark.next for mark in archive.newest().marks}
    produce(settings, [an_event(n) for n in range(100, 200)])
    low = max(marks.values()) + 2
    forget(settings, before=low)

    summary = run(settings, archive)

    gaps = {gap.partition: (gap.first, gap.last) for gap in archive.newest().gaps}
    lost = {
        partition: (marks.get(partition, 0), low - 1)
        for partition, offset in all_places(settings, EVENTS.name)
        if offset == low
    }
    assert lost
    assert gaps == lost
    assert summary.lost == sum(last - first + 1 for first, last in lost.values())
    missing = all_places(settings, EVENTS.name) - places(archive, Stream.EVENTS)
    assert set(missing) == {
        (partition, offset)
        for partition, (first, last) in lost.items()
        for offset in range(first, last + 1)
    }


def test_another_topic_under_the_same_name_is_refused(settings: Settings, archive: Archive) -> None:
    produce(settings, [an_event(n) for n in range(10)])
    run(settings, archive)
    newest = archive.newest()
    marks = [msgspec.structs.replace(mark, next=mark.next + 1_000) for mark in newest.marks]
    now = datetime.now(UTC)
    archive.commit(msgspec.structs.replace(newest, marks=tuple(marks)), began=now, now=now)

    with pytest.raises(ConfigurationError, match="CLICKWISE_ARCHIVE_URL"):
        run(settings, archive)


def test_transactions_of_other_producers_do_not_hold_the_archive_up(
    settings: Settings, archive: Archive
) -> None:
    topic = EVENTS.full_name(settings.kafka_topic_prefix)

    async def write() -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.kafka_bootstrap,
            transactional_id=settings.kafka_topic_prefix,
        )
        await producer.start()
        for number in range(3):
            async with producer.transaction():
                message = an_event(number)
                await producer.send_and_wait(topic, message.value, key=message.key)
        await producer.stop()

    asyncio.run(write())

    assert run(settings, archive).added["events"] == 3
    assert run(settings, archive).added == {}


def test_a_broker_that_is_away_is_named(settings: Settings, archive: Archive) -> None:
    (port,) = free_ports(1)
    nowhere = msgspec.structs.replace(settings, kafka_bootstrap=f"127.0.0.1:{port}")

    with pytest.raises(UnavailableError, match=str(port)):
        run(nowhere, archive)


def test_missing_topics_are_named_with_what_makes_them(
    settings: Settings, archive: Archive
) -> None:
    bare = msgspec.structs.replace(settings, kafka_topic_prefix="no-such-prefix")

    with pytest.raises(ConfigurationError, match="clickwise topics create"):
        run(bare, archive)
