"""Kafka, and the stream workers on it."""

from typing import Annotated

from msgspec import Meta

from clickwise.secret import Secret
from clickwise.settings.state import StateSettings


class KafkaSettings(StateSettings, frozen=True, kw_only=True):
    """The broker, the stream workers, what they publish."""

    kafka_bootstrap: Annotated[
        str,
        Meta(description="host:port list. Empty: the embedded engine, no Kafka."),
    ] = ""
    kafka_topic_prefix: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z0-9._-]{1,100}$", description="Topics are `<prefix>.events` ..."),
    ] = "clickwise"
    kafka_group: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9._-]{1,100}$",
            description="Consumer group of the stream workers. A new name reads from the start.",
        ),
    ] = "clickwise-streams"
    kafka_partitions: Annotated[
        int,
        Meta(
            ge=1,
            le=1024,
            description="Partitions of each topic: the most stream workers that share the work.",
        ),
    ] = 4
    kafka_replication: Annotated[
        int, Meta(ge=1, le=7, description="Copies of each topic. 3 on a real cluster.")
    ] = 1
    kafka_security_protocol: Annotated[
        str,
        Meta(
            pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
            description="As the broker's listener is set up.",
        ),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        str, Meta(pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$", description="With SASL_... .")
    ] = "PLAIN"
    kafka_username: Annotated[str, Meta(description="With SASL_... .")] = ""
    kafka_password: Annotated[Secret, Meta(description="With SASL_... .")] = Secret("")
    kafka_ca_file: Annotated[
        str, Meta(description="PEM file of the authority that signed the broker's certificate.")
    ] = ""
    kafka_session_timeout_seconds: Annotated[
        float,
        Meta(
            ge=1,
            le=300,
            description="After this a dead worker's partitions move. Longer for slow networks.",
        ),
    ] = 6.0
    stream_batch: Annotated[
        int, Meta(ge=1, le=5_000, description="Most messages folded in one transaction.")
    ] = 500
    stream_linger_seconds: Annotated[
        float,
        Meta(ge=0.001, le=1, description="Longest wait for a batch to fill: freshness for rate."),
    ] = 0.01
    stream_metrics_port: Annotated[
        int,
        Meta(ge=0, le=65_535, description="Where `clickwise stream` shows /metrics; 0: nowhere."),
    ] = 0
    publish_interval_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="At most one list per user and interval goes to `recommendations`.",
        ),
    ] = 1.0
    startup_timeout_seconds: Annotated[
        float,
        Meta(ge=0, le=3_600, description="How long to wait for Kafka, database and Qdrant."),
    ] = 60.0

    @property
    def embedded(self) -> bool:
        """True when no Kafka is set: the engine runs in the serving process."""
        return not self.kafka_bootstrap
