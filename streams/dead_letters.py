"""Dead letters on their way out and back: the copy on the topic, and the replay.

The state is where they are listed and shown from; the topic tells others. A copy holds the
original key and bytes, and headers `topic`, `partition`, `offset`, `reason`, `detail`.
"""

import asyncio

from clickwise.clock import Clock, SystemClock
from clickwise.errors import InvalidInputError, NotFoundError
from clickwise.settings import Settings
from clickwise.state.port import DeadLetter, State
from clickwise.topics import EVENTS, ITEMS
from streams.kafka import Message, Producer
from streams.records import MOMENT_HEADER, REPLAY_HEADER

# Over this the copy on the topic goes without its value (header `cut`); the state has all.
MAX_COPIED_BYTES = 1_900_000


def letter_message(topic: str, letter: DeadLetter) -> Message:
    """The copy of a stored dead letter for the topic."""
    cut = len(letter.value or b"") + len(letter.key or b"") > MAX_COPIED_BYTES
    headers = [
        ("topic", letter.topic.encode()),
        ("partition", str(letter.partition).encode()),
        ("offset", str(letter.offset).encode()),
        ("reason", letter.reason.encode()),
        ("detail", letter.detail.encode(errors="replace")),
    ]
    if cut:
        headers.append(("cut", str(len(letter.value or b"")).encode()))
    # A key alone could already be too large; it is part of what the state keeps.
    key = letter.key if len(letter.key or b"") <= MAX_COPIED_BYTES else None
    value = None if cut else letter.value
    if key is None and value is None:
        value = b""  # Kafka's client takes no message with neither
    return Message(topic, key, value, headers=tuple(headers))


def replay_message(letter: DeadLetter, *, topics: frozenset[str]) -> Message:
    """The original message again, for its own topic.

    Raises:
        InvalidInputError: its topic is none of `topics`, those that take replays.
    """
    if letter.topic not in topics:
        raise InvalidInputError(
            f"dead letter {letter.id} came from {letter.topic}, which takes no replays; one of"
            f" {', '.join(sorted(topics))} does"
        )
    place = f"{letter.topic}-{letter.partition}-{letter.offset}"
    headers = (
        (REPLAY_HEADER, place.encode()),
        (MOMENT_HEADER, repr(letter.at.timestamp()).encode()),
    )
    return Message(letter.topic, letter.key, letter.value, headers=headers)


def replay(settings: Settings, state: State, letter: int, *, clock: Clock | None = None) -> None:
    """Put a dead letter back into its topic, as it came, and mark it replayed.

    What is refused again becomes a new dead letter, with its new place.

    Raises:
        NotFoundError: no such dead letter.
        InvalidInputError: it came from a topic that takes no replays.
        UnavailableError: Kafka or the database does not answer.
    """
    found = state.dead_letter(letter)
    if found is None:
        raise NotFoundError(f"no dead letter {letter}")
    prefix = settings.kafka_topic_prefix
    topics = frozenset({EVENTS.full_name(prefix), ITEMS.full_name(prefix)})
    message = replay_message(found, topics=topics)
    asyncio.run(_write(settings, message))
    state.mark_replayed(letter, (clock or SystemClock()).now())


async def _write(settings: Settings, message: Message) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.write([message])
    finally:
        await producer.stop()
