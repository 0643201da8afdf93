"""Which item came next, as a classification over the catalogue or a sample of it.

Small catalogues: softmax over all items. Large ones: over the batch's own targets and items drawn
uniformly, with log-Q correction (Yi et al., "Sampling-bias-corrected neural modeling", 2019): a
candidate's score is lowered by the logarithm of how often it is expected in the sample.

Shape suffixes: P = positions that have a target, K = interests, D = vector, I = items,
S = sampled items.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.model import scores

FULL_UP_TO = 20_000  # items


def full_softmax(
    u_PKD: Tensor, c_ID: Tensor, targets_P: Tensor, *, smoothing: float = 0.0
) -> Tensor:
    """Mean cross-entropy; `targets` are rows of `c`."""
    return functional.cross_entropy(scores(u_PKD, c_ID), targets_P, label_smoothing=smoothing)


def sampled_softmax(
    u_PKD: Tensor, c_SD: Tensor, places_S: Tensor, log_q_S: Tensor, targets_P: Tensor
) -> Tensor:
    """Mean cross-entropy over a sample that holds every target.

    `places_S` are ascending places of the sampled items, `targets` places; `log_q_S` the
    logarithm of each one's expected count in the sample.
    """
    rows_P = torch.searchsorted(places_S, targets_P)
    return functional.cross_entropy(scores(u_PKD, c_SD) - log_q_S, rows_P)


def sample(
    targets_P: Tensor, frequency_I: Tensor, *, uniform: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Ascending places (S,) of the batch's targets and `uniform` more, and log-Q of each."""
    items = len(frequency_I)
    drawn = torch.randint(items, (uniform,), device=targets_P.device, generator=generator)
    places_S = torch.unique(torch.cat([targets_P, drawn]))
    expected_S = len(targets_P) * frequency_I[places_S] + uniform / items
    return places_S, torch.log(expected_S.clamp(1e-9, 1.0))


def pushed_away(u_PKD: Tensor, c_PD: Tensor, c_ID: Tensor) -> Tensor:
    """What was disliked next shall score below the middle of the catalogue: mean of
    softplus(score - middle), for positions whose next event was negative.
    """
    disliked_P = torch.logsumexp((u_PKD * c_PD[:, None, :]).sum(-1), dim=-1)
    middle_P = scores(u_PKD, c_ID).median(dim=-1).values
    return functional.softplus(disliked_P - middle_P).mean()
