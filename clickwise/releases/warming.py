"""The first calls of a model are slow: pages are read, kernels chosen. They are made beforehand.
And a model whose graphs cannot be run is found before anybody hears of it.

Shape suffixes: K = interests, N = candidates, C = dimension of the text vectors, D = embedding
dimension, M = memory.
"""

import numpy as np

from clickwise.bundle import FACTS, RECENTS, Bundle, Manifest, ScorerInput
from clickwise.errors import BundleError
from clickwise.releases.release import Release
from clickwise.types import ModelVersion
from clickwise.vectors.port import Float32Array, Picture, Where

QUERIES = 4
CANDIDATES = 200


def warm(release: Release) -> None:
    """Search, look up, score and fold once, with made-up queries.

    Raises:
        BundleError: the model cannot be run; nobody was answered with it.
        UnavailableError: the vector store does not answer.
    """
    index = release.catalog.index
    interests_KD = _directions(release.bundle.manifest.dimension)
    hits = index.search(interests_KD, limit=CANDIDATES, where=Where(now=0.0))
    keys = np.unique(np.concatenate([hit.keys_N for hit in hits]))[:CANDIDATES]
    table = index.lookup(keys)
    index.labels(keys[:QUERIES].tolist())
    _run(release.bundle, table.vectors_ND if len(table) else interests_KD)


def rehearse(bundle: Bundle) -> None:
    """Run every graph of a bundle once, on made-up input, and look at the shapes that come out.

    Raises:
        BundleError: it cannot be run, or does not give what its manifest says.
    """
    manifest = bundle.manifest
    text_NC = _directions(manifest.text_dimension)
    vectors_ND = bundle.tower.vectors(
        range(1, len(text_NC) + 1), text_NC, [*_pictures(manifest), None]
    )
    if vectors_ND.shape != (len(text_NC), manifest.dimension) or not np.isfinite(vectors_ND).all():
        raise BundleError(
            f"{manifest.version}: the tower gives {vectors_ND.shape} for {len(text_NC)} items,"
            f" expected finite vectors of {manifest.dimension} numbers"
        )
    _run(bundle, vectors_ND)


def _pictures(manifest: Manifest) -> list[Picture | None]:
    """Made-up pictures for all queries but one, where the model reads any."""
    if not manifest.pictures:
        return []
    model, rows = ModelVersion(manifest.pictures), _directions(manifest.picture_dimension)
    return [Picture(model, vector_P) for vector_P in rows[1:]]


def _directions(dimension: int) -> Float32Array:
    """Made-up unit vectors."""
    drawn = np.random.default_rng(0).standard_normal((QUERIES, dimension))
    directions: Float32Array = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(
        np.float32
    )
    return directions


def _run(bundle: Bundle, vectors_ND: Float32Array) -> None:
    """Score these candidates, and fold and read once."""
    manifest = bundle.manifest
    scores_N = bundle.scorer.score(
        ScorerInput(
            interests_KD=_directions(manifest.dimension),
            interest_gains_K=np.ones(QUERIES, np.float32),
            recents_RD=np.zeros((RECENTS, manifest.dimension), np.float32),
            recent_weights_R=np.zeros(RECENTS, np.float32),
            aversion_D=np.zeros(manifest.dimension, np.float32),
            candidates_ND=vectors_ND,
            facts_NF=np.zeros((len(vectors_ND), len(FACTS)), np.float32),
        )
    )
    if scores_N.shape != (len(vectors_ND),):
        raise BundleError(f"{manifest.version}: the scorer gives {scores_N.shape}, one per item")
    recurrence = bundle.recurrence
    if recurrence is not None:
        memory_M = recurrence.step(
            np.zeros(recurrence.memory, np.float32),
            vectors_ND[0],
            event_type=0,
            weight=1.0,
            gap_seconds=60.0,
        )
        read_KD = recurrence.read(memory_M)
        if memory_M.shape != (manifest.memory,) or read_KD.shape[1:] != (manifest.dimension,):
            raise BundleError(
                f"{manifest.version}: the user model gives a memory {memory_M.shape} and interests"
                f" {read_KD.shape}, expected ({manifest.memory},) and (K, {manifest.dimension})"
            )
