"""Where a written text was ready, and whether readers clicked there: from the embedded log, or from
the archive where the log is Kafka's, which forgets sooner.
"""

from collections.abc import Iterator
from itertools import filterfalse

import msgspec
import polars as pl

from clickwise.archive import Archive, Stream
from clickwise.archive.columns import frame_of
from clickwise.errors import NotFoundError
from clickwise.recommend.exposures import ExposureMessage
from clickwise.state.port import State
from clickwise.types import EventType, ItemId
from clickwise.writing.comparison import ARMS, Tally
from streams.archive_rows import is_no_event

PAGE = 1_000
NOT_A_CLICK = frozenset({EventType.IMPRESSION, EventType.DISLIKE, EventType.HIDE})


class _Click(msgspec.Struct):
    item: ItemId
    type: EventType
    request: str | None = None


_exposures = msgspec.json.Decoder(ExposureMessage)
_clicks = msgspec.json.Decoder(_Click)


def logged(state: State) -> dict[str, Tally]:
    """By arm, all that the embedded log keeps.

    Raises:
        UnavailableError: the database does not answer.
    """
    clicked = {
        (event.request, event.item)
        for event in map(_clicks.decode, filterfalse(is_no_event, _bodies(state, "events")))
        if event.request is not None and event.type not in NOT_A_CLICK
    }
    tallies = {arm: Tally() for arm in ARMS}
    for exposure in map(_exposures.decode, _bodies(state, "exposures")):
        if exposure.user is None:
            continue  # guests are not held out
        for arm, tally in tallies.items():
            shown = [one.item for one in exposure.items if one.text == arm]
            if shown:
                tally.add(exposure.user, [(exposure.request_id, item) in clicked for item in shown])
    return tallies


def archived(archive: Archive) -> dict[str, Tally]:
    """By arm, all that the archive holds.

    Raises:
        NotFoundError: it holds no exposures.
        UnavailableError: its store does not answer.
    """
    manifest = archive.newest()
    files = manifest.files_of(Stream.EXPOSURES)
    if not files:
        raise NotFoundError(
            "the archive holds no exposures: `clickwise archive` fills it from Kafka"
        )
    places = pl.concat([_places(archive.store.read(file.name)) for file in files]).unique()
    clicks = [
        _clicks_at(places, archive.store.read(file.name))
        for file in manifest.files_of(Stream.EVENTS)
    ]
    hit = pl.lit(value=True).alias("clicked")
    counted = (
        places.join(
            pl.concat([places.select("request", "item").clear(), *clicks])
            .unique()
            .select("*", hit),
            on=["request", "item"],
            how="left",
        )
        .group_by("text", "user")
        .agg(pl.len(), pl.col("clicked").count())
    )
    tallies = {arm: Tally() for arm in ARMS}
    for arm, user, shown, clicked in counted.sort("text", "user").iter_rows():
        tallies[arm].by_reader[user] = [shown, clicked]
    return tallies


def _places(data: bytes) -> pl.DataFrame:
    """`request`, `user`, `item` and `text`, of the two arms."""
    frame = frame_of(data, Stream.EXPOSURES, columns=["request_id", "user", "items"])
    return (
        frame.lazy()
        .filter(pl.col("user").is_not_null())  # guests are not held out
        .explode("items")
        .select(
            pl.col("request_id").alias("request"),
            "user",
            pl.col("items").struct.field("item"),
            pl.col("items").struct.field("text"),
        )
        .filter(pl.col("text").is_in(ARMS))
        .collect()
    )


def _clicks_at(places: pl.DataFrame, data: bytes) -> pl.DataFrame:
    """`request` and `item` of the clicks on these places."""
    frame = frame_of(data, Stream.EVENTS, columns=["request", "item", "type"])
    clicks = frame.filter(~pl.col("type").is_in([kind.value for kind in NOT_A_CLICK]))
    return clicks.select("request", "item").join(places, on=["request", "item"], how="semi")


def _bodies(state: State, log: str) -> Iterator[bytes]:
    after = 0
    read = state.events if log == "events" else state.exposures
    while rows := read(after=after, limit=PAGE):
        for after, body in rows:  # noqa: B007  # the last one is where the next page begins
            yield body
