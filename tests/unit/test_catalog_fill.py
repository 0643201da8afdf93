"""An index that others write too, as a Qdrant server's, is filled without losing a write."""

import pytest

from clickwise.catalog import Catalog
from clickwise.testing.index import ExactIndex
from clickwise.types import item_key
from tests.site import Site


class SharedIndex(ExactIndex):
    """Like a server's: somebody else writes between the reading of rows and their putting."""

    def __init__(self, *, model, dimension, meanwhile):
        super().__init__(model=model, dimension=dimension)
        self._meanwhile = meanwhile

    def apply(self, changes):
        meanwhile, self._meanwhile = self._meanwhile, lambda: None
        meanwhile()
        super().apply(changes)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


def catalog_over(site, index):
    return Catalog(state=site.state, index=index, model=site.bundle.version)


def test_it_holds_every_item_and_no_deleted_one(site):
    site.put(("a", "one"), ("b", "two"), ("c", "three"))
    site.delete("b")
    index = ExactIndex(model=site.bundle.vectors, dimension=64)

    through = catalog_over(site, index).fill(after=0)

    assert set(index.labels([item_key(x) for x in "abc"])) == {item_key("a"), item_key("c")}
    assert through == site.state.newest_change()


def test_only_what_changed_after_a_point_is_put(site):
    site.put(("a", "one"))
    since = site.state.newest_change()
    site.put(("b", "two"))
    index = ExactIndex(model=site.bundle.vectors, dimension=64)

    catalog_over(site, index).fill(after=since)

    assert set(index.labels([item_key(x) for x in "ab"])) == {item_key("b")}


def test_what_is_written_while_rows_are_on_their_way_is_there_in_the_end(site):
    site.put(("a", "old title"))
    index = SharedIndex(
        model=site.bundle.vectors, dimension=64, meanwhile=lambda: site.put(("a", "new title"))
    )

    catalog_over(site, index).fill(after=0)

    assert index.labels([item_key("a")])[item_key("a")] == ("a", "new title")


def test_an_index_that_holds_less_than_there_is_gets_all_of_it(site):
    site.put(("a", "one"))
    since = site.state.newest_change()
    site.put(("b", "two"))
    index = ExactIndex(model=site.bundle.vectors, dimension=64)

    catalog_over(site, index).refill(since=since)

    assert set(index.labels([item_key(x) for x in "ab"])) == {item_key("a"), item_key("b")}


def test_an_index_that_holds_what_there_is_gets_what_changed_alone(site):
    site.put(("a", "one"), ("b", "two"))
    since = site.state.newest_change()
    index = ExactIndex(model=site.bundle.vectors, dimension=64)
    catalog_over(site, index).fill(after=0)
    applied = []
    index.apply = applied.extend
    site.put(("b", "two again"))

    catalog_over(site, index).refill(since=since)

    assert [change.key for change in applied] == [item_key("b")]


def test_an_index_that_lacks_what_is_on_its_way_is_not_filled_anew(site):
    site.put(*((f"i{n}", "one") for n in range(300)))
    since = site.state.newest_change()
    index = ExactIndex(model=site.bundle.vectors, dimension=64)
    catalog_over(site, index).fill(after=0)
    site.put(("late", "not pushed yet"))
    applied = []
    index.apply = applied.extend

    catalog_over(site, index).refill(since=since)

    assert [change.key for change in applied] == [item_key("late")]
