"""A whole site in one process, for tests: real state, real handlers, real recommender."""

import itertools
from datetime import UTC, datetime, timedelta

from clickwise.bundle import day0_bundle
from clickwise.catalog import Catalog
from clickwise.errors import BundleError
from clickwise.events import parse_event
from clickwise.items import parse_item
from clickwise.profile import Rules, from_stored
from clickwise.ranking import Policy
from clickwise.recommend import Limits, Recommender
from clickwise.recommend.answers import RecommendRequest
from clickwise.recommend.lists import REFRESH_SECONDS
from clickwise.recommend.views import Views
from clickwise.releases import FixedReleases, Release
from clickwise.state.sql import open_state
from clickwise.testing.encoder import HashingEncoder
from clickwise.testing.index import ExactIndex
from streams.handlers import ActivityHandler, Arrival, EventHandler
from streams.items import ItemHandler

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
CERTAIN = Policy(exploration=0.0)


class ManualClock:
    """A clock that tests move."""

    def __init__(self, now=NOW):
        self._now = now
        self._monotonic = 1_000.0

    def now(self):
        return self._now

    def monotonic(self):
        return self._monotonic

    def advance(self, **by):
        self._now += timedelta(**by)
        self._monotonic += timedelta(**by).total_seconds()


class _BrokenCatalog:
    """The items of a model whose tower cannot be run."""

    text = "hashing-64"

    def refresh(self, *_):
        raise BundleError("the item tower failed")

    def push(self, *_):
        raise BundleError("the item tower failed")


class WithBroken(FixedReleases):
    """A model that answers nobody, and cannot be run, beside the one that does."""

    def every(self):
        return (self.live, Release(self.live.bundle, _BrokenCatalog()))


class Site:
    """Everything between a valid event and an answer."""

    def __init__(
        self, folder, *, policy=CERTAIN, state=None, index=None, rules=None, encoder=None, **limits
    ):
        self.folder = folder
        self.clock = ManualClock()
        self.encoder = encoder if encoder is not None else HashingEncoder(dimension=64)
        self.rules = rules if rules is not None else Rules()
        self.bundle = day0_bundle(
            folder / "bundles", encoder_version=self.encoder.version,
            dimension=self.encoder.dimension,
            rules=self.rules,
        )  # fmt: skip
        if state is None:
            state = open_state(f"sqlite:///{folder}/site.sqlite", timeout_seconds=5, pool_size=2)
            state.migrate()
        self.state = state
        if index is None:
            index = ExactIndex(model=self.bundle.vectors, dimension=self.encoder.dimension)
        self.index = index
        self.catalog = Catalog(state=state, index=index, model=self.bundle.version)
        self.releases = FixedReleases(Release(self.bundle, self.catalog))
        self.activity = ActivityHandler(state=state, half_life_seconds=3 * 86_400.0)
        self.items = ItemHandler(state=state, releases=self.releases, encoder=self.encoder)
        self.events = EventHandler(
            state=state, releases=self.releases, clock=self.clock,
            keep_bodies=True, activity=self.activity,
        )  # fmt: skip
        self.recommender = Recommender(
            state=state, release=self.releases.live, policy=policy,
            limits=Limits(**limits), clock=self.clock,
        )  # fmt: skip
        self.views = Views(state=state, release=self.releases.live, clock=self.clock)
        self._ids = itertools.count()

    def put(self, *items, **common):
        """Add items given as (id, title) or as dicts."""
        data = [i if isinstance(i, dict) else {"id": i[0], "title": i[1]} for i in items]
        parsed = [self.parsed({**common, **one}) for one in data]
        self.items.apply([(item.id, item) for item in parsed])
        self.settle()

    def parsed(self, data):
        """A valid item."""
        return parse_item({"kind": "news", **data}, received=self.clock.now())[0]

    def delete(self, *items):
        self.items.apply([(item, None) for item in items])

    def event(self, user, item, kind="click", **fields):
        data = {"id": f"e{next(self._ids)}", "user": user, "item": item, "type": kind, **fields}
        return parse_event(data, received=self.clock.now())[0]

    def post(self, *events):
        """Apply events; their outcomes."""
        received = self.clock.now()
        return self.events.apply([Arrival(event=e, received=received) for e in events]).outcomes

    def did(self, user, item, kind="click", **fields):
        """One event, a second after the last one."""
        self.clock.advance(seconds=1)
        (outcome,) = self.post(self.event(user, item, kind, **fields))
        return outcome

    def settle(self):
        """Let the shared lists be read again."""
        self.clock.advance(seconds=REFRESH_SECONDS + 0.1)

    def ask(self, user=None, **fields):
        return self.recommender.recommend(RecommendRequest(user=user, **fields))

    def listed(self, user=None, **fields):
        return [one.item for one in self.ask(user, **fields).items]

    def profile(self, user):
        stored, _ = self.state.profile(user)
        return from_stored(stored.body)[0]


SPORT = "football match goal striker league stadium"
MONEY = "bank stocks market shares investors finance"
FILM = "film actor cinema director premiere screen"


def stories(topic, words, count):
    """Items of one topic that share its words."""
    chosen = words.split()
    return [
        {
            "id": f"{topic}{n}",
            "title": f"{chosen[n % 6]} {chosen[(n + 1) % 6]} {chosen[(n + 2) % 6]} number{n}",
            "topics": [topic],
        }
        for n in range(count)
    ]


def three_topics(site, each=20):
    site.put(
        *stories("sport", SPORT, each), *stories("money", MONEY, each), *stories("film", FILM, each)
    )
