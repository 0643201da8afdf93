"""Handlers and doors over a `Core`: what a serving process and a stream worker apply with."""

from clickwise.cli.pictures import pictures_of
from clickwise.cli.topic_models import topics_of
from clickwise.cli.wiring import Core
from clickwise.influence import Influence
from streams.embedded import EmbeddedEngine
from streams.handlers import ActivityHandler, EventHandler
from streams.items import ItemHandler


def activity_handler(core: Core) -> ActivityHandler:
    """Popularity and what people open next."""
    return ActivityHandler(
        state=core.state,
        half_life_seconds=_half_life_seconds(core),
    )


def embedded_event_handler(core: Core) -> EventHandler:
    """Events with this database as their log, and their effect on items in one transaction."""
    return EventHandler(
        state=core.state,
        releases=core.releases,
        clock=core.clock,
        keep_bodies=True,
        activity=activity_handler(core),
        influence=Influence(half_life_seconds=_half_life_seconds(core)),
    )


def stream_event_handler(core: Core) -> EventHandler:
    """Events with Kafka as their log; effects on items are handed on."""
    return EventHandler(
        state=core.state,
        releases=core.releases,
        clock=core.clock,
        keep_bodies=False,
        activity=None,
        influence=Influence(half_life_seconds=_half_life_seconds(core)),
    )


def item_handler(core: Core) -> ItemHandler:
    """Items: encoded, stored, indexed."""
    return ItemHandler(
        state=core.state,
        releases=core.releases,
        encoder=core.encoder,
        others=core.encoders.others,
        topics=topics_of(core.settings, core.encoder),
        pictures=pictures_of(core.settings),
    )


def embedded_engine(core: Core) -> EmbeddedEngine:
    """Both doors in process."""
    return EmbeddedEngine(
        events=embedded_event_handler(core),
        items=item_handler(core),
        clock=core.clock,
        max_queued_events=core.settings.max_queued_events,
    )


def _half_life_seconds(core: Core) -> float:
    return core.settings.trending_half_life_hours * 3600.0
