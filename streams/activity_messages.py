"""What events do to items, re-keyed: one message per batch and partition of `item-activity`.

An item's partition is its key modulo the number of partitions, so that one worker at a time
adds to its row. All of one event's increments for a partition travel in one message, in the
order of their offsets: the receiver keeps one mark per sending group and source partition, and
can tell what it has seen, whatever group it is in itself.
"""

from collections.abc import Sequence

import msgspec

from clickwise.activity import Increment
from clickwise.codec import encode
from clickwise.errors import InvalidInputError
from clickwise.messages import Increments
from streams.kafka import Message
from streams.records import Record, RefusedError

_decoder = msgspec.json.Decoder(Increments)


def messages_of(
    increments: Sequence[Increment], *, group: str, topic: str, partitions: int
) -> list[Message]:
    """The increments as messages of the sending consumer group, each for its partition."""
    by_partition: dict[int, list[Increment]] = {}
    for one in increments:
        by_partition.setdefault(one.item % partitions, []).append(one)
    return [
        Message(topic, None, encode(Increments(group=group, increments=some)), partition)
        for partition, some in by_partition.items()
    ]


def decode_increments(record: Record) -> Increments:
    """The increments, and who sent them, in a record of `item-activity`.

    Raises:
        InvalidInputError: the value is not what `messages_of` makes.
    """
    if record.value is None:
        raise RefusedError("empty", "expected a list of increments, got no value")
    try:
        return _decoder.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"not a list of increments: {error}") from error


def joined(messages: Sequence[Sequence[Increment]]) -> list[Increment]:
    """The increments of one group in one partition, in order, without what was sent again.

    A message is sent again when a worker could not tell whether the first one had gone out. The
    receiver's marks only tell what earlier transactions applied; within one it is told here.
    """
    following: dict[int, int] = {}
    kept: list[Increment] = []
    for message in messages:
        fresh = [one for one in message if one.offset >= following.get(one.partition, 0)]
        for one in fresh:
            following[one.partition] = max(following.get(one.partition, 0), one.offset + 1)
        kept += fresh
    return kept
