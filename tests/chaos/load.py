"""A steady load: producers, readers, and somebody who writes what is no event.

Producers send through either server and send again, with the same ids and to the other server,
until they have been told that an event is taken: so an event that was told is one that must count,
once. Now and then they send what was taken before. Readers ask for lists, each for users of its
own, one request after the other. What could not be an event goes to the topic directly, as the
servers would refuse it.
"""

import asyncio
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import httpx

from clickwise.settings import Settings
from clickwise.topics import EVENTS
from streams.kafka import Message, Producer
from streams.waiting import persistently

NUM_USERS = 150
NUM_ITEMS = 120
TYPES = ("click", "like", "view", "hide", "impression", "bookmark")
WORDS = ("robot", "football", "market", "cinema", "recipe", "climate")
BROKEN = (b"{", b"\xff\xfe", b"[]", b'{"id":"x","user":"u1","item":"i1","type":"no"}', None)
PRODUCERS = 3
READERS = 2
TIMEOUT_SECONDS = 10.0
STOP_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Answered:
    """A list that somebody got: when (monotonic), from which process."""

    request: str
    user: str
    server: str
    at: float
    items: tuple[str, ...]
    version: int
    events: int
    degraded: tuple[str, ...]


@dataclass
class Told:
    """What the load was told by the system; written by its threads, read when they have ended."""

    events: set[str] = field(default_factory=set)
    items: set[str] = field(default_factory=set)
    answers: list[Answered] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    event_requests: Counter[str] = field(default_factory=Counter)
    num_broken: int = 0
    untold: int = 0  # events that nobody took until the end


def item_of(number: int) -> dict[str, object]:
    word = WORDS[number % len(WORDS)]
    return {
        "id": f"i{number}",
        "kind": "news",
        "title": f"{word} {WORDS[number // 6 % 6]} story {number}",
        "topics": [word],
        "language": "en",
    }


class Load:
    """Runs in threads of its own from `start` to `stop`."""

    def __init__(
        self, settings: Settings, servers: dict[str, str], *, seed: int, per_second: float
    ) -> None:
        """`per_second`: events, and half as many requests for lists."""
        self.told = Told()
        self._settings = settings
        self._servers = servers
        self._seed = seed
        self._per_second = per_second
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.faults: list[BaseException] = []
        produce = [partial(self._produce, number) for number in range(PRODUCERS)]
        read = [partial(self._read, number) for number in range(READERS)]
        jobs = [*produce, *read, lambda: asyncio.run(self._write_broken())]
        self._threads = [threading.Thread(target=self._run, args=(job,)) for job in jobs]
        for thread in self._threads:
            thread.daemon = True

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send no more; return when what was sent has been told of."""
        self._over.set()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            raise TimeoutError(f"the load did not end within {STOP_SECONDS:g} s")
        if self.faults:
            raise self.faults[0]

    def _run(self, job) -> None:
        try:
            job()
        except BaseException as fault:  # noqa: BLE001  # told by `stop`
            self.faults.append(fault)

    def _produce(self, number: int) -> None:
        draw = random.Random(f"{self._seed}-produce-{number}")
        pause = 2.0 * PRODUCERS / self._per_second  # two events a request, on average
        waiting: list[dict[str, object]] = []  # sent, not told of
        taken: list[dict[str, object]] = []
        begun = time.monotonic()
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            for turn in count():
                if self._over.is_set() and not waiting:
                    return
                if self._over.is_set() and turn % 50 == 49:
                    time.sleep(0.2)
                new = [] if self._over.is_set() else self._events(draw, number, turn)
                again = draw.sample(taken, 1) if taken and draw.random() < 0.1 else []
                waiting += new
                if turn % 100 == 99:
                    self._put_item(client, draw, number, turn)
                if not waiting:
                    continue
                batch = [*waiting[:50], *again]
                _, address = draw.choice(sorted(self._servers.items()))
                told = self._post(client, address, batch)
                if told is None:
                    time.sleep(0.1)
                else:
                    done = {e["id"] for e, ok in zip(batch, told, strict=True) if ok}
                    taken = [*taken, *(e for e in waiting if e["id"] in done)][-500:]
                    waiting = [event for event in waiting if event["id"] not in done]
                    with self._lock:
                        self.told.events |= done
                time.sleep(max(0.0, min(pause, begun + turn * pause - time.monotonic())))

    def _events(self, draw: random.Random, number: int, turn: int) -> list[dict[str, object]]:
        events = []
        for place in range(draw.randint(1, 3)):
            event: dict[str, object] = {
                "id": f"{self._seed}-{number}-{turn}-{place}",
                "user": f"u{draw.randrange(NUM_USERS)}",
                "item": f"i{draw.randrange(NUM_ITEMS)}",
                "type": draw.choice(TYPES),
            }
            if draw.random() < 0.3:  # by a clock of its own, and late
                ago = timedelta(seconds=draw.random() * 7_200)
                event["time"] = (datetime.now(UTC) - ago).isoformat()
            events.append(event)
        return events

    def _post(self, client: httpx.Client, address: str, batch) -> list[bool] | None:
        try:
            answer = client.post(f"{address}/v1/events", json={"events": batch})
        except httpx.HTTPError as error:
            self._count(self.told.event_requests, type(error).__name__)
            return None
        self._count(self.told.event_requests, str(answer.status_code))
        if not answer.is_success:
            return None
        return [one["verdict"] == "accepted" for one in answer.json()["results"]]

    def _put_item(self, client: httpx.Client, draw: random.Random, number: int, turn: int) -> None:
        """A new item, which no event is about: it has to be there at the end."""
        item = item_of(draw.randrange(1000)) | {"id": f"new-{number}-{turn}"}
        _, address = draw.choice(sorted(self._servers.items()))
        try:
            answer = client.post(f"{address}/v1/items", json={"items": [item]})
        except httpx.HTTPError:
            return
        if answer.is_success:
            with self._lock:
                self.told.items.add(str(item["id"]))

    def _read(self, number: int) -> None:
        draw = random.Random(f"{self._seed}-read-{number}")
        pause = 2.0 * READERS / self._per_second
        users = range(number, NUM_USERS, READERS)
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            while not self._over.wait(pause):
                user = f"u{draw.choice(users)}"
                name, address = draw.choice(sorted(self._servers.items()))
                self._ask(client, name, address, user)

    def _ask(self, client: httpx.Client, name: str, address: str, user: str) -> None:
        try:
            answer = client.get(f"{address}/v1/users/{user}/recommendations")
        except httpx.HTTPError as error:
            self._count(self.told.requests, type(error).__name__)
            return
        if not answer.is_success:
            self._count(self.told.requests, str(answer.status_code))
            return
        body = answer.json()
        degraded = tuple(body.get("degraded", ()))
        self._count(self.told.requests, "200 degraded" if degraded else "200")
        one = Answered(
            request=body["request_id"],
            user=user,
            server=name,
            at=time.monotonic(),
            items=tuple(item["item"] for item in body["items"]),
            version=body["profile_version"],
            events=body["events_applied"],
            degraded=degraded,
        )
        with self._lock:
            self.told.answers.append(one)

    def _count(self, counter: Counter[str], what: str) -> None:
        with self._lock:
            counter[what] += 1

    async def _write_broken(self) -> None:
        """About one in fifty messages is no event."""
        draw = random.Random(f"{self._seed}-broken")
        topic = EVENTS.full_name(self._settings.kafka_topic_prefix)
        producer = Producer(self._settings)
        try:
            while not self._over.is_set():
                await asyncio.sleep(50.0 / self._per_second)
                message = Message(topic, b"u1", draw.choice(BROKEN))
                await persistently(partial(producer.write, [message]), dependency="kafka")
                self.told.num_broken += 1
        finally:
            await producer.stop()
