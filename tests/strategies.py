"""The shared vocabulary of generated values."""

import string
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from clickwise.profile import Interaction, ItemFacts
from clickwise.types import TopicCode

DIMENSION = 16
CATALOGUE = 40
START = datetime(2026, 1, 1, tzinfo=UTC)


def unit_vectors(count: int, dimension: int = DIMENSION, seed: int = 0) -> np.ndarray:
    """`count` random unit vectors, float32."""
    vectors = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class KnownItems:
    """An ItemSource over items 1 .. CATALOGUE with two topics each; `unknown` are left out."""

    def __init__(self, unknown: frozenset[int] = frozenset()) -> None:
        vectors = unit_vectors(CATALOGUE + 1)
        self.items = {
            key: ItemFacts(vectors[key], (TopicCode(key % 5 + 1), TopicCode(key % 7 + 10)))
            for key in range(1, CATALOGUE + 1)
            if key not in unknown
        }

    def facts(self, keys):
        return {key: self.items[key] for key in keys if key in self.items}


interactions = st.builds(
    Interaction,
    time=st.integers(0, 90 * 86_400).map(lambda s: int(START.timestamp() + s) * 1_000_000),
    event=st.integers(1, 2**62),
    item=st.integers(1, CATALOGUE),
    weight=st.sampled_from([-1.5, -1.0, 0.05, 0.5, 1.0, 1.5, 2.0]),
    type=st.integers(1, 9),
)

distinct_interactions = st.lists(interactions, unique_by=lambda one: one.event, max_size=60)

# Ids that systems like this one have stumbled over.
awkward_ids = st.one_of(
    st.sampled_from(
        ["a:b", "a/b", "{x}", "with space", "🦊", "שלום", "é", "e\u0301", "A", "a", "%2F", ".."]
    ),
    st.text(min_size=1, max_size=60).filter(
        lambda t: all(c.isprintable() or c == " " for c in t) and t.strip() != ""
    ),
)

plain_ids = st.text(string.ascii_letters + string.digits, min_size=1, max_size=12)
times = st.integers(0, 300 * 86_400).map(lambda s: START + timedelta(seconds=s))
