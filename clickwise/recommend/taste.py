"""What a profile says about its user at one moment: the side of R that does not vary by item.

Shape suffixes: K = interests, R = recent items, D = embedding dimension.
"""

from dataclasses import dataclass

import numpy as np

from clickwise.bundle import RECENTS
from clickwise.profile import Profile
from clickwise.vectors.port import Float32Array, ItemTable

LOOK_BACK = 48  # kept events in which the newest positive items are looked for
RECENT_HALF_LIFE = 4.0  # a recent item's weight halves every so many items back


@dataclass(frozen=True, slots=True)
class Recent:
    """One of the newest positive events."""

    item: int
    type: int
    time: int  # microseconds since 1970
    weight: float


@dataclass(frozen=True, slots=True)
class Taste:
    """Interests strongest first: unit vectors, their shares (sum 1), recents newest first.

    `topics` are u scaled so that the greatest absolute weight is 1.
    """

    interests_KD: Float32Array
    shares_K: Float32Array
    gains_K: Float32Array
    aversion_D: Float32Array
    topics: dict[int, float]
    recents: tuple[Recent, ...]

    @property
    def known(self) -> bool:
        """True when there is anything to personalize by."""
        return bool(len(self.shares_K) and self.shares_K[0] > 0.0) or bool(self.recents)


def taste_of(profile: Profile) -> Taste:
    """The taste in a profile; pure."""
    masses_K = profile.masses_K
    order = np.argsort(-masses_K, kind="stable")
    interests_KD = profile.interests_KD[order]
    norms_K = np.sqrt(np.einsum("kd,kd->k", interests_KD, interests_KD))
    alive_K = (masses_K[order] > 0.0) & (norms_K > 0.0)
    unit_KD = np.where(
        alive_K[:, None], interests_KD / np.where(norms_K > 0.0, norms_K, 1.0)[:, None], 0.0
    ).astype(np.float32)
    total = float(masses_K.sum()) or 1.0
    shares_K = np.where(alive_K, masses_K[order] / total, 0.0).astype(np.float32)
    strongest = float(shares_K[0]) if len(shares_K) and shares_K[0] > 0.0 else 1.0
    gains_K = np.where(alive_K, 0.6 + 0.4 * shares_K / strongest, 0.0).astype(np.float32)
    norm = float(np.sqrt(profile.aversion_D.dot(profile.aversion_D)))
    aversion_D = profile.aversion_D / np.float32(norm) if norm > 0.0 else profile.aversion_D
    largest = max((abs(w) for w in profile.topic_weights.values()), default=0.0) or 1.0
    return Taste(
        interests_KD=unit_KD,
        shares_K=shares_K,
        gains_K=gains_K,
        aversion_D=aversion_D.astype(np.float32),
        topics={code: weight / largest for code, weight in profile.topic_weights.items()},
        recents=_recents(profile),
    )


def _recents(profile: Profile) -> tuple[Recent, ...]:
    """The newest positive events, one per item, unless the item was disliked later."""
    recents: list[Recent] = []
    done: set[int] = set()
    for time, _event, item, weight, kind in reversed(profile.history[-LOOK_BACK:].tolist()):
        if item in done:
            continue
        if weight != 0.0:
            done.add(item)
        if weight > 0.0:
            recents.append(Recent(item, kind, time, weight))
            if len(recents) == RECENTS:
                break
    return tuple(recents)


def recent_inputs(
    taste: Taste, table: ItemTable, dimension: int
) -> tuple[Float32Array, Float32Array]:
    """Vectors (RECENTS, D) and weights (RECENTS,) of the recents that `table` knows, padded."""
    vectors_RD = np.zeros((RECENTS, dimension), np.float32)
    weights_R = np.zeros(RECENTS, np.float32)
    rows = {key: row for row, key in enumerate(table.keys_N.tolist())}
    for place, recent in enumerate(taste.recents):
        row = rows.get(recent.item)
        if row is not None:
            vectors_RD[place] = table.vectors_ND[row]
            weights_R[place] = recent.weight * 0.5 ** (place / RECENT_HALF_LIFE)
    total = float(weights_R.sum())
    return vectors_RD, weights_R / np.float32(total) if total else weights_R
