"""What a batch of events does to items: each distinct event once, with its user's voice.

An event is weighed by what its user had done when it first arrived (`clickwise.influence`),
whatever batch it comes in, and also when it is delivered again: then what arrived after it is
taken out of the profile by the places that the event log keeps.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clickwise.activity import Increment, increments
from clickwise.influence import Influence, Voice, voices
from clickwise.profile import Interaction, Profile, event_type
from clickwise.state.port import Write
from clickwise.types import EVENT_CODES, EventKey, UserId

_PLACE = re.compile(rb"(\d+):(\d+)")
_ANY_PLACE = re.compile(rb"-?\d+:-?\d+")  # of the HTTP door, too, which has none
_NEVER = 1 << 63


@dataclass(frozen=True, slots=True)
class Counted:
    """A distinct event of a batch; `again`: it was applied before and is delivered again.

    `partition` and `offset` are its own; -1 for both from the HTTP door.
    """

    user: UserId
    interaction: Interaction
    partition: int
    offset: int
    again: bool


def place(partition: int, offset: int) -> bytes:
    """Where an event came from, as the event log keeps it when another log has its body."""
    return b"%d:%d" % (partition, offset)


def is_place(body: bytes) -> bool:
    """Whether the event log keeps a place there, and no event."""
    return _ANY_PLACE.fullmatch(body) is not None


def effects(
    counted: Sequence[Counted],
    profiles: Mapping[UserId, Profile],
    write: Write,
    *,
    kept: int,
    influence: Influence,
) -> Iterable[Increment]:
    """Increments of `counted`, which is in order; `profiles` are those before the batch."""
    by_user: dict[UserId, list[Counted]] = {}
    for one in counted:
        by_user.setdefault(one.user, []).append(one)
    heard: dict[int, Voice] = {}
    for user, some in by_user.items():
        profile, arrivals = profiles[user], [one.interaction for one in some]
        if any(one.again for one in some):
            profile, arrivals = _as_then(profile, some, write)
        found = voices(profile, arrivals, kept=kept, influence=influence)
        heard.update(zip((one.event for one in arrivals), found, strict=True))
    for one in counted:
        voice = heard[one.interaction.event]
        yield from increments(
            item=one.interaction.item,
            event_type=one.interaction.type,
            popularity=voice.popularity,
            following=voice.following,
            time=one.interaction.time / 1e6,
            before=voice.before,
            partition=one.partition,
            offset=one.offset,
        )


def _as_then(
    profile: Profile, counted: Sequence[Counted], write: Write
) -> tuple[Profile, list[Interaction]]:
    """The profile's history before the first of `counted` arrived, and what came since.

    The window may have moved in the meantime; what it dropped is known by item only. A person who
    was merged has events of several partitions: each is in its own order.
    """
    again = [one for one in counted if one.again]
    first: dict[int, int] = {}
    for one in again:
        first[one.partition] = min(one.offset, first.get(one.partition, one.offset))
    keys = {EventKey(key) for key in profile.history["event"].tolist()}
    places = _places(write.event_bodies(keys))
    since = {
        places[key]: Interaction(time, key, item, weight, EVENT_CODES[event_type(code)])
        for time, key, item, weight, code in profile.history.tolist()
        if key in places and places[key][1] >= first.get(places[key][0], _NEVER)
    }
    since.update(((one.partition, one.offset), one.interaction) for one in again)
    arrivals = [since[where] for where in sorted(since)]
    later = np.array([one.event for one in arrivals], np.int64)
    earlier = profile.history[~np.isin(profile.history["event"], later)]
    fresh = [one.interaction for one in counted if not one.again]
    return replace(profile, history=earlier), arrivals + fresh


def _places(bodies: Mapping[EventKey, bytes | None]) -> dict[int, tuple[int, int]]:
    """Partition and offset of those events that came through one, by event key."""
    found: dict[int, tuple[int, int]] = {}
    for key, body in bodies.items():
        known = _PLACE.fullmatch(body or b"")
        if known is not None:
            found[key] = int(known[1]), int(known[2])
    return found
