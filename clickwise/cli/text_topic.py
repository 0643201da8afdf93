"""Telling Kafka which words stand for items: the compacted topic `texts`.

The database is the truth. How far the topic holds it is there too, so that a restart goes on where
the last process stopped. Several machines take turns; what was written twice is the same message.
"""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

from clickwise import logs, metrics
from clickwise.cli.extras import kafka_extra
from clickwise.codec import encode
from clickwise.errors import ClickwiseError
from clickwise.settings import Settings
from clickwise.state.text_port import Decision, StoredText, Texts
from clickwise.topics import TEXTS
from clickwise.types import ItemId, ItemKey
from clickwise.writing.published import item_texts
from clickwise.writing.shelf import DecidedAlone, WordRows

if TYPE_CHECKING:
    from streams.kafka import Message

POLL_SECONDS = 1.0
AT_ONCE = 200

_log = logs.get(__name__)


def follow(settings: Settings, texts: Texts, stop: Event) -> None:
    """Write what changed to the topic, until `stop`."""
    failed = False
    while not stop.wait(POLL_SECONDS):
        try:
            publish(settings, texts)
            failed = False
        except ClickwiseError as error:
            metrics.errors.labels(error.kind, "texts").inc()
            if not failed:
                _log.warning("texts_not_published", reason=str(error))
            failed = True


def publish(settings: Settings, texts: Texts) -> int:
    """Write the words of every item that changed since the last time; how many items.

    Raises:
        UnavailableError: Kafka or the database does not answer; nothing is lost.
    """
    with kafka_extra():
        from streams.kafka import Message, Producer

    def message(item: ItemId, body: bytes | None) -> "Message":
        return Message(TEXTS.full_name(settings.kafka_topic_prefix), item.encode(), body)

    async def write(messages: "list[Message]") -> None:
        producer = Producer(settings, delivery_seconds=5.0)
        try:
            await producer.write(messages)
        finally:
            await producer.stop()

    published = 0
    newest = texts.newest_number()
    while texts.published() < newest:
        with texts.publishing() as note_published:
            after = texts.published()  # by another machine in between, perhaps
            if after >= newest:
                break
            items, until = _changed(texts, after, newest)
            shown = texts if settings.texts != "off" else DecidedAlone(texts)
            messages = [
                message(item, _body(shown, key, item, until)) for key, item in items.items()
            ]
            if messages:
                try:
                    asyncio.run(write(messages))
                except ClickwiseError:
                    metrics.published.labels(TEXTS.name, "failed").inc(len(messages))
                    raise
                metrics.published.labels(TEXTS.name, "written").inc(len(messages))
                published += len(messages)
            note_published(until)
    return published


def _changed(texts: Texts, after: int, newest: int) -> tuple[dict[ItemKey, ItemId], int]:
    """Items whose words changed above `after`, and up to which number they are all of them."""
    written = texts.texts_changed(after=after, limit=AT_ONCE)
    decided = texts.decisions_changed(after=after, limit=AT_ONCE)
    until = newest
    # A page that is not the last one ends before the newest number: the other waits for it.
    last: list[tuple[Callable[..., object], int]] = [
        (texts.texts_changed, written[-1].number if written else newest),
        (texts.decisions_changed, decided[-1].number if decided else newest),
    ]
    for more, number in last:
        if number < newest and more(after=number, limit=1):
            until = min(until, number)
    rows: list[StoredText | Decision] = [*written, *decided]
    return {row.key: row.item for row in rows if row.number <= until}, until


def _body(texts: WordRows, key: ItemKey, item: ItemId, version: int) -> bytes | None:
    found = item_texts(item, texts.texts_of(key), texts.decisions_of(key), version)
    return None if found is None else encode(found)
