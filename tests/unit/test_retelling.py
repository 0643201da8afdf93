"""Items that another method gave topics get those of the methods of now, and are found by them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from clickwise.codec import encode
from clickwise.errors import BundleError, ConflictError, UnavailableError
from clickwise.items import Item
from clickwise.leases import LEASE_SECONDS
from clickwise.releases import FixedReleases, Release
from clickwise.state.port import Partition
from clickwise.types import ItemId, ItemKind, ModelVersion, item_key
from clickwise.understanding.keeper import ITEMS_AT_ONCE, UnderstandingKeeper
from clickwise.understanding.putting_off import REST_SECONDS
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

GOAL = Item(
    id=ItemId("a"), kind=ItemKind.NEWS, title="a late goal in the football match", language="en"
)
BANK = Item(
    id=ItemId("b"), kind=ItemKind.NEWS, title="bank shares on the stocks market", language="en"
)


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


def understander_of(site, model):
    return Understander(encoder=site.encoder, topics=model, clock=ManualClock())


def keeper(site, model, door):
    """A new process beside the server."""
    return UnderstandingKeeper(
        state=site.state, understander=understander_of(site, model), topics=door, clock=site.clock
    )


def drain(one):
    """Steps until nothing is due, then leaves it to others; how many items were looked at."""
    looked = 0
    while done := one.step():
        looked += done
    one.lease.release()
    return looked


def goals(*names):
    return [(name, msgspec.structs.replace(GOAL, id=ItemId(name))) for name in names]


def due(site, model):
    """Ids of what a process with these methods would look at."""
    methods = understander_of(site, model).fingerprint
    window = {"after": 0, "until": site.state.newest_change(), "limit": 100}
    return [
        one.id
        for one in site.state.understandings.due(methods, ModelVersion("hashing-64"), **window)
    ]


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

    def test_what_an_older_program_understood_and_did_not_tell_is_told(self, site, written):
        model = topics(site, "play", "money")
        handler(site, "sport", "money").apply([("a", GOAL)])
        drain(keeper(site, model, None))
        methods = understander_of(site, model).methods
        older = "\0".join(f"{part}={method}" for part, method in sorted(methods.items()))
        (row,) = site.state.understandings.of([item_key("a")]).values()
        site.state.understandings.put(
            [replace(row, methods=hashlib.sha256(older.encode()).hexdigest()[:16])]
        )

        drain(keeper(site, model, written))

        assert stored(site).inferred_topics == ("play",)

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

    def test_a_process_that_ends_before_the_index_is_written_to_leaves_that_to_the_next(
        self, site, written
    ):
        class Ending:
            text = site.catalog.text

            def push(self, _):
                raise SystemExit

        handler(site, "sport", "money").apply([("a", GOAL)])
        with pytest.raises(SystemExit):
            keeper(site, topics(site, "play", "money"), door_to(site, Ending())).step()
        assert stored(site).inferred_topics == ("play",)
        assert site.listed(topics=("play",)) == []

        following = keeper(site, topics(site, "play", "money"), written)
        assert drain(following) == 0
        site.clock.advance(seconds=LEASE_SECONDS)
        drain(following)
        site.settle()

        assert site.listed(topics=("play",)) == ["a"]

    def test_what_is_indexed_counts_as_understood_and_is_indexed_once(self, site):
        index = Counting(site)
        handler(site, "sport", "money").apply([("a", GOAL)])

        drain(keeper(site, topics(site, "play", "money"), door_to(site, index)))
        drain(keeper(site, topics(site, "play", "money"), door_to(site, index)))

        assert index.pushes == 1
        assert due(site, topics(site, "play", "money")) == []


class Counting:
    """An index that counts how often it is written to."""

    def __init__(self, site):
        self.site, self.text = site, site.catalog.text
        self.pushes = 0

    def push(self, entries):
        self.pushes += 1
        self.site.catalog.push(entries)


class Between(Counting):
    """Before each of the first pushes takes effect, somebody else does something."""

    def __init__(self, site, *acts):
        super().__init__(site)
        self.acts = list(acts)

    def push(self, entries):
        if self.acts:
            self.acts.pop(0)()
        super().push(entries)


def door_to(site, index):
    """Writes into another index than the site's workers."""
    releases = FixedReleases(Release(site.bundle, index))
    return Retelling(state=site.state, releases=lambda: releases)


class TestBetweenReadAndPush:
    """The item worker stores and indexes something, and ours comes to the index last."""

    @pytest.fixture
    def worker(self, site):
        made = handler(site, "sport", "money")
        made.apply([("a", GOAL)])
        return made

    def retell(self, site, *acts):
        index = Between(site, *acts)
        one = keeper(site, topics(site, "play", "money"), door_to(site, index))
        one.step()
        return one

    def title(self, site):
        return site.index.labels([item_key("a")])[item_key("a")][1]

    def test_a_newer_text_stays_in_the_index(self, site, worker):
        news = msgspec.structs.replace(GOAL, title="the match is off")

        self.retell(site, lambda: worker.apply([("a", news)]))

        assert stored(site).title == self.title(site) == "the match is off"

    def test_one_newer_still_does_too(self, site, worker):
        titles = ["the match is off", "the match is on"]
        acts = [
            lambda title=title: worker.apply([("a", msgspec.structs.replace(GOAL, title=title))])
            for title in titles
        ]

        self.retell(site, *acts)

        assert self.title(site) == "the match is on"

    def test_a_deleted_item_is_in_it_no_more(self, site, worker):
        self.retell(site, lambda: worker.apply([("a", None)]))

        assert len(site.index.lookup([item_key("a")])) == 0

    def test_an_item_that_is_deleted_and_put_again_is_in_it(self, site, worker):
        news = msgspec.structs.replace(GOAL, title="the match is off")

        self.retell(site, lambda: worker.apply([("a", None)]), lambda: worker.apply([("a", news)]))

        assert self.title(site) == "the match is off"

    def test_a_newer_text_is_given_topics_afterwards(self, site, worker):
        news = msgspec.structs.replace(GOAL, title="the football match is off")

        drain(self.retell(site, lambda: worker.apply([("a", news)])))
        site.settle()

        assert stored(site).inferred_topics == ("play",)
        assert site.listed(topics=("play",)) == ["a"]

    def test_one_that_never_stands_still_is_come_back_to(self, site, worker):
        def change():
            worker.apply([("a", msgspec.structs.replace(GOAL, title=f"goal {len(acts)}"))])
            acts.append(None)

        acts = []
        one = keeper(
            site, topics(site, "play", "money"), door_to(site, Between(site, *[change] * 8))
        )
        with pytest.raises(ConflictError):
            one.step()

        drain(one)
        site.settle()

        assert (self.title(site), len(acts)) == ("goal 7", 8)
        assert due(site, topics(site, "play", "money")) == []


class Refusing:
    """A door that is shut, or refuses some items for good."""

    def __init__(self, inner, *refused, shut=False):
        self.inner, self.refused, self.shut = inner, set(refused), shut
        self.asked = []

    def put(self, told, again):
        names = {one.item.id for one in told} | set(again)
        self.asked.append(names)
        if self.shut or names & self.refused:
            raise BundleError("damaged")
        return self.inner.put(told, again)


class TestWhatARepeatDoesNotGetPast:
    def test_a_model_that_cannot_be_opened_leaves_items_as_they_are_and_due(self, site):
        def broken():
            raise BundleError("damaged")

        model = topics(site, "play", "money")
        handler(site, "sport", "money").apply([("a", GOAL)])

        drain(keeper(site, model, Retelling(state=site.state, releases=broken)))

        assert stored(site).inferred_topics == ("sport",)
        assert due(site, model) == ["a"]

    def test_what_is_understood_of_them_can_be_read_meanwhile(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL)])

        drain(keeper(site, topics(site, "play", "money"), Refusing(written, shut=True)))

        assert site.state.understandings.of([item_key("a")])[item_key("a")].reason == ""

    def test_they_are_told_once_the_model_is_repaired(self, site, written):
        door = Refusing(written, shut=True)
        handler(site, "sport", "money").apply(goals("a", "b", "c", "d", "e", "f"))
        one = keeper(site, topics(site, "play", "money"), door)
        drain(one)

        door.shut = False
        site.clock.advance(seconds=REST_SECONDS)
        drain(one)
        site.settle()

        assert sorted(site.listed(topics=("play",))) == ["a", "b", "c", "d", "e", "f"]
        assert due(site, topics(site, "play", "money")) == []

    def test_the_next_process_tries_them_too(self, site, written):
        handler(site, "sport", "money").apply([("a", GOAL)])
        drain(keeper(site, topics(site, "play", "money"), Refusing(written, shut=True)))

        drain(keeper(site, topics(site, "play", "money"), written))

        assert stored(site).inferred_topics == ("play",)

    def test_what_needs_no_other_topics_is_understood(self, site, written):
        own = msgspec.structs.replace(BANK, topics=("gossip",))
        handler(site, "sport", "money").apply([("a", GOAL), ("b", own)])

        drain(keeper(site, topics(site, "play", "money"), Refusing(written, shut=True)))

        assert due(site, topics(site, "play", "money")) == ["a"]

    def test_it_is_tried_once_per_rest_however_many_wait(self, site, written):
        door = Refusing(written, shut=True)
        count = 3 * ITEMS_AT_ONCE
        handler(site, "sport", "money").apply(goals(*(f"i{n}" for n in range(count))))
        one = keeper(site, topics(site, "play", "money"), door)

        looked = [drain(one)]
        for _ in range(3):
            site.clock.advance(seconds=REST_SECONDS)
            looked.append(drain(one))

        assert looked == [count, 1, 1, 1]
        assert [len(names) for names in door.asked] == [ITEMS_AT_ONCE, 1, 1, 1]

    @pytest.mark.parametrize("refused", ["a", "c", "f"])
    def test_one_that_is_always_refused_keeps_no_other_from_its_topics(
        self, site, written, refused
    ):
        door = Refusing(written, refused)
        handler(site, "sport", "money").apply(goals("a", "b", "c", "d", "e", "f"))
        one = keeper(site, topics(site, "play", "money"), door)

        drain(one)
        for _ in range(2):
            site.clock.advance(seconds=REST_SECONDS)
            drain(one)

        assert due(site, topics(site, "play", "money")) == [refused]
        assert stored(site, refused).inferred_topics == ("sport",)

    def test_one_that_came_later_is_tried_in_every_round(self, site, written):
        """Its topics stay to be told, though it came when this process was there already."""
        door = Refusing(written, shut=True)
        one = keeper(site, topics(site, "play", "money"), door)
        drain(one)
        handler(site, "sport", "money").apply([("a", GOAL)])
        for _ in range(4):
            drain(one)
            site.clock.advance(seconds=REST_SECONDS)

        door.shut = False
        drain(one)

        assert stored(site).inferred_topics == ("play",)

    def test_an_index_that_refuses_what_is_stored_is_not_stormed(self, site):
        class Damaged(Counting):
            fault = True

            def push(self, entries):
                super().push([] if self.fault else entries)
                if self.fault:
                    raise BundleError("the item tower failed")

        index = Damaged(site)
        handler(site, "sport", "money").apply([("a", GOAL)])
        one = keeper(site, topics(site, "play", "money"), door_to(site, index))
        drain(one)
        newest = site.state.newest_change()
        site.clock.advance(seconds=REST_SECONDS)
        drain(one)
        assert (index.pushes, site.state.newest_change()) == (2, newest)

        index.fault = False
        site.clock.advance(seconds=REST_SECONDS)
        drain(one)
        site.settle()

        assert site.listed(topics=("play",)) == ["a"]
