"""The encoder tuned on what was clicked together: texts of such items come closer.

A pair is two items that one user took one after the other. In a batch of pairs, each first text
has to find its second among all second ones. Popular items are in the way of many: their scores
are lowered by the log of how often they come up, or the encoder would learn to push them away (Yi
et al., "Sampling-bias-corrected neural modeling", RecSys 2019).

Shape suffixes: P = pairs, B = pairs of a batch, I = items, D = embedding dimension.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from clickwise.encoder.weights import EncoderWeights, Pooling
from clickwise.vectors.port import Float64Array, Int64Array
from training.data import Dataset
from training.devices import auto_device, seeded
from training.tune.base import Base, base_for, token_ids
from training.tune.batches import Row, padded
from training.tune.methods import Sizes, applied, folded, num_trained
from training.tune.network import TextNetwork
from training.tune.ways import Method

HELD_OUT = 0.1  # of the events, the newest: `evaluate` and the gate live through them
_PER_USER = 200  # newest pairs: one user is one voice


@dataclass(frozen=True, slots=True)
class ContrastCourse:
    """`heat` divides cosines; an unaligned encoder's lie close together, so it is small."""

    method: Method = Method.LORA
    sizes: Sizes = field(default_factory=Sizes)
    epochs: int = 1
    batch: int = 64
    rate: float = 3e-4
    warmup: float = 0.1
    weight_decay: float = 0.01
    heat: float = 0.02
    clip: float = 1.0
    max_tokens: int = 64
    most_pairs: int = 20_000
    seed: int = 1
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class ContrastStory:
    """The encoder that came of it; `losses` of each epoch."""

    weights: EncoderWeights
    losses: tuple[float, ...]
    num_pairs: int
    num_trained: int
    seconds: float


def without_newest(data: Dataset, share: float = HELD_OUT) -> Dataset:
    """The events before the newest `share` of them, which evaluation and gate will ask about."""
    return data.with_log(data.log.take(np.arange(round(len(data.log) * (1.0 - share)))))


def pairs_of(data: Dataset) -> tuple[Int64Array, Float64Array]:
    """Pairs (P, 2) of items, places in the catalogue, and how often each item (I,) is in one."""
    found = []
    for _, history in data.histories():
        liked = history.items_T[history.weights_T > 0.0].astype(np.int64)
        both = np.stack([liked[:-1], liked[1:]], axis=1)[-_PER_USER:]
        found.append(both[both[:, 0] != both[:, 1]])
    pairs_P2 = np.concatenate(found) if found else np.zeros((0, 2), np.int64)
    readable = np.array([bool(text) for text in data.items.texts], np.bool_)
    pairs_P2 = pairs_P2[readable[pairs_P2].all(axis=1)]
    counts_I = np.bincount(pairs_P2.ravel(), minlength=len(data.items)).astype(np.float64)
    return pairs_P2, counts_I


def contrasted(
    weights: EncoderWeights,
    data: Dataset,
    course: ContrastCourse,
    *,
    watch: Callable[[int, float], None] = lambda _epoch, _loss: None,
) -> ContrastStory:
    """Tune on the pairs of `data`.

    Raises:
        ValueError: nobody took two items with a text one after the other.
    """
    pairs_P2, counts_I = pairs_of(data)
    if len(pairs_P2) < 2:
        raise ValueError(f"{data.name}: nobody took two items with texts one after the other")
    ids = token_ids(weights, data.items.texts, max_tokens=course.max_tokens)
    base = base_for(weights, ids)
    rows = base.rows(ids)
    per_epoch = min(len(pairs_P2), course.most_pairs)
    steps = course.epochs * -(-per_epoch // course.batch)
    network = _network(base, course, steps)
    optimizer = torch.optim.AdamW(
        [one for one in network.parameters() if one.requires_grad],
        lr=course.rate,
        weight_decay=course.weight_decay,
    )
    log_share_I = torch.from_numpy(np.log(np.maximum(counts_I, 1.0) / counts_I.sum())).float()
    log_share_I = log_share_I.to(network.device)
    begun = time.process_time()
    losses, step = [], 0
    for epoch in range(1, course.epochs + 1):
        rng = np.random.default_rng((course.seed, epoch))
        order = rng.permutation(len(pairs_P2))[:per_epoch]
        found = []
        for at in range(0, len(order), course.batch):
            factor = min(1.0, (step + 1) / max(1, course.warmup * steps)) * (1.0 - step / steps)
            for group in optimizer.param_groups:
                group["lr"] = course.rate * factor
            loss = pair_loss(
                network, rows, pairs_P2[order[at : at + course.batch]], log_share_I, course.heat
            )
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), course.clip)
            optimizer.step()
            optimizer.zero_grad()
            found.append(float(loss.detach()))
            step += 1
        losses.append(float(np.mean(found)))
        watch(epoch, losses[-1])
    learned = num_trained(network.encoder)
    model = folded(network.encoder, course.method)
    return ContrastStory(
        weights=base.tuned(model, name=f"{weights.name}-contrast"),
        losses=tuple(losses),
        num_pairs=len(pairs_P2),
        num_trained=learned,
        seconds=time.process_time() - begun,
    )


def pair_loss(
    network: TextNetwork,
    rows: Sequence[Row],
    pairs_B2: Int64Array,
    log_share_I: Tensor,
    heat: float,
) -> Tensor:
    """Each first text's second among all seconds of the batch; another copy of it is no rival."""
    ids_BL, mask_BL = padded([rows[item] for item in pairs_B2.ravel().tolist()], pad=network.pad)
    pooled = network.pooled(ids_BL, mask_BL).view(len(pairs_B2), 2, -1)
    second_B = torch.from_numpy(pairs_B2[:, 1].copy()).to(network.device)
    scores_BB = pooled[:, 0] @ pooled[:, 1].T / heat - log_share_I[second_B]
    first_B = torch.from_numpy(pairs_B2[:, 0].copy()).to(network.device)
    same_BB = second_B[:, None] == second_B[None, :]
    same_BB |= first_B[:, None] == second_B[None, :]
    own_BB = torch.eye(len(pairs_B2), dtype=torch.bool, device=network.device)
    scores_BB = scores_BB.masked_fill(same_BB & ~own_BB, -torch.inf)
    return functional.cross_entropy(scores_BB, torch.arange(len(pairs_B2), device=network.device))


def _network(base: Base, course: ContrastCourse, steps: int) -> TextNetwork:
    device = auto_device(course.device)
    with seeded(course.seed, device):
        encoder = applied(base.model(), course.method, course.sizes, steps=steps)
        network = TextNetwork(
            encoder,
            pooling=Pooling(base.weights.recipe.pooling),
            dimension=base.weights.architecture.hidden,
            classes=2,
            pad=base.pad,
            dropout=0.0,
        ).to(device)
    network.head.requires_grad_(requires_grad=False)
    return network.train()
