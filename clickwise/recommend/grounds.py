"""From a logged exposure to its grounds (`why`): the user's events as of then, measured again."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from clickwise.clock import Clock
from clickwise.profile import Profile, event_type, from_stored
from clickwise.recommend.exposures import ExposureMessage, ShownItem
from clickwise.recommend.features import followed_kind
from clickwise.recommend.leaving_out import Effects, LeavingOut
from clickwise.recommend.lists import GlobalLists
from clickwise.recommend.names import TopicNames
from clickwise.recommend.taste import taste_of
from clickwise.recommend.then import guests_then, users_then
from clickwise.recommend.why import Influence, Why, WhyItem
from clickwise.recommend.why_words import sentence
from clickwise.releases.release import Release
from clickwise.state.port import State
from clickwise.types import ITEM_KINDS, ItemId, ItemKey, ItemKind, item_key
from clickwise.vectors.port import ItemTable

NAMED = 3  # events that are named per item
NOTICEABLE = 1e-4  # a smaller effect is rounding

_Labels = dict[ItemKey, tuple[ItemId, str]]


class Grounds:
    """Looks at logged lists of users that one release answers; owned by one thread."""

    def __init__(self, *, state: State, release: Release, clock: Clock) -> None:
        self._state = state
        self._release = release
        self._index = release.catalog.index
        self._lists = GlobalLists(state=state, index=self._index, clock=clock)
        self._leaving_out = LeavingOut(state=state, release=release, clock=clock)
        self._names = TopicNames(state)

    def why(self, shown: ExposureMessage, *, language: str) -> Why:
        """The grounds of a logged list, told in `language` (a BCP 47 tag).

        Raises:
            UnavailableError: the database or the vector store does not answer.
            BundleError: the scorer cannot be run.
        """
        profile = self._profile_at(shown)
        keys = [item_key(one.item) for one in shown.items]
        table = self._index.lookup(keys)
        lists, _ = self._lists.read(late=False)
        effects = self._leaving_out.effects(profile, table, lists=lists, now=shown.time.timestamp())
        labels = self._index.labels([*keys, *effects.events["item"].tolist()])
        events = self._index.lookup(np.unique(effects.events["item"]))
        rows = {key: row for row, key in enumerate(table.keys_N.tolist())}
        weights = taste_of(profile, self._release.bundle.recurrence).topics
        return Why(
            request_id=shown.request_id,
            user=shown.user,
            time=shown.time,
            model=shown.model,
            measured_with=self._release.version,
            policy=shown.policy,
            events_then=shown.events_applied,
            events_kept=len(profile.history),
            events_left_out=len(effects.events),
            degraded=shown.degraded,
            items=tuple(
                self._item(one, rows.get(key), table, effects, labels, weights, language, events)
                for one, key in zip(shown.items, keys, strict=True)
            ),
        )

    def _profile_at(self, shown: ExposureMessage) -> Profile:
        """The profile of the events up to the list; empty for a guest, and once forgotten.

        Of a guest who became a user since, that of the guest's own events, which the user's has.
        """
        empty = self._release.bundle.empty_profile()
        if shown.user is None:
            return empty
        stored, newest = self._state.profile(shown.user)
        self._release.catalog.refresh(newest)
        moves = self._state.aliases.moves(shown.user)
        if stored is not None:
            profile = from_stored(stored.body)[0]
            history = users_then(profile.history, shown.user, shown.time, moves)
            return self._release.rebuilt(dataclasses.replace(profile, history=history.copy()))
        moves = [one for one in moves if one.guest == shown.user]
        if not moves or not shown.profile_version:  # after a merge a guest is nobody known
            return empty
        stored, _ = self._state.profile(moves[0].user)
        if stored is None:
            return empty
        history = guests_then(from_stored(stored.body)[0].history, shown.time, moves)
        return self._release.rebuilt(dataclasses.replace(empty, history=history.copy()))

    def _item(
        self,
        shown: ShownItem,
        row: int | None,
        table: ItemTable,
        effects: Effects,
        labels: _Labels,
        weights: dict[int, float],
        language: str,
        events: ItemTable,
    ) -> WhyItem:
        title = labels.get(ItemKey(item_key(shown.item)), (shown.item, ""))[1]
        influences: tuple[Influence, ...] = ()
        topics: dict[str, float] = {}
        followed: ItemKind | None = None
        if row is not None:
            followed = followed_kind(events, table.topics_NT[row])
            influences = _influences(effects, row, labels)
            topics = self._topics(table.topics_NT[row].tolist(), shown.item, weights)
        return WhyItem(
            item=shown.item,
            title=title,
            kind=shown.kind,
            position=shown.position,
            score=shown.score,
            score_now=None if row is None else round(float(effects.scores_N[row]), 6),
            sources=shown.sources,
            reason=shown.reason,
            text=sentence(
                shown.reason,
                influences,
                tuple(topics),
                score=0.0 if row is None else float(effects.scores_N[row]),
                language=language,
                kinds=_kinds(events, labels),
                followed=followed,
            ),
            influences=influences,
            topics=topics,
        )

    def _topics(
        self, codes: Sequence[int], item: ItemId, weights: dict[int, float]
    ) -> dict[str, float]:
        common = [code for code in codes if code and weights.get(code)]
        self._names.of(common, item)
        named = ((self._names.known(code), weights[code]) for code in common)
        return {name: round(weight, 4) for name, weight in named if name is not None}


def _kinds(events: ItemTable, labels: _Labels) -> dict[ItemId, ItemKind]:
    kinds = zip(events.keys_N.tolist(), events.kinds_N.tolist(), strict=True)
    return {
        labels[ItemKey(key)][0]: ITEM_KINDS[kind] for key, kind in kinds if ItemKey(key) in labels
    }


def _influences(effects: Effects, row: int, labels: _Labels) -> tuple[Influence, ...]:
    """The strongest first; events on items that are gone cannot be named."""
    effects_E = effects.effects_EN[:, row]
    found: list[Influence] = []
    for place in np.argsort(-np.abs(effects_E), kind="stable").tolist():
        effect = float(effects_E[place])
        if len(found) == NAMED or abs(effect) < NOTICEABLE:
            break
        event = effects.events[place]
        label = labels.get(ItemKey(int(event["item"])))
        if label is not None:
            found.append(
                Influence(
                    type=event_type(int(event["type"])),
                    item=label[0],
                    title=label[1],
                    time=datetime.fromtimestamp(int(event["time"]) / 1e6, UTC),
                    effect=round(effect, 6),
                )
            )
    return tuple(found)
