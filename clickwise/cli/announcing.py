"""Telling Kafka which model is live: the compacted topic `models`.

The database is the truth; the topic is for whoever has no access to it. So it is written after
the change, as well as can be, and again whenever a server starts or sees a change.
"""

import asyncio
from threading import Event

from clickwise import logs, metrics
from clickwise.cli.extras import kafka_extra
from clickwise.codec import encode
from clickwise.errors import ClickwiseError
from clickwise.messages import model_of
from clickwise.settings import Settings
from clickwise.state.port import Pointer, State
from clickwise.topics import MODELS

POLL_SECONDS = 1.0

_log = logs.get(__name__)


def announce(settings: Settings, pointer: Pointer) -> bool:
    """Write the live model to its topic; False, and a line in the log, where that cannot be."""
    live = pointer.role("live")
    if settings.embedded or live is None:
        return True
    with kafka_extra():
        from streams.kafka import Message, Producer

    async def write() -> None:
        producer = Producer(settings, delivery_seconds=5.0)
        try:
            topic = MODELS.full_name(settings.kafka_topic_prefix)
            body = encode(model_of(live, pointer.sequence))
            await producer.write([Message(topic, b"live", body)])
        finally:
            await producer.stop()

    try:
        asyncio.run(write())
    except ClickwiseError as error:
        metrics.errors.labels(error.kind, "models").inc()
        metrics.published.labels(MODELS.name, "failed").inc()
        _log.warning("model_not_announced", model=live.version, reason=str(error))
        return False
    metrics.published.labels(MODELS.name, "written").inc()
    return True


def follow(settings: Settings, state: State, stop: Event) -> None:
    """Announce what is live now, and every change, until `stop`."""
    announced: object = None
    while not stop.wait(POLL_SECONDS):
        try:
            pointer = state.pointer()
        except ClickwiseError as error:
            metrics.errors.labels(error.kind, "models").inc()
            continue
        live = pointer.role("live")
        if live is not None and live != announced and announce(settings, pointer):
            announced = live
