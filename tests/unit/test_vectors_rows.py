"""Items as stored rows and as entries of the index."""

from datetime import UTC, datetime

import numpy as np
import pytest

from clickwise.errors import InvalidInputError
from clickwise.items import Item
from clickwise.state.port import ItemRow
from clickwise.types import ItemId, ItemKind, ModelVersion, item_key, topic_code
from clickwise.vectors import IndexedItem, Removed
from clickwise.vectors.rows import indexed, item_write

MODEL = ModelVersion("m-1")
VECTOR = np.array([0.6, 0.8, 0.0], np.float32)


def an_item(**facts):
    return Item(**{"id": ItemId("新闻-1"), "kind": ItemKind.COURSE, "title": "标题 🎉", **facts})


def row_of(item, **changed):
    write = item_write(item, VECTOR, MODEL)
    values = {
        "key": write.key,
        "id": write.id,
        "body": write.body,
        "change": 7,
        "model": write.model,
        "vector": write.vector,
    }
    return ItemRow(**{**values, **changed})


def test_a_stored_item_comes_back_with_its_codes_and_times():
    item = an_item(
        language="zh",
        topics=("科技", "economy"),
        published=datetime(2026, 11, 25, 8, tzinfo=UTC),
        expires=datetime(2026, 12, 1, tzinfo=UTC),
        hidden=True,
    )

    entry = indexed(row_of(item), MODEL)

    assert isinstance(entry, IndexedItem)
    assert (entry.key, entry.id, entry.title) == (item_key("新闻-1"), "新闻-1", "标题 🎉")
    assert np.array_equal(entry.vector_D, VECTOR)
    assert (entry.kind, entry.language) == (4, topic_code("zh"))
    assert entry.topics == (topic_code("科技"), topic_code("economy"))
    assert entry.published == item.published.timestamp()
    assert entry.expires == item.expires.timestamp()
    assert entry.hidden


def test_what_an_item_does_not_say_has_neutral_values():
    entry = indexed(row_of(an_item()))

    assert isinstance(entry, IndexedItem)
    assert (entry.language, entry.topics, entry.hidden) == (0, (), False)
    assert (entry.published, entry.expires) == (0.0, np.inf)


@pytest.mark.parametrize(
    "changed",
    [{"body": None}, {"vector": None}, {"body": None, "vector": None}, {"model": "m-0"}],
)
def test_deleted_rows_and_rows_of_another_model_are_removals(changed):
    row = row_of(an_item(), **changed)

    assert indexed(row, MODEL) == Removed(row.key)


@pytest.mark.parametrize("changed", [{"body": b"{"}, {"body": b"{}"}, {"vector": b"abc"}])
def test_a_row_that_cannot_be_read_is_refused_by_name(changed):
    with pytest.raises(InvalidInputError, match="cannot be read"):
        indexed(row_of(an_item(), **changed))
