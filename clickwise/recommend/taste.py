"""What a profile says about its user at one moment: the side of R that does not vary by item.

Shape suffixes: K = interests, R = recent items, D = embedding dimension.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from clickwise.bundle import RECENTS
from clickwise.profile import Profile, Recurrence
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

    `gains_K` is what the scorer multiplies an interest's cosine by. `topics` are u scaled so
    that the greatest absolute weight is 1.
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


def taste_of(profile: Profile, recurrence: Recurrence | None = None) -> Taste:
    """The taste in a profile; pure. Under a learned model its interests are what `recurrence`
    reads out of the memory, and all else is the rule's.
    """
    ruled = _ruled(profile)
    if recurrence is None or not profile.memory_M.any():
        return ruled
    read_KD = recurrence.read(profile.memory_M)
    lengths_K = np.sqrt(np.einsum("kd,kd->k", read_KD, read_KD))
    order = np.argsort(-lengths_K, kind="stable")
    lengths_K, read_KD = lengths_K[order], read_KD[order]
    return dataclasses.replace(
        ruled,
        interests_KD=read_KD / np.maximum(lengths_K, np.float32(1e-9))[:, None],
        shares_K=lengths_K / np.maximum(lengths_K.sum(), np.float32(1e-9)),
        gains_K=lengths_K,
    )


def _ruled(profile: Profile) -> Taste:
    # A handful of short rows: one by one is faster than array operations over all of them.
    masses: list[float] = profile.masses_K.tolist()
    total = sum(masses) or 1.0
    interests_KD = np.zeros_like(profile.interests_KD)
    shares: list[float] = []
    for slot in sorted(range(len(masses)), key=lambda slot: -masses[slot]):
        row_D = profile.interests_KD[slot]
        square = float(row_D.dot(row_D))
        if masses[slot] > 0.0 and square > 0.0:
            np.multiply(row_D, np.float32(square**-0.5), out=interests_KD[len(shares)])
            shares.append(masses[slot] / total)
    shares_K = np.zeros(len(masses), np.float32)
    gains_K = np.zeros(len(masses), np.float32)
    if shares:
        shares_K[: len(shares)] = shares
        gains_K[: len(shares)] = [0.6 + 0.4 * share / shares[0] for share in shares]
    aversion_D = profile.aversion_D
    if profile.aversion_mass:
        norm = float(aversion_D.dot(aversion_D)) ** 0.5
        aversion_D = aversion_D / np.float32(norm) if norm > 0.0 else aversion_D
    largest = max((abs(w) for w in profile.topic_weights.values()), default=0.0) or 1.0
    return Taste(
        interests_KD=interests_KD,
        shares_K=shares_K,
        gains_K=gains_K,
        aversion_D=aversion_D,
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
