"""Looking at one item's neighbors and at one user's profile."""

from datetime import UTC, datetime

import numpy as np

from clickwise.clock import Clock
from clickwise.errors import NotFoundError
from clickwise.profile import Profile, event_type, from_stored
from clickwise.recommend.answers import Interest, ProfileEvent, ProfileView, SimilarItem
from clickwise.recommend.names import TopicNames
from clickwise.recommend.taste import taste_of
from clickwise.releases.release import Release
from clickwise.state.port import State
from clickwise.types import ITEM_KINDS, ItemId, ItemKey, UserId, item_key
from clickwise.understanding import interest_words, understood
from clickwise.vectors.port import Where

NEAREST = 3  # kept items that tell what an interest is


class Views:
    """Read-only views for the site and for whoever is on call."""

    def __init__(self, *, state: State, release: Release, clock: Clock) -> None:
        self._state = state
        self._release = release
        self._catalog = release.catalog
        self._clock = clock
        self._names = TopicNames(state)

    def similar(self, item: ItemId, *, limit: int) -> tuple[SimilarItem, ...]:
        """Items nearest in content, the item itself left out.

        Raises:
            NotFoundError: no such item.
        """
        self._catalog.refresh()
        index = self._catalog.index
        own = index.lookup([item_key(item)])
        if not len(own):
            raise NotFoundError(f"no item with id {item!a}")
        where = Where(now=self._clock.now().timestamp(), without=frozenset({item_key(item)}))
        (hits,) = index.search(own.vectors_ND, limit=limit, where=where)
        table = index.lookup(hits.keys_N)
        labels = index.labels(hits.keys_N.tolist())
        scores = dict(zip(hits.keys_N.tolist(), hits.scores_N.tolist(), strict=True))
        found = []
        for row, key in enumerate(table.keys_N.tolist()):
            label = labels.get(ItemKey(key))
            if label is not None:
                found.append(
                    SimilarItem(
                        item=label[0],
                        kind=ITEM_KINDS[int(table.kinds_N[row])],
                        title=label[1],
                        topics=self._names.of(table.topics_NT[row].tolist(), label[0]),
                        score=round(scores[key], 6),
                    )
                )
        return tuple(found)

    def profile(self, user: UserId) -> ProfileView:
        """A user's profile: interests told by kept items, topic weights as of now, history.

        Raises:
            NotFoundError: no event of this user has been applied.
        """
        stored, newest = self._state.profile(user)
        if stored is None:
            raise NotFoundError(f"no profile of user {user!a}: none of their events was applied")
        self._catalog.refresh(newest)
        profile = self._release.present(from_stored(stored.body)[0])
        keys = profile.history["item"].tolist()
        labels = self._catalog.index.labels(list(dict.fromkeys(keys)))
        return ProfileView(
            user=user,
            profile_version=stored.version,
            events_applied=profile.events_applied,
            model=profile.model,
            interests=self._interests(profile, labels),
            topics=self._topics(profile, labels),
            words=self._words(profile),
            history=tuple(
                ProfileEvent(
                    type=event_type(kind),
                    item=labels[ItemKey(item)][0] if ItemKey(item) in labels else None,
                    time=datetime.fromtimestamp(time / 1e6, UTC),
                    weight=round(weight, 4),
                )
                for time, _event, item, weight, kind in reversed(profile.history.tolist())
            ),
        )

    def _interests(
        self, profile: Profile, labels: dict[ItemKey, tuple[ItemId, str]]
    ) -> tuple[Interest, ...]:
        taste = taste_of(profile, self._release.bundle.recurrence)
        positive = profile.history[profile.history["weight"] > 0.0]
        table = self._catalog.index.lookup(np.unique(positive["item"]))
        interests = []
        for vector_D, share in zip(taste.interests_KD, taste.shares_K.tolist(), strict=True):
            if share <= 0.0:
                continue
            order = np.argsort(-(table.vectors_ND @ vector_D), kind="stable")[:NEAREST]
            near = [labels[ItemKey(k)][0] for k in table.keys_N[order].tolist() if k in labels]
            interests.append(Interest(share=round(share, 4), nearest=tuple(near)))
        return tuple(interests)

    def _topics(
        self, profile: Profile, labels: dict[ItemKey, tuple[ItemId, str]]
    ) -> dict[str, float]:
        """U by name; the names are learnt from the kept items that carry the codes."""
        scale = profile.scale(self._clock.now().timestamp(), self._release.bundle.manifest.rules)
        missing = {c for c in profile.topic_weights if self._names.known(c) is None}
        if missing:
            table = self._catalog.index.lookup(np.unique(profile.history["item"]))
            for key, codes in zip(table.keys_N.tolist(), table.topics_NT.tolist(), strict=True):
                if missing.intersection(codes) and ItemKey(key) in labels:
                    self._names.of(codes, labels[ItemKey(key)][0])
                    missing = {c for c in missing if self._names.known(c) is None}
        named = (
            (self._names.known(code), weight * scale)
            for code, weight in profile.topic_weights.items()
        )
        ordered = sorted(named, key=lambda pair: -abs(pair[1]))
        return {name: round(weight, 6) for name, weight in ordered if name is not None}

    def _words(self, profile: Profile) -> dict[str, float]:
        """The words that stand for u, of the kept events whose items are understood."""
        rules = self._release.bundle.manifest.rules
        now = self._clock.now().timestamp()
        known = understood(
            self._state.understandings, set(map(ItemKey, profile.history["item"].tolist()))
        )
        engaged = []
        for time, _event, item, weight, _kind in profile.history.tolist():
            if weight and item in known:
                age = max(0.0, now - time / 1e6)
                engaged.append((weight * 0.5 ** (age / rules.half_life_seconds), known[item]))
        return interest_words(engaged)
