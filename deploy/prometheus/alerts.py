"""Alerts on causes: what an objective's alert does not say, or says too late.

Only what readers notice or will notice soon is a page. Each has its section in the runbook. One
fires always: whoever no longer hears of it knows that nobody would hear of the others.
"""

from collections.abc import Sequence

from deploy.prometheus.coming import RESTLESS, grown, looked_for, steady
from deploy.prometheus.objectives import API
from deploy.prometheus.rule import Alert, Group, Pace

DISK_LOW, DISK_FULL = 0.15, 0.05
MODEL_DAYS = 7
KAFKA_KEEPS = "7d"
WATCHDOG = "ClickwiseWatchdog"  # other charts have a Watchdog of their own
SERVE, STREAM, ARCHIVE = "clickwise-serve", "clickwise-stream", "clickwise-archive"
# Where one of them is not looked for any more, nothing else would say so. `clickwise-serve` has
# its own alert; a trainer may run as a job that nobody scrapes.
MUST_BE_THERE = (STREAM, ARCHIVE)
_UP = 'up{job=~"clickwise-.+|alertmanager|prometheus"}'
_LAG = "clickwise_lag_messages"
_ANSWERS = 'sum(rate(clickwise_recommend_seconds_count{stage="total"}[W]))'
_COMPLETE = "clickwise_archive_complete_timestamp_seconds"
_FAILED = 'clickwise_published_total{outcome="failed"}'
_PASSED = 'clickwise_gate_outcomes_total{outcome="passed"}'
_FOLDED = 'clickwise_events_total{outcome=~"applied|duplicate|stale|redelivered"}'
_DRAFTS = "clickwise_texts_total"
_REFUSED_DRAFTS = 'clickwise_texts_total{outcome!="written"}'
_REFUSED = 'clickwise_gate_outcomes_total{outcome!="passed"}'

_WATCHING = (
    Alert(
        name=WATCHDOG,
        value="vector(1)",
        condition="> 0",
        lasts="0s",
        severity="none",
        summary="it fires always: rules are evaluated, and told",
    ),
)


def cause_groups(pace: Pace) -> Sequence[Group]:
    """The alerts by what they are about."""
    return (
        Group(name="clickwise-watching", rules=_WATCHING),
        Group(name="clickwise-service", rules=_service(pace)),
        Group(name="clickwise-stream", rules=_stream(pace)),
        Group(name="clickwise-models", rules=_models(pace)),
        Group(name="clickwise-texts", rules=_texts(pace)),
    )


def _service(pace: Pace) -> Sequence[Alert]:
    five, ten = pace("5m"), pace("10m")
    return (
        Alert(
            name="ServingDown",
            value=steady(SERVE, pace("15m")),
            condition="< 1",
            lasts=pace("1m"),
            severity="page",
            summary="no server answers, or none for long: readers get no recommendations",
        ),
        Alert(
            name="TargetDown",
            value=_UP,
            condition=f"== 0\nor changes({_UP}[{pace('15m')}]) >= {RESTLESS}",
            lasts=five,
            severity="ticket",
            summary="{{ $labels.job }} at {{ $labels.instance }} does not answer, or not for long",
        ),
        Alert(
            name="JobMissing",
            value=f"({looked_for(MUST_BE_THERE)})",
            condition="< 1",
            lasts=five,
            severity="ticket",
            summary="no process of {{ $labels.job }} is there",
        ),
        Alert(
            name="DependencyDown",
            value="min by (dependency) (clickwise_dependency_up)",
            condition="== 0",
            lasts=pace("1m"),
            severity="page",
            summary="{{ $labels.dependency }} does not answer",
        ),
        Alert(
            name="DegradedAnswers",
            value=(
                f"(sum(rate(clickwise_degraded_total[{five}])) or vector(0))\n"
                f"/ ({_ANSWERS.replace('[W]', f'[{five}]')} > 0)"
            ),
            condition="> 0.05",
            lasts=ten,
            severity="ticket",
            summary="more than 5 % of answers have a stage that fell back",
        ),
        Alert(
            name="EmptyAnswers",
            value=(
                f'(sum(rate(clickwise_empty_answers_total{{cause!="past_the_end"}}[{five}]))'
                " or vector(0))\n"
                f"/ ({_ANSWERS.replace('[W]', f'[{five}]')} > 0)"
            ),
            condition="> 0.05",
            lasts=ten,
            severity="ticket",
            summary="more than 5 % of answers hold no item",
        ),
        Alert(
            name="RequestsShed",
            value=(
                f'(sum(rate(clickwise_requests_total{{{API},status=~"429|503"}}[{five}]))'
                " or vector(0))\n"
                f"/ (sum(rate(clickwise_requests_total{{{API}}}[{five}])) > 0)"
            ),
            condition="> 0.01",
            lasts=ten,
            severity="ticket",
            summary="more than 1 % of requests are refused because there are too many",
        ),
        Alert(
            name="DiskLow",
            value="clickwise_disk_free_bytes / clickwise_disk_size_bytes",
            condition=f"< {DISK_LOW}",
            lasts=ten,
            severity="ticket",
            summary="less than 15 % of the disk of {{ $labels.part }} is free",
        ),
        Alert(
            name="DiskFull",
            value="clickwise_disk_free_bytes / clickwise_disk_size_bytes",
            condition=f"< {DISK_FULL}",
            lasts=pace("2m"),
            severity="page",
            summary="less than 5 % of the disk of {{ $labels.part }} is free",
        ),
    )


def _stream(pace: Pace) -> Sequence[Alert]:
    five, ten, hour = pace("5m"), pace("10m"), pace("1h")
    return (
        *(_stream_down(pace) if STREAM in MUST_BE_THERE else ()),
        Alert(
            name="StreamStopped",
            value=f'sum(rate(clickwise_events_total{{outcome="accepted"}}[{five}]))',
            # `grown`: the one event of a quiet night may be the first that its worker folds.
            condition=f"> 0\nunless sum({grown(_FOLDED, five)}) > 0",
            lasts=pace("2m"),
            severity="page",
            summary="events are accepted and none is folded: lists stand still",
        ),
        Alert(
            name="ConsumerLag",
            # Of a worker that ends again and again its last figure is remembered.
            value=(
                f"sum by (topic) (max by (topic, partition) (last_over_time({_LAG}[{pace('2m')}])))"
            ),
            condition=f"> {pace.lag_messages}",
            lasts=five,
            severity="ticket",
            summary="{{ $value }} messages of {{ $labels.topic }} are not applied yet",
        ),
        Alert(
            name="UnderReplicated",
            value="max(clickwise_under_replicated_partitions)",
            condition="> 0",
            lasts=five,
            severity="ticket",
            summary="{{ $value }} partitions have fewer copies than they should",
        ),
        Alert(
            name="EntriesDropped",
            value=f"(sum by (queue) ({grown('clickwise_dropped_total', ten)}) or vector(0))",
            condition="> 0",
            lasts=pace("1m"),
            severity="ticket",
            summary="the queue {{ $labels.queue }} was full and let entries go",
        ),
        Alert(
            name="PublishFails",
            value=f"(sum({grown(_FAILED, ten)}) or vector(0))",
            condition="> 0",
            lasts=five,
            severity="ticket",
            summary="messages could not be written to their topics",
        ),
        Alert(
            name="ArchiveBehind",
            # Of an archiver that is away its last run is remembered. Before the first one the
            # figure is 0: it counts as a time once an archiver was there an hour ago.
            value=(
                f"(time() - max(max_over_time({_COMPLETE}[{pace(KAFKA_KEEPS)}]) > 0)"
                f'\n  or time() - max(max_over_time({_COMPLETE}{{job="{ARCHIVE}"}}'
                f"[{pace(KAFKA_KEEPS)}] offset {hour})))"
            ),
            condition=f"> {3_600 if pace.speed == 1 else 60}",
            lasts=five,
            severity="ticket",
            summary="the archive has not been complete for an hour",
        ),
        Alert(
            name="ArchiveLost",
            value=f"(sum({grown('clickwise_archive_lost_total', hour)}) or vector(0))",
            condition="> 0",
            lasts="0s",
            severity="page",
            summary="the log forgot messages before they were archived",
        ),
    )


def _stream_down(pace: Pace) -> Sequence[Alert]:
    """What StreamStopped cannot see: it needs events that came in over HTTP."""
    return (
        Alert(
            name="StreamDown",
            value=steady(STREAM, pace("15m")),
            condition="< 1",
            lasts=pace("2m"),
            severity="page",
            summary="no stream worker answers, or none for long: lists stand still",
        ),
    )


def _models(pace: Pace) -> Sequence[Alert]:
    day = pace("1d")
    return (
        Alert(
            name="ModelOld",
            value="time() - max(clickwise_model_created_timestamp_seconds)",
            condition=f"> {MODEL_DAYS} * 86400",
            lasts=pace("1h"),
            severity="ticket",
            summary="the model in use is older than a week",
        ),
        Alert(
            name="ModelsDiffer",
            value="count(count by (version) (clickwise_model_info == 1))",
            condition="> 1",
            lasts=pace("10m"),
            severity="ticket",
            summary="processes answer with different live models",
        ),
        Alert(
            name="GateRefuses",
            value=f"(sum({grown(_REFUSED, day)}) or vector(0))",
            # Two and a half: `increase` says a little more than two of two.
            condition=f"> 2.5\nunless sum({grown(_PASSED, day)}) > 0",
            lasts=pace("10m"),
            severity="ticket",
            summary="the release gate refused every model of a day, three or more",
        ),
        Alert(
            name="MixedVectors",
            value=f"sum({grown('clickwise_mixed_vectors_total', pace('5m'))})",
            condition="> 0",
            lasts="0s",
            severity="page",
            summary="answers were refused because profile, items and scorer do not go together",
        ),
    )


def _texts(pace: Pace) -> Sequence[Alert]:
    hours = pace("6h")
    return (
        Alert(
            name="TextsBreakerOpen",
            value="max(clickwise_text_breaker_state)",
            # Half-open too: a model that hangs holds each try for as long as its deadline.
            condition=">= 1",
            lasts=pace("10m"),
            severity="ticket",
            summary="the language model fails: no new texts are written",
        ),
        Alert(
            name="TextsRefused",
            # Hours, for items come in bursts; more than ten drafts, for one says nothing.
            value=(
                f"((sum({grown(_REFUSED_DRAFTS, hours)}) or vector(0))"
                f"\n/ (sum({grown(_DRAFTS, hours)}) > 0))"
            ),
            condition=f"> 0.8\nand sum({grown(_DRAFTS, hours)}) > 10",
            lasts=pace("30m"),
            severity="ticket",
            summary="the gate refuses more than 80 % of the drafts",
        ),
    )
