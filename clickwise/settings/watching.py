"""What a running process tells: traces and logs."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.access import AccessSettings


class WatchingSettings(AccessSettings, frozen=True, kw_only=True):
    """Traces and logs."""

    trace_endpoint: Annotated[
        str,
        Meta(
            pattern="^(https?://.*)?$",
            description=(
                "Where traces go: an OpenTelemetry collector's address for OTLP over HTTP, such as"
                " http://collector:4318/v1/traces. Empty: nothing is traced. Needs the extra"
                " `trace`."
            ),
        ),
    ] = ""
    trace_share: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description=(
                "Share of requests that begin a trace. Requests with a `traceparent` go by that."
                " Lower it where traces cost."
            ),
        ),
    ] = 1.0
    log_level: Annotated[
        str,
        Meta(pattern="^(debug|info|warning|error)$", description="Raise to debug to see batches."),
    ] = "info"
    log_format: Annotated[
        str, Meta(pattern="^(console|json)$", description="json for a log collector.")
    ] = "console"
