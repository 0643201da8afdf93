"""Whether messages wait although nothing holds the agents up.

Faust and its client have been seen to stop without ending and without a word, most often when a
broker goes away in the middle of something. A worker that looks alive and applies nothing is the
worst of them; so it is held against the topics themselves, by a client outside the group.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from clickwise import logs
from clickwise.settings import Settings
from streams.kafka import REQUEST_SECONDS, topic_reader

PROOF_SECONDS = 5.0

_log = logs.get(__name__)


class Place(NamedTuple):
    """A partition; Faust's own and aiokafka's are equal to it."""

    topic: str
    partition: int


class Stillness:
    """Remembers since when each partition has not moved. Moments are in seconds."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit = limit_seconds
        self._since: dict[tuple[str, int], tuple[int, float]] = {}

    def forget(self) -> None:
        """Count anew from the next look: meanwhile nothing could have moved."""
        self._since = {}

    def look(self, waiting: Mapping[tuple[str, int], int], *, now: float) -> list[Place]:
        """Those that have waited too long. `waiting`: the next offset to apply of each partition
        that has later ones, and whose agent has nothing in hand.
        """
        before, self._since = self._since, {}
        for place, offset in waiting.items():
            since = before.get(place)
            self._since[place] = since if since and since[0] == offset else (offset, now)
        return [
            Place(*place) for place, (_, since) in self._since.items() if now - since > self._limit
        ]


class Watch:
    """Looks at the topics for a worker. Owned by one event loop; call `close` at its end."""

    def __init__(
        self,
        settings: Settings,
        idle: Callable[[], Mapping[tuple[str, int], int]],
        *,
        limit_seconds: float,
    ) -> None:
        """`idle`: the next offset to apply of each partition whose agent has nothing in hand."""
        self._settings = settings
        self._idle = idle
        self._stillness = Stillness(limit_seconds)
        self._client: AIOKafkaConsumer | None = None

    async def look(self) -> Place | None:
        """A partition whose messages have waited for too long, once there is one. While Kafka
        does not answer, nothing waits.
        """
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                waiting = await self._waiting()
        except Exception as error:  # noqa: BLE001  # it only looks: outages are told of elsewhere
            _log.debug("whether messages wait is not known", reason=repr(error))
            await self.close()
            self.forget()
            return None
        now = asyncio.get_running_loop().time()
        for place in self._stillness.look(waiting, now=now):
            if await self._holds(place, waiting[place]):
                return place
        return None

    def forget(self) -> None:
        """Nothing could be applied just now: count anew."""
        self._stillness.forget()

    async def close(self) -> None:
        """Disconnect; a later look connects again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.stop(), PROOF_SECONDS)

    async def _waiting(self) -> dict[tuple[str, int], int]:
        idle = self._idle()
        if not idle:
            return {}
        client = await self._opened()
        places = [TopicPartition(*place) for place in idle]
        begins = await client.beginning_offsets(places)
        ends = await client.end_offsets(places)
        return {
            place: max(idle[place], begins[place])
            for place in places
            if ends[place] > max(idle[place], begins[place])
        }

    async def _holds(self, place: Place, offset: int) -> bool:
        """Whether a message is there: what is left may be markers of transactions alone."""
        try:
            client = await self._opened()
            where = TopicPartition(*place)
            client.assign([where])
            client.seek(where, offset)
            found = await client.getmany(where, timeout_ms=round(PROOF_SECONDS * 1000))
            client.unsubscribe()  # it would go on fetching
        except Exception as error:  # noqa: BLE001  # as above
            _log.debug("whether messages wait is not known", reason=repr(error))
            await self.close()
            return False
        return any(found.values())

    async def _opened(self) -> AIOKafkaConsumer:
        if self._client is None:
            self._client = topic_reader(self._settings)
            await self._client.start()
        return self._client
