"""New lists for those whose profile changed, to the `recommendations` topic.

At most one list per user and interval: the first change is published at once, those that
follow within the interval together at its end (`line` says whose turn it is). The work is done in
slices with rests between, so that it takes a tenth of the time at most and events go first.

The topic is compacted: a list that fell back to something cheaper would stand there in place of
a good one. It is made again a little later, for as long as it takes. And who writes last is right:
a worker that stood still may write when the next owner of the partition has written a newer list.
So each looks once more, after it has written, whether the profile is still the one of the list.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from clickwise import logs, metrics
from clickwise.codec import encode
from clickwise.errors import ClickwiseError
from clickwise.messages import recommendations_of
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.topics import RECOMMENDATIONS
from clickwise.types import UserId
from streams.flows import Outlet
from streams.kafka import Message
from streams.line import MAX_WAITING, Line
from streams.marks import Marks
from streams.waiting import persistently

SLICE = 8
REST = 9.0  # seconds of rest per second of work: lists take a tenth of a worker

AGAIN_SECONDS = 1.0  # before the second try of a list; twice as long before each further one
LONGEST_SECONDS = 30.0
TRIES = 5  # of a list that a fault prevents, which no service explains
# Of a list that is degraded time and again, while others come out: 151 s and more. From then
# on it is tried without holding up the marks, which are those of all users.
HELD_TRIES = 10

FINISH_SECONDS = 4.0  # of a worker that is told to stop

Recommend = Callable[[RecommendRequest], Answer]
Versions = Callable[[Collection[UserId]], Mapping[UserId, int]]

_log = logs.get(__name__)


@dataclass(slots=True)
class _Made:
    """Of a slice of users: their lists, and who got none, of which a later try may come out."""

    messages: list[Message] = field(default_factory=list)
    versions: dict[UserId, int] = field(default_factory=dict)
    degraded: set[UserId] = field(default_factory=set)
    failed: set[UserId] = field(default_factory=set)


class Publisher:
    """Publishes for those who wait in its line, until it is cancelled."""

    def __init__(
        self,
        recommend: Recommend,
        *,
        versions: Versions,
        marks: Marks,
        outlet: Outlet,
        topic: str,
        interval_seconds: float,
        thread: Executor,
        max_waiting: int = MAX_WAITING,
    ) -> None:
        """`versions`: of those users' profiles who have one. `marks` hears who waits."""
        self._recommend = recommend
        self._versions = versions
        self._marks = marks
        self._outlet = outlet
        self._topic = topic
        self._interval_seconds = interval_seconds
        self._thread = thread
        self._line = Line(
            interval_seconds=interval_seconds, max_waiting=max_waiting, let_go=self._let_go
        )
        self._tried: dict[UserId, int] = {}
        self._came_out = -math.inf  # when a list was last as it should be
        self._in_hand: list[UserId] = []  # of whom no list is written yet
        self._woken = asyncio.Event()

    def changed(self, users: Sequence[UserId], following: Mapping[int, int]) -> None:
        """These users' profiles changed, by events before those offsets; never waits."""
        now = time.monotonic()
        for user in users:
            self._line.changed(user, now)
            self._marks.wait(user)
        self._marks.reached(following)
        self._woken.set()

    def found(self, users: Sequence[UserId]) -> None:
        """These users changed some time ago, and may have no list since; never waits."""
        now = time.monotonic()
        for user in users:
            self._line.found(user, now)
            self._marks.wait(user)
        self._woken.set()

    def full(self) -> bool:
        """Whether to look back no further for now: half the room is for those who change."""
        return self._line.full()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            users = self._line.take(time.monotonic(), SLICE)
            if not users:
                await self._sleep_until_due()
                continue
            seconds = await self._publish(users)
            await asyncio.sleep(seconds * REST)

    async def finish(self) -> None:
        """Publish for all who wait, once, without rests: `run` is over. Whom `FINISH_SECONDS` do
        not suffice for gets a list from the next owner of the partition.
        """
        waiting = list(dict.fromkeys([*self._in_hand, *self._line.take_all()]))
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                for begin in range(0, len(waiting), SLICE):
                    await self._publish(waiting[begin : begin + SLICE])

    async def _publish(self, users: list[UserId]) -> float:
        """Make and write the lists of `users`; the seconds that it took to make them."""
        self._in_hand = users
        self._marks.take(users)
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        made = await loop.run_in_executor(self._thread, self._lists, users)
        self._put_off(users, made)
        seconds = time.perf_counter() - started
        if made.messages:
            await self._write(made.messages)
            metrics.published.labels(RECOMMENDATIONS.name, "written").inc(len(made.messages))
        await self._look_again(made.versions)
        self._marks.done()
        self._in_hand = []
        return seconds

    async def _write(self, messages: Sequence[Message]) -> None:
        await persistently(partial(self._outlet.write, messages), dependency="kafka")

    async def _look_again(self, written: Mapping[UserId, int]) -> None:
        """Who has another profile than that of the list `written` gets one more, and who has none
        any more a tombstone (version 0): perhaps another worker had written that before.
        """
        loop = asyncio.get_running_loop()
        while written:
            call = partial(loop.run_in_executor, self._thread, self._versions, tuple(written))
            now = await persistently(call, dependency="stores")
            self.changed([user for user in now if now[user] != written[user]], {})
            gone = [user for user, version in written.items() if version and user not in now]
            if gone:
                await self._write([Message(self._topic, user.encode(), None) for user in gone])
            written = dict.fromkeys(gone, 0)

    def _let_go(self, user: UserId) -> None:
        self._tried.pop(user, None)
        self._marks.let_go(user)

    def _put_off(self, users: Sequence[UserId], made: _Made) -> None:
        """Have those of `users` who got no list wait once more."""
        now = time.monotonic()
        if made.messages:
            self._came_out = now
        others = now - self._came_out <= max(self._interval_seconds, LONGEST_SECONDS)
        for user in users:
            tried = self._tried.pop(user, 0) + 1
            if user not in made.degraded and user not in made.failed:
                continue
            if user in made.degraded and tried == TRIES:
                metrics.published.labels(RECOMMENDATIONS.name, "degraded").inc()
            if user in made.failed and tried >= TRIES:
                continue
            pause = min(LONGEST_SECONDS, AGAIN_SECONDS * 2 ** min(tried - 1, TRIES))
            self._line.again(user, now + max(self._interval_seconds, pause))
            if tried < HELD_TRIES or not others:
                self._marks.put_back(user)
            self._tried[user] = tried

    async def _sleep_until_due(self) -> None:
        self._woken.clear()
        due = self._line.next_due()
        seconds = None if due is None else due - time.monotonic()
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return

    def _lists(self, users: Sequence[UserId]) -> _Made:
        made = _Made()
        for user in users:
            try:
                answer = self._recommend(RecommendRequest(user=user))
            except ClickwiseError as error:
                metrics.errors.labels(error.kind, "publish").inc()
                metrics.published.labels(RECOMMENDATIONS.name, "failed").inc()
                (made.degraded if error.retryable else made.failed).add(user)
                continue
            except Exception:  # noqa: BLE001  # a fault in one list must not stop the events
                _log.exception("a list could not be made")
                metrics.errors.labels("internal", "publish").inc()
                metrics.published.labels(RECOMMENDATIONS.name, "failed").inc()
                made.failed.add(user)
                continue
            if answer.degraded:  # before its version, which nobody knows while the state is away
                made.degraded.add(user)
                continue
            if not answer.profile_version:
                continue  # the user was erased since: a list would stand in the topic for ever
            message = encode(recommendations_of(user, answer))
            made.messages.append(Message(self._topic, user.encode(), message))
            made.versions[user] = answer.profile_version
        return made
