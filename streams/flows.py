"""A batch of records on its way through a handler, until it may be acknowledged.

Each flow's `take` returns only when everything that the batch causes is durable: the effect
committed, increments sent on, dead letters stored and sent. The caller acknowledges after that
and never before. Whatever interrupts a `take` (a kill, a rebalance) leaves the records
unacknowledged; they come again, and offsets kept with the state make that harmless.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar

from clickwise import logs, metrics, tracing
from clickwise.activity import Increment
from clickwise.clock import Clock
from clickwise.errors import ClickwiseError, ConflictError, InvalidInputError, NotFoundError
from clickwise.items import Item
from clickwise.masking import UNMASKED, Masking
from clickwise.merges import Merge
from clickwise.state.port import DeadLetter, Partition, State
from clickwise.topics import EVENTS, ITEM_ACTIVITY, ITEMS
from clickwise.types import ItemId, UserId
from streams.activity_messages import decode_increments, joined, messages_of
from streams.dead_letters import letter_message
from streams.handlers import ActivityHandler, Applied, Arrival, EventHandler
from streams.kafka import Message
from streams.merging import MergeArrival, Merged
from streams.records import REASONS, Record, dead_letter, event_of, item_of
from streams.runs import runs
from streams.waiting import persistently

T = TypeVar("T")
P = TypeVar("P")

# Users whose profile changed, and the next offset of each partition whose events did that.
Changed = Callable[[Sequence[UserId], Mapping[int, int]], None]

# What a single record can be blamed for; any other fault is the program's or a service's.
_EVENT_FAULTS = (InvalidInputError, NotFoundError)
# Items are written unconditionally: a conflict is a key that another id has taken.
_ITEM_FAULTS = (InvalidInputError, NotFoundError, ConflictError)

_log = logs.get(__name__)


class Outlet(Protocol):
    """Where messages go: `streams.kafka.Producer`, or a list in tests."""

    async def write(self, messages: Sequence[Message]) -> None:
        """Return once all of these are durable."""
        ...


class ItemChanges(Protocol):
    """`streams.handlers.ItemHandler`, as far as it is needed here."""

    def apply(
        self, changes: Sequence[tuple[ItemId, Item | None]], places: Sequence[tuple[Partition, int]]
    ) -> None:
        """Encode, store and index items; None deletes. What `places` have applied is skipped."""
        ...


class SetAside:
    """Stores dead letters in the state, then sends them to their topic."""

    def __init__(self, *, state: State, outlet: Outlet, topic: str, clock: Clock) -> None:
        self._state = state
        self._outlet = outlet
        self._topic = topic
        self._clock = clock
        read = (EVENTS.name, ITEMS.name, ITEM_ACTIVITY.name)
        metrics.at_zero(metrics.dead_letters, read, REASONS)

    def letter(self, record: Record, error: ClickwiseError) -> DeadLetter:
        """The dead letter of a record that `error` refused; without its bytes if it is an event
        of a user who was erased since.
        """
        letter = dead_letter(record, error, at=self._clock.now())
        if not self._is_forgotten(record):
            return letter
        return replace(letter, key=None, value=None, detail="its user was erased since")

    def _is_forgotten(self, record: Record) -> bool:
        if _short(record.topic) != EVENTS.name or record.key is None:
            return False
        user = UserId(record.key.decode(errors="replace"))
        until = self._state.people.forgotten([user]).get(user)
        return until is not None and record.received <= until

    def store(self, letters: Sequence[DeadLetter]) -> None:
        """Keep letters in the state; the same place is kept once."""
        if letters:
            with self._state.write() as write:
                write.add_dead_letters(letters)

    def passed(self, consumer: str, records: Sequence[Record]) -> None:
        """Note that all up to these records is done, where the last ones were set aside: else
        the database's offsets would stay behind those of the log.
        """
        ends: dict[Partition, int] = {}
        for one in records:
            place = Partition(consumer, one.topic, one.partition)
            ends[place] = max(ends.get(place, 0), one.offset + 1)
        with self._state.write() as write:
            stored = write.offsets(ends)
            ahead = {place: end for place, end in ends.items() if end > stored.get(place, 0)}
            write.put_offsets(ahead)

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Copy stored letters to the dead letters topic, and count them."""
        if not letters:
            return
        messages = [letter_message(self._topic, letter) for letter in letters]
        await persistently(partial(self._outlet.write, messages), dependency="kafka")
        for letter in letters:
            metrics.dead_letters.labels(_short(letter.topic), letter.reason).inc()
        first = letters[0]
        _log.warning(
            "messages set aside",
            number=len(letters),
            topic=first.topic,
            partition=first.partition,
            offset=first.offset,
            reason=first.reason,  # not what was sent: that has ids and texts of people
        )


class EventFlow:
    """Events to profiles, and what they do to items to the activity topic.

    Of guests who were merged, the list in `lists_topic` gets a tombstone.
    """

    def __init__(
        self,
        handler: EventHandler,
        *,
        aside: SetAside,
        outlet: Outlet,
        thread: Executor,
        consumer: str,
        activity_topic: str,
        lists_topic: str,
        partitions: int,
        changed: Changed,
    ) -> None:
        """`changed` hears of users whose profile a committed batch has changed."""
        self._handler = handler
        self._aside = aside
        self._outlet = outlet
        self._thread = thread
        self._consumer = consumer
        self._activity_topic = activity_topic
        self._lists_topic = lists_topic
        self._partitions = partitions
        self._changed = changed
        self._places: dict[tuple[str, int], Partition] = {}

    async def take(self, records: Sequence[Record]) -> None:
        """Apply events; see the module.

        Raises:
            ClickwiseError: a fault that no later try mends and no single record has caused.
        """
        begun = time.time_ns()
        applied, merged, letters = await _in_thread(self._thread, lambda: self._fold(records))
        folded = tracing.Step("fold", begun, time.time_ns())
        written = [one.written for one in applied if one.written is not None]
        tracing.batch((record.trace for record in records), folded, written)
        messages = [
            message
            for one in applied
            for message in messages_of(
                one.activity,
                group=self._consumer,
                topic=self._activity_topic,
                partitions=self._partitions,
            )
        ]
        messages += [Message(self._lists_topic, one.gone.encode(), None) for one in merged]
        if messages:
            await persistently(partial(self._outlet.write, messages), dependency="kafka")
        await self._aside.send(letters)
        if letters:
            metrics.events.labels("unknown", "refused").inc(len(letters))
        users = [user for one in applied for user in one.users]
        users += [one.user for one in merged]
        self._changed(users, {record.partition: record.offset + 1 for record in records})

    def _fold(
        self, records: Sequence[Record]
    ) -> tuple[list[Applied], list[Merged], list[DeadLetter]]:
        parsed, letters = _parsed(records, self._arrival, self._aside)
        applied: list[Applied] = []
        merged: list[Merged] = []

        def apply(part: Sequence[Arrival | MergeArrival]) -> None:
            for run in runs(part):
                if isinstance(run, MergeArrival):
                    merged.append(self._handler.merges.apply(run))
                else:
                    applied.append(self._handler.apply(run))

        letters += _apply_all(parsed, apply, self._aside, _EVENT_FAULTS)
        if letters:
            self._aside.passed(self._consumer, records)
        return applied, merged, letters

    def _arrival(self, record: Record) -> Arrival | MergeArrival:
        key = (record.topic, record.partition)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = Partition(self._consumer, *key)
        event = event_of(record)
        if isinstance(event, Merge):
            return MergeArrival(event, record.received, place, record.offset)
        return Arrival(event, record.received, place, record.offset)


class ItemFlow:
    """Items to the state and the index."""

    def __init__(
        self,
        handler: ItemChanges,
        *,
        aside: SetAside,
        thread: Executor,
        consumer: str,
        masking: Masking = UNMASKED,
    ) -> None:
        self._handler = handler
        self._masking = masking
        self._aside = aside
        self._thread = thread
        self._consumer = consumer

    async def take(self, records: Sequence[Record]) -> None:
        """Put and delete items; see the module and `EventFlow.take`."""
        letters = await _in_thread(self._thread, lambda: self._put(records))
        await self._aside.send(letters)

    def _put(self, records: Sequence[Record]) -> list[DeadLetter]:
        parsed, letters = _parsed(records, self._change, self._aside)
        letters += _apply_all(
            parsed,
            lambda part: self._handler.apply(
                [change for change, _ in part], [place for _, place in part]
            ),
            self._aside,
            _ITEM_FAULTS,
        )
        if letters:
            self._aside.passed(self._consumer, records)
        return letters

    def _change(self, record: Record) -> tuple[tuple[ItemId, Item | None], tuple[Partition, int]]:
        place = Partition(self._consumer, record.topic, record.partition)
        name, item = item_of(record)
        return (name, item and self._masking.item(item)), (place, record.offset)


class ActivityFlow:
    """Increments that event workers sent on, to the rows of their items."""

    def __init__(self, handler: ActivityHandler, *, aside: SetAside, thread: Executor) -> None:
        self._handler = handler
        self._aside = aside
        self._thread = thread

    async def take(self, records: Sequence[Record]) -> None:
        """Add increments; see the module and `EventFlow.take`."""
        letters = await _in_thread(self._thread, lambda: self._add(records))
        await self._aside.send(letters)

    def _add(self, records: Sequence[Record]) -> list[DeadLetter]:
        parsed, letters = _parsed(records, decode_increments, self._aside)
        sent: dict[tuple[str, str, int], list[list[Increment]]] = {}
        for record, one in parsed:
            sent.setdefault((one.group, record.topic, record.partition), []).append(one.increments)
        for (group, topic, partition), messages in sent.items():
            # The sender's marks: whoever reads the topic again in a group of another name finds
            # what has been added.
            self._handler.apply(joined(messages), consumer=group, topic=topic, partition=partition)
        return letters


def _parsed(
    records: Sequence[Record], parse: Callable[[Record], P], aside: SetAside
) -> tuple[list[tuple[Record, P]], list[DeadLetter]]:
    """What the records are, and the stored letters of those that are nothing."""
    parsed: list[tuple[Record, P]] = []
    letters: list[DeadLetter] = []
    for record in records:
        try:
            parsed.append((record, parse(record)))
        except InvalidInputError as error:
            letters.append(aside.letter(record, error))
    aside.store(letters)
    return parsed, letters


def _apply_all(
    parsed: Sequence[tuple[Record, P]],
    apply: Callable[[list[P]], object],
    aside: SetAside,
    faults: tuple[type[ClickwiseError], ...],
) -> list[DeadLetter]:
    """Apply a batch; where a record in it is at fault, one by one, that record set aside.

    Its letter is stored before the next record is applied, whose offset passes over it.
    """
    if not parsed:
        return []
    try:
        apply([value for _, value in parsed])
    except faults as error:
        if len(parsed) == 1:
            letters = [aside.letter(parsed[0][0], error)]
            aside.store(letters)
            return letters
        return [letter for one in parsed for letter in _apply_all([one], apply, aside, faults)]
    return []


def _short(topic: str) -> str:
    """A topic's name without the deployment's prefix: a label from a small set."""
    return topic.rpartition(".")[2]


async def _in_thread(thread: Executor, job: Callable[[], T]) -> T:
    """Run `job` there, again while the database or the vector store is away."""
    loop = asyncio.get_running_loop()

    def once() -> Awaitable[T]:
        return loop.run_in_executor(thread, job)

    return await persistently(once, dependency="stores")
