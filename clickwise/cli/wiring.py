"""The one place that builds every part from the settings.

A `Core` is what each process needs: state, encoder, bundle, index, catalog. What is made of it
differs: a serving process (`serving_parts`), a stream worker (`stream_parts`), a command that
looks something up. Whoever opens one closes it: all go on an ExitStack.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property

from clickwise.bundle import Bundle, day0_bundle
from clickwise.catalog import Catalog
from clickwise.cli import homes
from clickwise.clock import Clock, SystemClock
from clickwise.encoder.batching import BatchingEncoder
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConfigurationError
from clickwise.profile import Rules
from clickwise.ranking import Policy
from clickwise.recommend import Limits, Recommender
from clickwise.recommend.answers import Answer, ProfileView, RecommendRequest, SimilarItem
from clickwise.recommend.views import Views
from clickwise.releases import FixedReleases, Release, Releases
from clickwise.settings import Settings
from clickwise.state.sql import SqlState, open_state
from clickwise.types import ItemId, ModelVersion, UserId
from clickwise.vectors.port import ItemIndex

# Told the stage of the encoder's making and the share that is done.
Progress = Callable[[str, float], None]


def rules_of(settings: Settings) -> Rules:
    """The profile rule's constants."""
    return Rules(
        interests=settings.interests,
        history=settings.history,
        half_life_seconds=settings.interest_half_life_days * 86_400.0,
    )


def policy_of(settings: Settings) -> Policy:
    """The ranking rule's constants."""
    return Policy(
        diversity=settings.diversity,
        topic_share=settings.topic_share,
        exploration=settings.exploration,
    )


def state_of(settings: Settings, stack: ExitStack) -> SqlState:
    """The database; nothing is connected before the first call."""
    state = open_state(
        homes.database_url(settings),
        timeout_seconds=settings.database_timeout_seconds,
        pool_size=settings.database_pool_size,
    )
    stack.callback(state.close)
    return state


def encoder_of(settings: Settings, *, progress: Progress | None = None) -> TextEncoder:
    """The text encoder; made from its weights when this home does not have it yet.

    `hashing:<dimension>` is one without a model, which starts at once: for benches and trials.
    """
    kind, _, dimension = settings.encoder_model.partition(":")
    if kind != "hashing":
        from clickwise.encoder import open_encoder

        return open_encoder(
            model=settings.encoder_model,
            device=settings.encoder_device,
            threads=settings.encoder_threads,
            batch=settings.encoder_batch,
            cache=homes.encoder_folder(settings),
            progress=progress,
        )
    from clickwise.testing.encoder import HashingEncoder

    if not dimension.isdecimal() or not 8 <= int(dimension) <= 4_096:
        raise ConfigurationError(
            f"CLICKWISE_ENCODER_MODEL={settings.encoder_model}: expected hashing:<dimension>,"
            " from 8 to 4096"
        )
    return HashingEncoder(dimension=int(dimension))


def bundle_of(settings: Settings, encoder: TextEncoder) -> Bundle:
    """The model bundle in use."""
    return day0_bundle(
        homes.bundles_folder(settings),
        encoder_version=encoder.version,
        dimension=encoder.dimension,
        rules=rules_of(settings),
    )


def index_of(settings: Settings, bundle: Bundle, stack: ExitStack) -> ItemIndex:
    """Qdrant Edge in the home, or the Qdrant server that is set; its alias names this model."""
    index: ItemIndex
    if settings.qdrant_url:
        from clickwise.vectors.server import ServerIndex, connect, live_model

        client = connect(
            settings.qdrant_url,
            api_key=settings.qdrant_api_key,
            timeout_seconds=settings.qdrant_timeout_seconds,
        )
        prefix = settings.kafka_topic_prefix
        index = server = ServerIndex(
            client, bundle.vectors, bundle.manifest.dimension, prefix=prefix
        )
        if live_model(client, prefix) != bundle.vectors:
            server.make_live()
    else:
        from clickwise.vectors import generations
        from clickwise.vectors.edge import EdgeIndex

        root = homes.vectors_folder(settings)
        index = EdgeIndex.open(root, bundle.vectors, bundle.manifest.dimension)
        if generations.live_model(root) != bundle.vectors:
            generations.make_live(root, bundle.vectors)
    stack.callback(index.close)
    return index


class Answers:
    """Recommender and views as the one port that serving knows."""

    def __init__(self, recommender: Recommender, views: Views) -> None:
        self.recommend = recommender.recommend
        self._views = views

    def similar(self, item: ItemId, *, limit: int) -> tuple[SimilarItem, ...]:
        """See Views."""
        return self._views.similar(item, limit=limit)

    def profile(self, user: UserId) -> ProfileView:
        """See Views."""
        return self._views.profile(user)


@dataclass(frozen=True)
class Core:
    """What every process stands on."""

    settings: Settings
    clock: Clock
    state: SqlState
    encoder: TextEncoder
    releases: Releases

    @property
    def bundle(self) -> Bundle:
        """The live bundle."""
        return self.releases.live.bundle

    @property
    def catalog(self) -> Catalog:
        """The items as the live model sees them."""
        return self.releases.live.catalog

    @cached_property
    def recommender(self) -> Recommender:
        """The request path; one per thread that answers."""
        return Recommender(
            state=self.state,
            release=self.releases.live,
            policy=policy_of(self.settings),
            limits=Limits(
                candidates=self.settings.candidates,
                deadline_seconds=self.settings.deadline_seconds,
                show_seen=self.settings.show_seen,
            ),
            clock=self.clock,
        )

    def answers(self) -> Answers:
        """Recommendations and views."""
        views = Views(state=self.state, release=self.releases.live, clock=self.clock)
        return Answers(self.recommender, views)

    def recommend(self, request: RecommendRequest) -> Answer:
        """The page asked for."""
        return self.recommender.recommend(request)


def open_core(
    settings: Settings,
    stack: ExitStack,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Core:
    """Open everything, migrate the database, and catch up with the items table.

    Raises:
        UnavailableError: a service does not answer; calling again later may help.
        ConfigurationError: a setting cannot work.
    """
    homes.make_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    encoder = BatchingEncoder(encoder_of(settings, progress=progress), batch=settings.encoder_batch)
    stack.callback(encoder.close)
    bundle = bundle_of(settings, encoder)
    release = release_of(state, bundle, index_of(settings, bundle, stack))
    release.catalog.catch_up()
    return Core(settings, clock or SystemClock(), state, encoder, FixedReleases(release))


def release_of(state: SqlState, bundle: Bundle, index: ItemIndex) -> Release:
    """A bundle with its view of the items."""
    catalog = Catalog(
        state=state,
        index=index,
        model=bundle.version,
        tower=bundle.tower,
        text=ModelVersion(bundle.manifest.encoder),
    )
    return Release(bundle, catalog)
