"""Kafka topics: names, keys, partitions, retention. One table for code, docs and AsyncAPI."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it has to exist on the broker."""

    name: str
    key: str
    holds: str
    compacted: bool
    retention: timedelta | None

    def full_name(self, prefix: str) -> str:
        """The name on the broker: `clickwise.events` for prefix `clickwise`."""
        return f"{prefix}.{self.name}"


EVENTS = Topic("events", "user id", "what users did", False, timedelta(days=7))
ITEMS = Topic("items", "item id", "items as they are now; a tombstone deletes", True, None)
RECOMMENDATIONS = Topic(
    "recommendations", "user id", "a user's new list after a change", True, None
)
EXPOSURES = Topic("exposures", "user id", "what was shown, and why", False, timedelta(days=30))
ITEM_ACTIVITY = Topic(
    "item-activity",
    "none: the partition is the item's",
    "internal: events re-keyed by item, for popularity and co-clicks",
    False,
    timedelta(days=1),
)
MODELS = Topic("models", "`live`", "the model in use: version, bundle, checksum", True, None)
TEXTS = Topic("texts", "item id", "words for an item's readers; none: its own", True, None)
DEAD_LETTERS = Topic(
    "dead-letters",
    "as it came",
    "refused messages: original bytes, place and reason",
    False,
    timedelta(days=30),
)

TOPICS: tuple[Topic, ...] = (
    EVENTS,
    ITEMS,
    RECOMMENDATIONS,
    EXPOSURES,
    ITEM_ACTIVITY,
    MODELS,
    TEXTS,
    DEAD_LETTERS,
)


# How often a broker begins a new segment where people's data go by age or by compaction. It deletes
# or compacts closed ones alone: a message outlives its time by so much (by a week if none is set).
SEGMENT = timedelta(days=1)
# How long an older list may stay behind a newer one, or behind a tombstone, and that tombstone.
COMPACTED_WITHIN = timedelta(days=1)


def retention_of(topic: Topic, *, exposure_days: float) -> timedelta | None:
    """How long a deployment keeps a topic's messages; None: as long as they are the newest."""
    return timedelta(days=exposure_days) if topic is EXPOSURES else topic.retention
