"""The head before the first step: fitted to the untuned encoder's vectors.

A head that begins at random sends wrong gradients into the encoder, which bend what it knew
(Kumar et al., "Fine-tuning can distort pretrained features", ICLR 2022).

Shape suffixes: N = texts, D = embedding dimension, C = classes.
"""

import torch
from torch import Tensor
from torch.nn import functional

from clickwise.vectors.port import Float32Array
from training.tune.network import TextNetwork

# Less, and a head of some hundred numbers a class learns a few thousand texts by heart: nothing is
# left then that would tell the encoder where to go.
_DECAY = 0.03
_ROUNDS = 60


def probe(network: TextNetwork, pooled_ND: Float32Array, targets_NC: Float32Array) -> None:
    """Fit the head alone, by L-BFGS over all texts at once; nothing is drawn."""
    given_ND = torch.from_numpy(pooled_ND).to(network.device)
    scaled_ND = (given_ND - network.mean_D) / network.scale_D
    targets = torch.from_numpy(targets_NC).to(network.device)
    head = network.head
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
    optimizer = torch.optim.LBFGS(
        [head.weight, head.bias], max_iter=_ROUNDS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        found = functional.cross_entropy(head(scaled_ND), targets)
        found = found + _DECAY * head.weight.square().sum() / 2
        found.backward()  # type: ignore[no-untyped-call]
        return found

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    optimizer.zero_grad()
