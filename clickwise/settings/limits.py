"""How much a serving process takes on; beyond, it refuses at once."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.lists import ListsSettings


class LimitsSettings(ListsSettings, frozen=True, kw_only=True):
    """Rates, waits, sizes."""

    key_rate: Annotated[
        float,
        Meta(
            ge=0,
            le=1_000_000,
            description=(
                "Requests a second of an API key without a rate of its own, for each serving"
                " process; beyond: 429. 0: as many as it likes."
            ),
        ),
    ] = 0.0
    idle_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=3_600,
            description=(
                "Longest wait for a request's headers, and for the next request of an open"
                " connection. Longer than a proxy in front keeps its own open."
            ),
        ),
    ] = 30.0
    max_in_flight: Annotated[
        int, Meta(ge=1, le=10_000, description="Requests of a worker at once; beyond: 429.")
    ] = 128
    max_wait_seconds: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description=(
                "Longest wait of a request for its turn in a worker; who would wait longer is"
                " answered 429 at once. Raise it where late answers are better than none."
            ),
        ),
    ] = 0.03
    max_queued_events: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Events waiting for the log; beyond: 429.")
    ] = 20_000
    max_batch_events: Annotated[
        int, Meta(ge=1, le=10_000, description="Events or items in one request.")
    ] = 1_000
    max_body_bytes: Annotated[
        int, Meta(ge=1_024, le=100_000_000, description="Largest request body.")
    ] = 16_000_000
    max_streams: Annotated[
        int, Meta(ge=0, le=100_000, description="Server-sent streams of a worker at once.")
    ] = 256
    stream_poll_seconds: Annotated[
        float,
        Meta(ge=0.01, le=60, description="How often a server-sent stream looks for a change."),
    ] = 0.1
