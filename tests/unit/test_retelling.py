"""Items that another method gave topics get those of the methods of now, and are found by them."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from clickwise.codec import encode
from clickwise.errors import BundleError, UnavailableError
from clickwise.items import Item
from clickwise.releases import FixedReleases, Release
from clickwise.state.port import Partition
from clickwise.types import ItemId, ItemKind, item_key
from clickwise.understanding.keeper import UnderstandingKeeper
from clickwise.understanding.taxonomy import Taxonomy, Topic
from clickwise.understanding.topics import NearestDescriptions, NoTaxonomy
from clickwise.understanding.understander import Understander
from clickwise.vectors.edge import EdgeIndex
from streams.embedded import EmbeddedEngine
from streams.flows import ItemFlow, SetAside
from streams.items import ItemHandler
from streams.records import Record
from streams.retelling import Retelling
from tests.site import ManualClock, Site

GOAL = Item(id=ItemId("a"), kind=ItemKind.NEWS, title="a late goal in the football match")
BANK = Item(id=ItemId("b"), kind=ItemKind.NEWS, title="bank shares on the stocks market")


def topics(site, *ids):
    """A taxonomy whose topics have these ids: of football, and of money."""
    told = ("football match goal league", "bank stocks market shares")
    taxonomy = Taxonomy(
        topic=tuple(
            Topic(id=name, description=text) for name, text in zip(ids, told, strict=True)
        )
    )  # fmt: skip
    return NearestDescriptions(taxonomy, site.encoder)


def handler(site, *ids):
    return ItemHandler(
        state=site.state,
        releases=site.releases,
        encoder=site.encoder,
        topics=topics(site, *ids),
    )


def keeper(site, model, door):
    """A new process beside the server."""
    understander = Understander(encoder=site.encoder, topics=model, clock=ManualClock())
    return UnderstandingKeeper(state=site.state, understander=understander, topics=door)


def drain(one):
    """Steps until nothing is due; how many items were looked at."""
    looked = 0
    while done := one.step():
        looked += done
    return looked


def stored(site, name="a"):
    return msgspec.json.decode(site.state.item(ItemId(name)).body, type=Item)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


@pytest.fixture
def written(site):
    """Writes into the site's index, as where a Qdrant server is."""
    return Retelling(state=site.state, releases=lambda: site.releases)


class TestEmbedded:
    """The engine in process; indexes read the database's changes for themselves."""

    @pytest.fixture
    def edge(self, site, tmp_path):
        index = EdgeIndex.open(
            tmp_path / "vectors", site.bundle.vectors, site.encoder.dimension,
            check_interval_seconds=0.0,
        )  # fmt: skip
        yield Site(tmp_path, state=site.state, index=index)
        index.close()

    @pytest.fixture
    async def engine(self, edge):
        made = EmbeddedEngine(
            events=edge.events, items=handler(edge, "sport", "money"), clock=edge.clock,
            max_queued_events=100,
        )  # fmt: skip
        await made.start()
        yield made
        await made.stop()

    async def test_another_taxonomy_is_seen_by_serving(self, edge, engine):
        await engine.put([GOAL, BANK])
        assert edge.listed(topics=("sport",)) == ["a"]

        drain(
            keeper(edge, topics(edge, "play", "money"), Retelling(state=edge.state, releases=None))
        )
        edge.settle()

        assert stored(edge).inferred_topics == ("play",)
        assert edge.listed(topics=("play",)) == ["a"]
        assert edge.listed(topics=("sport",)) == []
        assert edge.listed(topics=("money",)) == ["b"]

    async def test_the_profile_of_who_clicks_then_names_it(self, edge, engine):
        await engine.put([GOAL])
        drain(
            keeper(edge, topics(edge, "play", "money"), Retelling(state=edge.state, releases=None))
        )

        await engine.post([edge.event("ada", "a")])

        assert list(edge.views.profile("ada").topics) == ["play"]


class TestStream:
    """Items through the flow of a Faust worker; an index that is written to."""

    @pytest.fixture
    def flow(self, site):
        thread = ThreadPoolExecutor(1)
        aside = SetAside(state=site.state, outlet=None, topic="dead", clock=site.clock)
        yield ItemFlow(
            handler(site, "sport", "money"), aside=aside, thread=thread, consumer="workers"
        )
        thread.shutdown()

    def record(self, offset, item):
        return Record("items", 0, offset, item.id.encode(), encode(item), 1_764_000_000.0)

    async def test_another_taxonomy_is_seen_by_serving(self, site, flow, written):
        await flow.take([self.record(0, GOAL), self.record(1, BANK)])
        assert site.listed(topics=("sport",)) == ["a"]

        drain(keeper(site, topics(site, "play", "money"), written))
        site.settle()

        assert stored(site).inferred_topics == ("play",)
        assert site.listed(topics=("play",)) == ["a"]
        assert site.listed(topics=("sport",)) == []

    async def test_the_offsets_of_the_log_stay(self, site, flow, written):
        await flow.take([self.record(0, GOAL)])

        drain(keeper(site, topics(site, "play", "money"), written))

        assert site.state.offsets("workers") == {Partition("workers", "items", 0): 1}

    async def test_what_the_feed_sends_later_counts(self, site, flow, written):
        await flow.take([self.record(0, GOAL)])
        drain(keeper(site, topics(site, "play", "money"), written))

        news = msgspec.structs.replace(GOAL, topics=("gossip",))
        await flow.take([self.record(1, news)])
        site.settle()

        assert site.listed(topics=("gossip",)) == ["a"]
        assert site.listed(topics=("play",)) == []


class TestWhatIsWritten:
    def test_text_and_vector_stay(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL)])
        before = site.state.item(ItemId("a"))

        drain(keeper(site, topics(site, "play", "money"), written))

        after = site.state.item(ItemId("a"))
        assert after.change == before.change + 1
        assert (after.vector, stored(site).title) == (before.vector, GOAL.title)
        assert site.index.lookup([item_key("a")]).vectors_ND.tobytes() == before.vector

    def test_the_same_topics_change_nothing(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL)])
        newest = site.state.newest_change()

        drain(keeper(site, topics(site, "sport", "money"), written))

        assert site.state.newest_change() == newest

    def test_topics_that_an_item_brings_stay(self, site, written):
        handler(site, "sport", "money").apply(
            [("a", msgspec.structs.replace(GOAL, topics=("gossip",)))]
        )
        newest = site.state.newest_change()

        drain(keeper(site, topics(site, "play", "money"), written))

        assert site.state.newest_change() == newest

    def test_without_a_taxonomy_nothing_is_inferred_any_more(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL)])

        drain(keeper(site, NoTaxonomy(), written))
        site.settle()

        assert stored(site).inferred_topics == ()
        assert site.listed(topics=("sport",)) == []

    def test_an_item_is_looked_at_once(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL), ("b", BANK)])
        one = keeper(site, topics(site, "play", "coins"), written)

        assert drain(one) == 2
        assert drain(keeper(site, topics(site, "play", "coins"), written)) == 0

    def test_two_processes_with_other_methods_come_to_rest(self, site, written):
        one = keeper(site, topics(site, "play", "coins"), written)
        two = keeper(site, topics(site, "games", "banks"), written)
        drain(one), drain(two)
        handler(site, "sport", "money").apply([("a", GOAL)])

        looked = [drain(one) + drain(two) for _ in range(10)]

        assert looked[-1] == 0
        assert stored(site).inferred_topics in {("play",), ("games",)}


class TestFaults:
    def test_an_index_that_is_away_is_written_to_later(self, site):
        class Away:
            fault = True
            text = site.catalog.text

            def push(self, entries):
                if self.fault:
                    raise UnavailableError("the vector store is away")
                site.catalog.push(entries)

        catalog = Away()
        releases = FixedReleases(Release(site.bundle, catalog))
        handler(site, "sport", "money").apply([("a", GOAL)])
        door = Retelling(state=site.state, releases=lambda: releases)
        one = keeper(site, topics(site, "play", "money"), door)
        with pytest.raises(UnavailableError):
            one.step()

        catalog.fault = False
        drain(one)
        site.settle()

        assert stored(site).inferred_topics == ("play",)
        assert site.listed(topics=("play",)) == ["a"]

    def test_an_item_that_changed_meanwhile_is_indexed_as_it_is(self, site):
        """Between the look at the index and the database a feed sends another text."""
        first = handler(site, "sport", "money")
        news = msgspec.structs.replace(GOAL, title="the match is off")

        class Between:
            text = site.catalog.text
            sent = False

            def push(self, entries):
                site.catalog.push(entries)
                if not self.sent:
                    self.sent = True
                    first.apply([("a", news)])
                    site.catalog.push(entries)  # ours came last

        first.apply([("a", GOAL)])
        releases = FixedReleases(Release(site.bundle, Between()))
        door = Retelling(state=site.state, releases=lambda: releases)

        keeper(site, topics(site, "play", "money"), door).step()

        assert stored(site).title == "the match is off"
        assert site.index.labels([item_key("a")])[item_key("a")][1] == "the match is off"

    def test_a_model_that_cannot_be_opened_holds_up_no_understanding(self, site):
        def broken():
            raise BundleError("damaged")

        handler(site, "sport", "money").apply([("a", GOAL)])
        one = keeper(
            site, topics(site, "play", "money"), Retelling(state=site.state, releases=broken)
        )

        drain(one)

        assert site.state.understandings.of([item_key("a")])[item_key("a")].reason == ""
        assert stored(site).inferred_topics == ("sport",)
