"""Every figure that Clickwise reports, declared in one place.

Names are `clickwise_<what>_<unit>` in base units; labels come from small closed sets, never
from a user, an item or a text. `docs/metrics.md` is generated from here.

Several processes of one machine share a folder of memory-mapped values (prometheus_client's
multiprocess mode), so that any worker can answer `/metrics` for all. `start` has to run before
the first metric is used.
"""

import os
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)

if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
    # The library asks for the process id at every increment, forty times a request. Our
    # processes are spawned, never forked, so theirs is the one they were imported in.
    _PID = os.getpid()
    values.ValueClass = values.MultiProcessValue(lambda: _PID)  # type: ignore[no-untyped-call]  # untyped upstream

# 0.5 ms to 5 s: the targets are 3 ms p50, 6 ms p99, 20 ms freshness embedded, 150 ms on Kafka.
SECONDS = (
    0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.009, 0.015, 0.02, 0.03, 0.05,
    0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
STAGE_SECONDS = (
    0.00005, 0.0001, 0.0002, 0.0004, 0.0008, 0.0015, 0.003, 0.006, 0.015, 0.05, 0.25, 1.0,
)  # fmt: skip
AGE_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600, 86400)

events = Counter(
    "clickwise_events_total",
    "Events by type and outcome (applied, accepted, duplicate, stale, redelivered, refused).",
    ["type", "outcome"],
)
unknown_fields = Counter(
    "clickwise_unknown_fields_total", "Fields that no schema knows, ignored.", ["message"]
)
event_to_profile = Histogram(
    "clickwise_event_to_profile_seconds",
    "From an event to the profile that holds it; since: event (its own time) or receipt.",
    ["since"],
    buckets=AGE_SECONDS,
)
event_to_recommendation = Histogram(
    "clickwise_event_to_recommendation_seconds",
    "From a user's newest event to the first answer that rests on it.",
    ["since"],
    buckets=AGE_SECONDS,
)
recommend_seconds = Histogram(
    "clickwise_recommend_seconds",
    "Recommendation by stage (profile, candidates, score, rank, explain, total).",
    ["stage"],
    buckets=STAGE_SECONDS,
)
candidates = Counter(
    "clickwise_candidates_total", "Candidates by the source that brought them.", ["source"]
)
degraded = Counter(
    "clickwise_degraded_total", "Answers with a stage that fell back, by cause.", ["cause"]
)
empty_answers = Counter("clickwise_empty_answers_total", "Answers with no item.", ["cause"])
requests = Counter(
    "clickwise_requests_total", "HTTP requests by route and status.", ["route", "status"]
)
request_seconds = Histogram(
    "clickwise_request_seconds", "HTTP requests by route.", ["route"], buckets=SECONDS
)
in_flight = Gauge("clickwise_requests_in_flight", "HTTP requests now.", multiprocess_mode="livesum")
errors = Counter("clickwise_errors_total", "Faults by their kind and where.", ["kind", "where"])
lag = Gauge(
    "clickwise_lag_messages",
    "Messages not applied yet.",
    ["topic", "partition"],
    multiprocess_mode="livemax",
)
dead_letters = Counter(
    "clickwise_dead_letters_total", "Messages set aside, by topic and reason.", ["topic", "reason"]
)
batch_seconds = Histogram(
    "clickwise_batch_seconds", "One batch folded and committed.", ["handler"], buckets=SECONDS
)
batch_messages = Histogram(
    "clickwise_batch_messages",
    "Messages in one batch.",
    ["handler"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
conflicts = Counter(
    "clickwise_conflicts_total", "Batches redone because somebody else wrote first.", ["handler"]
)
queue_length = Gauge(
    "clickwise_queue_length", "Entries waiting.", ["queue"], multiprocess_mode="livesum"
)
dropped = Counter("clickwise_dropped_total", "Entries that a full queue let go.", ["queue"])
published = Counter(
    "clickwise_published_total", "Messages written to a topic, by outcome.", ["topic", "outcome"]
)
items = Gauge("clickwise_items", "Items in the index.", multiprocess_mode="livemax")
index_delta = Gauge(
    "clickwise_index_delta_items",
    "Items not in the built generation yet.",
    multiprocess_mode="livemax",
)
index_generation = Gauge(
    "clickwise_index_generation",
    "Number of the generation in use.",
    multiprocess_mode="livemostrecent",
)
index_build_seconds = Histogram(
    "clickwise_index_build_seconds",
    "Building one generation.",
    buckets=(0.1, 0.5, 1, 2.5, 5, 15, 60, 300),
)
encoder_seconds = Histogram(
    "clickwise_encoder_seconds",
    "Encoding by stage (tokenize, queue, infer).",
    ["stage"],
    buckets=SECONDS,
)
encoded_texts = Counter("clickwise_encoded_texts_total", "Texts turned into vectors.")
model_info = Gauge(
    "clickwise_model_info", "1 for the model in use.", ["version"], multiprocess_mode="livemax"
)
model_created = Gauge(
    "clickwise_model_created_timestamp_seconds",
    "When the model in use was made; its age is time() minus this.",
    multiprocess_mode="livemax",
)
streams_open = Gauge(
    "clickwise_streams_open", "Server-sent streams now.", multiprocess_mode="livesum"
)
dependency_up = Gauge(
    "clickwise_dependency_up",
    "1 while the database, Kafka or the vector store answers.",
    ["dependency"],
    multiprocess_mode="livemin",
)


def prepare(folder: Path) -> None:
    """Make `folder` the shared one of this process and its children, emptied.

    Call it in the parent before `clickwise.metrics` is first imported by a worker: it sets
    PROMETHEUS_MULTIPROC_DIR for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def expose() -> bytes:
    """All figures in the Prometheus text format."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # untyped upstream
        return generate_latest(registry)
    return generate_latest()
