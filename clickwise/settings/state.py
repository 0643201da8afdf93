"""The database, and how long what is in it is kept."""

from typing import Annotated

from msgspec import Meta

from clickwise.secret import Secret
from clickwise.settings.watching import WatchingSettings


class StateSettings(WatchingSettings, frozen=True, kw_only=True):
    """Database, masking, retention."""

    mask: Annotated[
        str,
        Meta(
            pattern=r"^ *((title|body)( *, *(title|body))*)? *$",
            description=(
                "Fields of items in which e-mail addresses, telephone and card numbers are masked"
                " before they are stored. Empty where the site alone writes them, and means them"
                " to be read."
            ),
        ),
    ] = "title,body"
    database_url: Annotated[
        Secret,
        Meta(
            description=(
                "SQLAlchemy URL of the state. Empty: SQLite in `home`. For several machines:"
                " postgresql+psycopg://user:password@host/name."
            )
        ),
    ] = Secret("")
    database_timeout_seconds: Annotated[
        float,
        Meta(gt=0, le=60, description="Longest wait for a statement or a connection."),
    ] = 2.0
    database_pool_size: Annotated[
        int, Meta(ge=1, le=100, description="PostgreSQL connections of one process.")
    ] = 4
    dedupe_days: Annotated[
        float,
        Meta(
            ge=7,
            le=3650,
            description="How long event ids are remembered; at least the retention of `events`.",
        ),
    ] = 8.0
    profile_days: Annotated[
        float,
        Meta(
            ge=0,
            le=3650,
            description=(
                "How long the profile of somebody stays who is not seen any more; no shorter than"
                " `dedupe_days`. What they do later begins a new one. 0: until they are forgotten."
            ),
        ),
    ] = 0.0
    exposure_days: Annotated[
        float,
        Meta(
            ge=1,
            le=3650,
            description=(
                "How long what was shown is kept, in its topic or the embedded log. Why something"
                " was shown cannot be told for longer; the archive has a copy."
            ),
        ),
    ] = 30.0
    dead_letter_days: Annotated[
        float,
        Meta(
            ge=1,
            le=3650,
            description=(
                "How long the database keeps what was set aside, from then on, whether it was put"
                " back or not. The topic of dead letters keeps it for 30 days."
            ),
        ),
    ] = 30.0
