"""Whatever is killed or stopped, every event counts exactly once.

Each test sends the same kind of traffic (late events, duplicates from two producers, poison in
between), makes its faults, waits until the workers have caught up, and compares with a replay of
the same events in one process: profiles byte for byte, counts of items exactly.
"""

import asyncio
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Self

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from clickwise.activity import counts
from clickwise.clock import SystemClock
from clickwise.codec import encode
from clickwise.events import Event
from clickwise.profile import profile_bytes
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.state.sql import open_state
from clickwise.testing.hashed_index import HashedIndex
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.postgres import PostgresServer
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.releases import fixed_releases
from clickwise.types import EventId, EventType, ItemId, ItemKey, UserId, item_key
from streams.exits import EX_CONFIG, EX_SOFTWARE
from streams.handlers import Arrival, EventHandler
from streams.kafka import Message, Producer
from streams.waiting import persistently

# More of them: CLICKWISE_TEST_FAULT_SEEDS=11,12,13
SEEDS = [int(seed) for seed in os.environ.get("CLICKWISE_TEST_FAULT_SEEDS", "11").split(",")]
NEWER = "0999"
NUM_USERS = 40
NUM_ITEMS = 60
TYPES = (EventType.CLICK, EventType.LIKE, EventType.VIEW, EventType.HIDE, EventType.IMPRESSION)
POISON = (
    b"{",
    b"\xff\xfe",
    b"[]",
    b'{"id":"x","user":"u1","item":"i","type":"no"}',
    b'{"id":"x","user":"u1","item":"i","type":"click","schema_version":2}',
    None,
)


@dataclass
class Site:
    """One deployment under test, and what was sent to it."""

    settings: Settings
    folder: Path
    state: State
    start_worker: Callable[..., Program]
    seed: int
    sent: list[Event] = field(default_factory=list)
    num_poison: int = 0
    workers: dict[str, Program] = field(default_factory=dict)

    def worker(self, name: str, **extra: str) -> Program:
        """Start a worker, in place of one of the same name that has ended."""
        self.workers[name] = self.start_worker(name, **extra)
        return self.workers[name]

    def traffic(self, per_second: float = 300.0) -> "Traffic":
        return Traffic(self, per_second)

    def check(self) -> None:
        """Wait for the end, then compare with the replay."""
        try:
            wait_until(self.drained, seconds=300.0, what="all of the topics applied")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.report()}") from error
        replayed = open_state(
            f"sqlite:///{self.folder / 'replay.db'}", timeout_seconds=10.0, pool_size=2
        )
        try:
            replay(replayed, self.sent)
            users = sorted({event.user for event in self.sent})
            assert self.state.users() == users
            for user in users:
                assert profile_of(self.state, user) == profile_of(replayed, user), user
        finally:
            replayed.close()
        assert item_counts(self.state, self.sent) == expected_counts(self.sent)
        assert len(self.state.dead_letters(limit=10_000)) == self.num_poison

    def drained(self) -> bool:
        return not asyncio.run(self._behind())

    def report(self) -> str:
        """How far each partition is behind, and what each worker said last."""
        lines = [f"{place}: {behind}" for place, behind in asyncio.run(self._behind()).items()]
        for name, worker in self.workers.items():
            said = [line[:300] for line in worker.output.splitlines() if "set aside" not in line]
            lines += [f"worker {name}, {'running' if worker.running else 'ended'}:", *said[-60:]]
        return "\n".join(lines)

    async def _behind(self) -> dict[TopicPartition, str]:
        """Committed offset and end of the partitions that are not applied to their end."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka_bootstrap,
            group_id=self.settings.kafka_group,
            enable_auto_commit=False,
        )
        await client.start()
        try:
            prefix = self.settings.kafka_topic_prefix
            places = [
                TopicPartition(f"{prefix}.{topic}", number)
                for topic in ("events", "item-activity")
                for number in range(self.settings.kafka_partitions)
            ]
            ends = await client.end_offsets(places)
            done = {place: await client.committed(place) or 0 for place in places}
        finally:
            await client.stop()
        return {
            place: f"{done[place]} of {ends[place]}"
            for place in places
            if done[place] != ends[place]
        }


class Traffic(Thread):
    """Sends events in a thread of its own, until the end of the `with` block."""

    def __init__(self, site: Site, per_second: float) -> None:
        super().__init__(daemon=True)
        self._site = site
        self._per_second = per_second
        self._over = Flag()
        self._fault: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        self._over.set()
        self.join(90.0)
        if kind is None:
            assert not self.is_alive()
            assert self._fault is None

    def more(self, number: int) -> None:
        """Return when so many more events have been sent."""
        goal = len(self._site.sent) + number
        wait_until(
            lambda: len(self._site.sent) >= goal or not self.is_alive(),
            seconds=60.0,
            what=f"{number} more events",
        )

    def run(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as fault:  # noqa: BLE001  # told to the test's own thread
            self._fault = fault

    async def _send(self) -> None:
        producers = [Producer(self._site.settings), Producer(self._site.settings)]
        draw = random.Random(self._site.seed)
        started = time.monotonic()
        waiting = []
        try:
            for number in count():
                if self._over.is_set():
                    break
                for producer, message in self._messages(number, draw, producers):
                    write = partial(producer.write, [message])
                    waiting.append(asyncio.create_task(persistently(write, dependency="kafka")))
                pause = started + number / self._per_second - time.monotonic()
                await asyncio.sleep(max(0.0, pause))
            await asyncio.gather(*waiting)
        finally:
            for producer in producers:
                await producer.stop()

    def _messages(
        self, number: int, draw: random.Random, producers: list[Producer]
    ) -> list[tuple[Producer, Message]]:
        site = self._site
        topic = f"{site.settings.kafka_topic_prefix}.events"
        event = random_event(draw, f"{site.seed}-{number}")
        site.sent.append(event)
        body = encode(event)
        if number % 10 == 1:  # a producer that knows more fields than the workers
            body = body.removesuffix(b"}") + b',"mood":{"calm":1}}'
        message = Message(topic, event.user.encode(), body)
        messages = [(producers[0], message)]
        if number % 10 == 3:  # the same event again, at once
            messages.append((producers[0], message))
        if number % 10 == 5:  # ... or from another producer, sooner or later
            messages.append((producers[1], message))
        if number % 50 == 7:
            site.num_poison += 1
            messages.append((producers[0], Message(topic, b"u1", draw.choice(POISON))))
        return messages


@pytest.fixture
def site(
    stream_settings: Settings,
    state: State,
    start_worker: Callable[..., Program],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Site:
    seed = getattr(request, "param", 1)
    return Site(stream_settings, tmp_path, state, start_worker, seed)


@pytest.mark.case(17)
@pytest.mark.case(7)
@pytest.mark.case(4)
@pytest.mark.parametrize("moment", ["before-commit", "after-commit", "after-activity-commit"])
def test_a_worker_killed_at_its_worst_moment_loses_and_repeats_nothing(
    site: Site, moment: str
) -> None:
    with site.traffic() as traffic:
        dying = site.worker("dying", CLICKWISE_TEST_DIE=f"{moment}:5")
        assert dying.wait(seconds=60.0) == -signal.SIGKILL
        traffic.more(100)
        site.worker("next")

    site.check()


@pytest.mark.case(17)
def test_workers_joining_leaving_and_killed_lose_and_repeat_nothing(site: Site) -> None:
    first = site.worker("first")
    with site.traffic() as traffic:
        first.wait_for("partitions assigned")
        second = site.worker("second")
        second.wait_for("partitions assigned")
        traffic.more(200)
        assert first.terminate() == 0
        third = site.worker("third")
        third.wait_for("partitions assigned")
        second.kill()
        traffic.more(200)
        site.worker("second again")

    site.check()


@pytest.mark.case(17)
@pytest.mark.case(18)
def test_a_broker_stopped_and_killed_loses_and_repeats_nothing(
    site: Site, kafka: KafkaServer
) -> None:
    workers = [site.worker("one"), site.worker("two")]
    with site.traffic() as traffic:
        workers[0].wait_for("partitions assigned")
        kafka.stop()
        kafka.start()
        traffic.more(200)
        kafka.kill()
        kafka.start()

    site.check()
    assert all(worker.running for worker in workers)


@pytest.mark.case(17)
@pytest.mark.case(18)
def test_a_worker_told_to_stop_while_kafka_stands_still_loses_and_repeats_nothing(
    site: Site, kafka: KafkaServer
) -> None:
    worker = site.worker("one")
    with site.traffic() as traffic:
        worker.wait_for("partitions assigned")
        traffic.more(200)
        kafka.pause()
        try:
            worker.send(signal.SIGTERM)
            assert worker.wait(seconds=45.0) == 0
        finally:
            kafka.resume()
        traffic.more(100)
        site.worker("next")

    site.check()
    ends = [
        text in worker.output for text in ('"event": "stopped"', "ended without waiting any longer")
    ]
    assert ends.count(True) == 1, worker.output  # Faust decides which


@pytest.mark.case(17)
def test_what_faust_drops_before_the_first_commit_comes_again(site: Site) -> None:
    with site.traffic() as traffic:
        traffic.more(200)
        worker = site.worker("dropping", CLICKWISE_TEST_DROP="seeking")
        traffic.more(200)

    site.check()
    assert worker.running


@pytest.mark.case(17)
def test_what_faust_would_skip_is_never_committed(site: Site) -> None:
    with site.traffic() as traffic:
        traffic.more(200)
        skipping = site.worker("skipping", CLICKWISE_TEST_DROP="lost")
        assert skipping.wait(seconds=60.0) == EX_SOFTWARE
        traffic.more(100)
        site.worker("next")

    assert "were not delivered" in skipping.output
    site.check()


@pytest.mark.case(17)
@pytest.mark.case(18)
def test_a_worker_that_stands_still_begins_anew(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "deaf"
    worker = site.worker("deaf", CLICKWISE_TEST_DEAF=str(file))
    with site.traffic() as traffic:
        worker.wait_for("partitions assigned")
        traffic.more(200)
        file.touch()
        worker.wait_for('"event": "deaf"')
        traffic.more(200)

    site.check()
    assert worker.running
    assert worker.output.count("starting anew") == 1


@pytest.mark.case(18)
def test_a_database_restarted_and_killed_loses_and_repeats_nothing(
    site: Site, postgres: PostgresServer
) -> None:
    worker = site.worker("one")
    with site.traffic() as traffic:
        worker.wait_for("partitions assigned")
        postgres.restart()
        traffic.more(200)
        postgres.kill()
        postgres.start()
        traffic.more(200)

    site.check()
    assert worker.running
    assert 1 <= worker.output.count("dependency lost") <= 4  # once an outage and agent
    assert worker.output.count("dependency lost") == worker.output.count("dependency is back")


@pytest.mark.case(17)
@pytest.mark.case(18)
def test_a_database_put_back_from_a_dump_catches_up_from_the_log(
    site: Site, postgres: PostgresServer
) -> None:
    url = site.settings.database_url.reveal()
    workers = [site.worker("one"), site.worker("two")]
    with site.traffic() as traffic:
        workers[0].wait_for("partitions assigned")
        traffic.more(300)
        dump = dumped(postgres, url)
        traffic.more(300)
        assert [worker.terminate() for worker in workers] == [0, 0]
        name = url.rpartition("/")[2]
        postgres.drop_database(name)
        postgres.create_database(name)
        put_back(postgres, url, dump)
        traffic.more(100)
        again = site.worker("after")

    site.check()
    assert "the database has lost offsets" in again.output
    assert again.running


@pytest.mark.case(17)
def test_a_newer_version_beside_an_old_one_loses_and_repeats_nothing(
    site: Site,
) -> None:
    """A rolling update: migrations first, as the chart's hook does, then one worker at a time."""
    old = [site.worker("old"), site.worker("also old")]
    with site.traffic() as traffic:
        old[0].wait_for("partitions assigned")
        traffic.more(200)
        site.state.ping()  # an old process, which has looked at the schema
        migrated_by_a_newer_version(site.settings.database_url.reveal())
        traffic.more(100)
        newer = site.worker("newer", CLICKWISE_TEST_SCHEMA=NEWER)
        newer.wait_for("partitions assigned")
        traffic.more(200)
        assert old[0].terminate() == 0
        started_too_late = site.worker("old once more")
        assert started_too_late.wait(seconds=60.0) == EX_CONFIG
        traffic.more(100)

    site.check()
    assert old[1].running
    assert newer.running
    assert f"schema {NEWER} is newer than" in started_too_late.output
    versions = [one for one in site.state.dead_letters(limit=10_000) if "version 2" in one.detail]
    assert versions
    assert all(
        (one.reason, b"schema_version" in (one.value or b"")) == ("invalid", True)
        for one in versions
    )


@pytest.mark.case(17)
@pytest.mark.parametrize("site", SEEDS, indirect=True)
def test_random_faults_lose_and_repeat_nothing(
    site: Site, kafka: KafkaServer, postgres: PostgresServer
) -> None:
    draw = random.Random(site.seed)
    faults: list[Callable[[], object]] = [
        lambda: draw.choice(list(site.workers.values())).kill(),
        lambda: draw.choice(list(site.workers.values())).terminate(),
        lambda: bounced(kafka),
        lambda: bounced(postgres),
    ]
    site.worker("0").wait_for("partitions assigned")
    with site.traffic() as traffic:
        for number in range(1, 6):
            traffic.more(draw.randint(50, 300))
            draw.choice(faults)()
            name = str(number % 3)
            if name not in site.workers or not site.workers[name].running:
                site.worker(name)
    if not any(worker.running for worker in site.workers.values()):
        site.worker("last")

    site.check()


def random_event(draw: random.Random, name: str) -> Event:
    ago = timedelta(seconds=draw.random() * 86_400)
    return Event(
        id=EventId(name),
        user=UserId(f"u{draw.randrange(NUM_USERS)}"),
        item=ItemId(f"i{draw.randrange(NUM_ITEMS)}"),
        type=draw.choice(TYPES),
        time=datetime(2026, 11, 1, tzinfo=UTC) - ago,
    )


def replay(state: State, events: list[Event]) -> None:
    """The same events in order of time, one process, no Kafka."""
    state.migrate()
    handler = EventHandler(
        state=state,
        releases=fixed_releases(state, HashedIndex()),
        clock=SystemClock(),
        keep_bodies=False,
    )
    ordered = sorted(events, key=lambda event: (event.time, event.id))
    for start in range(0, len(ordered), 100):
        handler.apply([Arrival(e, e.time) for e in ordered[start : start + 100]])


def profile_of(state: State, user: UserId) -> bytes:
    stored, _ = state.profile(user)
    assert stored is not None
    return profile_bytes(stored.body)


def item_counts(state: State, events: list[Event]) -> Counter[tuple[ItemKey, EventType]]:
    found: Counter[tuple[ItemKey, EventType]] = Counter()
    keys = sorted({item_key(event.item) for event in events})
    for key, row in state.activity(keys).items():
        found.update({(key, kind): number for kind, number in counts(row).items() if number})
    return found


def expected_counts(events: list[Event]) -> Counter[tuple[ItemKey, EventType]]:
    return Counter((item_key(event.item), event.type) for event in events)


def migrated_by_a_newer_version(url: str) -> None:
    """A table and a column more, as migrations that old processes live with add them."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as opened:
        opened.execute("CREATE TABLE moods (name TEXT PRIMARY KEY)")
        opened.execute("ALTER TABLE profiles ADD COLUMN mood TEXT")
        opened.execute("UPDATE alembic_version SET version_num = %s", (NEWER,))


def dumped(postgres: PostgresServer, url: str) -> bytes:
    """A database as pg_dump writes it, while it is in use."""
    command = [postgres._binaries / "pg_dump", "--format=custom", url.replace("+psycopg", "")]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=120).stdout


def put_back(postgres: PostgresServer, url: str, dump: bytes) -> None:
    """A dump into a database that is empty."""
    command = [
        postgres._binaries / "pg_restore", "--exit-on-error", "--single-transaction",
        "--dbname", url.replace("+psycopg", ""),
    ]  # fmt: skip
    subprocess.run(command, input=dump, check=True, timeout=120)


def bounced(service: KafkaServer | PostgresServer) -> None:
    service.kill()
    service.start()
