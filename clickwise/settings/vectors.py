"""Where the vectors of items are: Qdrant Edge or a Qdrant server."""

from typing import Annotated

from msgspec import Meta

from clickwise.secret import Secret
from clickwise.settings.kafka import KafkaSettings


class VectorsSettings(KafkaSettings, frozen=True, kw_only=True):
    """Qdrant."""

    qdrant_url: Annotated[
        str, Meta(description="Qdrant server. Empty: Qdrant Edge, in process, in `home`.")
    ] = ""
    qdrant_api_key: Annotated[Secret, Meta(description="Key of the Qdrant server.")] = Secret("")
    qdrant_ca_file: Annotated[
        str,
        Meta(description="PEM file of the authority that signed the Qdrant server's certificate."),
    ] = ""
    qdrant_timeout_seconds: Annotated[
        float, Meta(gt=0, le=60, description="Longest wait for a vector query.")
    ] = 1.0
    edge_build_after: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Changed items after which Edge's next generation is built.",
        ),
    ] = 1_000
    edge_build_interval_seconds: Annotated[
        float,
        Meta(ge=0.1, le=86_400, description="Build sooner than that when this long has passed."),
    ] = 60.0
