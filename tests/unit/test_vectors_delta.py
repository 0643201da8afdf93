"""The delta and the columns against a plain dictionary of items."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickwise.testing.index import ExactIndex
from clickwise.testing.vectors import an_item, clustered_items, queries_near
from clickwise.types import ModelVersion, TopicCode
from clickwise.vectors import Removed, Where
from clickwise.vectors.columns import Columns, write_columns
from clickwise.vectors.delta import Delta

DIMENSION = 4
MODEL = ModelVersion("m")

vectors = st.lists(
    st.floats(-1, 1, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
    min_size=DIMENSION,
    max_size=DIMENSION,
).filter(any)
items = st.builds(
    an_item,
    st.sampled_from([f"i{n}" for n in range(12)]),
    vectors,
    title=st.text(max_size=8),
    kind=st.integers(0, 4),
    language=st.integers(0, 3),
    topics=st.lists(st.integers(1, 5).map(TopicCode), max_size=8, unique=True).map(tuple),
    published=st.floats(0, 1e9),
    expires=st.sampled_from([5.0, 50.0, np.inf]),
    hidden=st.booleans(),
)
changes = st.lists(items | items.map(lambda item: Removed(item.key)), max_size=40)
wheres = st.builds(
    Where,
    now=st.just(10.0),
    kinds=st.frozensets(st.integers(0, 4), max_size=2),
    languages=st.frozensets(st.integers(0, 3), max_size=2),
    topics=st.frozensets(st.integers(1, 5), max_size=2),
    without=st.frozensets(items.map(lambda item: item.key), max_size=4),
)


def delta_of(changes, first=1):
    delta = Delta(DIMENSION)
    for number, change in enumerate(changes, first):
        if isinstance(change, Removed):
            delta.remove(change.key, change=number)
        else:
            delta.check(change)
            delta.put(change, change=number)
    return delta


def exact_of(changes):
    exact = ExactIndex(model=MODEL, dimension=DIMENSION)
    exact.apply(changes)
    return exact


def assert_rows_equal(ours, theirs):
    for name in ("keys_N", "vectors_ND", "kinds_N", "languages_N", "topics_NT", "published_N",
                 "expires_N", "hidden_N"):  # fmt: skip
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


@settings(deadline=None)
@given(changes)
def test_a_delta_holds_the_latest_of_each_item(changes):
    delta, exact = delta_of(changes), exact_of(changes)

    table = delta.table(delta.sorted_slots())

    assert_rows_equal(table, exact.lookup(table.keys_N))
    assert len(table) == exact.count()
    assert not delta.slots.keys() & delta.removed.keys()


@settings(deadline=None)
@given(changes, wheres)
def test_a_delta_finds_what_a_scan_finds(changes, where):
    delta, exact = delta_of(changes), exact_of(changes)
    queries_QD = np.eye(DIMENSION, dtype=np.float32)[:2]

    truth = exact.search(queries_QD, limit=5, where=where)
    found = delta.search(queries_QD, limit=5, where=where)

    if not found:
        assert all(len(hits.keys_N) == 0 for hits in truth)
    for ours, theirs in zip(found, truth, strict=False):
        assert np.allclose(ours.scores_N, theirs.scores_N, atol=1e-6)
        clear = ours.scores_N > ours.scores_N.min()  # the last places may be ties
        assert set(ours.keys_N[clear]) <= set(theirs.keys_N)


@settings(deadline=None)
@given(changes, st.integers(0, 40))
def test_what_a_generation_covers_leaves_the_delta(changes, covered):
    newer = delta_of(changes).newer_than(covered)

    last = {change.key: number for number, change in enumerate(changes, 1)}
    assert {*newer.slots, *newer.removed} == {key for key, at in last.items() if at > covered}
    table = newer.table(newer.sorted_slots())
    assert_rows_equal(table, exact_of(changes).lookup(table.keys_N))


@settings(max_examples=50, deadline=None)
@given(st.lists(changes, min_size=1, max_size=4))
def test_columns_merge_generation_after_generation(tmp_path_factory, steps):
    base, exact = None, exact_of([])
    for step in steps:
        folder = tmp_path_factory.mktemp("columns")
        exact.apply(step)

        count = write_columns(folder, base, delta_of(step))
        base = Columns.open(folder)

        assert count == len(base) == exact.count()
        table = base.table(np.arange(count))
        assert np.all(np.diff(table.keys_N) > 0)
        assert_rows_equal(table, exact.lookup(table.keys_N))
        labels = {key: base.label(row) for row, key in enumerate(table.keys_N.tolist())}
        assert labels == exact.labels(table.keys_N.tolist())


def test_rows_are_reused_and_overwritten_in_place():
    catalogue = clustered_items(1_000, DIMENSION)
    delta = delta_of(catalogue)
    rows = len(delta.view())

    for item in catalogue:
        delta.put(an_item(item.id, item.vector_D, title="again"), change=5_000)
    for item in catalogue[:500]:
        delta.remove(item.key, change=5_001)
    for place in range(500):
        delta.put(an_item(f"other-{place}", [1, 0, 0, place]), change=5_002)

    assert len(delta.view()) == rows
    assert len(delta.slots) == 1_000


def test_a_delta_of_many_blocks_is_searched_exactly():
    catalogue = clustered_items(5_000, DIMENSION)
    delta, exact = delta_of(catalogue), exact_of(catalogue)
    queries_QD = queries_near(catalogue, 3)

    found = delta.search(queries_QD, limit=40, where=Where(now=0.0))

    for ours, theirs in zip(
        found, exact.search(queries_QD, limit=40, where=Where(now=0.0)), strict=True
    ):
        assert np.allclose(ours.scores_N, theirs.scores_N, atol=1e-6)


@pytest.mark.parametrize("vector", [[1, 0, 0], [[1, 0, 0, 0]], [np.nan, 0, 0, 1], [np.inf] * 4])
def test_vectors_that_a_search_could_not_stand_are_refused(vector):
    item = an_item("a", [1, 0, 0, 0])
    broken = type(item)(**{
        name: getattr(item, name) for name in item.__slots__ if name != "vector_D"
    }, vector_D=np.array(vector, np.float32))  # fmt: skip

    with pytest.raises(ValueError, match="finite vector of 4 numbers"):
        Delta(DIMENSION).check(broken)


def test_a_column_of_another_type_is_refused(tmp_path):
    write_columns(tmp_path, None, delta_of(clustered_items(3, DIMENSION)))
    np.save(tmp_path / "keys.npy", np.zeros(3, np.float32))

    with pytest.raises(ValueError, match="column keys holds float32"):
        Columns.open(tmp_path)
