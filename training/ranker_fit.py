"""Training the ranker on requests as they were served: which candidate was clicked next.

Listwise: a softmax over the candidates of one request. The last fifth of the requests, in their
order, judges; a ranker that does not beat the base there is not kept.

Shape suffixes: see training.ranker; B = requests of a batch.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from clickwise.bundle import FACTS, ScorerInput
from clickwise.vectors.port import Float32Array
from training.ranker import BaseScorer, Ranker, RankerConfig

_JUDGING_SHARE = 0.2
_FEWEST = 200  # requests: fewer teach nothing
_BATCH = 64
_OUT = -1e4  # score of padding


@dataclass(frozen=True, slots=True)
class Request:
    """What the scorer was given, and the row of the candidate that was clicked next."""

    given: ScorerInput
    clicked: int


@dataclass(frozen=True, slots=True)
class FittedRanker:
    """`scorer` is the base where the ranker was not better; qualities are NDCG@10 among the
    candidates of the judging requests.
    """

    scorer: BaseScorer | Ranker
    requests: int
    quality: float
    base_quality: float


def fit_ranker(
    requests: Sequence[Request],
    config: RankerConfig,
    *,
    dimension: int,
    seed: int,
    epochs: int = 20,
    learning_rate: float = 3e-3,
) -> FittedRanker:
    """The ranker that these requests teach, or the base; equal seeds give equal rankers."""
    base = BaseScorer()
    if len(requests) < _FEWEST:
        return FittedRanker(base, len(requests), 0.0, 0.0)
    cut = round(len(requests) * (1.0 - _JUDGING_SHARE))
    learned, judging = requests[:cut], requests[cut:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ranker = Ranker(config, dimension=dimension)
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=learning_rate, weight_decay=1e-3)
    best, best_weights = -1.0, ranker.state_dict()
    for epoch in range(epochs):
        rng = np.random.default_rng((seed, epoch))
        order = rng.permutation(len(learned))
        for begin in range(0, len(order), _BATCH):
            batch = [learned[row] for row in order[begin : begin + _BATCH].tolist()]
            loss = functional.cross_entropy(_scores(ranker, batch), _clicked(batch))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's
            optimizer.step()
        quality = _quality(ranker, judging)
        if quality > best:
            best = quality
            best_weights = {name: one.clone() for name, one in ranker.state_dict().items()}
    ranker.load_state_dict(best_weights)
    base_quality = _quality(base, judging)
    kept = ranker if best > base_quality else base
    return FittedRanker(kept.eval(), len(requests), best, base_quality)


def save_ranker(path: Path, fitted: FittedRanker) -> None:
    """Keep it, whole or not at all."""
    ranker = fitted.scorer if isinstance(fitted.scorer, Ranker) else None
    content = {
        "weights": None if ranker is None else ranker.state_dict(),
        "requests": fitted.requests,
        "quality": fitted.quality,
        "base_quality": fitted.base_quality,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    torch.save(content, part)
    part.replace(path)


def load_ranker(path: Path, config: RankerConfig, *, dimension: int) -> FittedRanker | None:
    """What was kept; None where nothing is, or nothing that fits."""
    try:
        content = torch.load(path, weights_only=True)
        scorer: BaseScorer | Ranker = BaseScorer()
        if content["weights"] is not None:
            scorer = Ranker(config, dimension=dimension)
            scorer.load_state_dict(content["weights"])
    except (OSError, EOFError, RuntimeError, KeyError, pickle.UnpicklingError):
        return None
    figures = (content[name] for name in ("requests", "quality", "base_quality"))
    return FittedRanker(scorer.eval(), *figures)


@torch.no_grad()
def _quality(scorer: BaseScorer | Ranker, requests: Sequence[Request]) -> float:
    """NDCG@10; ties count against it."""
    gains = []
    for begin in range(0, len(requests), _BATCH):
        batch = requests[begin : begin + _BATCH]
        scores_BN = _scores(scorer, batch)
        own_B1 = scores_BN.gather(1, _clicked(batch)[:, None])
        ranks_B = (scores_BN >= own_B1).sum(dim=1)
        gains.append(torch.where(ranks_B <= 10, 1.0 / torch.log2(1.0 + ranks_B), 0.0))
    return float(torch.cat(gains).mean())


def _clicked(batch: Sequence[Request]) -> Tensor:
    return torch.tensor([one.clicked for one in batch])


def _scores(scorer: BaseScorer | Ranker, batch: Sequence[Request]) -> Tensor:
    """Scores (B, N), padded."""
    given = [one.given for one in batch]
    number_B = torch.tensor([len(one.candidates_ND) for one in given])
    scores_BN: Tensor = scorer(*_padded(given))
    padding_BN = torch.arange(scores_BN.shape[1]) >= number_B[:, None]
    return scores_BN.masked_fill(padding_BN, _OUT)


def _padded(given: Sequence[ScorerInput]) -> Iterator[Tensor]:
    """The inputs of several requests as batches, in the scorer's order."""
    most = max(len(one.candidates_ND) for one in given)
    interests = max(len(one.interest_gains_K) for one in given)
    dimension = given[0].aversion_D.shape[0]

    def stacked(rows: Sequence[Float32Array]) -> Tensor:
        return torch.from_numpy(np.stack(rows))

    def filled(array: Float32Array, number: int, *rest: int) -> Float32Array:
        whole = np.zeros((number, *rest), np.float32)
        whole[: len(array)] = array
        return whole

    yield stacked([filled(one.interests_KD, interests, dimension) for one in given])
    yield stacked([filled(one.interest_gains_K, interests) for one in given])
    yield stacked([one.recents_RD for one in given])
    yield stacked([one.recent_weights_R for one in given])
    yield stacked([one.aversion_D for one in given])
    yield stacked([filled(one.candidates_ND, most, dimension) for one in given])
    yield stacked([filled(one.facts_NF, most, len(FACTS)) for one in given])
