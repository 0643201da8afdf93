"""What the scorer is told of each candidate, and the plain score when it cannot run.

Shape suffixes: N = candidates, T = topics per item.
"""

from dataclasses import dataclass

import numpy as np

from clickwise import logs
from clickwise.bundle import FACTS, Bundle, ScorerInput
from clickwise.errors import BundleError
from clickwise.limits import MAX_SECONDS_AHEAD
from clickwise.recommend.candidates import Pool
from clickwise.recommend.lists import Lists
from clickwise.recommend.taste import Taste, recent_inputs
from clickwise.types import ITEM_KINDS, ItemKind
from clickwise.vectors.port import Float32Array, Int32Array, ItemTable

FRESH_SECONDS = 3 * 86_400.0  # an item's freshness falls to 1/e in three days

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Scored:
    """Scores of the candidates and the facts behind them (columns FACTS)."""

    scores_N: Float32Array
    facts_NF: Float32Array
    recents: ItemTable
    fell_back: bool


def score(
    bundle: Bundle,
    taste: Taste,
    pool: Pool,
    table: ItemTable,
    recents: ItemTable,
    *,
    lists: Lists | None,
    now: float,
    run: bool,
) -> Scored:
    """Score the candidates in `table`; by facts alone when the scorer fails or may not `run`."""
    facts_NF = facts(taste, pool, table, lists=lists, now=now)
    if not len(table):
        return Scored(np.zeros(0, np.float32), facts_NF, recents, fell_back=False)
    if run:
        vectors_RD, weights_R = recent_inputs(taste, recents, bundle.manifest.dimension)
        try:
            scores_N = bundle.scorer.score(
                ScorerInput(
                    interests_KD=taste.interests_KD,
                    interest_gains_K=taste.gains_K,
                    recents_RD=vectors_RD,
                    recent_weights_R=weights_R,
                    aversion_D=taste.aversion_D,
                    candidates_ND=table.vectors_ND,
                    facts_NF=facts_NF,
                )
            )
            return Scored(scores_N, facts_NF, recents, fell_back=False)
        except BundleError as error:
            log.warning("scorer_failed", reason=str(error))
    return Scored(facts_NF.sum(axis=1), facts_NF, recents, fell_back=True)


def facts(
    taste: Taste, pool: Pool, table: ItemTable, *, lists: Lists | None, now: float
) -> Float32Array:
    """The columns FACTS for each row of `table`."""
    facts_NF = np.zeros((len(table), len(FACTS)), np.float32)
    if not len(table):
        return facts_NF
    if lists is not None:
        facts_NF[:, 0] = lists.popularity_of(table.keys_N)
    age_N = now - table.published_N
    fresh_N = np.exp(-np.maximum(age_N, 0.0) / FRESH_SECONDS)
    facts_NF[:, 1] = np.where(age_N >= -MAX_SECONDS_AHEAD, fresh_N, 0.0)
    if taste.topics:
        facts_NF[:, 2] = _affinity(taste.topics, table)
    if pool.co_clicked:
        strength = pool.co_clicked
        for row, key in enumerate(table.keys_N.tolist()):
            if key in strength:
                facts_NF[row, 3] = min(1.0, strength[key])
    return facts_NF


def followed_kind(items: ItemTable, topics_T: Int32Array) -> ItemKind | None:
    """The kind of those of a user's items that have one of these topics; None for several, or
    none.
    """
    wanted = topics_T[topics_T != 0]
    kinds = np.unique(items.kinds_N[np.isin(items.topics_NT, wanted).any(axis=1)])
    return ITEM_KINDS[int(kinds[0])] if len(kinds) == 1 else None


def _affinity(topics: dict[int, float], table: ItemTable) -> Float32Array:
    """Mean weight u over an item's topics, 0 for topics that the user has no weight for."""
    codes = np.array(sorted(topics), np.int32)
    weights = np.array([topics[code] for code in codes.tolist()], np.float32)
    places_NT = np.searchsorted(codes, table.topics_NT)
    places_NT[places_NT == len(codes)] = 0
    found_NT = (codes[places_NT] == table.topics_NT) & (table.topics_NT != 0)
    sums_N = np.where(found_NT, weights[places_NT], np.float32(0.0)).sum(axis=1)
    counts_N = np.maximum((table.topics_NT != 0).sum(axis=1), 1)
    affinity_N: Float32Array = np.clip(sums_N / counts_N, -1.0, 1.0).astype(np.float32)
    return affinity_N
