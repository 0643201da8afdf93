"""What an export says in words: what the file is, what a profile means, what items are called.

A person who asks for their data reads topics, words and titles; vectors have no meaning of their
own, and stand at the end of their record, under `numbers`.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import msgspec

from clickwise.codec import JsonObject
from clickwise.profile import Profile, event_type
from clickwise.state.port import State
from clickwise.types import ItemId, ItemKey, UserId, item_key, topic_code
from clickwise.understanding import interest_words, understood

ABOUT = "about"
_TEXT = (
    "All that is kept of this person here: a JSON object on each line, whose `store` says where it"
    " lies. `title`, beside an item, is what the item is called now; null: there is no such item"
    " any more. Times are UTC."
)
_PROFILE = {
    "events_applied": "how many events it was made of",
    "profile_version": "how often it was changed",
    "model": "the model that it was made for",
    "topics": "how much the events speak for a topic (below 0: against it), as shares of all",
    "words": "words of the items in the history that stand for them, heaviest first",
    "history": (
        "the newest events of which it was made, newest first; `weight` is how much one counts for"
        " its item (below 0: against it)"
    ),
    "numbers": (
        "what the model reads: vectors whose single numbers have no meaning that could be told,"
        " and codes. interests: directions of interest, with their weights; aversion:"
        " what was disliked; memory: what a learned model keeps of the same events; topic_weights:"
        " topics by code; item_keys: the items of the history by code, in its order"
    ),
}


class _Named(msgspec.Struct):
    """The part of an item that is told of it."""

    title: str
    topics: tuple[str, ...] = ()
    inferred_topics: tuple[str, ...] = ()


_named = msgspec.json.Decoder(_Named)


def about(user: UserId, stores: Mapping[str, str]) -> JsonObject:
    """The first record of an export; `stores`: what each holds, by name."""
    return {
        "store": ABOUT,
        "user": user,
        "text": _TEXT,
        "stores": dict(stores),
        "fields of profiles": _PROFILE,
    }


class Titles:
    """What items are called, looked up once each."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._known: dict[str, str | None] = {}

    def beside(self, record: JsonObject) -> JsonObject:
        """The record with a `title` behind each `item` that has none: its own, and in `items`."""
        listed = record.get("items")
        shown: list[object] = listed if isinstance(listed, list) else []
        entries = [record, *(one for one in shown if isinstance(one, dict))]
        self._learn([one["item"] for one in entries if isinstance(one.get("item"), str)])
        told = self._told(record)
        if shown:
            told["items"] = [self._told(one) if isinstance(one, dict) else one for one in shown]
        return told

    def _told(self, record: JsonObject) -> JsonObject:
        if not isinstance(record.get("item"), str) or "title" in record:
            return dict(record)
        told: JsonObject = {}
        for name, value in record.items():
            told[name] = value
            if name == "item":
                told["title"] = self._known.get(value)
        return told

    def _learn(self, names: Collection[str]) -> None:
        missing = {item_key(ItemId(name)): name for name in names if name not in self._known}
        if not missing:
            return
        found = self._state.item_bodies(list(missing))
        for key, name in missing.items():
            item, body = found.get(key, ("", b""))
            self._known[name] = _named.decode(body).title if item == name else None


def told_profile(state: State, profile: Profile, version: int) -> JsonObject:
    """A profile: what is understood of it first, then the numbers."""
    rows = profile.history[::-1].tolist()
    keys = {ItemKey(item) for _, _, item, _, _ in rows}
    items = {
        key: (name, _named.decode(body)) for key, (name, body) in state.item_bodies(keys).items()
    }
    known = understood(state.understandings, keys)
    engaged = [(weight, known[item]) for _, _, item, weight, _ in rows if item in known and weight]
    return {
        "events_applied": profile.events_applied,
        "profile_version": version,
        "model": profile.model,
        "topics": _topics(profile, [named for _, named in items.values()]),
        "words": list(interest_words(engaged)),
        "history": [
            {
                "time": datetime.fromtimestamp(time / 1e6, UTC),
                "type": event_type(kind).value,
                "item": items[item][0] if item in items else None,
                "title": items[item][1].title if item in items else None,
                "weight": round(weight, 4),
            }
            for time, _event, item, weight, kind in rows
        ],
        "numbers": {
            "topic_weights": {str(code): weight for code, weight in profile.topic_weights.items()},
            "interests": profile.interests_KD.tolist(),
            "interest_weights": profile.masses_K.tolist(),
            "aversion": profile.aversion_D.tolist(),
            "memory": profile.memory_M.tolist(),
            "item_keys": [item for _, _, item, _, _ in rows],
        },
    }


def _topics(profile: Profile, items: Collection[_Named]) -> dict[str, float]:
    """By name, as shares: decay leaves these as they are. Topics that no item of the history has
    any more are known by their code alone, and left out.
    """
    names: dict[int, str] = {
        topic_code(topic): topic
        for named in items
        for topic in named.topics or named.inferred_topics
    }
    total = sum(map(abs, profile.topic_weights.values())) or 1.0
    ordered = sorted(profile.topic_weights.items(), key=lambda pair: -pair[1])
    return {names[code]: round(w / total, 4) for code, w in ordered if code in names}
