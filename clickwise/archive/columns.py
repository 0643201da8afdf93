"""The columns of the archive's Parquet files, and their bytes.

Every row of a log carries its place (source, partition, offset) and when the log received it.
Columns that a later program adds are absent from older files: readers fill them with nulls.
"""

import io
from collections.abc import Mapping

import polars as pl

from clickwise.archive.layout import Stream

Schema = Mapping[str, pl.DataType]

_MOMENT = pl.Datetime("us", "UTC")
_WORDS = pl.List(pl.String())

PLACE: Schema = {
    "source": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "received": _MOMENT,
}
EVENT_COLUMNS: Schema = {
    "id": pl.String(),
    "user": pl.String(),
    "item": pl.String(),
    "type": pl.String(),
    "time": _MOMENT,
    "value": pl.Float64(),
    "session": pl.String(),
    "request": pl.String(),
    "position": pl.Int32(),
    **PLACE,
}
SHOWN = pl.Struct(
    {
        "item": pl.String(),
        "kind": pl.String(),
        "position": pl.Int32(),
        "score": pl.Float64(),
        "propensity": pl.Float64(),
        "sources": _WORDS,
        "reason": pl.String(),
        "text": pl.String(),
        "segment": pl.String(),
        "text_version": pl.Int64(),
    }
)
EXPOSURE_COLUMNS: Schema = {
    "request_id": pl.String(),
    "user": pl.String(),
    "time": _MOMENT,
    "items": pl.List(SHOWN),
    "model": pl.String(),
    "policy": pl.String(),
    "profile_version": pl.Int64(),
    "events_applied": pl.Int64(),
    "personalized": pl.Boolean(),
    "kinds": _WORDS,
    "topics": _WORDS,
    "languages": _WORDS,
    "degraded": _WORDS,
    **PLACE,
}
# `change` is an item's place in the order of changes; a deleted item has no other columns than
# its id. `vector` is float32 little-endian, of `model`; `image_vector` of `image_model`.
ITEM_COLUMNS: Schema = {
    "id": pl.String(),
    "change": pl.Int64(),
    "deleted": pl.Boolean(),
    "kind": pl.String(),
    "title": pl.String(),
    "body": pl.String(),
    "language": pl.String(),
    "topics": _WORDS,
    "tags": _WORDS,
    "url": pl.String(),
    "image": pl.String(),
    "author": pl.String(),
    "published": _MOMENT,
    "expires": _MOMENT,
    "hidden": pl.Boolean(),
    "model": pl.String(),
    "vector": pl.Binary(),
    "image_model": pl.String(),
    "image_vector": pl.Binary(),
}
COLUMNS: Mapping[Stream, Schema] = {
    Stream.EVENTS: EVENT_COLUMNS,
    Stream.EXPOSURES: EXPOSURE_COLUMNS,
    Stream.ITEMS: ITEM_COLUMNS,
}
ROWS_OF_A_GROUP = 131_072
# What a later program says of each shown item is absent from older files too.
_AS_NOW = pl.ScanCastOptions(missing_struct_fields="insert", extra_struct_fields="ignore")


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", row_group_size=ROWS_OF_A_GROUP)
    return buffer.getvalue()


def frame_of(data: bytes, stream: Stream, *, columns: list[str] | None = None) -> pl.DataFrame:
    """A Parquet file as a frame with the columns of its stream (or some of them), in order."""
    schema = COLUMNS[stream]
    wanted = list(schema) if columns is None else columns
    lazy = pl.scan_parquet(
        io.BytesIO(data),
        schema=dict(schema),
        missing_columns="insert",
        extra_columns="ignore",
        cast_options=_AS_NOW,
    )
    return lazy.select(wanted).collect()
