"""How good a network is on what came next: ranks among all items that a history does not hold.

Shape suffixes: B = histories at once, U = histories, I = items.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clickwise.vectors.port import Int64Array
from training.data import History
from training.model import scores
from training.network import Network
from training.sequences import Histories

_SCORES_AT_ONCE = 2**22


@dataclass(frozen=True, slots=True)
class Validation:
    """For each history the item (a place) that came next."""

    histories: tuple[History, ...]
    targets_U: Int64Array


@torch.no_grad()
def score_all(network: Network, histories: Histories) -> Iterator[Tensor]:
    """Scores (B, I) after whole histories, batch by batch, in their order."""
    network.eval()
    c_ID = network.vectors()
    batch = min(1_024, max(16, _SCORES_AT_ONCE // len(c_ID)))
    for begin in range(0, len(histories), batch):
        users = np.arange(begin, min(begin + batch, len(histories)))
        length = min(network.config.length, int(histories.lengths_U[users].max()))
        whole = histories.whole(users, length=length)
        yield scores(network.user.read(network.outputs(whole, c_ID)[-1]), c_ID)


@torch.no_grad()
def ranks_of_all(network: Network, seen: Histories, targets_U: Int64Array) -> Tensor:
    """The rank (U,) of what came next, from 0."""
    ranks, begin = [], 0
    for scores_BI in score_all(network, seen):
        users = np.arange(begin, begin + len(scores_BI))
        begin += len(scores_BI)
        ranks.append(ranks_of(scores_BI, seen, users, targets_U[users]))
    return torch.cat(ranks)


def quality_of(network: Network, seen: Histories, validation: Validation) -> float:
    """NDCG@10 among all items but those of the history."""
    ranks_U = ranks_of_all(network, seen, validation.targets_U)
    return float(torch.where(ranks_U < 10, 1.0 / torch.log2(ranks_U + 2.0), 0.0).mean())


def ranks_of(
    scores_BI: Tensor, seen: Histories, users: NDArray[np.intp], targets_B: Int64Array
) -> Tensor:
    """Rank from 0 of each target among the items not in its history; ties count against it."""
    rows = np.repeat(np.arange(len(users)), seen.lengths_U[users])
    begin = int(seen.offsets_U[users[0]])
    places = seen.items_N[begin : begin + len(rows)] - 1
    targets = torch.from_numpy(targets_B).to(scores_BI.device)
    own_B1 = scores_BI.gather(1, targets[:, None])
    barred_BI = scores_BI.index_put(
        (torch.from_numpy(rows).to(scores_BI.device), places),
        torch.tensor(-torch.inf, device=scores_BI.device),
    )
    barred_BI.scatter_(1, targets[:, None], -torch.inf)
    return (barred_BI >= own_B1).sum(dim=1).float()
