"""How well classes are told apart: accuracy, and precision, recall and F1 of each.

Shape suffixes: N = texts, C = classes.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from clickwise.vectors.port import Int64Array


class ClassScore(msgspec.Struct, frozen=True, kw_only=True):
    """One class. `support`: texts that are of it."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """All classes; macro F1 is the plain mean of theirs."""

    accuracy: float
    macro_f1: float
    classes: tuple[ClassScore, ...]


def scores_of(labels_N: Int64Array, found_N: Int64Array, classes: Sequence[str]) -> Scores:
    """How `found_N` agrees with `labels_N`, both places in `classes`."""
    confusion_CC = _confusion(labels_N, found_N, len(classes))
    right_C = np.diagonal(confusion_CC)
    precision_C = right_C / np.maximum(confusion_CC.sum(axis=0), 1)
    recall_C = right_C / np.maximum(confusion_CC.sum(axis=1), 1)
    f1_C = 2 * precision_C * recall_C / np.maximum(precision_C + recall_C, 1e-12)
    return Scores(
        accuracy=float(right_C.sum() / max(1, len(labels_N))),
        macro_f1=float(f1_C.mean()),
        classes=tuple(
            ClassScore(
                name=name,
                precision=float(precision_C[place]),
                recall=float(recall_C[place]),
                f1=float(f1_C[place]),
                support=int(confusion_CC[place].sum()),
            )
            for place, name in enumerate(classes)
        ),
    )


def macro_f1(labels_N: Int64Array, found_N: Int64Array, *, classes: int) -> float:
    """The mean F1 over classes."""
    return scores_of(labels_N, found_N, [str(place) for place in range(classes)]).macro_f1


def _confusion(labels_N: Int64Array, found_N: Int64Array, classes: int) -> Int64Array:
    """Texts of class (row) that were taken for class (column)."""
    flat = np.bincount(labels_N * classes + found_N, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)
