"""Everything there is at the end, read as values: topics from their beginnings, tables whole."""

import asyncio
import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import msgspec
import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from clickwise.activity import counts
from clickwise.cli.wiring import open_core
from clickwise.events import Event
from clickwise.messages import Recommendations
from clickwise.profile import from_bytes, from_stored, interaction_of, profile_bytes, stored_body
from clickwise.recommend.exposures import ExposureMessage
from clickwise.releases import Release
from clickwise.settings import Settings
from clickwise.state.port import State
from clickwise.topics import (
    DEAD_LETTERS,
    EVENTS,
    EXPOSURES,
    ITEM_ACTIVITY,
    ITEMS,
    RECOMMENDATIONS,
    Topic,
)
from clickwise.types import ItemId, item_key
from streams.kafka import connection_options, topic_reader
from streams.records import Record
from tests.chaos.checker import (
    Expected,
    Findings,
    PublishedList,
    StoredLetter,
    StoredProfile,
    check_answers,
    check_counts,
    check_exposures,
    check_items,
    check_letters,
    check_lists,
    check_profiles,
    check_told,
    expected_of,
)
from tests.chaos.load import NUM_ITEMS, Told

MAX_LETTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Raw:
    """A record with its headers."""

    record: Record
    headers: dict[str, bytes]


async def read_topic(settings: Settings, topic: Topic) -> list[Raw]:
    """All of it, partition after partition, in order of offsets."""
    name = topic.full_name(settings.kafka_topic_prefix)
    places = [TopicPartition(name, number) for number in range(settings.kafka_partitions)]
    client = topic_reader(settings)
    await client.start()
    found: list[Raw] = []
    try:
        client.assign(places)
        await client.seek_to_beginning()
        ends = await client.end_offsets(places)
        while any([await client.position(place) < ends[place] for place in places]):
            for records in (await client.getmany(timeout_ms=500)).values():
                found += [_raw(one) for one in records]
    finally:
        await client.stop()
    return sorted(found, key=lambda raw: (raw.record.partition, raw.record.offset))


def _raw(one) -> Raw:
    headers = dict(one.headers)
    replay = headers.get("replay-of")
    seconds = one.timestamp / 1000.0
    place = (one.topic, one.partition, one.offset, one.key, one.value, seconds)
    return Raw(Record(*place, replay.decode() if replay else None), headers)


async def behind(settings: Settings) -> dict[str, str]:
    """Partitions of the workers' topics that are not applied to their ends: how far they are."""
    client = AIOKafkaConsumer(
        **connection_options(settings), group_id=settings.kafka_group, enable_auto_commit=False
    )
    await client.start()
    try:
        places = [
            TopicPartition(topic.full_name(settings.kafka_topic_prefix), number)
            for topic in (EVENTS, ITEM_ACTIVITY, ITEMS)
            for number in range(settings.kafka_partitions)
        ]
        ends = await client.end_offsets(places)
        done = {place: await client.committed(place) or 0 for place in places}
    finally:
        await client.stop()
    return {
        f"{place.topic}-{place.partition}": f"{done[place]} of {ends[place]}"
        for place in places
        if done[place] < ends[place]
    }


def check_all(settings: Settings, told: Told, may_be_lost) -> tuple[Findings, Expected, int]:
    """Read all and compare; findings, what the log holds, and how many exposures there are."""
    findings = Findings()
    events, exposures, copies, lists = asyncio.run(_topics(settings))
    expected = expected_of([raw.record for raw in events])
    with ExitStack() as stack:
        core = open_core(settings, stack)
        core.releases.refresh()
        release = core.releases.live
        release.catalog.refresh(core.state.newest_change())
        stored = _profiles(core.state)
        check_told(findings, told.events, expected)
        check_profiles(
            findings, expected, stored, lambda events: replayed(release, events), differences
        )
        check_counts(findings, expected, _counts(core.state))
        _check_items(findings, core.state, told)
        letters = [
            StoredLetter(one.topic, one.partition, one.offset, one.reason, one.value)
            for one in core.state.dead_letters(limit=MAX_LETTERS)
        ]
    shown = [
        msgspec.json.decode(raw.record.value or b"", type=ExposureMessage) for raw in exposures
    ]
    check_exposures(findings, told.answers, shown, may_be_lost)
    values = {(r.record.partition, r.record.offset): r.record.value for r in events}
    topic = EVENTS.full_name(settings.kafka_topic_prefix)
    on_topic = [one for one in letters if one.topic == topic]
    for one in letters:
        if one.topic != topic:
            findings.add("dead letters wrong", f"{one.topic} {one.partition} {one.offset}")
    check_letters(findings, expected, values, on_topic, [_letter(raw) for raw in copies])
    check_lists(findings, newest_lists(lists), stored)
    check_answers(findings, told.answers)
    return findings, expected, len(shown)


async def _topics(settings: Settings) -> tuple[list[Raw], ...]:
    wanted = (EVENTS, EXPOSURES, DEAD_LETTERS, RECOMMENDATIONS)
    return tuple([await read_topic(settings, topic) for topic in wanted])


def replayed(release: Release, events: Sequence[Event]) -> StoredProfile:
    """The pure rule over all of a user's events at once, in order of time."""
    interactions = [interaction_of(event) for event in events]
    interactions.sort(key=lambda one: (one.time, one.event))
    profile = release.fold(release.bundle.empty_profile(), interactions).profile
    body = profile_bytes(stored_body(profile, received=0.0))
    return StoredProfile(events=profile.events_applied, version=0, body=body)


def differences(stored: bytes, due: bytes) -> str:
    """Fields of two profiles that are not the same, and how far numbers are apart."""
    one, other = from_bytes(stored), from_bytes(due)
    told = []
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if a.tobytes() != b.tobytes():
                apart = ""
                if field.name == "history":
                    names = [n for n in a.dtype.names if a.shape != b.shape or (a[n] != b[n]).any()]
                    apart = f" {len(a)} and {len(b)} in {','.join(names)}"
                elif a.shape == b.shape:
                    apart = f" by {float(np.abs(a - b).max()):.1e}"
                told.append(field.name + apart)
        elif a != b:
            told.append(field.name)
    return ", ".join(told)


def _profiles(state: State) -> dict[str, StoredProfile]:
    found: dict[str, StoredProfile] = {}
    after = ""
    while users := state.users(after=after):
        after = users[-1]
        for user in users:
            row, _ = state.profile(user)
            assert row is not None
            profile, _ = from_stored(row.body)
            found[user] = StoredProfile(
                profile.events_applied, row.version, profile_bytes(row.body)
            )
    return found


def _counts(state: State) -> dict[tuple[str, str], int]:
    names = {item_key(f"i{number}"): f"i{number}" for number in range(NUM_ITEMS)}
    return {
        (names[key], kind.value): number
        for key, row in state.activity(sorted(names)).items()
        for kind, number in counts(row).items()
        if number
    }


def _check_items(findings: Findings, state: State, told: Told) -> None:
    check_items(findings, told.items, {one for one in told.items if state.item(ItemId(one))})


def _letter(raw: Raw) -> StoredLetter:
    headers = raw.headers
    return StoredLetter(
        topic=headers["topic"].decode(),
        partition=int(headers["partition"]),
        offset=int(headers["offset"]),
        reason=headers["reason"].decode(),
        value=raw.record.value,
    )


def newest_lists(lists: Sequence[Raw]) -> dict[str, PublishedList]:
    """Of each user who has one; a tombstone takes it away."""
    newest: dict[str, PublishedList] = {}
    for raw in lists:
        user = (raw.record.key or b"").decode()
        if raw.record.value is None:
            newest.pop(user, None)
        else:
            one = msgspec.json.decode(raw.record.value, type=Recommendations)
            newest[user] = PublishedList(one.profile_version, one.events_applied)
    return newest
