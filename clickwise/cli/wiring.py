"""The one place that builds every part from the settings.

A `Core` is what each process needs: state, encoder, bundle, index, catalog. What is made of it
differs: a serving process (`serving_parts`), a stream worker (`stream_parts`), a command that
looks something up. Whoever opens one closes it: all go on an ExitStack.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial

from clickwise.bundle import Bundle, day0_bundle
from clickwise.catalog import Catalog
from clickwise.cli import homes
from clickwise.cli.encoders import Progress, UsedEncoders, encoder_of
from clickwise.cli.opener import HomeOpener, make_live
from clickwise.clock import Clock, SystemClock
from clickwise.encoder.batching import BatchingEncoder
from clickwise.encoder.port import TextEncoder
from clickwise.errors import ConflictError
from clickwise.profile import Rules
from clickwise.ranking import Policy
from clickwise.recommend import Limits
from clickwise.recommend.answers import Answer, RecommendRequest
from clickwise.recommend.routed import RoutedAnswers
from clickwise.recommend.shadow import Shadow
from clickwise.releases import SwitchingReleases
from clickwise.releases.folders import BUILT_IN
from clickwise.settings import Settings
from clickwise.state.port import NamedRelease, State
from clickwise.state.sql import SqlState, open_state
from clickwise.writing.shelf import DecidedAlone, Shelf

__all__ = [
    "Core",
    "bundle_of",
    "encoder_of",
    "name_first",
    "open_core",
    "policy_of",
    "rules_of",
    "state_of",
]


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


def bundle_of(settings: Settings, encoder: TextEncoder) -> Bundle:
    """The model bundle in use."""
    return day0_bundle(
        homes.bundles_folder(settings),
        encoder_version=encoder.version,
        dimension=encoder.dimension,
        rules=rules_of(settings),
    )


@dataclass(frozen=True)
class Core:
    """What every process stands on."""

    settings: Settings
    clock: Clock
    state: SqlState
    encoder: TextEncoder
    encoders: UsedEncoders
    releases: SwitchingReleases

    @property
    def bundle(self) -> Bundle:
        """The live bundle."""
        return self.releases.live.bundle

    @property
    def catalog(self) -> Catalog:
        """The items as the live model sees them."""
        return self.releases.live.catalog

    @cached_property
    def _routed(self) -> RoutedAnswers:
        return self.answers()

    @cached_property
    def shelf(self) -> Shelf:
        """The words that are ready; where no model writes, those of people. Whoever serves starts
        it.
        """
        if self.settings.texts == "off":
            return Shelf(DecidedAlone(self.state.texts), holdout=0.0)
        return Shelf(self.state.texts, holdout=self.settings.texts_holdout)

    def answers(self, *, shadow: Shadow | None = None) -> RoutedAnswers:
        """The request path and views; one per thread that answers."""
        return RoutedAnswers(
            state=self.state,
            releases=self.releases,
            policy=policy_of(self.settings),
            limits=self.limits,
            clock=self.clock,
            shadow=shadow,
            words=self.shelf,
        )

    def shadow(self) -> Shadow:
        """Compares answers with those of a model on trial, in a thread of its own."""
        return Shadow(
            state=self.state,
            releases=self.releases,
            policy=policy_of(self.settings),
            limits=self.limits,
            clock=self.clock,
        )

    @property
    def limits(self) -> Limits:
        """Bounds of one request."""
        return Limits(
            candidates=self.settings.candidates,
            deadline_seconds=self.settings.deadline_seconds,
            show_seen=self.settings.show_seen,
        )

    def recommend(self, request: RecommendRequest) -> Answer:
        """The page asked for."""
        return self._routed.recommend(request)


def open_core(
    settings: Settings,
    stack: ExitStack,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
) -> Core:
    """Open everything, migrate the database, and catch up with the items table.

    The models are those that the database names now; a process that lives on starts
    `Core.releases`, which follows what it names later.

    Raises:
        UnavailableError: a service does not answer; calling again later may help.
        ConfigurationError: a setting cannot work.
        BundleError: the live model cannot be opened.
    """
    clock = clock if clock is not None else SystemClock()
    homes.make_home(settings)
    state = state_of(settings, stack)
    state.migrate()
    encoder = BatchingEncoder(encoder_of(settings, progress=progress), batch=settings.encoder_batch)
    stack.callback(encoder.close)
    name_first(state, bundle_of(settings, encoder), clock=clock)
    encoders = UsedEncoders(settings, encoder)
    releases = SwitchingReleases(
        state=state,
        opener=HomeOpener(settings, state, encoders),
        clock=clock,
        turn=partial(homes.opening_turn, settings),
    )
    stack.callback(releases.close)
    make_live(settings, releases.live.bundle.manifest)
    return Core(settings, clock, state, encoder, encoders, releases)


def name_first(state: State, bundle: Bundle, *, clock: Clock) -> None:
    """Name the day-0 bundle as the live one where none is, or where that of other settings is."""
    while True:
        pointer = state.pointer()
        kept = [
            one
            for one in pointer.named
            if one.url != BUILT_IN or one.version == bundle.version
        ]  # fmt: skip
        if any(one.role == "live" for one in kept):
            return
        live = NamedRelease(
            role="live",
            version=bundle.version,
            url=BUILT_IN,
            checksum="",
            share=0.0,
            since=state.newest_change(),
            changed=clock.now(),
        )
        kept = [one for one in kept if one.version != bundle.version]
        try:
            with state.write() as write:
                write.put_pointer([live, *kept], expected=pointer.sequence)
        except ConflictError:
            continue  # another process was first
        return
