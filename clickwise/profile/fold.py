"""The online update rule: how events change a profile.

Pure: no I/O, no clock, no globals. `streams` applies it to live events, evaluation replays
history through it.

`fold` gives the same bytes for the same set of distinct events, in whatever order and grouping
they come. An event that is the newest is one O(1) step; a late one, or one that moves the
window, folds the window anew with the same step.

Shape suffixes: K = interests, D = embedding dimension, M = topics.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from clickwise.events import Event
from clickwise.profile import window
from clickwise.profile.profile import MICROSECONDS, Profile, empty_profile, with_older
from clickwise.profile.recurrence import Recurrence
from clickwise.profile.rules import Rules, weight_of
from clickwise.types import EVENT_CODES, EVENT_TYPES, EventType, TopicCode, event_key, item_key
from clickwise.vectors.port import Float32Array

IMPRESSION = EVENT_CODES[EventType.IMPRESSION]
_NEGLIGIBLE = 1e-6
_RESCALE_AFTER = 30.0  # half-lives: float32 keeps its precision over 2 ** 30


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What the rule needs to know of an item: its unit vector (D,) and its topics."""

    vector_D: Float32Array
    topics: tuple[TopicCode, ...]


class ItemSource(Protocol):
    """Gives the facts of items by key; unknown items are left out."""

    def facts(self, keys: Sequence[int]) -> Mapping[int, ItemFacts]:
        """Facts of those items that are known."""
        ...


@dataclass(frozen=True, slots=True)
class Interaction:
    """An event as the rule sees it. `time` in microseconds since 1970."""

    time: int
    event: int
    item: int
    weight: float
    type: int


@dataclass(frozen=True, slots=True)
class Folded:
    """The new profile, and for each interaction `applied`, `duplicate` or `stale`.

    Stale: older than the window, so it counts as seen and no more.
    """

    profile: Profile
    outcomes: tuple[str, ...]


def interaction_of(event: Event) -> Interaction:
    """The event in the rule's terms."""
    return Interaction(
        time=round(event.time.timestamp() * MICROSECONDS),
        event=event_key(event.id),
        item=item_key(event.item),
        weight=weight_of(event),
        type=EVENT_CODES[event.type],
    )


def fold(
    profile: Profile,
    interactions: Sequence[Interaction],
    items: ItemSource,
    rules: Rules,
    *,
    recurrence: Recurrence | None = None,
) -> Folded:
    """`profile` after `interactions`; `profile` itself is left as it was.

    `recurrence` is the learned model's, None under day 0.
    """
    outcomes: list[str] = []
    entries = profile.history
    known = _known(entries, interactions)
    fresh: list[Interaction] = []
    stale: list[Interaction] = []
    first = window.place(entries, 0) if profile.truncated else (0, 0)
    applied = 0
    for one in interactions:
        if one.event in known:
            outcomes.append("duplicate")
            continue
        known.add(one.event)
        applied += 1
        if one.type == IMPRESSION:
            outcomes.append("applied")
        elif profile.truncated and (one.time, one.event) < first:
            outcomes.append("stale")
            stale.append(one)
        else:
            outcomes.append("applied")
            fresh.append(one)
    changed = profile.replica()
    changed.events_applied += applied
    if stale:
        changed.older = with_older(changed.older, _entries(stale))
    if fresh:
        fresh.sort(key=_place)
        changed = _with_fresh(changed, fresh, items, rules, recurrence)
    return Folded(changed, tuple(outcomes))


def rebuilt(
    profile: Profile, items: ItemSource, rules: Rules, *, recurrence: Recurrence | None = None
) -> Profile:
    """The profile folded anew from the events it keeps: after a change of model or of items."""
    history = profile.history.copy()
    history["type"] &= ~np.uint8(window.UNKNOWN)
    return _refolded(replace(profile, history=history), items, rules, recurrence)


def has_unknown(profile: Profile) -> bool:
    """True when some kept event's item was not known when it was folded."""
    # The mark is a byte's highest bit: none has it where all bytes are ASCII.
    return not profile.history["type"].tobytes().isascii()


def unknown_items(profile: Profile) -> list[int]:
    """Keys of those items."""
    mask = (profile.history["type"] & window.UNKNOWN) != 0
    keys: list[int] = profile.history["item"][mask].tolist()
    return keys


def _known(history: window.History, interactions: Sequence[Interaction]) -> set[int]:
    """Keys of those interactions that the history holds already."""
    events = history["event"]
    if len(interactions) == 1:  # the usual case; building a set costs more than looking once
        event = interactions[0].event
        return {event} if np.count_nonzero(events == event) else set()
    return set(events.tolist())


def _place(one: Interaction) -> tuple[int, int]:
    return one.time, one.event


def _entries(interactions: Sequence[Interaction]) -> window.History:
    return np.array(
        [(i.time, i.event, i.item, i.weight, i.type) for i in interactions], window.ENTRY
    )


def _with_fresh(
    profile: Profile,
    fresh: Sequence[Interaction],
    items: ItemSource,
    rules: Rules,
    recurrence: Recurrence | None,
) -> Profile:
    """`fresh` is ordered."""
    history = profile.history
    in_order = not len(history) or window.place(history, -1) < _place(fresh[0])
    joined = window.joined(history, _entries(fresh))
    if not in_order:
        joined = window.ordered(joined)
    begin = window.start(joined, rules)
    if begin:
        profile.older = with_older(profile.older, joined[:begin])
        profile.truncated = True
    window_moved = begin > 0
    arrived = has_unknown(profile) and bool(items.facts(unknown_items(profile)))
    profile.history = joined[begin:]
    if window_moved or arrived or not in_order:
        profile.history = profile.history.copy()
        return _refolded(profile, items, rules, recurrence)
    _steps(profile, len(history), items, rules, recurrence)
    return profile


def _refolded(
    profile: Profile, items: ItemSource, rules: Rules, recurrence: Recurrence | None
) -> Profile:
    memory = recurrence.memory if recurrence is not None else 0
    anew = replace(
        empty_profile(profile.model, dimension=profile.dimension, rules=rules, memory=memory),
        events_applied=profile.events_applied,
        truncated=profile.truncated,
        history=profile.history,
        older=profile.older,
    )
    anew.history["type"] &= ~np.uint8(window.UNKNOWN)
    _steps(anew, 0, items, rules, recurrence)
    return anew


def _steps(
    profile: Profile,
    begin: int,
    items: ItemSource,
    rules: Rules,
    recurrence: Recurrence | None,
) -> None:
    """Fold `profile.history[begin:]` into the arrays, which are copied once before."""
    history = profile.history
    entries = history[begin:].tolist()
    facts = items.facts([entry[2] for entry in entries])
    state = _State(profile, rules)
    memory_M = profile.memory_M
    before = window.place(history, begin - 1)[0] if begin else entries[0][0] if entries else 0
    for index, (time, _event, item, weight, kind) in enumerate(entries, begin):
        known = facts.get(item)
        state.advance(time)
        gap_seconds, before = (time - before) / MICROSECONDS, time
        if known is None:
            history["type"][index] |= window.UNKNOWN
            continue
        if weight > 0.0:
            state.draw(known, weight)
        elif weight < 0.0:
            state.push(known, -weight)
        if recurrence is not None:
            memory_M = recurrence.step(
                memory_M,
                known.vector_D,
                event_type=kind & ~window.UNKNOWN,
                weight=weight,
                gap_seconds=gap_seconds,
            )
    state.store()
    profile.memory_M = memory_M


class _State:
    """The arrays of a profile while events are folded into them, in landmark units."""

    def __init__(self, profile: Profile, rules: Rules) -> None:
        self.profile = profile
        self.rules = rules
        self.interests_KD = profile.interests_KD.copy()
        self.masses: list[float] = profile.masses_K.tolist()
        self.rows = list(self.interests_KD)
        self.lengths = [
            _length(row) if mass else 0.0 for row, mass in zip(self.rows, self.masses, strict=True)
        ]
        self.aversion_D = profile.aversion_D  # replaced, never written to
        self.aversion_mass = profile.aversion_mass
        self.topics = dict(profile.topic_weights)
        self.landmark = profile.landmark
        self.time = profile.time
        self.gain = 1.0

    def advance(self, time: int) -> None:
        """From here on weights are those of `time`; they halve every half-life of event time."""
        if not self.landmark:
            self.landmark = time
        self.time = max(self.time, time)
        half_lives = (time - self.landmark) / MICROSECONDS / self.rules.half_life_seconds
        if half_lives > _RESCALE_AFTER:
            self._rescale(0.5**half_lives)
            self.landmark = time
            half_lives = 0.0
        self.gain = 2.0**half_lives

    def draw(self, item: ItemFacts, weight: float) -> None:
        """A positive event joins the nearest interest, or starts one."""
        weight *= self.gain
        nearest, cosine = self._nearest(item)
        free = self.masses.index(0.0) if 0.0 in self.masses else -1
        if cosine >= self.rules.join_cosine or (free < 0 and min(self.masses) >= weight):
            slot = nearest
        elif free >= 0:
            slot = free
        else:  # the weakest interest has faded below this one event
            slot = self.masses.index(min(self.masses))
            self._clear(slot)
        self._add(slot, item, weight)
        for topic in item.topics:
            self._add_topic(topic, weight)

    def push(self, item: ItemFacts, weight: float) -> None:
        """A negative event moves the nearest interest away and remembers what was disliked."""
        weight *= self.gain
        nearest, cosine = self._nearest(item)
        if nearest >= 0 and cosine >= self.rules.join_cosine:
            if self.masses[nearest] - weight <= _NEGLIGIBLE * self.gain:
                self._clear(nearest)
            else:
                self._add(nearest, item, -weight)
        self.aversion_D = self.aversion_D + np.float32(weight) * item.vector_D
        self.aversion_mass += weight
        for topic in item.topics:
            self._add_topic(topic, -weight)

    def store(self) -> None:
        """Put the arrays back into the profile."""
        profile = self.profile
        profile.interests_KD = self.interests_KD
        profile.masses_K = np.array(self.masses, np.float32)
        profile.aversion_D = self.aversion_D
        profile.aversion_mass = self.aversion_mass
        profile.topic_weights = self.topics
        profile.landmark = self.landmark
        profile.time = self.time

    def _nearest(self, item: ItemFacts) -> tuple[int, float]:
        """Slot of the interest with the greatest cosine; (-1, -1) when there is none."""
        products: list[float] = (self.interests_KD @ item.vector_D).tolist()
        best, best_cosine = -1, -1.0
        for slot, length in enumerate(self.lengths):
            if self.masses[slot] > 0.0 and length > 0.0:
                cosine = products[slot] / length
                if best < 0 or cosine > best_cosine:
                    best, best_cosine = slot, cosine
        return best, best_cosine

    def _add(self, slot: int, item: ItemFacts, weight: float) -> None:
        row = self.rows[slot]
        row += np.float32(weight) * item.vector_D
        self.lengths[slot] = _length(row)
        self.masses[slot] = float(np.float32(self.masses[slot] + weight))

    def _clear(self, slot: int) -> None:
        self.interests_KD[slot] = 0.0
        self.lengths[slot] = 0.0
        self.masses[slot] = 0.0

    def _rescale(self, factor: float) -> None:
        """Move the landmark: every sum shrinks by the same factor."""
        self.interests_KD *= np.float32(factor)
        self.lengths = [_length(row) for row in self.rows]
        self.masses = [float(np.float32(mass * factor)) for mass in self.masses]
        self.aversion_D = self.aversion_D * np.float32(factor)
        self.aversion_mass *= factor
        self.topics = {code: weight * factor for code, weight in self.topics.items()}

    def _add_topic(self, topic: int, weight: float) -> None:
        if topic not in self.topics and len(self.topics) >= self.rules.topics:
            _, faintest = min(zip(map(abs, self.topics.values()), self.topics, strict=True))
            del self.topics[faintest]
        self.topics[topic] = self.topics.get(topic, 0.0) + weight


def _length(row_D: Float32Array) -> float:
    return math.sqrt(float(row_D.dot(row_D)))


def event_type(code: int) -> EventType:
    """The type that a history entry's `type` byte names."""
    return EVENT_TYPES[code & ~window.UNKNOWN]
