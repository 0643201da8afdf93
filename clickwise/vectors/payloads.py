"""An item's facts as the JSON payload of a point, and back into columns.

JSON has no infinity: an item that never expires has NEVER, the year 31,690,000.

Shape suffixes: N = items, D = embedding dimension, T = topics per item.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from clickwise.types import ItemId, TopicCode
from clickwise.vectors.port import TOPICS_PER_ITEM, Float32Array, IndexedItem, ItemTable

NEVER = 1e15


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """Facts of one point. `hidden` is 0 or 1: the engine's filters on booleans fail."""

    id: ItemId
    title: str
    kind: int
    language: int
    topics: tuple[TopicCode, ...]
    published: float
    expires: float
    hidden: int


def payload_of(item: IndexedItem) -> dict[str, object]:
    """What a point holds beside its vector."""
    payload: dict[str, object] = msgspec.to_builtins(
        Payload(
            id=item.id,
            title=item.title,
            kind=item.kind,
            language=item.language,
            topics=item.topics,
            published=float(item.published),
            expires=min(float(item.expires), NEVER),
            hidden=int(item.hidden),
        )
    )
    return payload


def table_of(
    keys: Sequence[int], vectors_ND: Float32Array, payloads: Sequence[Payload]
) -> ItemTable:
    """Columns of points."""
    topics_NT = np.zeros((len(keys), TOPICS_PER_ITEM), np.int32)
    for row, payload in enumerate(payloads):
        topics_NT[row, : len(payload.topics)] = payload.topics
    expires_N = np.array([payload.expires for payload in payloads], np.float64)
    return ItemTable(
        keys_N=np.array(keys, np.int64),
        vectors_ND=vectors_ND,
        kinds_N=np.array([payload.kind for payload in payloads], np.int16),
        languages_N=np.array([payload.language for payload in payloads], np.int32),
        topics_NT=topics_NT,
        published_N=np.array([payload.published for payload in payloads], np.float64),
        expires_N=np.where(expires_N >= NEVER, np.inf, expires_N),
        hidden_N=np.array([payload.hidden for payload in payloads], np.bool_),
    )
