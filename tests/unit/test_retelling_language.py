"""An item that names no language is found by the one that was understood of it."""

import msgspec
import pytest

from clickwise.items import Item
from clickwise.types import ItemId, ItemKind
from clickwise.understanding import shown
from clickwise.understanding.topics import NoTaxonomy
from clickwise.vectors.edge import EdgeIndex
from streams.items import ItemHandler
from streams.retelling import Retelling
from tests.site import Site
from tests.unit.test_retelling import drain, keeper, stored

GOAL = Item(
    id=ItemId("a"),
    kind=ItemKind.NEWS,
    title="A late goal decides the match",
    body="The home team won the match with a goal in the last minute of the game.",
)
GOLO = msgspec.structs.replace(
    GOAL,
    title="Um golo tardio decide o jogo",
    body="A equipa da casa venceu o jogo com um golo no ultimo minuto da partida.",
)


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.state.close()


def handler(site):
    return ItemHandler(state=site.state, releases=site.releases, encoder=site.encoder)


def understand(site, *, releases=None):
    """A process beside the server goes over what is due; how many items it looked at."""
    return drain(keeper(site, NoTaxonomy(), Retelling(state=site.state, releases=releases)))


def test_it_is_served_by_its_language_once_it_is_understood(site, tmp_path):
    index = EdgeIndex.open(
        tmp_path / "vectors", site.bundle.vectors, site.encoder.dimension,
        check_interval_seconds=0.0,
    )  # fmt: skip
    edge = Site(tmp_path, state=site.state, index=index)
    handler(edge).apply([("a", GOAL)])
    assert edge.listed(languages=("en",)) == []

    understand(edge)
    edge.settle()

    assert (stored(edge).language, stored(edge).inferred_language) == (None, "en")
    assert edge.listed(languages=("en",)) == ["a"]
    assert edge.listed(languages=("pt",)) == []
    index.close()


def test_an_index_elsewhere_is_written_to(site):
    handler(site).apply([("a", GOAL)])

    understand(site, releases=lambda: site.releases)

    assert site.listed(languages=("en",)) == ["a"]


def test_the_language_that_an_item_names_is_the_one_it_is_found_by(site):
    handler(site).apply([("a", msgspec.structs.replace(GOAL, language="pt-BR"))])

    understand(site, releases=lambda: site.releases)

    assert stored(site).inferred_language is None
    assert site.listed(languages=("pt-BR",)) == ["a"]
    assert site.listed(languages=("en",)) == []


def test_what_is_put_again_is_found_without_a_pause_and_written_once(site):
    putting = handler(site)
    putting.apply([("a", GOAL)])
    understand(site, releases=lambda: site.releases)

    putting.apply([("a", GOAL)])

    newest = site.state.newest_change()
    assert site.listed(languages=("en",)) == ["a"]
    assert understand(site, releases=lambda: site.releases) == 1
    assert site.state.newest_change() == newest


def test_a_text_in_another_language_is_found_by_that_one(site):
    putting = handler(site)
    putting.apply([("a", GOAL)])
    understand(site, releases=lambda: site.releases)

    putting.apply([("a", GOLO)])
    understand(site, releases=lambda: site.releases)

    assert site.listed(languages=("pt",)) == ["a"]
    assert site.listed(languages=("en",)) == []


def test_a_text_whose_language_cannot_be_told_has_none(site):
    handler(site).apply([("a", msgspec.structs.replace(GOAL, title="2026", body=""))])

    understand(site, releases=lambda: site.releases)

    assert stored(site).inferred_language is None


def test_what_is_understood_can_be_read_throughout(site):
    handler(site).apply([("a", GOAL)])
    seen = []

    class Looking(Retelling):
        def put(self, told, again):
            changes = super().put(told, again)
            seen.append(shown(site.state, ItemId("a")).status)
            return changes

    drain(keeper(site, NoTaxonomy(), Looking(state=site.state, releases=None)))

    assert seen == ["ready"]
