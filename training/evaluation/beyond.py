"""Beyond accuracy: what the lists are like, whether or not they are right.

- coverage: the share of items that is in anybody's list.
- diversity: 1 - cosine between two items of a list, mean over pairs and lists; of text vectors
  where there are any, else of topics. (Ziegler et al., WWW 2005.)
- novelty: mean self-information of the shown items in bits, -log2 of the share of users who
  met the item in training (Zhou et al., PNAS 2010); each item gets one user more, so that what
  nobody met is finite.
- popularity bias: the share of shown items that belong to the tenth of the items with the most
  training events, and the Gini coefficient of how often items are shown (0: all alike, 1: one
  item takes all).

Shape suffixes: Q = lists, K = places, I = items, D = dimension, P = pairs, V = topics.
"""

import numpy as np

from clickwise.vectors.port import Float32Array, Float64Array, Int32Array
from training.data import Dataset, Items
from training.evaluation.report import Beyond

_HEAD_SHARE = 0.1
_LISTS_AT_ONCE = 2_000


def beyond_accuracy(tops_QK: Int32Array, train: Dataset) -> Beyond:
    """What the lists (item places, -1 for none) are like."""
    shown = tops_QK[tops_QK >= 0]
    counts_I = np.bincount(shown, minlength=len(train.items)).astype(np.float64)
    log = train.log
    events_I = np.bincount(log.items_N, minlength=len(train.items))
    return Beyond(
        coverage=float((counts_I > 0).mean()) if len(counts_I) else 0.0,
        diversity=diversity(tops_QK, train.items),
        novelty=_novelty(counts_I, train),
        head_share=_head_share(counts_I, events_I),
        gini=gini(counts_I),
    )


def gini(counts_I: Float64Array) -> float:
    """Gini coefficient of counts; 0 where nothing was counted."""
    total = float(counts_I.sum())
    if not total:
        return 0.0
    number = len(counts_I)
    ranked_I = np.sort(counts_I)
    places_I = np.arange(1, number + 1)
    return float((2 * places_I - number - 1) @ ranked_I / (number * total))


def diversity(tops_QK: Int32Array, items: Items) -> float | None:
    """Mean 1 - cosine over pairs of a list; None where items have neither text nor topics.

    Pairs with an item that has none are left out.
    """
    vectors_ID = items.text_ID if items.text_ID is not None else _topic_vectors(items)
    if vectors_ID is None:
        return None
    has_I = np.linalg.norm(vectors_ID, axis=1) > 0.0
    rows, columns = np.triu_indices(tops_QK.shape[1], 1)
    total, lists = 0.0, 0
    for start in range(0, len(tops_QK), _LISTS_AT_ONCE):
        part_QK = tops_QK[start : start + _LISTS_AT_ONCE]
        vectors_QKD = vectors_ID[part_QK]
        cosines_QP = np.matmul(vectors_QKD, vectors_QKD.transpose(0, 2, 1))[:, rows, columns]
        told_QK = has_I[part_QK] & (part_QK >= 0)
        pairs_QP = told_QK[:, rows] & told_QK[:, columns]
        sizes_Q = pairs_QP.sum(axis=1)
        sums_Q = np.where(pairs_QP, 1.0 - cosines_QP, 0.0).sum(axis=1)
        total += float((sums_Q[sizes_Q > 0] / sizes_Q[sizes_Q > 0]).sum())
        lists += int((sizes_Q > 0).sum())
    return total / lists if lists else None


def _topic_vectors(items: Items) -> Float32Array | None:
    """Unit vectors over topics, zero for items without any."""
    places = {topic: place for place, topic in enumerate({t: 0 for ts in items.topics for t in ts})}
    if not places:
        return None
    topics_IV = np.zeros((len(items), len(places)), np.float32)
    for item, topics in enumerate(items.topics):
        topics_IV[item, [places[topic] for topic in topics]] = 1.0
    norms_I = np.linalg.norm(topics_IV, axis=1, keepdims=True)
    unit_IV: Float32Array = topics_IV / np.maximum(norms_I, 1e-9)
    return unit_IV


def _novelty(counts_I: Float64Array, train: Dataset) -> float | None:
    if not counts_I.sum():
        return None
    log = train.log
    pairs = np.unique((log.users_N.astype(np.int64) << 32) + log.items_N)
    users_I = np.bincount(pairs & 0xFFFFFFFF, minlength=len(counts_I))
    share_I = (users_I + 1) / (len(np.unique(log.users_N)) + 1)
    return float(counts_I @ -np.log2(share_I) / counts_I.sum())


def _head_share(
    counts_I: Float64Array, events_I: np.ndarray[tuple[int], np.dtype[np.intp]]
) -> float | None:
    if not counts_I.sum():
        return None
    number = max(1, round(len(counts_I) * _HEAD_SHARE))
    head = np.argsort(-events_I, kind="stable")[:number]
    return float(counts_I[head].sum() / counts_I.sum())
