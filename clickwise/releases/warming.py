"""The first calls of a model are slow: pages are read, kernels chosen. They are made beforehand.

Shape suffixes: K = interests, N = candidates, D = embedding dimension.
"""

import numpy as np

from clickwise.bundle import FACTS, RECENTS, ScorerInput
from clickwise.releases.release import Release
from clickwise.vectors.port import Where

QUERIES = 4
CANDIDATES = 200


def warm(release: Release) -> None:
    """Search, look up, score and fold once, with made-up queries.

    Raises:
        BundleError: the model cannot be run; nobody was answered with it.
        UnavailableError: the vector store does not answer.
    """
    index, manifest = release.catalog.index, release.bundle.manifest
    queries_KD = np.random.default_rng(0).standard_normal((QUERIES, manifest.dimension))
    queries_KD /= np.linalg.norm(queries_KD, axis=1, keepdims=True)
    interests_KD = queries_KD.astype(np.float32)
    hits = index.search(interests_KD, limit=CANDIDATES, where=Where(now=0.0))
    keys = np.unique(np.concatenate([hit.keys_N for hit in hits]))[:CANDIDATES]
    table = index.lookup(keys)
    index.labels(keys[:QUERIES].tolist())
    vectors_ND = table.vectors_ND if len(table) else interests_KD
    release.bundle.scorer.score(
        ScorerInput(
            interests_KD=interests_KD,
            interest_gains_K=np.ones(QUERIES, np.float32),
            recents_RD=np.zeros((RECENTS, manifest.dimension), np.float32),
            recent_weights_R=np.zeros(RECENTS, np.float32),
            aversion_D=np.zeros(manifest.dimension, np.float32),
            candidates_ND=vectors_ND,
            facts_NF=np.zeros((len(vectors_ND), len(FACTS)), np.float32),
        )
    )
    recurrence = release.bundle.recurrence
    if recurrence is not None:
        memory_M = recurrence.step(
            np.zeros(recurrence.memory, np.float32),
            vectors_ND[0],
            event_type=0,
            weight=1.0,
            gap_seconds=60.0,
        )
        recurrence.read(memory_M)
