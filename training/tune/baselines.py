"""What tuning has to beat: counted characters, and the encoder as it is.

Shape suffixes: N = texts, D = embedding dimension, C = classes.
"""

from collections.abc import Sequence

import numpy as np

from clickwise.vectors.port import Float32Array, Int64Array
from training.tune.report import macro_f1

_NEIGHBORS = (1, 3, 5, 9, 15, 25)
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)
_SURE = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0)


def tfidf(
    texts: Sequence[str],
    labels_N: Int64Array,
    dev: tuple[Sequence[str], Int64Array],
    asked: Sequence[str],
) -> tuple[Float32Array, int]:
    """Logits (N, C) of `asked` by a linear model on character n-grams of one to three, and its
    number of parameters. How strongly it is held back, and how sure its margins are, is chosen on
    `dev`. Every class is among `labels_N`.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    dev_texts, dev_labels_N = dev
    counted = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=1)
    learned = counted.fit_transform(texts)
    looked = counted.transform(dev_texts)
    classes = int(labels_N.max()) + 1
    best, chosen = -1.0, None
    for strength in _STRENGTHS:
        model = LinearSVC(C=strength, random_state=0).fit(learned, labels_N)
        quality = macro_f1(dev_labels_N, model.predict(looked), classes=classes)
        if quality > best:
            best, chosen = quality, model
    assert chosen is not None  # noqa: S101
    sure = min(
        _SURE, key=lambda one: _loss(one * _margins(chosen.decision_function(looked)), dev_labels_N)
    )
    found_NC = sure * _margins(chosen.decision_function(counted.transform(asked)))
    return found_NC.astype(np.float32), int(chosen.coef_.size + chosen.intercept_.size)


def _margins(raw: Float32Array) -> Float32Array:
    """A column a class, also of two."""
    return np.stack([-raw, raw], axis=1) if raw.ndim == 1 else raw


def _loss(logits_NC: Float32Array, labels_N: Int64Array) -> float:
    """Cross-entropy."""
    moved_NC = logits_NC - logits_NC.max(axis=1, keepdims=True)
    log_shares_NC = moved_NC - np.log(np.exp(moved_NC).sum(axis=1, keepdims=True))
    return -float(log_shares_NC[np.arange(len(labels_N)), labels_N].mean())


def nearest(
    pooled_ND: Float32Array,
    labels_N: Int64Array,
    dev: tuple[Float32Array, Int64Array],
    asked_MD: Float32Array,
) -> Int64Array:
    """Classes of `asked_MD` by their nearest neighbors' vote, weighed by cosine. The vectors are
    centered first: an encoder's lie in a narrow cone. How many vote is chosen on `dev`.
    """
    mean_D = pooled_ND.mean(axis=0)
    classes = int(labels_N.max()) + 1
    known_ND = _unit(pooled_ND - mean_D)
    dev_MD, dev_labels_M = dev
    best, chosen = -1.0, 1
    for number in _NEIGHBORS:
        if number > len(known_ND):
            continue
        found_M = _voted(known_ND, labels_N, _unit(dev_MD - mean_D), number, classes)
        quality = macro_f1(dev_labels_M, found_M, classes=classes)
        if quality > best:
            best, chosen = quality, number
    return _voted(known_ND, labels_N, _unit(asked_MD - mean_D), chosen, classes)


def _voted(
    known_ND: Float32Array,
    labels_N: Int64Array,
    asked_MD: Float32Array,
    number: int,
    classes: int,
) -> Int64Array:
    found = []
    for begin in range(0, len(asked_MD), 512):
        cosines_BN = asked_MD[begin : begin + 512] @ known_ND.T
        near_BK = np.argpartition(-cosines_BN, number - 1, axis=1)[:, :number]
        votes_BC = np.zeros((len(near_BK), classes), np.float32)
        rows_BK = np.repeat(np.arange(len(near_BK))[:, None], number, axis=1)
        weights_BK = np.take_along_axis(cosines_BN, near_BK, axis=1)
        np.add.at(votes_BC, (rows_BK, labels_N[near_BK]), weights_BK)
        found.append(votes_BC.argmax(axis=1))
    return np.concatenate(found).astype(np.int64)


def _unit(x_ND: Float32Array) -> Float32Array:
    norms_N1 = np.linalg.norm(x_ND, axis=1, keepdims=True)
    return np.asarray(x_ND / np.maximum(norms_N1, 1e-12), np.float32)
