"""Whether each partition has all its copies: what is lost unseen until the last one is."""

import asyncio

from clickwise import logs, metrics
from clickwise.settings import Settings
from clickwise.topics import TOPICS
from streams import kafka

SECONDS = 30.0

_log = logs.get(__name__)


async def watch_replication(settings: Settings) -> None:
    """Show the number of partitions that lack copies, again and again."""
    names = [topic.full_name(settings.kafka_topic_prefix) for topic in TOPICS]
    while True:
        try:
            metrics.under_replicated.set(await kafka.count_under_replicated(settings, names))
        except Exception as error:  # noqa: BLE001  # it only looks: outages are told of elsewhere
            _log.debug("replication is not known", reason=repr(error))
        await asyncio.sleep(SECONDS)
