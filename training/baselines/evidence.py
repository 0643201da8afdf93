"""Which events of a log are evidence of interest. Shape suffix: N = events, T = steps."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clickwise.vectors.port import BoolArray, Float32Array
from training.data import History

# Negative events (one star, a hide) are left out, or taken as contact with the item like any
# other. Impressions (weight 0) are nobody's choice and never count.
Evidence = Literal["positive", "all"]


def counted(weights_N: Float32Array, evidence: Evidence) -> BoolArray:
    """Which events count."""
    return weights_N > 0.0 if evidence == "positive" else weights_N != 0.0


def sequence_of(history: History, evidence: Evidence) -> NDArray[np.int32]:
    """The items of a history that count, oldest first; one at once again is one step."""
    items_T = history.items_T[counted(history.weights_T, evidence)]
    if len(items_T) < 2:
        return items_T
    steps: NDArray[np.int32] = items_T[np.concatenate([[True], items_T[1:] != items_T[:-1]])]
    return steps
