"""Several tuned classifiers as one: the mean of what they think, and one that learned it.

Shape suffixes: N = texts, C = classes.
"""

from collections.abc import Sequence

import numpy as np

from clickwise.vectors.port import Float32Array

_SHARE = 0.5  # of the teachers' word; the rest is the label's
_HEAT = 2.0  # evens the teachers' shares out: of texts they learned by heart they are too sure


def averaged(logits: Sequence[Float32Array]) -> Float32Array:
    """The mean of log-probabilities (N, C): each member has one voice, however loud it speaks."""
    return np.asarray(np.mean([_log_shares(one) for one in logits], axis=0), np.float32)


def lessons_from(teacher_NC: Float32Array, targets_NC: Float32Array) -> Float32Array:
    """Shares of classes for a student: half the teacher's, half the labels' (Hinton et al.,
    "Distilling the knowledge in a neural network", 2015).
    """
    soft_NC = np.exp(_log_shares(teacher_NC / _HEAT))
    return np.asarray(_SHARE * soft_NC + (1.0 - _SHARE) * targets_NC, np.float32)


def _log_shares(logits_NC: Float32Array) -> Float32Array:
    moved_NC = logits_NC - logits_NC.max(axis=1, keepdims=True)
    return np.asarray(moved_NC - np.log(np.exp(moved_NC).sum(axis=1, keepdims=True)), np.float32)
