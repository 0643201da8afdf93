"""Items over the real engine: what was acknowledged is seen, what was deleted is not."""

import threading

import pytest

from clickwise.catalog import Catalog
from clickwise.recommend.answers import MAX_CURSOR_CHARACTERS
from clickwise.testing.encoder import HashingEncoder
from clickwise.types import ItemId, item_key
from clickwise.vectors.edge import EdgeIndex
from streams.items import ItemHandler
from tests.site import Site, three_topics


@pytest.fixture
def open_index(tmp_path):
    opened = []

    def open_one(site):
        index = EdgeIndex.open(
            tmp_path / "vectors", site.bundle.vectors, site.encoder.dimension,
            check_interval_seconds=0.0,
        )  # fmt: skip
        opened.append(index)
        return index

    yield open_one
    for index in opened:
        index.close()


@pytest.fixture
def site(tmp_path, open_index):
    first = Site(tmp_path)
    made = Site(tmp_path, state=first.state, index=open_index(first))
    yield made
    first.state.close()


def another_worker(site, open_index):
    """Another serving process: an index and a catalog of its own on the same state."""
    index = open_index(site)
    return Site(site.folder, state=site.state, index=index)


@pytest.mark.case(10)
def test_a_deleted_item_is_gone_for_a_worker_that_remembers_its_neighbors(site, open_index):
    three_topics(site)
    other = another_worker(site, open_index)
    site.did("anna", "sport0")
    victim = other.listed("anna")[0]
    assert victim in other.listed("anna")

    site.delete(victim)

    assert victim not in other.listed("anna", limit=50)
    assert victim not in site.listed("anna", limit=50)


@pytest.mark.case(9)
def test_an_item_put_by_one_worker_is_found_by_another(site, open_index):
    three_topics(site, each=5)
    other = another_worker(site, open_index)
    site.did("anna", "sport0")
    other.listed("anna")

    site.put({"id": "new", "title": "football goal league", "topics": ["sport"]})

    assert "new" in other.listed("anna", limit=15)


def test_a_writer_sees_its_own_change_behind_a_burst_of_others(site, open_index):
    other = another_worker(site, open_index)
    site.put(*[(f"i{n}", f"story number{n}") for n in range(4_600)])

    other.delete("i17")

    assert other.catalog.index.covered == site.state.newest_change()
    assert not len(other.index.lookup([item_key("i17")]))


def test_a_request_behind_a_burst_says_so_and_catches_up(site, open_index):
    other = another_worker(site, open_index)
    site.put(*[(f"i{n}", f"story number{n}") for n in range(4_600)])

    assert "items" in other.ask("anna").degraded
    assert other.ask("anna").degraded == ()


def test_pulls_that_race_never_bring_a_deleted_item_back(site, open_index):
    """One thread's rows arrive after another thread's later ones."""
    three_topics(site, each=2)
    index = open_index(site)
    slow = _SlowState(site.state)
    catalog = Catalog(state=slow, index=index)
    first = threading.Thread(target=catalog.refresh)
    first.start()
    slow.read.wait(10)

    site.delete("sport1")
    Catalog(state=site.state, index=index).refresh()
    slow.go_on.set()
    first.join(10)

    assert not len(index.lookup([item_key("sport1")]))


class _SlowState:
    """Its first read of changes is held back after the rows were read."""

    def __init__(self, state):
        self.state = state
        self.read = threading.Event()
        self.go_on = threading.Event()

    def __getattr__(self, name):
        return getattr(self.state, name)

    def items_changed(self, **bounds):
        rows = self.state.items_changed(**bounds)
        self.read.set()
        self.go_on.wait(10)
        return rows


def test_other_rules_keep_the_items(site, open_index):
    """A change of a profile setting makes another model; item vectors stay what they are."""
    three_topics(site)
    site.did("anna", "sport0")
    rules = type(site.rules)(half_life_seconds=86_400.0)

    changed = Site(site.folder, state=site.state, index=open_index(site), rules=rules)

    assert changed.bundle.version != site.bundle.version
    assert changed.bundle.vectors == site.bundle.vectors
    answer = changed.ask("anna")
    assert answer.model == changed.bundle.version
    assert len(answer.items) == 10
    assert answer.personalized
    changed.did("anna", "sport1", id="another")
    assert changed.profile("anna").model == changed.bundle.version


def test_vectors_of_another_encoder_are_not_used(site, open_index):
    three_topics(site, each=2)
    other = HashingEncoder(dimension=64)
    other.version = "another-encoder"
    handler = ItemHandler(state=site.state, releases=site.releases, encoder=other)
    item = ItemId("sport0")
    body = site.state.item(item).body
    assert body is not None

    handler.apply([(item, site.parsed({"id": "sport0", "title": "football"}))])

    assert item not in open_and_listed(site, open_index)


def open_and_listed(site, open_index):
    return another_worker(site, open_index).listed("anna", limit=20)


def many(site, number):
    """Items of ten topics, more than the sources bring, on a generation of the real engine."""
    words = ["football", "bank", "film", "garden", "planet", "kitchen", "forest", "music", "train",
             "school"]  # fmt: skip
    site.put(
        *[
            {"id": f"i{n}", "title": f"{words[n % 10]} story {words[n % 7]} number{n}"}
            for n in range(number)
        ]
    )


@pytest.mark.case(11)
@pytest.mark.parametrize("user", ["anna", None])
def test_deep_offset_pages_neither_repeat_nor_skip(site, user):
    many(site, 1_200)
    site.did("anna", "i0")
    whole = [item for n in range(10) for item in site.listed(user, limit=100, offset=n * 100)]

    pages = [item for n in range(0, 1_000, 40) for item in site.listed(user, limit=40, offset=n)]

    assert len(whole) == len(set(whole)) == 1_000
    assert pages == whole


@pytest.mark.case(11)
def test_cursor_pages_end_before_a_cursor_is_too_long(site):
    many(site, 1_300)
    site.did("anna", "i0")
    seen, cursor = [], None
    while True:
        answer = site.ask("anna", limit=100, cursor=cursor)
        seen += [one.item for one in answer.items]
        cursor = answer.next_cursor
        if cursor is None:
            break
        assert len(cursor) <= MAX_CURSOR_CHARACTERS

    assert len(seen) == len(set(seen))
    assert len(seen) >= 1_100
