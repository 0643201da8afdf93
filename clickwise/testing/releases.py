"""A release over any index, with the day-0 scorer and nothing on disk."""

from datetime import UTC, datetime

from clickwise.bundle import Bundle, Manifest, Scorer, TextTower
from clickwise.bundle.day0 import Day0Weights, scorer_graph
from clickwise.catalog import Catalog
from clickwise.profile import Rules
from clickwise.releases import FixedReleases, Release
from clickwise.state.port import State
from clickwise.types import ModelVersion
from clickwise.vectors.port import ItemIndex


def fixed_releases(
    state: State, index: ItemIndex, *, rules: Rules | None = None, model: ModelVersion | None = None
) -> FixedReleases:
    """Day 0 over `index`; `model` names it (None: as the index's vectors)."""
    version = model if model is not None else index.model
    manifest = Manifest(
        version=version,
        vectors=index.model,
        created=datetime(2026, 1, 1, tzinfo=UTC),
        encoder=index.model,
        text_dimension=index.dimension,
        dimension=index.dimension,
        rules=rules if rules is not None else Rules(),
    )
    scorer = Scorer(scorer_graph(Day0Weights()).SerializeToString(), dimension=index.dimension)
    bundle = Bundle(manifest, scorer, TextTower(index.dimension), None)
    return FixedReleases(Release(bundle, Catalog(state=state, index=index, model=version)))
