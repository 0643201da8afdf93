"""Small networks and histories for tests of training: everything drawn from one seed."""

from dataclasses import replace

import numpy as np
import torch

from training.data import Dataset, History, Items, Log
from training.model import ModelConfig
from training.network import Network

TINY = ModelConfig(dimension=8, width=16, layers=2, length=12, dropout=0.1, input_dropout=0.0)
TEXT = 12  # numbers of a text vector


def text_vectors(items: int, *, seed: int = 0):
    rows = np.random.default_rng(seed).standard_normal((items, TEXT)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def network(items: int = 30, *, text: bool = True, config: ModelConfig = TINY, seed: int = 0):
    """A network whose weights are all far from where they start."""
    torch.manual_seed(seed)
    made = Network(config, items=items, text_ID=text_vectors(items) if text else None)
    with torch.no_grad():
        for weights in made.parameters():
            weights.add_(0.1 * torch.randn_like(weights))
        made.tower.ids.weight[0] = 0.0
    return made.eval()


def history(items: int = 30, *, events: int = 40, seed: int = 0):
    """Events of several types and weights, seconds to days apart."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.exponential(20_000.0, events)) + 1e9
    return History(
        rng.integers(0, items, events).astype(np.int32),
        rng.integers(1, 6, events).astype(np.uint8),
        rng.choice([1.0, 0.2, -1.2], events).astype(np.float32),
        times,
        now=float(times[-1]),
    )


def ids(items: int = 30):
    return [f"item-{place}" for place in range(items)]


def two_tastes(
    *, users: int = 40, items: int = 20, events: int = 30, again: bool = True, seed: int = 0
):
    """A site where half of the people click even items and the other half odd ones, the same
    ones `again` or each once.
    """
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(items // 2, events, replace=again) for _ in range(users)]
    rows = [
        (user, 2 * int(drawn[user][step]) + user % 2, 1e9 + 60.0 * (step * users + user))
        for step in range(events)
        for user in range(users)
    ]
    users_N, items_N, times_N = zip(*rows, strict=True)
    log = Log(
        np.array(users_N, np.int32),
        np.array(items_N, np.int32),
        np.ones(len(rows), np.uint8),
        np.ones(len(rows), np.float32),
        np.array(times_N, np.float64),
    )
    return Dataset("two tastes", log, catalogue(items), tuple(f"user-{u}" for u in range(users)))


def catalogue(items: int, *, text: bool = True):
    names = tuple(ids(items))
    made = Items(
        ids=names,
        titles=names,
        topics=((),) * items,
        kinds=("",) * items,
        languages=("",) * items,
        published_I=np.zeros(items),
        texts=names,
    )
    return replace(made, text_ID=text_vectors(items)) if text else made
