"""Every figure that Clickwise reports, declared in one place.

Names are `clickwise_<what>_<unit>` in base units; labels come from small closed sets, never
from a user, an item or a text. `docs/metrics.md` is generated from here.

Several processes of one machine share a folder of memory-mapped values (prometheus_client's
multiprocess mode), so that any worker can answer `/metrics` for all. `start` has to run before
the first metric is used.
"""

import os
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
    values,
)
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from clickwise.errors import ConfigurationError

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
merges = Counter(
    "clickwise_merges_total",
    "Guests merged into users by outcome (applied, accepted, duplicate, redelivered, forgotten,"
    " refused).",
    ["outcome"],
)
masked = Counter(
    "clickwise_masked_total",
    "Personal data masked in the text of items, by kind (email, phone, card).",
    ["kind"],
)
unknown_fields = Counter(
    "clickwise_unknown_fields_total",
    "Fields of messages that no schema knows, ignored.",
    ["message"],
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
shown_items = Counter(
    "clickwise_shown_items_total",
    "Items in answers, by their age (new: published within a day; known).",
    ["age"],
)
shown_distinct = Gauge(
    "clickwise_shown_distinct_items",
    "Distinct items among the newest 10,000 places of one process's answers.",
    multiprocess_mode="livemax",
)
page_topics = Histogram(
    "clickwise_page_topics_ratio",
    "First topics of one page, distinct ones to all (pages with two items that have one).",
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
followed_events = Counter(
    "clickwise_followed_events_total",
    "Applied events of interest that name the answer which showed their item, by type.",
    ["type"],
)
requests = Counter(
    "clickwise_requests_total", "HTTP requests by route and status.", ["route", "status"]
)
refused_requests = Counter(
    "clickwise_refused_requests_total",
    "HTTP requests refused, by the scope that they needed and why (no_key, unknown_key, expired,"
    " revoked, bad_token, wrong_scope, rate_limited, quota_exhausted, overloaded, too_large,"
    " invalid ...).",
    ["scope", "reason"],
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
profiles_expired = Counter(
    "clickwise_profiles_expired_total",
    "Profiles dropped because their people had not been seen for long.",
)
archive_rows = Counter(
    "clickwise_archive_rows_total", "Rows written to the archive, each once.", ["stream"]
)
archive_lost = Counter(
    "clickwise_archive_lost_total",
    "Messages that the log had forgotten before they were archived, at most.",
    ["stream"],
)
archive_files = Gauge(
    "clickwise_archive_files",
    "Files of the archive that count.",
    ["stream"],
    multiprocess_mode="livemax",
)
archive_complete = Gauge(
    "clickwise_archive_complete_timestamp_seconds",
    "When the archive last held all that was there; its lag is time() minus this.",
    multiprocess_mode="livemax",
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
    "Encoding by stage (tokenize, queue, infer; picture: one decoded and encoded).",
    ["stage"],
    buckets=SECONDS,
)
encoded_texts = Counter("clickwise_encoded_texts_total", "Texts turned into vectors.")
understood_items = Counter(
    "clickwise_understood_items_total",
    "Items looked at, by outcome (understood, no_text, failed, overtaken: it changed meanwhile).",
    ["outcome"],
)
understanding_seconds = Histogram(
    "clickwise_understanding_seconds",
    "Understanding one item: language, keywords, summary, topics.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
retold_items = Counter(
    "clickwise_retold_items_total",
    "Items whose inferred topics or language were replaced by those that are understood now.",
)
understanding_backlog = Gauge(
    "clickwise_understanding_backlog_items",
    "Items that are not understood yet, counted once a minute.",
    multiprocess_mode="livemax",
)
model_info = Gauge(
    "clickwise_model_info",
    "1 for the model in use.",
    ["version"],
    multiprocess_mode="livemax",
)
releases_open = Gauge(
    "clickwise_releases_open_processes",
    "Processes that hold a model open, by its role (live, previous, candidate, canary, shadow).",
    ["role", "version"],
    multiprocess_mode="livesum",
)
model_created = Gauge(
    "clickwise_model_created_timestamp_seconds",
    "When the model in use was made; its age is time() minus this.",
    multiprocess_mode="livemax",
)
swap_seconds = Histogram(
    "clickwise_swap_seconds",
    "From seeing that another model is live to answering with it.",
    buckets=(0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)
rebuilt_profiles = Counter(
    "clickwise_rebuilt_profiles_total",
    "Profiles of another model folded anew, by where (event, background).",
    ["where"],
)
profiles_seen = Gauge(
    "clickwise_rebuild_seen_profiles",
    "Profiles that the rebuilding for the live model has looked at.",
    multiprocess_mode="livemax",
)
mixed_vectors = Counter(
    "clickwise_mixed_vectors_total",
    "Answers refused because profile, items and scorer were not of one model: always 0.",
)
trial_answers = Counter(
    "clickwise_trial_answers_total",
    "Lists for users, while a canary runs, by whose they are (live, canary).",
    ["role"],
)
trial_events = Counter(
    "clickwise_trial_events_total",
    "Positive events of users, while a canary runs, by whose lists they get (live, canary).",
    ["role"],
)
shadow_overlap = Histogram(
    "clickwise_shadow_overlap_ratio",
    "Share of the first ten places that the shadow's list has in common with the answer.",
    buckets=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
)
shadow_correlation = Histogram(
    "clickwise_shadow_rank_correlation",
    "Spearman's rank correlation of the items that both lists have (two or more).",
    buckets=(-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 0.9, 1.0),
)
training_seconds = Histogram(
    "clickwise_training_seconds",
    "One training from data to gate, by its kind (full, incremental).",
    ["kind"],
    buckets=(10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600),
)
gate_outcomes = Counter(
    "clickwise_gate_outcomes_total",
    "Trained models by what the release gate said: passed, or the condition that failed.",
    ["outcome"],
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
under_replicated = Gauge(
    "clickwise_under_replicated_partitions",
    "Partitions of our topics with fewer copies in step than they should have, each half minute.",
    multiprocess_mode="livemax",
)
cpu_seconds = Counter(
    "clickwise_cpu_seconds_total",
    "CPU time by part (serve, builder, words, stream, archive, train).",
    ["part"],
)
memory = Gauge(
    "clickwise_memory_bytes",
    "Memory of a part's processes that is in RAM.",
    ["part"],
    multiprocess_mode="livesum",
)
disk_free = Gauge(
    "clickwise_disk_free_bytes",
    "Room on the disk that holds the part's home.",
    ["part"],
    multiprocess_mode="livemin",
)
disk_size = Gauge(
    "clickwise_disk_size_bytes",
    "Size of the disk that holds the part's home.",
    ["part"],
    multiprocess_mode="livemax",
)
texts_made = Counter(
    "clickwise_texts_total",
    "Drafts of the language model, by field and what the gate said: written, or why not.",
    ["field", "outcome"],
)
text_tokens = Counter(
    "clickwise_text_tokens_total", "Tokens of the language model (prompt, completion).", ["kind"]
)
text_seconds = Histogram(
    "clickwise_text_seconds",
    "One call of the language model, by outcome (answered, failed).",
    ["outcome"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300),
)
text_failures = Counter(
    "clickwise_text_failures_total",
    "Calls of the language model that came to nothing (unavailable, refused, nonsense).",
    ["kind"],
)
text_breaker = Gauge(
    "clickwise_text_breaker_state",
    "Of the language model: 0 closed, 1 half-open (one try), 2 open (left alone).",
    multiprocess_mode="livemax",
)
text_backlog = Gauge(
    "clickwise_text_backlog_items",
    "Items whose texts are not made yet.",
    multiprocess_mode="livemax",
)
text_budget = Gauge(
    "clickwise_text_budget_tokens",
    "Tokens of today's budget that are left.",
    multiprocess_mode="livemax",
)
lease_held = Gauge(
    "clickwise_lease_held",
    "1 in the process that does what one should do of all that share a database (texts,"
    " understanding); 0 in the others.",
    ["work"],
    multiprocess_mode="livemax",
)
text_cache_hits = Counter(
    "clickwise_text_cache_hits_total",
    "Items that changed and said the same: their texts were kept, not written again.",
)
texts_shown = Counter(
    "clickwise_texts_shown_total",
    "Items in answers by the words they were shown with (written, edited, own, held).",
    ["shown"],
)
texts_held = Gauge(
    "clickwise_texts_held_items",
    "Items with texts in this process's memory.",
    multiprocess_mode="livemax",
)

started = Gauge(
    "clickwise_start_timestamp_seconds",
    "Since when counters count: the start of a process, or of the first one of a server.",
    multiprocess_mode="min",
)
started.set_to_current_time()


def show_models(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    """Show which model each role has, and those that had one before no longer."""
    for role, version in before.items() - after.items():
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # its files keep a label; `expose` drops it
            releases_open.labels(role, version).set(0)
            if role == "live":
                model_info.labels(version).set(0)
        else:
            releases_open.remove(role, version)
            if role == "live":
                model_info.remove(version)
    for role, version in after.items() - before.items():
        releases_open.labels(role, version).set(1)
        if role == "live":
            model_info.labels(version).set(1)


def prepare(folder: Path) -> None:
    """Make `folder` the shared one of this process and its children, emptied.

    Call it in the parent before `clickwise.metrics` is first imported by a worker: it sets
    PROMETHEUS_MULTIPROC_DIR for them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def forget(pid: int) -> None:
    """Take what an ended process showed of its own present (a service that is away, the model in
    use) out of the shared folder; what it counted stays. Called by whoever saw it end.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # untyped upstream


def count(counter: Counter, number: int) -> None:
    """Count in whatever process, also in the one that called `prepare`: its own metrics were made
    before there was a folder, and nobody reads them. Of counters without labels.
    """
    counter.inc(number)
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ and values.ValueClass is values.MutexValue:
        _shared_value(counter).inc(number)


class _Value(Protocol):
    def inc(self, amount: float) -> None: ...


@cache
def _shared_value(counter: Counter) -> _Value:
    (described,) = counter.describe()
    kind = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # untyped upstream
    name, text = described.name, described.documentation
    value: _Value = kind("counter", name, f"{name}_total", (), (), text)
    return value


def open_processes(folder: Path) -> dict[tuple[str, str], int]:
    """How many processes that share `folder` hold which (role, version) open."""
    if not any(folder.glob("*.db")):
        return {}
    collector = multiprocess.MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]  # untyped upstream
    return {
        (sample.labels["role"], sample.labels["version"]): int(sample.value)
        for metric in collector.collect()  # type: ignore[no-untyped-call]
        if metric.name == "clickwise_releases_open_processes"
        for sample in metric.samples
        if sample.value
    }


def expose() -> bytes:
    """All figures in the Prometheus text format."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        registry.register(_Shared())
        return generate_latest(registry)
    return generate_latest()


class _Shared(Collector):
    """The figures of all processes, without models that none of them has any more."""

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        collector = multiprocess.MultiProcessCollector(None)  # type: ignore[no-untyped-call]  # untyped upstream
        for metric in collector.collect():  # type: ignore[no-untyped-call]
            if metric.name in ("clickwise_model_info", "clickwise_releases_open_processes"):
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def at_zero(counter: Counter, *values: Iterable[str]) -> None:
    """Show a counter with each of these values of its labels before it counts: Prometheus takes a
    series that begins with 5 for one that has not grown, so that an alert would miss the first 5.
    """
    for labels in product(*values):
        counter.labels(*labels)


def listen(port: int, host: str, *, setting: str) -> None:
    """Show this process's figures at a port of their own; 0: not at all.

    Raises:
        ConfigurationError: nothing can listen there; names the `setting`.
    """
    if not port:
        return
    try:
        start_http_server(port, addr=host)
    except OSError as error:
        raise ConfigurationError(f"{setting}={port}: cannot listen on {host}: {error}") from error
