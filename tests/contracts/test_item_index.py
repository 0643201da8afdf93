"""What every item index does: the exact one, Edge (delta, generation, both), Qdrant.

With CLICKWISE_TEST_QDRANT_URL the suite also runs on that server, in collections of its own.
"""

import os
from uuid import uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient, models

from clickwise.errors import ConfigurationError
from clickwise.secret import Secret
from clickwise.testing.index import ExactIndex
from clickwise.testing.vectors import an_item, changes_of, clustered_items, queries_near
from clickwise.types import ModelVersion, TopicCode, item_key
from clickwise.vectors import ItemIndex, Removed, Where
from clickwise.vectors.builder import build_generation
from clickwise.vectors.edge import EdgeIndex
from clickwise.vectors.server import ServerIndex, connect, live_model, remove_collection

MODEL = ModelVersion("e5-small/2026.11")
NOW = 5_000.0
SHOWN = Where(now=NOW)
SERVER_VARIABLE = "CLICKWISE_TEST_QDRANT_URL"


class Exact:
    """Opens the exact index of the tests."""

    def open(self, items, dimension):
        self.index = ExactIndex(model=MODEL, dimension=dimension)
        self.index.apply(items)
        return self.index

    def close(self):
        self.index.close()


class EdgeDelta:
    """Opens Edge with everything in the delta."""

    def __init__(self, folder):
        self.folder = folder

    def open(self, items, dimension):
        self.index = EdgeIndex.open(self.folder, MODEL, dimension)
        self.index.apply(items, through=len(items))
        return self.index

    def close(self):
        self.index.close()


class EdgeGeneration(EdgeDelta):
    """Opens Edge with everything in a generation."""

    def open(self, items, dimension):
        build_generation(self.folder, MODEL, dimension, changes_of(enumerate(items, 1)))
        self.index = EdgeIndex.open(self.folder, MODEL, dimension)
        assert self.index.delta_size == 0
        return self.index


class EdgeBoth(EdgeDelta):
    """Opens Edge with one half in a generation, and the other and some old ones in the delta."""

    def open(self, items, dimension):
        half = len(items) // 2
        build_generation(self.folder, MODEL, dimension, changes_of(enumerate(items[:half], 1)))
        self.index = EdgeIndex.open(self.folder, MODEL, dimension)
        self.index.apply([*items[half:], *items[: half // 4]], through=len(items) + 1)
        return self.index


class Server:
    """Opens a collection with a name of its own."""

    def __init__(self, client):
        self.client = client
        self.prefix = f"test-{uuid4().hex}"

    def open(self, items, dimension):
        index = ServerIndex(self.client, MODEL, dimension, prefix=self.prefix)
        index.apply(items)
        return index

    def close(self):
        for collection in self.client.get_collections().collections:
            if collection.name.startswith(self.prefix):
                self.client.delete_collection(collection.name)
        self.client.close()


STORES = ["exact", "edge-delta", "edge-generation", "edge-both", "qdrant-memory"]
if os.environ.get(SERVER_VARIABLE):
    STORES.append("qdrant-server")


@pytest.fixture(params=STORES)
def store(request, tmp_path):
    match request.param:
        case "exact":
            opened = Exact()
        case "edge-delta":
            opened = EdgeDelta(tmp_path)
        case "edge-generation":
            opened = EdgeGeneration(tmp_path)
        case "edge-both":
            opened = EdgeBoth(tmp_path)
        case "qdrant-memory":
            opened = Server(QdrantClient(":memory:"))
        case _:
            url = os.environ[SERVER_VARIABLE]
            opened = Server(connect(url, api_key=Secret(""), timeout_seconds=10))
    yield opened
    opened.close()


def found(index, query, where=SHOWN, limit=10):
    [hits] = index.search(np.array([query], np.float32), limit=limit, where=where)
    return hits.keys_N.tolist()


def keys(*names):
    return [item_key(name) for name in names]


def four_items():
    return [
        an_item("east", [1, 0.0, 0, 0], kind=0, language=1, topics=(TopicCode(7),)),
        an_item("near-east", [1, 0.2, 0, 0], kind=1, language=2, topics=(TopicCode(8),)),
        an_item("north", [0, 1.0, 0, 0], kind=1, language=1, topics=(TopicCode(8), TopicCode(9))),
        an_item("up", [0, 0, 1.0, 0], kind=2, language=3, topics=()),
    ]


class TestItemIndex:
    def test_it_names_its_model_and_dimension(self, store):
        index: ItemIndex = store.open([], 4)

        assert (index.model, index.dimension) == (MODEL, 4)

    @pytest.mark.case(1)
    def test_an_empty_index_answers_everything_with_nothing(self, store):
        index = store.open([], 4)

        assert [
            len(hits.keys_N)
            for hits in index.search(np.eye(4, dtype=np.float32), limit=5, where=SHOWN)
        ] == [0, 0, 0, 0]
        assert len(index.lookup([1, 2])) == 0
        assert index.lookup([1]).vectors_ND.shape == (0, 4)
        assert len(index.lookup([])) == 0
        assert index.labels([1, 2]) == {}
        assert index.newest(5, now=NOW).tolist() == []
        assert index.count() == 0

    @pytest.mark.case(1)
    def test_a_single_item_is_found(self, store):
        index = store.open([an_item("only", [1, 1, 0, 0])], 4)

        assert found(index, [0, 0, 0, 1.0]) == keys("only")
        assert index.newest(5, now=NOW).tolist() == keys("only")
        assert index.count() == 1

    def test_no_queries_give_no_answers(self, store):
        index = store.open(four_items(), 4)

        assert index.search(np.zeros((0, 4), np.float32), limit=5, where=SHOWN) == []

    def test_hits_come_best_first_with_their_dot_products(self, store):
        index = store.open(four_items(), 4)

        [hits] = index.search(np.array([[1, 0.1, 0, 0]], np.float32), limit=3, where=SHOWN)

        assert hits.keys_N.tolist() == keys("near-east", "east", "north")
        assert hits.scores_N == pytest.approx([1.02 / np.sqrt(1.04), 1.0, 0.1], abs=1e-5)
        assert (hits.keys_N.dtype, hits.scores_N.dtype) == (np.int64, np.float32)

    def test_each_query_has_its_own_hits(self, store):
        index = store.open(four_items(), 4)

        first, second = index.search(np.eye(4, dtype=np.float32)[:2], limit=1, where=SHOWN)

        assert first.keys_N.tolist() == keys("east")
        assert second.keys_N.tolist() == keys("north")

    @pytest.mark.parametrize(
        ("where", "names"),
        [
            (Where(now=NOW, kinds=frozenset({1})), ["near-east", "north"]),
            (Where(now=NOW, kinds=frozenset({0, 2})), ["east", "up"]),
            (Where(now=NOW, languages=frozenset({1})), ["east", "north"]),
            (Where(now=NOW, topics=frozenset({9, 7})), ["east", "north"]),
            (Where(now=NOW, topics=frozenset({8}), kinds=frozenset({1}), languages=frozenset({2})),
             ["near-east"]),
            (Where(now=NOW, topics=frozenset({12345})), []),
            (Where(now=NOW, without=frozenset(keys("east", "up"))), ["near-east", "north"]),
            (Where(now=NOW, kinds=frozenset({1}), without=frozenset(keys("near-east"))),
             ["north"]),
        ],
    )  # fmt: skip
    def test_filters_hold_alone_and_together(self, store, where, names):
        index = store.open(four_items(), 4)

        assert found(index, [1, 0.1, 0.01, 0], where)[: len(names) + 1] == keys(*names)

    @pytest.mark.case(10)
    def test_hidden_and_expired_items_are_never_found_but_can_be_looked_up(self, store):
        items = [
            an_item("shown", [1, 0, 0, 0]),
            an_item("hidden", [1, 0, 0, 0], hidden=True),
            an_item("expired", [1, 0, 0, 0], expires=NOW),
            an_item("expires-later", [1, 0.1, 0, 0], expires=NOW + 0.5),
        ]
        index = store.open(items, 4)

        assert found(index, [1, 0, 0, 0.0]) == keys("shown", "expires-later")
        assert set(index.newest(9, now=NOW).tolist()) == set(keys("shown", "expires-later"))
        assert index.lookup(keys("hidden", "expired")).hidden_N.tolist() == [True, False]
        assert index.count() == 4

    @pytest.mark.case(10)
    def test_an_item_hidden_expired_or_deleted_is_gone_at_once(self, store):
        index = store.open(four_items(), 4)
        hidden = an_item("east", [1, 0, 0, 0], hidden=True)
        expired = an_item("near-east", [1, 0.2, 0, 0], expires=NOW - 1)

        index.apply([hidden, expired, Removed(item_key("up"))])

        assert found(index, [1, 0.1, 0.1, 0]) == keys("north")
        assert index.newest(9, now=NOW).tolist() == keys("north")
        assert found(index, [1, 0.1, 0, 0], Where(now=NOW, kinds=frozenset({0, 1, 2}))) == keys(
            "north"
        )
        assert len(index.lookup(keys("up"))) == 0
        assert index.labels(keys("up")) == {}
        assert index.count() == 3

    def test_a_later_version_replaces_all_facts(self, store):
        index = store.open(four_items(), 4)
        newer = an_item(
            "up", [1, 0, 0, 0], title="New", kind=4, language=9, topics=(TopicCode(5),),
            published=9.0, expires=NOW + 7, hidden=False,
        )  # fmt: skip

        index.apply([newer])

        table = index.lookup(keys("up"))
        assert table.vectors_ND == pytest.approx(np.array([[1, 0, 0, 0]]))
        assert (table.kinds_N[0], table.languages_N[0]) == (4, 9)
        assert table.topics_NT[0].tolist() == [5, 0, 0, 0, 0, 0, 0, 0]
        assert (table.published_N[0], table.expires_N[0]) == (9.0, NOW + 7)
        assert index.labels(keys("up")) == {item_key("up"): ("up", "New")}
        assert found(index, [0, 0, 1.0, 0], Where(now=NOW, kinds=frozenset({2}))) == []
        assert index.count() == 4

    def test_of_two_changes_of_one_item_the_later_wins(self, store):
        index = store.open([], 4)

        index.apply([an_item("a", [1, 0, 0, 0]), Removed(item_key("a"))])
        index.apply([Removed(item_key("b")), an_item("b", [1, 0, 0, 0])])

        assert found(index, [1, 0, 0, 0.0]) == keys("b")
        assert index.count() == 1

    def test_applying_again_has_no_effect(self, store):
        index = store.open(four_items(), 4)
        changes = [*four_items()[:2], Removed(item_key("up")), Removed(item_key("never-there"))]

        index.apply(changes)
        once = (found(index, [1, 0.5, 0.2, 0]), index.count(), index.newest(9, now=NOW).tolist())
        index.apply(changes)

        again = (found(index, [1, 0.5, 0.2, 0]), index.count(), index.newest(9, now=NOW).tolist())
        assert again == once
        assert once[1] == 3

    def test_a_removed_item_can_come_back(self, store):
        index = store.open(four_items(), 4)

        index.apply([Removed(item_key("up"))])
        index.apply([an_item("up", [0, 0, 1, 0])])

        assert found(index, [0, 0, 1.0, 0])[0] == item_key("up")
        assert index.count() == 4

    def test_lookup_keeps_the_order_and_leaves_unknown_keys_out(self, store):
        index = store.open(four_items(), 4)
        index.apply([an_item("late", [0, 0, 0, 1], expires=np.inf)])

        table = index.lookup(np.array(keys("up", "nobody", "late", "east"), np.int64))

        assert table.keys_N.tolist() == keys("up", "late", "east")
        assert table.vectors_ND == pytest.approx(np.eye(4)[[2, 3, 0]])
        assert table.expires_N.tolist() == [np.inf] * 3
        assert (table.topics_NT.shape, table.topics_NT.dtype) == ((3, 8), np.int32)
        assert (table.vectors_ND.dtype, table.kinds_N.dtype) == (np.float32, np.int16)
        assert (table.languages_N.dtype, table.hidden_N.dtype) == (np.int32, np.bool_)

    def test_any_script_survives_in_ids_and_titles(self, store):
        names = {"新闻/人工智能": "科技公司发布新人工智能", "🎬 clip #1": 'Ünïcode 🎉\n"quoted"',
                 "a" * 256: "", "عربي": "नमस्ते"}  # fmt: skip
        items = [
            an_item(name, [1, place, 0, 0], title=title)
            for place, (name, title) in enumerate(names.items())
        ]
        index = store.open(items, 4)

        labels = index.labels([*keys(*names), 12345])

        assert labels == {item_key(name): (name, title) for name, title in names.items()}

    def test_newest_comes_in_order_of_publication(self, store):
        items = [an_item(f"i{n}", [1, n, 0, 0], published=float(n)) for n in range(20)]
        index = store.open(items, 4)
        index.apply([an_item("i3", [1, 3, 0, 0], published=100.0), Removed(item_key("i19"))])

        assert index.newest(4, now=NOW).tolist() == keys("i3", "i18", "i17", "i16")

    def test_a_vector_of_another_dimension_is_refused_and_nothing_applied(self, store):
        index = store.open(four_items(), 4)

        with pytest.raises(ValueError, match="4 numbers"):
            index.apply([an_item("three", [1, 0, 0])])

        assert index.count() == 4

    @pytest.mark.case(11)
    def test_five_thousand_excluded_keys_still_leave_results(self, store):
        items = clustered_items(5_400, 8)
        index = store.open(items, 8)
        nearest_first = sorted(items, key=lambda item: -item.vector_D[0])
        without = frozenset(item.key for item in nearest_first[:5_000])

        hits = found(index, [1, 0, 0, 0, 0, 0, 0, 0.0], Where(now=NOW, without=without), limit=50)

        assert len(hits) == 50
        assert not without & set(hits)
        exact = [item.key for item in nearest_first[5_000:5_050]]
        assert len(set(exact) & set(hits)) >= 0.95 * 50

    def test_a_filter_with_excluded_keys_still_leaves_results(self, store):
        items = clustered_items(2_000, 8)
        index = store.open(items, 8)
        of_kind = sorted((i for i in items if i.kind == 2), key=lambda item: -item.vector_D[0])
        without = frozenset(item.key for item in of_kind[:350])
        where = Where(now=NOW, kinds=frozenset({2}), without=without)

        hits = found(index, [1, 0, 0, 0, 0, 0, 0, 0.0], where, limit=100)

        assert set(hits) == {item.key for item in of_kind[350:]}

    def test_many_changed_items_do_not_crowd_out_the_rest(self, store):
        items = clustered_items(1_200, 8)
        index = store.open(items, 8)
        nearest_first = sorted(items, key=lambda item: -item.vector_D[0])

        index.apply([Removed(item.key) for item in nearest_first[:1_000]])

        hits = found(index, [1, 0, 0, 0, 0, 0, 0, 0.0], limit=100)
        assert len(hits) == 100
        exact = {item.key for item in nearest_first[1_000:1_100]}
        assert len(exact & set(hits)) >= 95

    @pytest.mark.parametrize(
        "where",
        [SHOWN, Where(now=NOW, kinds=frozenset({1, 3})), Where(now=NOW, topics=frozenset({2}))],
        ids=["all", "kinds", "topic"],
    )
    def test_the_nearest_of_3000_are_found(self, store, where):
        items = clustered_items(3_000, 32)
        index = store.open(items, 32)
        exact = ExactIndex(model=MODEL, dimension=32)
        exact.apply(items)
        queries_QD = queries_near(items, 40)

        answers = index.search(queries_QD, limit=50, where=where)
        truth = exact.search(queries_QD, limit=50, where=where)

        recalled = [
            len(set(a.keys_N.tolist()) & set(t.keys_N.tolist())) / 50
            for a, t in zip(answers, truth, strict=True)
        ]
        assert np.mean(recalled) >= 0.95
        assert all(np.all(np.diff(a.scores_N) <= 0) for a in answers)

    @pytest.mark.parametrize("count", [0, 1, 7])
    def test_a_limit_beyond_the_catalogue_gives_what_there_is(self, store, count):
        index = store.open(clustered_items(count, 4), 4)

        assert len(found(index, [1, 0, 0, 0.0], limit=100)) == count


def test_a_collection_of_another_dimension_is_a_configuration_error():
    client = QdrantClient(":memory:")
    ServerIndex(client, MODEL, 4)

    with pytest.raises(ConfigurationError, match="vectors of 4 numbers, not 8"):
        ServerIndex(client, MODEL, 8)
    client.close()


def test_the_alias_names_the_live_model():
    client = QdrantClient(":memory:")
    first = ServerIndex(client, MODEL, 4)
    second = ServerIndex(client, ModelVersion("other"), 8)
    assert live_model(client) is None

    first.make_live()
    second.make_live()

    assert live_model(client) == "other"
    client.close()


@pytest.mark.case(20)
def test_two_sites_on_one_server_never_meet_in_a_name():
    client = QdrantClient(":memory:")
    first = ServerIndex(client, ModelVersion("b-x"), 4, prefix="clickwise.a")
    second = ServerIndex(client, ModelVersion("x"), 4, prefix="clickwise.a-b")
    first.apply(clustered_items(3, 4))

    assert (first.count(), second.count()) == (3, 0)
    assert len(found(second, [1, 0, 0, 0.0], limit=10)) == 0
    second.make_live()
    assert live_model(client, "clickwise.a") is None
    assert live_model(client, "clickwise.a-b") == "x"
    assert remove_collection(client, ModelVersion("x"), prefix="clickwise.a-b")
    assert first.count() == 3
    client.close()


def test_a_collection_under_the_name_of_older_programs_is_left_as_it_is():
    client = QdrantClient(":memory:")
    size = models.VectorParams(size=8, distance=models.Distance.DOT)
    client.create_collection("clickwise.a-b-x", vectors_config=size)

    made = ServerIndex(client, ModelVersion("b-x"), 4, prefix="clickwise.a")

    assert made.count() == 0
    assert client.get_collection("clickwise.a-b-x").config.params.vectors.size == 8
    client.close()
