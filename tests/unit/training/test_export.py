"""A trained network as a bundle: what serving computes is what training computed."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import torch

from clickwise.bundle import RECENTS, ScorerInput
from clickwise.errors import BundleError
from clickwise.profile import Rules
from clickwise.types import item_key
from tests.unit.training.networks import TEXT, TINY, history, ids, network, text_vectors
from training.export import Site, exported_files, write_learned
from training.quality import score_all
from training.sequences import Histories

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
SITE = Site(encoder="encoder-1", text_dimension=TEXT, rules=Rules())


def bundle_of(made, folder):
    names = ids(len(made.places_I))
    return write_learned(
        folder, made, exported_files(made, names, text=TEXT), SITE, created=CREATED
    )


def steps_through(bundle, one, vectors):
    """Read-outs after each event, through ONNX."""
    memory = np.zeros(bundle.manifest.memory, np.float32)
    gaps = np.diff(one.times_T, prepend=one.times_T[:1])
    for step, gap in enumerate(gaps.tolist()):
        memory = bundle.recurrence.step(
            memory,
            vectors[one.items_T[step]],
            event_type=int(one.types_T[step]),
            weight=float(one.weights_T[step]),
            gap_seconds=gap,
        )
        yield bundle.recurrence.read(memory)


def first(one, steps):
    """Its first steps."""
    return replace(
        one,
        items_T=one.items_T[:steps],
        types_T=one.types_T[:steps],
        weights_T=one.weights_T[:steps],
        times_T=one.times_T[:steps],
    )


def asked(bundle, interests, vectors):
    """What serving would hand to the scorer, with nothing known but interests."""
    lengths = np.linalg.norm(interests, axis=1)
    width = bundle.manifest.dimension
    return ScorerInput(
        interests_KD=interests / np.maximum(lengths, 1e-9)[:, None],
        interest_gains_K=lengths,
        recents_RD=np.zeros((RECENTS, width), np.float32),
        recent_weights_R=np.zeros(RECENTS, np.float32),
        aversion_D=np.zeros(width, np.float32),
        candidates_ND=vectors,
        facts_NF=np.zeros((len(vectors), 4), np.float32),
    )


@pytest.mark.parametrize("interests", [1, 3])
@pytest.mark.parametrize("text", [True, False])
def test_step_by_step_through_onnx_scores_as_the_whole_sequence_in_torch(tmp_path, interests, text):
    made = network(text=text, config=replace(TINY, interests=interests, length=64))
    bundle = bundle_of(made, tmp_path)
    one = history()

    prefixes = Histories([first(one, steps) for steps in range(1, len(one) + 1)], device="cpu")
    expected = torch.cat(list(score_all(made, prefixes))).numpy()
    vectors = bundle.tower.vectors([item_key(name) for name in ids()], text_vectors(30))
    served = np.stack(
        [
            bundle.scorer.score(asked(bundle, read, vectors))
            for read in steps_through(bundle, one, vectors)
        ]
    )

    assert np.abs(served - expected).max() < 1e-5


def test_a_memory_that_hardly_decays_is_exact_too(tmp_path):
    # The gate nearly closed: 1 - a^2 is below 1e-4, where exp(x) - 1 has few digits left.
    made = network()
    with torch.no_grad():
        for block in made.user.blocks:
            block.rate.fill_(-12.0)
    bundle = bundle_of(made, tmp_path)
    one = history(events=12)

    expected = next(score_all(made, Histories([one], device="cpu")))[0].numpy()
    vectors = bundle.tower.vectors([item_key(name) for name in ids()], text_vectors(30))
    *_, last = steps_through(bundle, one, vectors)

    assert np.abs(bundle.scorer.score(asked(bundle, last, vectors)) - expected).max() < 1e-5


def test_each_item_keeps_its_own_vector(tmp_path):
    made = network()
    bundle = bundle_of(made, tmp_path)

    with torch.no_grad():
        expected = made.vectors().numpy() / TINY.radius
    backwards = [item_key(name) for name in reversed(ids())]
    vectors = bundle.tower.vectors(backwards, text_vectors(30)[::-1])

    assert np.allclose(vectors[::-1, :-1], expected, atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_an_item_that_was_never_met_works_on_its_text(tmp_path):
    made = network()
    bundle = bundle_of(made, tmp_path)
    text = text_vectors(1, seed=7)

    with torch.no_grad():
        projected = (torch.from_numpy(text) @ made.tower.text.weight.T).numpy()[0]

    (vector,) = bundle.tower.vectors([item_key("new")], text)
    cosine = vector[:-1] @ projected / np.linalg.norm(vector[:-1]) / np.linalg.norm(projected)
    assert cosine == pytest.approx(1.0, abs=1e-5)


def test_of_a_user_of_whom_nothing_is_known_the_facts_decide(tmp_path):
    bundle = bundle_of(network(), tmp_path)
    vectors = bundle.tower.vectors([item_key(name) for name in ids(3)], text_vectors(3))
    nothing = asked(bundle, np.zeros((2, bundle.manifest.dimension), np.float32), vectors)
    facts = np.zeros((3, 4), np.float32)

    assert bundle.scorer.score(nothing).tolist() == [0.0, 0.0, 0.0]
    facts[1, 0] = 1.0  # the popular one
    assert int(np.argmax(bundle.scorer.score(replace(nothing, facts_NF=facts)))) == 1


def test_a_free_interest_does_not_count(tmp_path):
    made = network()
    bundle = bundle_of(made, tmp_path)
    vectors = bundle.tower.vectors([item_key(name) for name in ids()], text_vectors(30))
    interests = np.zeros((1, bundle.manifest.dimension), np.float32)
    interests[0, :-1] = np.random.default_rng(1).standard_normal(TINY.dimension)

    alone = bundle.scorer.score(asked(bundle, interests, vectors))
    with_free = np.concatenate([interests, np.zeros_like(interests)])

    assert np.allclose(bundle.scorer.score(asked(bundle, with_free, vectors)), alone, atol=1e-6)


def test_equal_networks_give_equal_versions_and_others_another_space(tmp_path):
    first = bundle_of(network(seed=1), tmp_path / "a")
    again = bundle_of(network(seed=1), tmp_path / "b")
    other = bundle_of(network(seed=2), tmp_path / "c")

    assert first.manifest == again.manifest
    assert other.version != first.version
    assert other.vectors != first.vectors


def test_text_vectors_of_another_dimension_are_refused():
    with pytest.raises(BundleError, match="12 numbers, the site has 8"):
        exported_files(network(), ids(), text=8)
