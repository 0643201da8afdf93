"""The ranker: a correction on top of the network's own score, learned from requests."""

import numpy as np
import pytest
import torch

from clickwise.bundle import FACTS, RECENTS, Scorer, ScorerInput
from training.ranker import BaseScorer, Ranker, RankerConfig, scorer_graph
from training.ranker_fit import Request, fit_ranker

DIMENSION = 9


def given(rng, *, candidates=12, interests=2):
    """A request of which everything is drawn."""
    rows = rng.standard_normal((candidates + RECENTS + interests + 1, DIMENSION))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    weights = np.zeros(RECENTS, np.float32)
    weights[:4] = 0.25
    return ScorerInput(
        interests_KD=rows[:interests],
        interest_gains_K=rng.uniform(1.0, 4.0, interests).astype(np.float32),
        recents_RD=rows[interests : interests + RECENTS] * (weights > 0.0)[:, None],
        recent_weights_R=weights,
        aversion_D=rows[-1],
        candidates_ND=rows[interests + RECENTS : -1],
        facts_NF=rng.uniform(0.0, 1.0, (candidates, len(FACTS))).astype(np.float32),
    )


def tensors(one):
    return [torch.from_numpy(getattr(one, name)) for name in one.__slots__]


def requests_by(rng, number, choose):
    made = [given(rng, candidates=int(rng.integers(5, 15))) for _ in range(number)]
    return [Request(one, int(np.argmax(choose(one)))) for one in made]


def test_an_untrained_ranker_gives_the_base_score():
    one = given(np.random.default_rng(0))

    base = BaseScorer()(*tensors(one))
    fresh = Ranker(RankerConfig(), dimension=DIMENSION)(*tensors(one))

    assert torch.equal(base, fresh)


def test_the_served_graph_is_what_torch_computes():
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    ranker = Ranker(RankerConfig(), dimension=DIMENSION)
    with torch.no_grad():
        for weights in ranker.parameters():
            weights.add_(0.3 * torch.randn_like(weights))
    served = Scorer(scorer_graph(ranker, dimension=DIMENSION), dimension=DIMENSION)

    for candidates, interests in ((1, 1), (40, 4)):
        one = given(rng, candidates=candidates, interests=interests)
        with torch.no_grad():
            expected = ranker(*tensors(one)).numpy()
        assert np.abs(served.score(one) - expected).max() < 1e-5


def test_a_user_with_nothing_recent_has_a_score():
    nothing = given(np.random.default_rng(2))
    nothing.recents_RD[:] = 0.0
    nothing.recent_weights_R[:] = 0.0
    ranker = Ranker(RankerConfig(), dimension=DIMENSION)
    torch.nn.init.normal_(ranker.out.weight)
    served = Scorer(scorer_graph(ranker, dimension=DIMENSION), dimension=DIMENSION)

    assert np.isfinite(served.score(nothing)).all()


def test_what_is_clicked_for_its_likeness_to_recents_is_learned():
    # The base looks at interests; clicks go to what is most like a recent item.
    rng = np.random.default_rng(3)
    requests = requests_by(
        rng, 600, lambda one: (one.candidates_ND @ one.recents_RD[:4].T).max(axis=1)
    )

    fitted = fit_ranker(requests, RankerConfig(), dimension=DIMENSION, seed=1, epochs=8)

    assert isinstance(fitted.scorer, Ranker)
    assert fitted.quality > fitted.base_quality + 0.1


def test_where_nothing_is_to_be_learned_the_base_stays():
    requests = requests_by(
        np.random.default_rng(4),
        300,
        lambda one: BaseScorer()(*tensors(one)).numpy(),
    )

    fitted = fit_ranker(requests, RankerConfig(), dimension=DIMENSION, seed=1, epochs=2)

    assert isinstance(fitted.scorer, BaseScorer)
    assert fitted.base_quality == 1.0


def test_a_few_requests_teach_nothing():
    requests = requests_by(np.random.default_rng(5), 20, lambda one: one.facts_NF[:, 0])

    assert isinstance(
        fit_ranker(requests, RankerConfig(), dimension=DIMENSION, seed=1).scorer, BaseScorer
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_seeds_give_equal_rankers(seed):
    requests = requests_by(np.random.default_rng(6), 250, lambda one: one.facts_NF[:, 0])

    first, again = (
        fit_ranker(requests, RankerConfig(), dimension=DIMENSION, seed=seed, epochs=2).scorer
        for _ in range(2)
    )

    assert scorer_graph(first, dimension=DIMENSION) == scorer_graph(again, dimension=DIMENSION)
