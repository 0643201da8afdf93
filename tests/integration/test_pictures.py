"""An item's picture, followed: sent, encoded, stored, archived, learned from, and ranked by.

No real image model is at hand, so the encoder is a small one that learned lying from standing
stripes a moment ago (`tests.pictures`). Titles are drawn words: only pictures tell items apart.
"""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from clickwise.archive import Stream
from clickwise.archive.columns import ITEM_COLUMNS, frame_of, parquet_bytes
from clickwise.bundle import day0_bundle
from clickwise.catalog import Catalog
from clickwise.cli.pictures import pictures_of
from clickwise.cli.replay import ReplayedSite
from clickwise.clock import ReplayClock
from clickwise.events import parse_event
from clickwise.items import parse_item
from clickwise.profile import Rules
from clickwise.ranking import Policy
from clickwise.recommend import Limits, Recommender
from clickwise.recommend.answers import RecommendRequest
from clickwise.releases import FixedReleases, Release
from clickwise.settings import Settings
from clickwise.testing.encoder import HashingEncoder
from clickwise.testing.index import ExactIndex
from clickwise.types import ModelVersion, item_key
from clickwise.vectors.port import Picture
from streams.handlers import ActivityHandler, Arrival, EventHandler
from streams.items import ItemHandler
from tests.pictures import NUMBERS, picture, trained_encoder
from tests.unit.training.archives import START, Log
from tests.unit.training.networks import TINY
from training.candidate import Trainer
from training.export import Site
from training.fit import FitConfig
from training.parts import Parts
from training.prepare import prepare
from training.train import TrainOptions

ENCODER = HashingEncoder(dimension=32)
KNOWN, NEW, USERS, EACH = 60, 30, 40, 16
WORDS = ["red", "blue", "north", "south", "table", "chair", "river", "cloud", "light", "stone"]
SETTINGS = Settings(encoder_model="hashing:32")


def item_of(name, rng, *, lying=None):
    """An item; with a picture of stripes that lie or stand, or with none."""
    data = {"id": name, "kind": "news", "title": f"{' '.join(rng.choice(WORDS, 4))} {name}"}
    if lying is not None:
        data["image_data"] = base64.b64encode(picture(rng, lying=lying)).decode()
    return parse_item(data, received=START)[0]


def lies(place):
    return place % 2 == 0


def name_of(place):
    return f"item-{place}"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = trained_encoder(tmp_path_factory.mktemp("encoder"))
    return pictures_of(Settings(image_encoder=str(folder)))


@pytest.fixture(scope="module")
def log(tmp_path_factory, pictures):
    """A site: even items show lying stripes, odd ones standing; half of the people like either.
    Every tenth item has no picture. New items have no event.
    """
    made = Log(tmp_path_factory.mktemp("site"))
    rng = np.random.default_rng(3)
    bundle = day0_bundle(
        tmp_path_factory.mktemp("day0"), encoder_version=ENCODER.version, dimension=32,
        rules=Rules(),
    )  # fmt: skip
    index = ExactIndex(model=bundle.vectors, dimension=32)
    releases = FixedReleases(Release(bundle, Catalog(state=made.state, index=index)))
    handler = ItemHandler(state=made.state, releases=releases, encoder=ENCODER, pictures=pictures)
    items = [
        item_of(
            name_of(place), rng, lying=lies(place) if place >= KNOWN or place % 10 != 9 else None
        )
        for place in range(KNOWN + NEW)
    ]
    handler.apply([(item.id, item) for item in items])
    orders = [rng.permutation(KNOWN // 2) for _ in range(USERS)]
    for step in range(EACH):
        for user in range(USERS):
            made.happened(
                f"e{step}-{user}",
                user=f"user-{user}",
                item=name_of(2 * int(orders[user][step]) + user % 2),
                time=START + timedelta(seconds=60 * (step * USERS + user)),
            )
    made.archive_now(rows_at_once=1_000)
    yield made
    made.state.close()


@pytest.fixture(scope="module")
def data(log, tmp_path_factory):
    return prepare(
        log.archive, name="site", cache=tmp_path_factory.mktemp("cache"), now=log.clock.now()
    ).dataset


def blinded(data):
    """The same site without pictures."""
    return replace(data, items=replace(data.items, pictures=None))


def trained(data, work, *, pictures):
    """A bundle of a full training."""
    trainer = Trainer(
        site=Site(encoder=ENCODER.version, text_dimension=32, rules=Rules(), pictures=pictures),
        options=TrainOptions(
            TINY, FitConfig(epochs=12, batch=16, warmup=5, learning_rate=0.02, every=4)
        ),
        work=work,
        watch=lambda _: None,
    )
    cut = float(data.log.times_N[-1]) + 1.0
    return trainer.full(Parts(data, data, cut), now=datetime(2026, 1, 1, tzinfo=UTC)).bundle


@pytest.fixture(scope="module")
def seeing(data, tmp_path_factory):
    return trained(data, tmp_path_factory.mktemp("seeing"), pictures=data.items.pictures.model)


class Served:
    """The stored items, served by a bundle."""

    def __init__(self, log, bundle, pictures):
        self.clock = ReplayClock(START + timedelta(days=1))
        index = ExactIndex(model=bundle.vectors, dimension=bundle.manifest.dimension)
        catalog = Catalog(
            state=log.state, index=index, model=bundle.version, tower=bundle.tower,
            text=ModelVersion(bundle.manifest.encoder),
        )  # fmt: skip
        catalog.fill(after=0)
        self.state = log.state
        releases = FixedReleases(Release(bundle, catalog))
        self.items = ItemHandler(
            state=log.state, releases=releases, encoder=ENCODER, pictures=pictures
        )
        self._events = EventHandler(
            state=log.state, releases=releases, clock=self.clock, keep_bodies=False,
            activity=ActivityHandler(state=log.state, half_life_seconds=86_400.0),
        )  # fmt: skip
        self._recommender = Recommender(
            state=log.state, release=releases.live, clock=self.clock,
            policy=Policy(diversity=0.0, exploration=0.0, copy_cosine=2.0),
            limits=Limits(candidates=200, deadline_seconds=30.0),
        )  # fmt: skip

    def clicks(self, user, *places):
        for place in places:
            self.clock.advance(timedelta(seconds=30))
            event = parse_event(
                {"id": f"{user}-{place}", "user": user, "item": name_of(place), "type": "click"},
                received=self.clock.now(),
            )[0]
            self._events.apply([Arrival(event=event, received=self.clock.now())])

    def new_items(self, user):
        """Places of the new items, in the order of the user's list."""
        answer = self._recommender.recommend(RecommendRequest(user=user, limit=100))
        places = [int(one.item.removeprefix("item-")) for one in answer.items]
        return [place for place in places if place >= KNOWN]


def in_order(site, *, name):
    """Share of pairs of new items that the lists of a lover of each kind have in that order."""
    shares = []
    for kind in (0, 1):
        user = f"{name}-{kind}"
        site.clicks(user, *[2 * n + kind for n in (0, 5, 10, 15)])
        good = [place % 2 == kind for place in site.new_items(user)]
        assert len(good) == NEW
        ranks = np.flatnonzero(good)
        others = np.flatnonzero(~np.array(good))
        shares.append((ranks[:, None] < others[None, :]).mean())
    return float(np.mean(shares))


def test_stored_vectors_reach_the_data_set_by_the_archive(data, pictures):
    seen = data.items.pictures
    places = [data.items.ids.index(name_of(place)) for place in range(KNOWN + NEW)]
    with_picture = seen.vectors_IP[places].any(axis=1)

    assert seen.model == pictures.version
    assert seen.vectors_IP.shape == (KNOWN + NEW, NUMBERS)
    assert [place for place in range(KNOWN + NEW) if not with_picture[place]] == [
        *range(9, KNOWN, 10)
    ]


def test_an_archive_written_before_there_were_pictures_is_read(log):
    (file, *_) = log.manifest.files_of(Stream.ITEMS)
    frame = frame_of(log.store.read(file.name), Stream.ITEMS)
    old = parquet_bytes(frame.drop("image_model", "image_vector"))

    again = frame_of(old, Stream.ITEMS)

    assert again.columns == list(ITEM_COLUMNS)
    assert again["image_vector"].null_count() == again.height == frame.height


def test_new_items_are_ranked_by_their_pictures_and_without_them_by_chance(
    log, data, seeing, pictures, tmp_path
):
    blind = trained(blinded(data), tmp_path, pictures="")

    seen = in_order(Served(log, seeing, pictures), name="seen")
    unseen = in_order(Served(log, blind, pictures), name="unseen")

    assert (seeing.manifest.pictures, blind.manifest.pictures) == (pictures.version, "")
    assert seen > 0.9
    assert unseen < 0.75


def test_a_picture_that_comes_later_moves_its_item_at_once(log, seeing, pictures):
    site = Served(log, seeing, pictures)
    site.clicks("late", 0, 10, 20, 30)
    rng = np.random.default_rng(9)
    late, name = KNOWN + 1, name_of(KNOWN + 1)  # it shows standing stripes, which they do not like
    before = site.new_items("late").index(late)

    site.items.apply([(name, item_of(name, rng, lying=True))])
    after = site.new_items("late").index(late)
    site.items.apply([(name, item_of(name, rng))])
    without = site.new_items("late")
    site.items.apply([(name, item_of(name, rng, lying=False))])

    assert after < NEW // 2 <= before
    assert late in without


def replayed_vectors(data, bundle):
    """Vectors of all items where a data set is lived through the rules that serve."""
    site = ReplayedSite(data, bundle, settings=SETTINGS)
    try:
        keys = [item_key(name) for name in data.items.ids]
        return site.release.catalog.index.lookup(keys).vectors_ND
    finally:
        site.close()


def test_the_contest_that_judges_a_model_plays_with_pictures_too(data, seeing):
    played = replayed_vectors(data, seeing)
    blind = replayed_vectors(blinded(data), seeing)

    trained_on = [
        Picture(ModelVersion(data.items.pictures.model), row) if row.any() else None
        for row in data.items.pictures.vectors_IP
    ]
    keys = [item_key(name) for name in data.items.ids]
    expected = seeing.tower.vectors(keys, data.items.text_ID, trained_on)
    assert np.abs(played - expected).max() < 1e-4
    assert np.abs(played - blind).max() > 0.01
