"""A data set lived through the very rules that serve: the system "clickwise" of an evaluation.

The same handlers, profile, candidates, scorer and policies as the server's, over a temporary
SQLite database and an exact index, with a clock that the log moves. Exploration is off: what it
draws is not the model's choice.

Shape suffixes: I = items, C = dimension of the text vectors, D = of item vectors.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clickwise.bundle import Bundle, Scorer, ScorerInput
from clickwise.catalog import Catalog
from clickwise.cli.wiring import policy_of
from clickwise.clock import ReplayClock
from clickwise.events import Event
from clickwise.items import Item
from clickwise.limits import MAX_TOPICS
from clickwise.pictures.reader import NO_PICTURES, PictureReader, SentVectors
from clickwise.ranking import Policy
from clickwise.recommend import Limits, Recommender
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.lists import REFRESH_SECONDS
from clickwise.releases import FixedReleases, Release
from clickwise.settings import Settings
from clickwise.state.sql import open_state
from clickwise.testing.index import ExactIndex
from clickwise.text import item_text
from clickwise.types import (
    EVENT_TYPES,
    EventId,
    EventType,
    ItemId,
    ItemKind,
    ModelVersion,
    UserId,
    item_key,
)
from clickwise.vectors.port import Float32Array, Int32Array
from clickwise.vectors.rows import indexed, projected
from streams.handlers import ActivityHandler, Arrival, EventHandler
from streams.items import ItemHandler
from training.data import Dataset, Log
from training.evaluation.forward import out_since

BATCH = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NONE = np.zeros(0, np.int32)


class KnownVectors:
    """A `TextEncoder` that knows the vectors of one data set's items."""

    def __init__(self, data: Dataset, version: str) -> None:
        if data.items.text_ID is None:
            raise ValueError(f"{data.name} has no text vectors")
        self.version = version
        self.dimension = int(data.items.text_ID.shape[1])
        self._vectors = {
            item_text(_item(data, place)): vector_C
            for place, vector_C in enumerate(data.items.text_ID)
        }

    def encode(self, texts: Sequence[str]) -> Float32Array:
        """See TextEncoder; the texts are those of `_item`."""
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([self._vectors[text] for text in texts])


class _Recorder:
    """A scorer that keeps what it was given: for this question, and for any."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.now: ScorerInput | None = None
        self.ever: ScorerInput | None = None

    def score(self, given: ScorerInput) -> Float32Array:
        self.now = self.ever = given
        return self._scorer.score(given)


class ReplayedSite:
    """One process's worth of Clickwise on a data set's items; close it.

    Items come as they are published, or with the first event that names them.
    """

    def __init__(
        self, data: Dataset, bundle: Bundle, *, settings: Settings, policy: Policy | None = None
    ) -> None:
        self._stack = ExitStack()
        folder = Path(self._stack.enter_context(TemporaryDirectory()))
        self._data = data
        self._settings = settings
        self._policy = policy if policy is not None else policy_of(settings)
        first = _moment(float(data.log.times_N[0])) if len(data.log) else _EPOCH
        self.clock = ReplayClock(first)
        self.state = open_state(f"sqlite:///{folder}/site.sqlite", timeout_seconds=5, pool_size=2)
        self._stack.callback(self.state.close)
        self.state.migrate()
        self._encoder = KnownVectors(data, bundle.manifest.encoder)
        self._places = {item_key(item): place for place, item in enumerate(data.items.ids)}
        self._events = 0
        self._use(bundle)
        out_I = out_since(data)
        self._out_I = out_I
        self._here_I = np.zeros(len(out_I), np.bool_)
        self._coming = np.argsort(out_I, kind="stable")
        self._bring(first.timestamp())

    def use(self, bundle: Bundle) -> None:
        """From here on this bundle serves; profiles are rebuilt when they are next touched."""
        self._use(bundle)
        after = 0
        while rows := self.state.items_changed(after=after, limit=BATCH):
            entries = [indexed(row, ModelVersion(bundle.manifest.encoder)) for row in rows]
            self.release.catalog.index.apply(projected(entries, bundle.tower))
            after = rows[-1].change

    def tell(self, events: Log) -> None:
        """These events happened."""
        for begin in range(0, len(events), BATCH):
            some = events.take(np.arange(begin, min(begin + BATCH, len(events)), dtype=np.intp))
            arrivals = []
            for user, item, kind, weight, time in zip(
                some.users_N.tolist(), some.items_N.tolist(), some.types_N.tolist(),
                some.weights_N.tolist(), some.times_N.tolist(), strict=True,
            ):  # fmt: skip
                self._events += 1
                moment = _moment(time)
                arrivals.append(Arrival(self._event(user, item, kind, weight, moment), moment))
            self.clock.set(arrivals[-1].received)
            self._bring(float(some.times_N[-1]), named=some.items_N)
            self._handler.apply(arrivals)

    def ask(self, user: int, now: float, *, depth: int) -> list[int]:
        """The user's list: places of items, best first."""
        self.clock.set(_moment(now))
        self._bring(now)
        self._recorder.now = None
        answer = self._recommender.recommend(
            RecommendRequest(user=self._data.user_ids[user], limit=depth)
        )
        return [self._places[item_key(one.item)] for one in answer.items]

    def asked(self) -> ScorerInput | None:
        """What the scorer was given for the last question; None where it was not asked."""
        return self._recorder.now

    def example(self) -> ScorerInput | None:
        """What the scorer was given for the last question that it was asked about."""
        return self._recorder.ever

    def candidate(self, key: int, given: ScorerInput | None) -> int:
        """Row of an item among the candidates that the scorer was given; -1 where it is none, or
        where it has the vector of another one.
        """
        own = self.release.catalog.index.lookup([key]).vectors_ND
        if given is None or not len(own):
            return -1
        rows = np.flatnonzero((given.candidates_ND == own[0]).all(axis=1))
        return int(rows[0]) if len(rows) == 1 else -1

    def settle(self) -> None:
        """Let the shared lists be read again."""
        self.clock.advance(timedelta(seconds=2 * REFRESH_SECONDS))

    def close(self) -> None:
        """Let go of the database."""
        self._stack.close()

    def _bring(self, now: float, *, named: Int32Array = _NONE) -> None:
        """Put the items that are out by `now`, and those that are named."""
        out = int(np.searchsorted(self._out_I[self._coming], now, side="right"))
        places = np.union1d(self._coming[:out], named)
        self._coming = self._coming[out:]
        places = places[~self._here_I[places]]
        self._here_I[places] = True
        for begin in range(0, len(places), BATCH):
            made = [_item(self._data, place) for place in places[begin : begin + BATCH].tolist()]
            self._items.apply([(one.id, one) for one in made])

    def _use(self, bundle: Bundle) -> None:
        catalog = Catalog(
            state=self.state,
            index=ExactIndex(model=bundle.vectors, dimension=bundle.manifest.dimension),
            model=bundle.version,
            tower=bundle.tower,
            text=ModelVersion(bundle.manifest.encoder),
        )
        self._recorder = _Recorder(bundle.scorer)
        recorded = replace(bundle, scorer=self._recorder)  # type: ignore[arg-type]  # looks alike
        self.release = Release(recorded, catalog)
        self._items = ItemHandler(
            state=self.state,
            releases=FixedReleases(self.release),
            encoder=self._encoder,
            pictures=_pictures(self._data),
        )
        self._handler = EventHandler(
            state=self.state,
            releases=FixedReleases(self.release),
            clock=self.clock,
            keep_bodies=False,
            activity=ActivityHandler(
                state=self.state,
                half_life_seconds=self._settings.trending_half_life_hours * 3_600.0,
            ),
        )
        self._recommender = Recommender(
            state=self.state,
            release=self.release,
            policy=self._policy,
            limits=Limits(candidates=self._settings.candidates, deadline_seconds=60.0),
            clock=self.clock,
        )

    def _event(self, user: int, item: int, kind: int, weight: float, moment: datetime) -> Event:
        event_type = EVENT_TYPES[kind]
        return Event(
            id=EventId(f"replayed-{self._events}"),
            user=UserId(self._data.user_ids[user]),
            item=ItemId(self._data.items.ids[item]),
            type=event_type,
            time=moment,
            value=_value(event_type, weight),
        )


class ServedSystem:
    """`Lived`: a bundle made from the training part, then served."""

    name = "clickwise"

    def __init__(
        self,
        make: Callable[[Dataset, int], Bundle],
        *,
        settings: Settings,
        name: str = "clickwise",
        policy: Policy | None = None,
    ) -> None:
        """`make(train, seed)` gives the bundle."""
        self._make = make
        self._settings = settings
        self._policy = policy
        self.name = name
        self.site: ReplayedSite | None = None

    def begin(self, train: Dataset, *, seed: int) -> None:
        """See Lived."""
        bundle = self._make(train, seed)
        self.site = ReplayedSite(train, bundle, settings=self._settings, policy=self._policy)
        self.site.tell(train.log)
        self.site.settle()

    def ask(self, user: int, now: float, *, depth: int) -> list[int]:
        """See Lived."""
        return self._begun().ask(user, now, depth=depth)

    def tell(self, events: Log) -> None:
        """See Lived."""
        self._begun().tell(events)

    def close(self) -> None:
        """Let go of the site."""
        if self.site is not None:
            self.site.close()

    def _begun(self) -> ReplayedSite:
        if self.site is None:
            raise ValueError("ask only after begin")
        return self.site


def _moment(seconds: float) -> datetime:
    return _EPOCH + timedelta(seconds=seconds)


def _item(data: Dataset, place: int) -> Item:
    """The item; its title is its id, which tells it from all others, and nobody reads it."""
    published = float(data.items.published_I[place])
    return Item(
        id=ItemId(data.items.ids[place]),
        kind=ItemKind(data.items.kinds[place] or "article"),
        title=data.items.ids[place],
        language=data.items.languages[place] or None,
        topics=data.items.topics[place][:MAX_TOPICS],
        image_vector=_picture(data, place),
        published=_moment(published) if published else None,
    )


def _picture(data: Dataset, place: int) -> tuple[float, ...] | None:
    pictures = data.items.pictures
    if pictures is None or not pictures.vectors_IP[place].any():
        return None
    return tuple(pictures.vectors_IP[place].tolist())


def _pictures(data: Dataset) -> PictureReader:
    pictures = data.items.pictures
    if pictures is None:
        return NO_PICTURES
    return SentVectors(ModelVersion(pictures.model), pictures.vectors_IP.shape[1])


def _value(kind: EventType, weight: float) -> float | None:
    """A value that has this weight (see profile.rules): ratings 1 to 5, dwell of views."""
    if kind is EventType.RATING:
        return 3.0 + ((weight - 0.2) / 0.65 if weight > 0.0 else weight / 0.6)
    if kind is EventType.VIEW and abs(weight - 0.5) > 1e-6:
        return 15.0 * (2.0 ** ((weight - 0.3) / 0.4) - 1.0) if weight > 0.05 else 1.0
    return None
