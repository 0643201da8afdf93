"""The scorer R(u, c): one ONNX graph, the same inputs for the hand-set and for learned ones.

Shape suffixes: N = candidates, D = embedding dimension, K = interests, R = recent items
(padded to RECENTS), F = facts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clickwise.errors import BundleError
from clickwise.onnx_runtime import open_session
from clickwise.vectors.port import Float32Array

RECENTS = 16
FACTS = ("popularity", "freshness", "topic_affinity", "co_clicked")


@dataclass(frozen=True, slots=True)
class ScorerInput:
    """What is known of the user and of each candidate.

    `interests_KD` are unit vectors (zero rows for free slots) with `interest_gains_K`: in [0, 1]
    under day 0, the lengths of the read-outs of a learned model;
    `recents_RD` the newest positive items with `recent_weights_R` >= 0 (0: padding);
    `aversion_D` is a unit vector or zero. `facts_NF` has the columns FACTS, each in [-1, 1].
    """

    interests_KD: Float32Array
    interest_gains_K: Float32Array
    recents_RD: Float32Array
    recent_weights_R: Float32Array
    aversion_D: Float32Array
    candidates_ND: Float32Array
    facts_NF: Float32Array


class Scorer:
    """An ONNX session with its input names bound."""

    def __init__(self, model: Path | bytes, *, dimension: int) -> None:
        self._session = open_session(model, device="cpu", threads=1)
        names = {value.name for value in self._session.get_inputs()}
        expected = {
            "interests", "interest_gains", "recents", "recent_weights", "aversion",
            "candidates", "facts",
        }  # fmt: skip
        if names != expected:
            raise BundleError(f"scorer has inputs {sorted(names)}, expected {sorted(expected)}")
        self._dimension = dimension

    def score(self, given: ScorerInput) -> Float32Array:
        """Scores (N,), higher is better.

        Raises:
            BundleError: the graph cannot be run on this.
        """
        values = {
            "interests": given.interests_KD,
            "interest_gains": given.interest_gains_K,
            "recents": given.recents_RD,
            "recent_weights": given.recent_weights_R,
            "aversion": given.aversion_D,
            "candidates": given.candidates_ND,
            "facts": given.facts_NF,
        }
        try:
            (scores_N,) = self._session.run(["scores"], values)
        except Exception as error:  # its exceptions have no root of their own
            raise BundleError(f"the scorer failed: {type(error).__name__}") from error
        return np.asarray(scores_N, np.float32)
