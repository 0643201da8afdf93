"""What the log says must have come of it, against what there is: pure, over values that were read.

Nothing is taken from what the workers say of themselves. The log of events is read from its
beginning; each record is an event, a repeated id, or no event at all, by the same parser that the
workers use; the distinct events of a user, in order of time, are folded in one go by the pure rule.
What is stored has to be that, byte for byte.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from clickwise.errors import InvalidInputError
from clickwise.events import Event
from clickwise.recommend.exposures import ExposureMessage
from streams.records import Record, RefusedError, event_of
from tests.chaos.load import Answered

EXAMPLES = 10

Place = tuple[int, int]  # partition, offset


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """How often something that may not be is, with a few of them."""

    count: int = 0
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What the records of `events` have to come to."""

    num_records: int
    users: Mapping[str, Sequence[Event]]  # distinct, as they first stand in the log
    ids: frozenset[str]
    num_repeated: int
    refused: Mapping[Place, str]  # reasons of those that are no events
    refused_ids: frozenset[str]  # as far as one can be read in them


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter, in the database or on its topic."""

    topic: str
    partition: int
    offset: int
    reason: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class StoredProfile:
    """`body`: the profile's own bytes. `version` counts its writes."""

    events: int
    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class PublishedList:
    """Of which profile the newest list of a user on `recommendations` is."""

    version: int
    events: int


Replay = Callable[[Sequence[Event]], StoredProfile]
Tell = Callable[[bytes, bytes], str]  # in what two bodies differ, for people


@dataclass
class Findings:
    """Findings by name; those of `FAULTS` may not be."""

    found: dict[str, list[str]] = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, example: str, number: int = 1) -> None:
        self.found.setdefault(name, []).append(example)
        self.totals[name] += number

    def result(self) -> dict[str, Finding]:
        """All of `FAULTS`, found or not, and what else was seen."""
        names = [*FAULTS, *(name for name in self.found if name not in FAULTS)]
        return {
            name: Finding(
                count=self.totals[name], examples=tuple(self.found.get(name, ())[:EXAMPLES])
            )
            for name in names
        }


FAULTS = (
    "events lost at the door",
    "events lost",
    "events counted twice",
    "profiles wrong",
    "item counts lost",
    "item counts twice",
    "items lost",
    "exposures missing",
    "exposures wrong",
    "dead letters missing",
    "dead letters wrong",
    "dead letters not on the topic",
    "lists out of date",
    "answers that went back",
)


def expected_of(records: Sequence[Record]) -> Expected:
    """Records in order of their offsets, partition after partition."""
    users: dict[str, list[Event]] = {}
    ids: set[str] = set()
    refused: dict[Place, str] = {}
    refused_ids: set[str] = set()
    repeated = 0
    for record in records:
        try:
            event = event_of(record)
        except InvalidInputError as error:
            label = error.label if isinstance(error, RefusedError) else error.kind
            refused[record.partition, record.offset] = label
            refused_ids |= _id_in(record.value)
        else:
            if event.id in ids:
                repeated += 1
                continue
            ids.add(event.id)
            users.setdefault(event.user, []).append(event)
    return Expected(
        num_records=len(records),
        users=users,
        ids=frozenset(ids),
        num_repeated=repeated,
        refused=refused,
        refused_ids=frozenset(refused_ids),
    )


def _id_in(value: bytes | None) -> set[str]:
    try:
        data = msgspec.json.decode(value or b"")
    except msgspec.DecodeError:
        return set()
    return {str(data["id"])} if isinstance(data, dict) and "id" in data else set()


def check_told(findings: Findings, told: Collection[str], expected: Expected) -> None:
    """Whatever a producer was told is taken stands in the log."""
    for name in sorted(set(told) - expected.ids - expected.refused_ids):
        findings.add("events lost at the door", name)


def check_profiles(
    findings: Findings,
    expected: Expected,
    stored: Mapping[str, StoredProfile],
    replay: Replay,
    tell: Tell,
) -> None:
    """Every profile is what a replay of its user's events gives."""
    for user in sorted(expected.users.keys() | stored.keys()):
        events = expected.users.get(user, ())
        found = stored.get(user)
        counted = found.events if found is not None else 0
        if counted < len(events):
            told = f"{user}: {counted} of {len(events)} events"
            findings.add("events lost", told, len(events) - counted)
        elif counted > len(events):
            told = f"{user}: {counted} instead of {len(events)} events"
            findings.add("events counted twice", told, counted - len(events))
        if found is not None and found.body != (body := replay(events).body):
            findings.add("profiles wrong", f"{user}: {tell(found.body, body)}")


def check_counts(
    findings: Findings, expected: Expected, counted: Mapping[tuple[str, str], int]
) -> None:
    """`counted`: by item and type. Each distinct event is one."""
    due = Counter((e.item, e.type.value) for events in expected.users.values() for e in events)
    for key in sorted(due.keys() | counted.keys()):
        less = due[key] - counted.get(key, 0)
        if less > 0:
            findings.add("item counts lost", f"{key}: {less}", less)
        elif less < 0:
            findings.add("item counts twice", f"{key}: {-less}", -less)


def check_items(findings: Findings, told: Collection[str], stored: Collection[str]) -> None:
    """Items that were taken are there."""
    for item in sorted(set(told) - set(stored)):
        findings.add("items lost", item)


def check_exposures(
    findings: Findings,
    answers: Sequence[Answered],
    exposures: Sequence[ExposureMessage],
    may_be_lost: Callable[[Answered], bool],
) -> None:
    """Every answer has its exposure, as it was shown.

    An exposure waits in the server's memory until Kafka has it (no reader waits for that), so one
    can go with a server that is killed: `may_be_lost` says of which answers. One can be written
    twice when Kafka goes away in between; whoever reads them knows it by its request's id, as long
    as both say the same.
    """
    known: dict[str, ExposureMessage] = {}
    for one in exposures:
        first = known.get(one.request_id)
        if first is None:
            known[one.request_id] = one
        elif first == one:
            findings.add("exposures written twice", one.request_id)
        else:
            findings.add("exposures wrong", f"{one.request_id}: two that differ")
    for answer in answers:
        shown = known.get(answer.request)
        if shown is None:
            lost = may_be_lost(answer)
            name = "exposures lost with a server" if lost else "exposures missing"
            findings.add(name, f"{answer.request} of {answer.server}")
        elif not _is_of(shown, answer):
            findings.add("exposures wrong", answer.request)


def _is_of(shown: ExposureMessage, answer: Answered) -> bool:
    return (
        shown.user == answer.user
        and tuple(one.item for one in shown.items) == answer.items
        and shown.profile_version == answer.version
        and shown.events_applied == answer.events
        and shown.degraded == answer.degraded
    )


def check_letters(
    findings: Findings,
    expected: Expected,
    values: Mapping[Place, bytes | None],
    stored: Sequence[StoredLetter],
    copies: Sequence[StoredLetter],
) -> None:
    """What is no event is a dead letter once, with its bytes and reason, and told on the topic."""
    found = {(one.partition, one.offset): one for one in stored}
    if len(found) < len(stored):
        findings.add("dead letters wrong", "a place twice", len(stored) - len(found))
    told = {(one.partition, one.offset): one for one in copies}
    for place, reason in expected.refused.items():
        letter = found.get(place)
        if letter is None:
            findings.add("dead letters missing", str(place))
        elif letter.reason != reason or letter.value != values[place]:
            findings.add("dead letters wrong", f"{place}: {letter.reason}, not {reason}")
        copy = told.get(place)
        if copy is None or copy.reason != reason:
            findings.add("dead letters not on the topic", str(place))
    for place in sorted(found.keys() - expected.refused.keys()):
        findings.add("dead letters wrong", f"{place} is an event")


def check_lists(
    findings: Findings,
    lists: Mapping[str, PublishedList],
    stored: Mapping[str, StoredProfile],
) -> None:
    """The newest list of each user knows all of the user's events; nobody else has one."""
    for user in sorted(lists.keys() | stored.keys()):
        found, profile = lists.get(user), stored.get(user)
        if found is None:
            findings.add("lists out of date", f"{user}: none")
        elif profile is None:
            findings.add("lists out of date", f"{user}: of somebody without a profile")
        elif (found.version, found.events) != (profile.version, profile.events):
            told = f"version {found.version} of {profile.version}"
            findings.add(
                "lists out of date", f"{user}: {told}, {found.events} of {profile.events} events"
            )


def check_answers(findings: Findings, answers: Sequence[Answered]) -> None:
    """What has been applied stays so: from list to list a user's events do not get fewer.

    Those of degraded answers say less, and say so.
    """
    seen: dict[str, int] = {}
    for answer in answers:
        if answer.degraded:
            continue
        before = seen.get(answer.user, 0)
        if answer.events < before:
            findings.add("answers that went back", f"{answer.request}: {answer.events} < {before}")
        seen[answer.user] = max(before, answer.events)
