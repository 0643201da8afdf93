"""What SASRec and GRU4Rec have in common: item vectors in, item vectors out, and a loss.

Shape suffixes: B = sequences, T = steps, N = steps with a target, I = items, D = width,
S = sampled items. Item 0 is padding; item i is place i - 1.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class SequenceNetwork(nn.Module):
    """Item vectors, a causal `body` (B, T, D) -> (B, T, D), and the same vectors to score by."""

    def __init__(self, num_items: int, *, width: int, body: nn.Module) -> None:
        super().__init__()
        self.items = nn.Embedding(num_items + 1, width, padding_idx=0)
        nn.init.normal_(self.items.weight, std=0.02)
        with torch.no_grad():
            self.items.weight[0] = 0.0
        self.body = body

    def forward(self, items_BT: Tensor) -> Tensor:
        """What each step expects next, (B, T, D)."""
        expected_BTD: Tensor = self.body(self.items(items_BT))
        return expected_BTD

    def scores(self, expected_ND: Tensor) -> Tensor:
        """(N, I), in the order of places."""
        return expected_ND @ self.items.weight[1:].T


def full_loss(network: SequenceNetwork, window_BT: Tensor) -> Tensor:
    """Mean cross-entropy over all items at every step that has a next one."""
    expected_ND, targets_N = _steps(network, window_BT)
    return functional.cross_entropy(network.scores(expected_ND).float(), targets_N - 1)


def sampled_loss(network: SequenceNetwork, window_BT: Tensor, share_I: Tensor, num: int) -> Tensor:
    """The same over the target and `num` items drawn by `share_I`, their share of the events.

    exp(score) / (num * share) of the drawn ones other than the target sums, in the mean, to what
    all others would give (importance sampling: Bengio and Senecal, IEEE Trans. Neural Networks
    19(4), 2008); so popular items are not punished for being drawn often.
    """
    expected_ND, targets_N = _steps(network, window_BT)
    sampled_S = torch.multinomial(share_I, num, replacement=True) + 1
    drawn_S = share_I[sampled_S - 1].log() + math.log(num)
    target_N1 = (expected_ND * network.items(targets_N)).sum(-1, keepdim=True).float()
    others_NS = (expected_ND @ network.items(sampled_S).T).float() - drawn_S
    others_NS = others_NS.masked_fill(sampled_S == targets_N[:, None], -torch.inf)
    logits_N1S = torch.cat([target_N1, others_NS], 1)
    return functional.cross_entropy(logits_N1S, torch.zeros_like(targets_N))


def _steps(network: SequenceNetwork, window_BT: Tensor) -> tuple[Tensor, Tensor]:
    targets_BT = window_BT[:, 1:]
    real_BT = targets_BT > 0
    return network(window_BT[:, :-1])[real_BT], targets_BT[real_BT]
