"""The topics on the broker: created as `clickwise.topics` says, and compared with it.

Nothing existing is changed: what differs is said, because a partition count cannot be taken
back and a changed retention deletes data.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from clickwise.settings import Settings
from clickwise.topics import (
    COMPACTED_WITHIN,
    DEAD_LETTERS,
    RECOMMENDATIONS,
    SEGMENT,
    TOPICS,
    Topic,
    retention_of,
)
from streams import kafka
from streams.kafka import FoundTopic, WantedTopic

CREATE_COMMAND = "clickwise topics create"
# A message over the program's own limit still fits, to be set aside with its reason.
_MAX_MESSAGE_BYTES = 2_000_000
# A dead letter is the original message plus the headers that tell its place.
_DEAD_LETTER_BYTES = _MAX_MESSAGE_BYTES + 65_536


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What became of one topic: `created`, `existed`, or `refused` with the problem."""

    name: str
    outcome: str
    partitions: int
    problems: tuple[str, ...] = ()


def create_topics(settings: Settings) -> list[TopicReport]:
    """Create the topics that are missing and compare the others.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    return asyncio.run(_create(settings))


def check_topics(settings: Settings) -> list[str]:
    """What is wrong with the topics, one sentence each; empty when all is well.

    Raises:
        UnavailableError: Kafka does not answer.
    """
    return asyncio.run(find_problems(settings))


async def _create(settings: Settings) -> list[TopicReport]:
    wanted = [wanted_topic(topic, settings) for topic in TOPICS]
    found = await kafka.describe_topics(settings, [topic.name for topic in wanted])
    missing = [topic for topic in wanted if topic.name not in found]
    refused = await kafka.create_topics(settings, missing)
    reports = []
    for topic in wanted:
        if topic.name in found:
            existing = found[topic.name]
            problems = tuple(differences(topic, existing))
            reports.append(TopicReport(topic.name, "existed", existing.partitions, problems))
        elif topic.name in refused:
            reports.append(TopicReport(topic.name, "refused", 0, (refused[topic.name],)))
        else:
            reports.append(TopicReport(topic.name, "created", topic.partitions))
    return reports


async def find_problems(settings: Settings) -> list[str]:
    """`check_topics`, in a running event loop."""
    wanted = [wanted_topic(topic, settings) for topic in TOPICS]
    found = await kafka.describe_topics(settings, [topic.name for topic in wanted])
    missing = [topic.name for topic in wanted if topic.name not in found]
    problems = []
    if missing:
        problems.append(f"missing: {', '.join(missing)}; run `{CREATE_COMMAND}`")
    for topic in wanted:
        if topic.name in found:
            problems.extend(differences(topic, found[topic.name]))
    return problems


def wanted_topic(topic: Topic, settings: Settings) -> WantedTopic:
    """A topic of the table as this deployment wants it."""
    configuration = {
        "cleanup.policy": "compact" if topic.compacted else "delete",
        "max.message.bytes": str(
            _DEAD_LETTER_BYTES if topic is DEAD_LETTERS else _MAX_MESSAGE_BYTES
        ),
    }
    retention = retention_of(topic, exposure_days=settings.exposure_days)
    if retention is not None:
        configuration |= {"retention.ms": _ms(retention), "segment.ms": _ms(SEGMENT)}
    if topic is RECOMMENDATIONS:
        configuration |= {
            "segment.ms": _ms(SEGMENT),
            "max.compaction.lag.ms": _ms(COMPACTED_WITHIN),
            "delete.retention.ms": _ms(COMPACTED_WITHIN),
        }
    if settings.kafka_replication >= 3:
        # Else "all copies have it" may mean the one that is left.
        configuration["min.insync.replicas"] = "2"
    return WantedTopic(
        topic.full_name(settings.kafka_topic_prefix),
        settings.kafka_partitions,
        settings.kafka_replication,
        configuration,
    )


def _ms(span: timedelta) -> str:
    return str(round(span.total_seconds() * 1000))


def differences(wanted: WantedTopic, found: FoundTopic) -> list[str]:
    """How a topic differs from what the program needs, one sentence each."""
    problems = []
    if found.partitions != wanted.partitions:
        problems.append(
            f"{wanted.name} has {found.partitions} partitions where CLICKWISE_KAFKA_PARTITIONS"
            f" says {wanted.partitions}: set it to {found.partitions}, or delete the topic and"
            f" run `{CREATE_COMMAND}`"
        )
    policy, wanted_policy = (
        found.configuration.get("cleanup.policy", ""),
        wanted.configuration["cleanup.policy"],
    )
    if policy and set(policy.split(",")) != {wanted_policy}:
        problems.append(
            f"{wanted.name} has cleanup.policy={policy} where {wanted_policy} is needed"
        )
    return problems
