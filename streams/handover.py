"""Who waits for a list, handed over from one owner of a partition to the next.

Each owner notes in the database, beside the offset up to which a partition is applied, the mark
before which nobody waits for a list any more (`marks`). Whoever takes the partition over reads the
events between the two once more, beside the flow of new ones, and has their users wait: after a
kill, too, that is all it takes to know whom nobody has told. Of a partition that it had before, it
reads only what it has not heard of.

What that costs is bounded, however long the log or the last owner's queue was: `LOOK_BACK` events
of a partition, and no more users at a time than there is room for. Who changed before them gets a
list with the next event.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial

from clickwise import logs
from clickwise.settings import Settings
from clickwise.state.port import Partition, State
from clickwise.topics import EVENTS, RECOMMENDATIONS
from clickwise.types import UserId
from streams.marks import Marks
from streams.waiting import persistently

LOOK_BACK = 10_000  # events of a partition
MARK_SECONDS = 2.0
FINISH_SECONDS = 1.0  # of a worker that is told to stop

# Of a topic's partitions, whose events lie at these offsets, some at a time.
UsersBetween = Callable[[str, Mapping[int, range]], AsyncGenerator[list[UserId], None]]

_log = logs.get(__name__)


class Handover:
    """Keeps the marks in the database, and looks back from them. Owned by one event loop."""

    def __init__(
        self,
        *,
        settings: Settings,
        state: State,
        marks: Marks,
        found: Callable[[Sequence[UserId]], None],
        full: Callable[[], bool],
        read: UsersBetween,
    ) -> None:
        """`found` hears of users who may have no list of their newest profile, while not `full`."""
        self._settings = settings
        self._state = state
        self._marks = marks
        self._found = found
        self._full = full
        self._users_between = read
        self._topic = EVENTS.full_name(settings.kafka_topic_prefix)
        self._lists = RECOMMENDATIONS.full_name(settings.kafka_topic_prefix)
        self._taken: set[int] = set()  # and not looked back in yet
        self._moves = 0
        self._stored: dict[int, int] = {}
        self._woken = asyncio.Event()

    def placed(self, places: Collection[tuple[str, int]]) -> None:
        """These partitions of topics are all that this worker has from here on; never waits."""
        self._marks.leave(range(self._settings.kafka_partitions))
        self._taken = {number for topic, number in places if topic == self._topic}
        self._moves += 1
        self._woken.set()

    async def run(self) -> None:
        """Look back whenever partitions were assigned, and keep the marks, until cancelled."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), MARK_SECONDS)
            self._woken.clear()
            if self._taken:
                await persistently(self._look_back, dependency="stores")
            await persistently(self._keep, dependency="stores")

    async def finish(self) -> None:
        """Keep the marks once more: the last lists are written."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FINISH_SECONDS):
                await persistently(self._keep, dependency="stores")

    async def _look_back(self) -> None:
        moves = self._moves
        applied, marks = await asyncio.to_thread(self._read)
        if self._moves != moves:
            return  # they have moved again
        slices = {
            number: self._slice(number, marks.get(number, 0), applied[number])
            for number in self._taken & applied.keys()
        }
        some = {number: one for number, one in slices.items() if one}
        self._begin(self._taken - some.keys(), applied)
        if some and await self._hear_of(some, moves):
            self._begin(some, applied)

    async def _hear_of(self, slices: Mapping[int, range], moves: int) -> bool:
        """Have the users of these events wait; False where partitions have moved meanwhile."""
        users = 0
        async with aclosing(self._users_between(self._topic, slices)) as found:
            async for those in found:
                owners = await asyncio.to_thread(self._state.aliases.owners, those)
                await self._room(moves)
                if self._moves != moves:
                    return False
                self._found([owners.get(user, user) for user in those])
                users += len(those)
        num_events = sum(map(len, slices.values()))
        _log.info("looked back for lists", partitions=len(slices), events=num_events, users=users)
        return self._moves == moves

    async def _room(self, moves: int) -> None:
        """Wait while too many wait already; the marks are kept meanwhile."""
        while self._full() and self._moves == moves:
            await asyncio.sleep(MARK_SECONDS)
            await persistently(self._keep, dependency="stores")

    def _begin(self, partitions: Iterable[int], applied: Mapping[int, int]) -> None:
        for number in tuple(partitions):
            self._taken.discard(number)
            self._marks.begin(number, applied.get(number, 0))

    def _slice(self, number: int, kept: int, applied: int) -> range:
        """Offsets whose users may wait, unknown to this worker."""
        mark = max(kept, self._marks.heard(number))
        begin = max(mark, applied - LOOK_BACK)
        if mark < begin and kept:
            _log.warning(
                "lists may stay old until their users' next event",
                partition=number,
                events=begin - mark,
            )
        return range(begin, applied)

    def _read(self) -> tuple[dict[int, int], dict[int, int]]:
        """Of each partition the next offset to apply, and its mark."""
        found = self._state.offsets(self._settings.kafka_group)
        applied, marks = (
            {p.partition: at for p, at in found.items() if p.topic == name and p.source < 0}
            for name in (self._topic, self._lists)
        )
        return applied, marks

    async def _keep(self) -> None:
        """Store the marks that have moved."""
        marks = self._marks.now()
        ahead = {n: mark for n, mark in marks.items() if mark > self._stored.get(n, 0)}
        if ahead:
            await asyncio.to_thread(partial(self._put, ahead))
            self._stored |= ahead

    def _put(self, marks: Mapping[int, int]) -> None:
        """Another owner's may be further by now."""
        group = self._settings.kafka_group
        wanted = {Partition(group, self._lists, number): mark for number, mark in marks.items()}
        with self._state.write() as write:
            known = write.offsets(wanted)
            write.put_offsets({p: at for p, at in wanted.items() if at > known.get(p, 0)})
