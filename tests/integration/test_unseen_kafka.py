"""Whose profile went by age has no list in Kafka any more; without Kafka nobody's goes."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clickwise.cli.pruning import prune_profiles
from clickwise.errors import UnavailableError
from clickwise.profile import Rules, empty_profile, stored_body
from clickwise.settings import Settings, load
from clickwise.state.port import ProfileWrite
from clickwise.state.sql import SqlState, open_state
from clickwise.testing.doors import StoppedClock
from clickwise.testing.kafka import KafkaServer
from clickwise.topics import RECOMMENDATIONS
from clickwise.types import ModelVersion, UserId
from streams import topics_admin
from streams.kafka import Message, Producer
from streams.personal_topics import RecommendationsTopic

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)
ANN, BOB = UserId("ann"), UserId("bob")


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SqlState]:
    state = open_state(f"sqlite:///{tmp_path / 'state.db'}", timeout_seconds=5.0, pool_size=2)
    state.migrate()
    with state.write() as write:
        ages = {ANN: 31, BOB: 29}
        write.put_profiles([ProfileWrite(user, 0, body(days)) for user, days in ages.items()])
    yield state
    state.close()


def body(days: int) -> bytes:
    received = (NOW - timedelta(days=days)).timestamp()
    profile = empty_profile(ModelVersion("m1"), dimension=4, rules=Rules())
    return stored_body(profile, received=received)


def settings_of(bootstrap: str, prefix: str) -> Settings:
    return load(
        {"CLICKWISE_PROFILE_DAYS": "30"},
        kafka_bootstrap=bootstrap,
        kafka_topic_prefix=prefix,
        database_url="sqlite:///unused.db",
    )


async def publish(settings: Settings, *users: UserId) -> None:
    topic = RECOMMENDATIONS.full_name(settings.kafka_topic_prefix)
    producer = Producer(settings)
    await producer.start()
    await producer.write([Message(topic, user.encode(), b"{}") for user in users])
    await producer.stop()


def test_the_list_goes_with_the_profile_and_others_stay(
    kafka: KafkaServer, topic_prefix: str, state: SqlState
) -> None:
    settings = settings_of(kafka.bootstrap, topic_prefix)
    topics_admin.create_topics(settings)
    asyncio.run(publish(settings, ANN, BOB))

    dropped = prune_profiles(settings, state, clock=StoppedClock(NOW))

    lists = RecommendationsTopic(settings)
    assert dropped == 1
    assert state.users() == [BOB]
    assert lists.holds(ANN.__eq__, until=LATER) == 0
    assert lists.holds(BOB.__eq__, until=LATER) == 1


def test_while_kafka_is_away_every_profile_stays(state: SqlState) -> None:
    settings = settings_of("127.0.0.1:9", "nobody")

    with pytest.raises(UnavailableError):
        prune_profiles(settings, state, clock=StoppedClock(NOW))

    assert state.users() == [ANN, BOB]
