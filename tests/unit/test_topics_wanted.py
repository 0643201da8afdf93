"""Topics as a deployment asks its broker for them."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from clickwise.settings import Settings
from clickwise.topics import DEAD_LETTERS, EVENTS, EXPOSURES, RECOMMENDATIONS, TOPICS, Topic
from streams.kafka import FoundTopic
from streams.personal_topics import _compacted_by, _gone_by
from streams.topics_admin import wanted_topic

DAY_MS = "86400000"
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def found(**configuration: str) -> FoundTopic:
    named = {name.replace("_", "."): value for name, value in configuration.items()}
    return FoundTopic("site.topic", 4, 1, named)


@pytest.mark.case(18)
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_with_three_copies_a_write_is_durable_in_two_before_it_is_answered(topic: Topic) -> None:
    threefold = msgspec.structs.replace(Settings(), kafka_replication=3)

    assert wanted_topic(topic, threefold).configuration["min.insync.replicas"] == "2"
    assert "min.insync.replicas" not in wanted_topic(topic, Settings()).configuration


@pytest.mark.parametrize("topic", [EVENTS, EXPOSURES, DEAD_LETTERS], ids=lambda topic: topic.name)
def test_what_goes_by_age_outlives_it_by_a_day(topic: Topic) -> None:
    assert wanted_topic(topic, Settings()).configuration["segment.ms"] == DAY_MS


def test_older_lists_of_a_user_and_tombstones_are_compacted_within_days() -> None:
    wanted = wanted_topic(RECOMMENDATIONS, Settings()).configuration

    names = ("segment.ms", "max.compaction.lag.ms", "delete.retention.ms")
    assert {wanted[name] for name in names} == {DAY_MS}


def test_a_receipt_says_when_messages_that_go_by_age_are_gone() -> None:
    week = str(7 * int(DAY_MS))

    assert _gone_by(found(retention_ms=week, segment_ms=DAY_MS), NOW) == NOW + timedelta(days=8)
    assert _gone_by(found(retention_ms=week), NOW) == NOW + timedelta(days=14)
    assert _gone_by(found(retention_ms="-1", segment_ms=DAY_MS), NOW) is None


def test_a_receipt_says_when_older_lists_are_gone_where_the_broker_promises_it() -> None:
    told = {"segment_ms": DAY_MS, "max_compaction_lag_ms": DAY_MS, "delete_retention_ms": DAY_MS}
    endless = {"max_compaction_lag_ms": str(2**63 - 1), "delete_retention_ms": DAY_MS}

    assert _compacted_by(found(**told), NOW) == NOW + timedelta(days=3)
    assert _compacted_by(found(**endless), NOW) is None
