"""The part of `clickwise check --deep` that looks at Kafka: topics as they are set, and offsets."""

import asyncio
from collections.abc import Iterable
from contextlib import ExitStack

from clickwise.cli.checks import Seen
from clickwise.cli.wiring import state_of
from clickwise.settings import Settings
from clickwise.topics import EVENTS, ITEMS, TOPICS

LEAST = ("retention.ms", "max.message.bytes")
MOST = ("segment.ms", "max.compaction.lag.ms", "delete.retention.ms")


def topics(settings: Settings) -> Iterable[Seen]:
    """Replicas, those that have to be in step, retention and sizes of every topic."""
    if settings.embedded:
        return
    from streams import kafka, topics_admin

    wanted = [topics_admin.wanted_topic(topic, settings) for topic in TOPICS]
    found = asyncio.run(kafka.describe_topics(settings, [topic.name for topic in wanted]))
    sound = 0
    for topic in wanted:
        there = found.get(topic.name)
        if there is None:
            yield Seen("fail", f"{topic.name} is missing", "run `clickwise topics create`")
            continue
        faults = topics_admin.differences(topic, there)
        if there.replication < topic.replication:
            faults.append(
                f"{topic.name} has {there.replication} replicas, expected {topic.replication}"
            )
        in_step = int(there.configuration.get("min.insync.replicas") or 1)
        if topic.replication >= 3 and in_step < 2:
            faults.append(f"{topic.name} has min.insync.replicas={in_step}, expected 2 or more")
        for name in LEAST:
            least, is_ = topic.configuration.get(name), there.configuration.get(name)
            if least and is_ and int(is_) != -1 and int(is_) < int(least):
                faults.append(f"{topic.name} has {name}={is_}, expected {least} or more")
        for name in MOST:
            most, is_ = topic.configuration.get(name), there.configuration.get(name)
            if most and is_ and int(is_) > int(most):
                faults.append(
                    f"{topic.name} has {name}={is_}, expected {most} or less: what was of people"
                    " who were forgotten stays for longer"
                )
        for fault in faults:
            yield Seen("fail", fault, "change it with Kafka's own kafka-configs or reassignment")
        sound += not faults
    yield Seen("ok", f"{sound} of {len(wanted)} topics are set as they should be")


def offsets(settings: Settings) -> Iterable[Seen]:
    """What the database has applied lies within the log, and not behind what Kafka was told."""
    if settings.embedded:
        return
    from streams import kafka

    sound = []
    for topic in (EVENTS, ITEMS):
        name = topic.full_name(settings.kafka_topic_prefix)
        # In this order: workers commit to the database first, and go on meanwhile.
        told = asyncio.run(kafka.committed_offsets(settings, name, settings.kafka_partitions))
        with ExitStack() as stack:
            kept = state_of(settings, stack).offsets(settings.kafka_group)
        applied = {p.partition: at for p, at in kept.items() if p.topic == name and p.source < 0}
        ends = asyncio.run(kafka.end_offsets(settings, name, settings.kafka_partitions))
        faults = 0
        for partition, end in sorted(ends.items()):
            where = f"{name}, partition {partition}"
            at = applied.get(partition, 0)
            if at > end:
                faults += 1
                yield Seen(
                    "fail",
                    f"{where}: applied up to {at}, expected {end} at most, where the log ends",
                    "the topic was made anew: set a new CLICKWISE_KAFKA_GROUP",
                )
            if at < told.get(partition, 0):
                faults += 1
                yield Seen(
                    "fail",
                    f"{where}: applied up to {at}, expected {told[partition]}, which Kafka was"
                    " told: the database has lost something, such as by an older backup",
                    "restart the workers: they read again from there (docs/care.md)",
                )
        if not faults:
            sound.append(name)
    if sound:
        yield Seen("ok", f"offsets of {' and '.join(sound)} lie within the log")


ALL = {"topics": topics, "offsets": offsets}
