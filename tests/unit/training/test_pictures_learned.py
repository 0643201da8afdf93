"""Pictures in the network: they tell new items apart, and nothing hangs on them."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import onnx
import pytest
import torch

from clickwise.bundle import load_bundle
from clickwise.cli.training import TrainCommand
from clickwise.cli.training_run import _kind
from clickwise.errors import BundleError, ConflictError
from clickwise.profile import Rules
from clickwise.releases.warming import rehearse
from clickwise.types import ModelVersion, item_key
from clickwise.vectors.port import Picture
from tests.unit.training.networks import (
    TEXT,
    TINY,
    catalogue,
    ids,
    network,
    text_vectors,
    two_tastes,
)
from training.data import Dataset, History, Pictures
from training.export import Site, exported_files, write_learned
from training.export_table import forms_of
from training.fit import FitConfig
from training.learned import LearnedRanker
from training.network import Network
from training.once import Live
from training.weights import WEIGHTS, Story, story_files, warm_start

QUICK = FitConfig(epochs=15, batch=16, warmup=5, learning_rate=0.02, patience=30, every=5)
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
MODEL = "eyes-1"
SITE = Site(encoder="encoder-1", text_dimension=TEXT, rules=Rules(), pictures=MODEL)
NUMBERS = 5
KNOWN, NEW = 40, 20


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def pictures(items, *, seed=0, model=MODEL, without=()):
    """Even items look one way and odd ones the other, behind as much noise."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(0.0, 0.3, (items, NUMBERS))
    rows[:, 0] += np.where(np.arange(items) % 2, 1.0, -1.0)
    rows = unit(rows)
    rows[list(without)] = 0.0
    return Pictures(model, rows)


def site(*, shown=True, without=()):
    """Half of the people click even items, the others odd ones. All texts are one text, and of the
    new items there is no event: only pictures tell them apart.
    """
    known = two_tastes(users=40, items=KNOWN, events=20, again=False)
    items = catalogue(KNOWN + NEW)
    texts = np.tile(text_vectors(1), (len(items), 1))
    seen = pictures(len(items), without=without) if shown else None
    items = replace(items, text_ID=texts, pictures=seen)
    return Dataset("pictures", known.log, items, known.user_ids)


def fitted(data, **config):
    ranker = LearnedRanker(replace(TINY, id_dropout=0.3, **config), QUICK, device="cpu")
    ranker.fit(data, seed=1)
    return ranker


def clicked(*items):
    times = 1e9 + 60.0 * np.arange(len(items))
    ones = np.ones(len(items))
    return History(
        np.array(items, np.int32), ones.astype(np.uint8), ones.astype(np.float32), times, now=2e9
    )


def told_apart(ranker, *, new=True):
    """Share of pairs of an even and an odd item that are in the reader's order; a tie is half."""
    readers = [clicked(0, 4, 8, 12), clicked(1, 5, 9, 13)]
    first, last = (KNOWN, KNOWN + NEW) if new else (14, KNOWN)
    even, odd = ranker.score([0, 1], readers)[:, first:last]
    gaps = [even[0::2, None] - even[None, 1::2], odd[1::2, None] - odd[None, 0::2]]
    return float(np.mean([(np.sign(gap) + 1.0) / 2.0 for gap in gaps]))


@pytest.fixture(scope="module")
def seeing():
    return fitted(site())


def test_new_items_that_only_pictures_tell_apart_are_ranked_by_them(seeing):
    blind = fitted(site(shown=False))

    assert told_apart(seeing) > 0.95
    assert told_apart(blind) == pytest.approx(0.5, abs=0.05)


def test_items_that_lose_their_picture_are_ranked_by_what_is_known_of_them(seeing):
    network = seeing.network
    kept = network.pictures_IP
    try:
        network.pictures_IP = torch.zeros_like(kept)

        assert told_apart(seeing, new=False) > 0.9
    finally:
        network.pictures_IP = kept


def test_a_site_where_half_have_pictures_ranks_both_halves():
    without = [place for place in range(KNOWN) if place % 4 < 2]

    ranker = fitted(site(without=without))

    assert told_apart(ranker) > 0.95
    assert told_apart(ranker, new=False) > 0.9


def test_whole_pictures_are_dropped_in_training_and_never_after():
    made = seen_network(config=replace(TINY, picture_dropout=0.5, id_dropout=0.0))
    tower = made.tower
    with torch.no_grad():
        tower.no_picture.fill_(3.0)
        without = tower(made.text_ID, made.places_I, torch.zeros_like(made.pictures_IP))
        whole = made.vectors()
        made.train()
        dropped = made.vectors()

    as_none = torch.isclose(dropped, without).all(dim=1)
    as_seen = torch.isclose(dropped, whole).all(dim=1)
    assert (as_none ^ as_seen).all()
    assert 5 < int(as_none.sum()) < 25
    assert torch.equal(made.eval().vectors(), whole)


def seen_network(items=30, *, config=TINY, without=()):
    torch.manual_seed(0)
    made = Network(
        config, items=items, text_ID=text_vectors(items),
        pictures_IP=pictures(items, without=without).vectors_IP,
    )  # fmt: skip
    with torch.no_grad():
        made.tower.no_picture.normal_()
    return made.eval()


def bundle_of(made, folder, *, precision="fp32", where=SITE):
    files = exported_files(made, ids(len(made.places_I)), text=TEXT)
    return write_learned(folder, made, forms_of(files)[precision], where, created=CREATED)


def shown(items, **options):
    found = pictures(items, **options)
    return [
        Picture(ModelVersion(found.model), row) if row.any() else None for row in found.vectors_IP
    ]


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-6), ("fp16", 2e-3)])
def test_the_bundle_s_tower_reads_pictures_as_training_did(tmp_path, precision, tolerance):
    made = seen_network(without=(3, 4))
    bundle = bundle_of(made, tmp_path, precision=precision)

    with torch.no_grad():
        expected = made.vectors().numpy() / TINY.radius
    keys = [item_key(name) for name in ids()]
    found = bundle.tower.vectors(keys, text_vectors(30), shown(30, without=(3, 4)))

    assert (bundle.manifest.pictures, bundle.manifest.picture_dimension) == (MODEL, NUMBERS)
    assert np.abs(found[:, :-1] - expected).max() < tolerance
    rehearse(load_bundle(tmp_path / bundle.version))


def test_a_picture_of_another_model_is_as_none(tmp_path):
    bundle = bundle_of(seen_network(), tmp_path)
    keys = [item_key(name) for name in ids()]

    none = bundle.tower.vectors(keys, text_vectors(30))
    other = bundle.tower.vectors(keys, text_vectors(30), shown(30, model="eyes-2"))
    own = bundle.tower.vectors(keys, text_vectors(30), shown(30))

    assert np.array_equal(none, other)
    assert np.abs(own - none).max() > 0.01


def test_a_model_that_was_trained_without_pictures_is_the_same_model_as_before(tmp_path):
    made = network()
    bundle = bundle_of(made, tmp_path / "a")
    files = exported_files(made, ids(), text=TEXT)
    keys = [item_key(name) for name in ids()]

    graph = onnx.load_model_from_string(files["items.onnx"])

    assert [one.name for one in graph.graph.input] == ["text", "places"]
    assert (bundle.manifest.pictures, bundle.manifest.picture_dimension) == ("", 0)
    assert np.array_equal(
        bundle.tower.vectors(keys, text_vectors(30)),
        bundle.tower.vectors(keys, text_vectors(30), shown(30)),
    )


def test_a_manifest_written_before_there_were_pictures_is_read(tmp_path):
    bundle = bundle_of(network(), tmp_path)
    path = tmp_path / bundle.version / "manifest.json"
    old = path.read_bytes().replace(b'"pictures":"","picture_dimension":0,', b"")
    path.write_bytes(old)

    assert b"picture" not in old
    assert load_bundle(path.parent).manifest == bundle.manifest


def test_pictures_without_a_name_of_their_model_are_no_bundle(tmp_path):
    with pytest.raises(BundleError, match="the model that they are of has to be named"):
        bundle_of(seen_network(), tmp_path, where=replace(SITE, pictures=""))


def kept_in(folder, made, *, names):
    """What a bundle keeps for a later training, as far as weights go."""
    folder.mkdir()
    weights = story_files(made, None)[WEIGHTS]
    (folder / WEIGHTS).write_bytes(weights)
    keys = io.BytesIO()
    np.save(keys, np.array(names, np.int64))
    (folder / "items.npy").write_bytes(keys.getvalue())
    return folder


def test_a_model_without_pictures_can_be_gone_on_from_with_some(tmp_path):
    keys = np.sort(np.array([item_key(name) for name in ids()], np.int64))
    before = network()
    folder = kept_in(tmp_path / "base", before, names=keys)
    after = seen_network(without=(3, 4))

    known = warm_start(after, keys, folder)

    assert known == 30
    with torch.no_grad():
        assert torch.equal(after.vectors(), before.vectors())


STORY = Story(
    kind="full", base="", seed=1, learned_until=0.0, seconds=1.0, full_seconds=1.0,
    full_made=datetime.now(UTC), epochs=1, quality=None, events=1, users=1, items=1, made=CREATED,
    model={},
)  # fmt: skip


@pytest.fixture
def live(tmp_path):
    """A live model that was trained in full a moment ago, on pictures."""
    bundle = bundle_of(seen_network(), tmp_path)
    folder = tmp_path / bundle.version
    (folder / "training.json").write_bytes(msgspec.json.encode(STORY))
    return Live(bundle, folder)


@pytest.mark.parametrize(("model", "kind"), [(MODEL, "incremental"), ("eyes-2", "full")])
def test_a_model_is_not_gone_on_from_with_other_pictures_than_its_own(live, model, kind):
    data = site()
    other = replace(data, items=replace(data.items, pictures=pictures(60, model=model)))

    assert _kind(TrainCommand(kind="auto"), live, other) == kind


def test_who_asks_for_that_is_told_why_not(live):
    with pytest.raises(ConflictError, match=f"trained with pictures of {MODEL}"):
        _kind(TrainCommand(kind="incremental"), live, site(shown=False))
