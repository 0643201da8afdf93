"""The scorer R: what the network says of a candidate, and what a small ranker adds to it.

    base   b_n = log sum_k exp(gain_k <u_k, c_n>), over interests that are there
    score  s_n = b_n + facts_n . w + MLP(b_n, attended_n, nearest_n, aversion_n, facts_n)
           attended_n = sum_r a_nr <c_n, x_r>,  a_n = softmax_r(<Q c_n, K x_r> + log weight_r)

Target attention as in DIN (Zhou et al., 2018). The MLP's last layer starts at zero, so that an
untrained ranker gives the base and what it learns is a correction.

The inputs are those of `clickwise.bundle.ScorerInput`, one user or a batch B of them.

Shape suffixes: N = candidates, D = embedding dimension (with the extra coordinate), K = interests,
R = recent items, F = facts, A = width of the attention.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.bundle import FACTS, RECENTS
from training.export_graphs import to_onnx

# Nats per unit of a fact: enough to order items that the network holds equal, and a user of whom
# it knows nothing. Popularity first, as under day 0.
FACT_WEIGHTS = {"popularity": 0.3, "freshness": 0.05, "topic_affinity": 0.05, "co_clicked": 0.5}
_ABSENT = -3e4  # within half precision, as all that follows
_TINY = 1e-6
_SCALE = 8.0  # scores are of this order; the MLP wants numbers about 1


@dataclass(frozen=True, slots=True)
class RankerConfig:
    """Sizes: every request pays for them."""

    attention: int = 16
    hidden: int = 16


class BaseScorer(nn.Module):
    """The network's own score and a small say of the facts."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.tensor([FACT_WEIGHTS[name] for name in FACTS])
        self.register_buffer("facts", weights)
        self.facts: Tensor

    def forward(
        self,
        interests_KD: Tensor,
        gains_K: Tensor,
        recents_RD: Tensor,
        weights_R: Tensor,
        aversion_D: Tensor,
        candidates_ND: Tensor,
        facts_NF: Tensor,
    ) -> Tensor:
        """Scores (N,)."""
        products_NU = _products(interests_KD, recents_RD, aversion_D, candidates_ND)
        b_N = _base(products_NU[..., RECENTS + 1 :], gains_K)
        # Nothing is read of these here; a graph keeps its inputs only where they are used.
        unread = weights_R[..., :1] * 0.0
        return b_N + (facts_NF * self.facts).sum(-1) + unread


class Ranker(nn.Module):
    """The base and a learned correction."""

    def __init__(self, config: RankerConfig, *, dimension: int) -> None:
        super().__init__()
        self.config = config
        self.dimension = dimension
        self.query = nn.Linear(dimension, config.attention, bias=False)
        self.key = nn.Linear(dimension, config.attention, bias=False)
        self.hidden = nn.Linear(4 + len(FACTS), config.hidden)
        self.out = nn.Linear(config.hidden, 1, bias=False)
        nn.init.zeros_(self.out.weight)
        self.facts = nn.Parameter(torch.tensor([FACT_WEIGHTS[name] for name in FACTS]))

    def forward(
        self,
        interests_KD: Tensor,
        gains_K: Tensor,
        recents_RD: Tensor,
        weights_R: Tensor,
        aversion_D: Tensor,
        candidates_ND: Tensor,
        facts_NF: Tensor,
    ) -> Tensor:
        """Scores (N,)."""
        products_NU = _products(interests_KD, recents_RD, aversion_D, candidates_ND)
        alike_NR = products_NU[..., :RECENTS]
        b_N = _base(products_NU[..., RECENTS + 1 :], gains_K)
        keys_RA = self.key(recents_RD)
        logits_NR = self.query(candidates_ND) @ keys_RA.transpose(-1, -2)
        logits_NR = logits_NR + torch.log(weights_R + _TINY)[..., None, :]
        attended_N = (torch.softmax(logits_NR, dim=-1) * alike_NR).sum(-1)
        nearest_N = alike_NR.amax(-1)
        features_NX = torch.cat(
            [
                (b_N / _SCALE)[..., None],
                attended_N[..., None],
                nearest_N[..., None],
                products_NU[..., RECENTS : RECENTS + 1],
                facts_NF,
            ],
            dim=-1,
        )
        learnt_N1 = self.out(functional.relu(self.hidden(features_NX)))
        scores_N: Tensor = b_N + (facts_NF * self.facts).sum(-1) + learnt_N1.squeeze(-1)
        return scores_N


def scorer_graph(scorer: BaseScorer | Ranker, *, dimension: int) -> bytes:
    """`scorer.onnx`."""
    facts = len(FACTS)
    return to_onnx(
        scorer,
        {
            "interests": torch.zeros(2, dimension),
            "interest_gains": torch.zeros(2),
            "recents": torch.zeros(RECENTS, dimension),
            "recent_weights": torch.zeros(RECENTS),
            "aversion": torch.zeros(dimension),
            "candidates": torch.zeros(3, dimension),
            "facts": torch.zeros(3, facts),
        },
        "scores",
        {
            "interests": {0: "K"},
            "interest_gains": {0: "K"},
            "candidates": {0: "N"},
            "facts": {0: "N"},
            "scores": {0: "N"},
        },
    )


def _products(
    interests_KD: Tensor, recents_RD: Tensor, aversion_D: Tensor, candidates_ND: Tensor
) -> Tensor:
    """Candidates with all of the user's vectors, in one product: recents, aversion, interests."""
    user_UD = torch.cat([recents_RD, aversion_D[..., None, :], interests_KD], dim=-2)
    return candidates_ND @ user_UD.transpose(-1, -2)


def _base(near_NK: Tensor, gains_K: Tensor) -> Tensor:
    """Scores (N,) of the interests that are there; 0 where there is none."""
    there_K = (gains_K > 0.0).to(near_NK.dtype)
    logits_NK = near_NK * gains_K[..., None, :] + ((1.0 - there_K) * _ABSENT)[..., None, :]
    largest_N1 = logits_NK.amax(-1, keepdim=True)
    sums_N = torch.exp(logits_NK - largest_N1).sum(-1)
    known = there_K.amax(-1, keepdim=True)
    return (torch.log(sums_N) + largest_N1.squeeze(-1).clamp_min(_ABSENT / 2)) * known
