"""Items through a log: a place is applied once, and a late owner changes nothing."""

import msgspec
import pytest

from clickwise.errors import UnavailableError
from clickwise.items import Item, parse_item
from clickwise.releases import FixedReleases, Release
from clickwise.state.port import Partition
from clickwise.types import ItemId, ItemKind, UserId, item_key, topic_code
from clickwise.understanding.taxonomy import Taxonomy, Topic
from clickwise.understanding.topics import NearestDescriptions
from clickwise.vectors.port import Removed
from streams.items import ItemHandler
from tests.site import NOW, Site, WithBroken

PLACE = Partition("workers", "items", 0)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


def item(name, title="one"):
    return ItemId(name), Item(id=ItemId(name), kind=ItemKind.NEWS, title=title)


def title(site, name):
    labels = site.index.labels([item_key(name)])
    return labels[item_key(name)][1] if labels else None


def test_a_model_that_answers_nobody_and_cannot_be_run_holds_up_no_item(site):
    handler = ItemHandler(
        state=site.state, releases=WithBroken(site.releases.live), encoder=site.encoder
    )

    handler.apply([item("a")])

    assert title(site, "a") == "one"


@pytest.mark.case(17)
def test_a_late_owner_overwrites_nothing_and_brings_no_deleted_item_back(site):
    site.items.apply([item("a", "old"), item("b", "old")], [(PLACE, 0), (PLACE, 1)])
    site.items.apply([item("a", "new"), (ItemId("b"), None)], [(PLACE, 2), (PLACE, 3)])
    changes = site.state.newest_change()

    site.items.apply([item("a", "old"), item("b", "old")], [(PLACE, 0), (PLACE, 1)])

    assert site.state.newest_change() == changes
    assert title(site, "a") == "new"
    assert title(site, "b") is None
    assert site.state.item(ItemId("b")) is None
    assert site.state.offsets("workers") == {PLACE: 4}


def test_what_comes_again_in_one_batch_with_news_writes_the_news_only(site):
    site.items.apply([item("a"), item("b")], [(PLACE, 0), (PLACE, 1)])
    changes = site.state.newest_change()

    site.items.apply([item("b"), item("c")], [(PLACE, 1), (PLACE, 2)])

    assert site.state.newest_change() == changes + 1
    assert title(site, "c") == "one"


@pytest.mark.case(18)
def test_an_item_that_was_stored_and_not_indexed_is_indexed_by_the_next_try(site):
    class Away:
        fault = True
        text = site.catalog.text

        def push(self, changes):
            if self.fault:
                raise UnavailableError("the vector store is away")
            site.catalog.push(changes)

    catalog = Away()
    handler = ItemHandler(
        state=site.state,
        releases=FixedReleases(Release(site.bundle, catalog)),
        encoder=site.encoder,
    )
    with pytest.raises(UnavailableError):
        handler.apply([item("a")], [(PLACE, 0)])

    catalog.fault = False
    handler.apply([item("a")], [(PLACE, 0)])

    assert title(site, "a") == "one"


@pytest.mark.case(18)
def test_what_another_process_stores_and_indexes_before_a_push_is_not_undone_by_it(site):
    class Shared:
        """An index that everybody pushes to; the first push is overtaken by another process."""

        text = site.catalog.text

        def __init__(self):
            self.holds = {}
            self.first = True

        def push(self, entries):
            if self.first:
                self.first = False
                ItemHandler(
                    state=site.state,
                    releases=FixedReleases(Release(site.bundle, self)),
                    encoder=site.encoder,
                ).apply([item("a", "newer"), (ItemId("b"), None)])
            self.holds.update(dict(entries_by_key(entries)))

    shared = Shared()
    handler = ItemHandler(
        state=site.state,
        releases=FixedReleases(Release(site.bundle, shared)),
        encoder=site.encoder,
    )

    handler.apply([item("a", "old"), item("b", "old"), item("c", "old")])

    assert shared.holds == {
        item_key(ItemId("a")): "newer", item_key(ItemId("b")): None, item_key(ItemId("c")): "old"
    }  # fmt: skip


def entries_by_key(entries):
    """What an index would show of each: its title, or nothing."""
    return [(one.key, None if isinstance(one, Removed) else one.title) for one in entries]


def test_items_without_places_are_always_written(site):
    site.items.apply([item("a", "old")])
    site.items.apply([item("a", "new")])

    assert title(site, "a") == "new"


@pytest.fixture
def with_taxonomy(site):
    """A handler whose site has a taxonomy of two topics."""
    taxonomy = Taxonomy(
        topic=(
            Topic(id="sport", description="football match goal league"),
            Topic(id="money", description="bank stocks market shares"),
        )
    )
    return ItemHandler(
        state=site.state,
        releases=site.releases,
        encoder=site.encoder,
        topics=NearestDescriptions(taxonomy, site.encoder),
    )


def test_an_item_without_topics_is_given_those_of_the_taxonomy(site, with_taxonomy):
    with_taxonomy.apply([item("a", "a late goal in the football match"), item("b", "bank shares")])

    stored = msgspec.json.decode(site.state.item(ItemId("a")).body, type=Item)
    table = site.index.lookup([item_key("a"), item_key("b")])
    assert (stored.topics, stored.inferred_topics[0]) == ((), "sport")
    assert table.topics_NT[:, 0].tolist() == [topic_code("sport"), topic_code("money")]


def test_topics_that_an_item_brings_stay_alone(site, with_taxonomy):
    name, brought = item("a", "a late goal in the football match")

    with_taxonomy.apply([(name, msgspec.structs.replace(brought, topics=("gossip",)))])

    stored = msgspec.json.decode(site.state.item(name).body, type=Item)
    assert (stored.topics, stored.inferred_topics) == (("gossip",), ())


def test_given_topics_become_interests_of_who_clicks(site, with_taxonomy):
    with_taxonomy.apply([item("a", "a late goal in the football match")])

    site.did("ada", "a")

    assert list(site.views.profile(UserId("ada")).topics) == ["sport"]


def test_what_a_feed_says_was_inferred_is_not_believed():
    data = {"id": "a", "kind": "news", "title": "t", "inferred_topics": ["x"]}

    parsed, unknown = parse_item(data, received=NOW)

    assert (parsed.inferred_topics, unknown) == ((), 0)
