"""How far one user moves what everybody sees: the weight of an event on popularity and co-clicks.

Pure. An event's `Voice` follows from the user's kept events alone, in the order in which they
arrived, so it does not depend on how they were grouped into batches (but for false hits of
the Bloom filter of older items) and needs no state of its own (ADR 8):

    share      = 1 / (1 + (n / daily_events) ** 2)
    popularity = max(0, weight - what the user's earlier events on the item are still worth)
                 * share * (1 - 2 ** (-d / newcomer_items))
    following  = weight * share, for each step from item to item that the user has not made before

n: the user's kept events within a day of it. d: different items among the newest of them.
An event is compared with all that arrived before it, whatever time it carries: a flood that is
dated backwards gains nothing by it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clickwise.activity import FOLLOW_STEPS, MAX_WEIGHT
from clickwise.profile import Interaction, Profile, in_older, window
from clickwise.profile.profile import MICROSECONDS
from clickwise.types import EVENT_CODES, EventType

_IMPRESSION = EVENT_CODES[EventType.IMPRESSION]
_DAY = 86_400 * MICROSECONDS
_NEWEST = 32  # kept events in which different items and earlier positive ones are looked for
_MOST_HALF_LIVES = 60.0  # what is dated so far back is worth nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Influence:
    """The bounds of one user's influence.

    `half_life_seconds`: popularity's own, so that all of a user's events on an item together
    are worth what the strongest of them is worth now. `repeats`: the share of earlier worth that
    a repeat does not count again (1: all of it), and whether a step counts again (below 1).
    `daily_events`: from here on a day's events count less than half; nobody reads a hundred items
    a day with care, and 1.57 times this number bounds a day's total. `newcomer_items`: an unknown
    user's first event counts 16 %, the fourth 50 %, the sixteenth 94 %; an account made to push
    one item has seen few others. `faintest`: what is below it counts nothing, so that whispers do
    not churn the lists of followers.
    """

    half_life_seconds: float = 72 * 3_600.0
    repeats: float = 1.0
    daily_events: float = 100.0
    newcomer_items: float = 4.0
    faintest: float = 0.02

    @classmethod
    def unbounded(cls) -> "Influence":
        """Each event counts in full: what attacks are compared with."""
        return cls(repeats=0.0, daily_events=math.inf, newcomer_items=0.0, faintest=0.0)


BOUNDED = Influence()


@dataclass(frozen=True, slots=True)
class Voice:
    """What an event counts for others.

    `popularity` is added to its item, not where it is zero or less. `following` is added to each
    step from an item in `before` (keys of what the user liked right before, newest first).
    """

    popularity: float
    following: float = 0.0
    before: tuple[int, ...] = ()


def voices(
    profile: Profile, arrivals: Sequence[Interaction], *, kept: int, influence: Influence
) -> list[Voice]:
    """The voice of each of one user's `arrivals`, in order, on top of what `profile` holds.

    `kept` is N, the number of newest events that every profile holds (`Rules.history`): what is
    beyond them is known by item only, however much more of it this profile happens to hold.
    """
    steps = [one for one in arrivals if one.type != _IMPRESSION]
    if len(steps) == 1:  # the usual case
        joined, in_order = profile.history, True
    else:
        joined = window.joined(profile.history, _entries(steps))
        in_order = window.ordered(joined) is joined
    heard: list[Voice] = []
    number = len(profile.history)
    for one in arrivals:
        if one.type == _IMPRESSION:
            heard.append(Voice(min(0.0, one.weight)))
            continue
        if one.weight > 0.0:
            known = joined[:number] if in_order else window.ordered(joined[:number])
            heard.append(_voice(profile, known, one, kept, influence))
        else:
            heard.append(Voice(one.weight))
        number += 1
    return heard


def _voice(
    profile: Profile, known: window.History, one: Interaction, kept: int, influence: Influence
) -> Voice:
    """The voice of a positive event when `known`, in event-time order, arrived before it."""
    newest = known[-kept:]
    weight = min(one.weight, MAX_WEIGHT)
    following = weight * _share_of_day(newest, one, kept, influence)
    if following < influence.faintest:
        return Voice(0.0)
    same = newest[newest["item"] == one.item]
    worth = _worth(same, one, influence)
    if len(known) > len(newest) or profile.truncated:
        worth = max(worth, _older_worth(profile, known, newest, one, influence))
    popularity = following * max(0.0, 1.0 - influence.repeats * worth / weight)
    if influence.newcomer_items:
        items = {*newest["item"][-_NEWEST:].tolist(), one.item}
        popularity *= 1.0 - 2.0 ** (-len(items) / influence.newcomer_items)
    if popularity < influence.faintest:
        popularity = 0.0
    made = _steps_to(newest, one.item) if len(same) and influence.repeats >= 1.0 else set()
    before = [key for key in _liked_before(newest, one) if key != one.item and key not in made]
    return Voice(popularity, following, tuple(before))


def _worth(same: window.History, one: Interaction, influence: Influence) -> float:
    """What the strongest of the events `same` is worth at the time of `one`."""
    half_life = influence.half_life_seconds * MICROSECONDS
    worth = 0.0
    for time, weight in zip(same["time"].tolist(), same["weight"].tolist(), strict=True):
        half_lives = min(_MOST_HALF_LIVES, (time - one.time) / half_life)
        worth = max(worth, min(weight, MAX_WEIGHT) * 2.0**half_lives)
    return worth


def _older_worth(
    profile: Profile,
    known: window.History,
    newest: window.History,
    one: Interaction,
    influence: Influence,
) -> float:
    """The same for events beyond the newest. Of them only the item is known: such an event counts
    as the strongest there can be, at the last moment that it can have happened.
    """
    item = np.array([one.item], np.int64)
    if one.item not in known["item"][: -len(newest)] and not in_older(profile.older, item)[0]:
        return 0.0
    last = newest[:1].copy()
    last["weight"] = MAX_WEIGHT
    return _worth(last, one, influence)


def _share_of_day(
    newest: window.History, one: Interaction, kept: int, influence: Influence
) -> float:
    """How much another event of that day counts; nothing when all that is kept is of that day."""
    if math.isinf(influence.daily_events):
        return 1.0
    number = int(np.count_nonzero(np.abs(newest["time"] - one.time) < _DAY))
    return 0.0 if number >= kept else 1.0 / (1.0 + (number / influence.daily_events) ** 2)


def _liked_before(newest: window.History, one: Interaction) -> list[int]:
    """Keys of the newest items with a positive event before `one`, newest first."""
    found: list[int] = []
    last = len(newest) - 1
    # Entry by entry: they are mostly found among the first few.
    for index in range(last, max(-1, last - _NEWEST), -1):
        if len(found) == FOLLOW_STEPS:
            break
        time, event, item, weight, _ = window.entry(newest, index)
        if weight > 0.0 and (time, event) < (one.time, one.event) and item not in found:
            found.append(item)
    return found


def _steps_to(newest: window.History, item: int) -> set[int]:
    """Keys of the items from which the user has stepped to `item`."""
    keys: list[int] = newest["item"][newest["weight"] > 0.0].tolist()
    found: set[int] = set()
    for place, key in enumerate(keys):
        if key == item:
            earlier = reversed(keys[max(0, place - _NEWEST) : place])
            found.update(list(dict.fromkeys(earlier))[:FOLLOW_STEPS])
    return found


def _entries(interactions: Sequence[Interaction]) -> window.History:
    return np.array(
        [(i.time, i.event, i.item, i.weight, i.type) for i in interactions], window.ENTRY
    )
