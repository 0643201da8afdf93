"""What promtool tries on the alerts: each fires in one story and is silent in another.

A story is a set of series, one value a minute (`0+60x90`: from 0, 60 more each minute), and
which alerts fire at its end. What is not named must be silent.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from deploy.prometheus.alerts import MUST_BE_THERE
from deploy.prometheus.coming import START
from deploy.prometheus.rule import quoted

LIST = 'route="GET /v1/users/{id}/recommendations"'
_TOTAL = 'clickwise_recommend_seconds_count{stage="total"}'
_GATE = "clickwise_gate_outcomes_total"
_DRAFTS = 'clickwise_texts_total{field="title"'
_HANGS = "2 2 1"  # a minute of pause or two, a try that ends with its deadline, and again


@dataclass(frozen=True, slots=True)
class Story:
    """`fires`: alerts by name, with how many of each, `minutes` after the start."""

    told: str
    series: Mapping[str, str]
    minutes: int
    fires: Mapping[str, int]

    @property
    def whole(self) -> dict[str, str]:
        """Its series, with processes that answer of those jobs that it says nothing of. Who counts
        began a day before, where it does not say when.
        """
        ups = [f'up{{job="{job}"' for job in ("clickwise-serve", *MUST_BE_THERE)]
        told = "\n".join(self.series)
        return (
            {f"{up}}}": "1x600" for up in ups if up not in told}
            | {started(name): "-86400x600" for name in self.series if "_total" in name}
            | dict(self.series)
        )


def started(series: str) -> str:
    """The series of when the process began that shows this one."""
    of = ",".join(re.findall(r'\b(?:job|instance)="[^"]*"', series))
    return f"{START}{{{of}}}" if of else START


OF_OBJECTIVES: Sequence[Story] = (
    Story(
        "one request of ten fails",
        {
            f'clickwise_requests_total{{{LIST},status="200"}}': "0+540x90",
            f'clickwise_requests_total{{{LIST},status="500"}}': "0+60x90",
        },
        90,
        {"AvailabilityBurn": 4},
    ),
    Story(
        "one request of five hundred fails: a ticket, no page",
        {
            f'clickwise_requests_total{{{LIST},status="200"}}': "0+998x120",
            f'clickwise_requests_total{{{LIST},status="500"}}': "0+2x120",
        },
        120,
        {"AvailabilityBurn": 1},
    ),
    Story(
        "one request of two thousand fails, as was promised",
        {
            f'clickwise_requests_total{{{LIST},status="200"}}': "0+1999x120",
            f'clickwise_requests_total{{{LIST},status="500"}}': "0+1x120",
        },
        120,
        {},
    ),
    Story(
        "the one request of a quarter of an hour fails",
        {
            f'clickwise_requests_total{{{LIST},status="500"}}': "0x15 1x15 2x15 3x15 4x15 5x15",
        },
        90,
        {},
    ),
    Story(
        "requests failed for half an hour, and no longer",
        {
            f'clickwise_requests_total{{{LIST},status="200"}}': "0+540x30 16200+600x90",
            f'clickwise_requests_total{{{LIST},status="500"}}': "0+60x30 1800x90",
        },
        65,
        {"AvailabilityBurn": 2},  # the tickets: the budget is gone all the same
    ),
    Story(
        "a third of the lists takes longer than 100 ms",
        {
            f"clickwise_request_seconds_count{{{LIST}}}": "0+600x90",
            f'clickwise_request_seconds_bucket{{{LIST},le="0.1"}}': "0+400x90",
        },
        90,
        {"LatencyBurn": 4},
    ),
    Story(
        "one list of a thousand takes longer",
        {
            f"clickwise_request_seconds_count{{{LIST}}}": "0+1000x90",
            f'clickwise_request_seconds_bucket{{{LIST},le="0.1"}}': "0+999x90",
        },
        90,
        {},
    ),
    Story(
        "half of the events comes late into its profile",
        {
            'clickwise_event_to_profile_seconds_count{since="receipt"}': "0+600x90",
            'clickwise_event_to_profile_seconds_bucket{since="receipt",le="1.0"}': "0+300x90",
        },
        90,
        {"FreshnessBurn": 4},
    ),
    Story(
        "all events are in their profiles within a second; their producers send them days late",
        {
            'clickwise_event_to_profile_seconds_count{since="receipt"}': "0+600x90",
            'clickwise_event_to_profile_seconds_bucket{since="receipt",le="1.0"}': "0+600x90",
            'clickwise_event_to_profile_seconds_count{since="event"}': "0+600x90",
            'clickwise_event_to_profile_seconds_bucket{since="event",le="1.0"}': "0x90",
        },
        90,
        {},
    ),
    Story(
        "one message of twenty is set aside",
        {
            'clickwise_events_total{type="click",outcome="applied"}': "0+570x90",
            'clickwise_events_total{type="unknown",outcome="refused"}': "0+30x90",
            'clickwise_dead_letters_total{topic="events",reason="invalid"}': "0+30x90",
        },
        90,
        {"CorrectnessBurn": 4},
    ),
    Story(
        "no message is set aside",
        {'clickwise_events_total{type="click",outcome="applied"}': "0+600x90"},
        90,
        {},
    ),
)

OF_CAUSES: Sequence[Story] = (
    Story(
        "the only server is away",
        {'up{job="clickwise-serve",instance="serve:8000"}': "1x10 0x20"},
        20,
        {"ServingDown": 1, "TargetDown": 1},
    ),
    Story(
        "no server was ever there",
        {'up{job="clickwise-serve",instance="a"}': "_x10"},
        10,
        {"ServingDown": 1},
    ),
    Story(
        "the only server ends again and again, and answers in between",
        {'up{job="clickwise-serve",instance="serve:8000"}': " ".join(["1 0"] * 20)},
        30,
        {"ServingDown": 1, "TargetDown": 1},
    ),
    Story(
        "one of two servers ends again and again",
        {
            'up{job="clickwise-serve",instance="a"}': " ".join(["0 1"] * 20),
            'up{job="clickwise-serve",instance="b"}': "1x40",
        },
        30,
        {"TargetDown": 1},
    ),
    Story(
        "the only server and the only worker were started anew twice in a quarter of an hour",
        {
            'up{job="clickwise-serve",instance="serve:8000"}': "1x20 0 1x4 0 1x20",
            'up{job="clickwise-stream",instance="stream:9101"}': "1x20 0 1x4 0 1x20",
        },
        30,
        {},
    ),
    Story(
        "the only server and the only worker were started anew three times in ten minutes",
        {
            'up{job="clickwise-serve",instance="serve:8000"}': "1x20 0 1 1 0 1 1 0 1x20",
            'up{job="clickwise-stream",instance="stream:9101"}': "1x20 0 1 1 0 1 1 0 1x20",
        },
        34,
        {"TargetDown": 2},
    ),
    Story(
        "the only server and the only worker end again and again, a minute of each three",
        {
            'up{job="clickwise-serve",instance="serve:8000"}': " ".join(["1 1 0"] * 14),
            'up{job="clickwise-stream",instance="stream:9101"}': " ".join(["1 1 0"] * 14),
        },
        30,
        {"ServingDown": 1, "StreamDown": 1, "TargetDown": 2},
    ),
    Story(
        "the only server was away again and again, and is not any more",
        {'up{job="clickwise-serve",instance="serve:8000"}': " ".join(["1 0"] * 8) + " 1x20"},
        24,
        {"TargetDown": 1},
    ),
    Story(
        "one of two servers is away",
        {
            'up{job="clickwise-serve",instance="a"}': "1x10 0x20",
            'up{job="clickwise-serve",instance="b"}': "1x30",
        },
        20,
        {"TargetDown": 1},
    ),
    Story(
        "one of two that watch, each the other, is away",
        {
            'up{job="prometheus",instance="a"}': "1x30",
            'up{job="prometheus",instance="b"}': "1x10 0x20",
        },
        20,
        {"TargetDown": 1},
    ),
    Story(
        "somebody else's job is away, and one scrape of ours failed",
        {
            'up{job="clickwise-serve",instance="a"}': "1x10 0 1x20",
            'up{job="elsewhere",instance="b"}': "0x30",
        },
        30,
        {},
    ),
    Story(
        "the only archiver was stopped: it is looked for, and does not answer",
        {
            'up{job="clickwise-archive",instance="archive:9102"}': "1x10 0x90",
            "clickwise_archive_complete_timestamp_seconds": "1+60x10 stale",
        },
        90,
        {"TargetDown": 1, "ArchiveBehind": 1},
    ),
    Story(
        "the archiver's address is gone, and with it its series",
        {
            'up{job="clickwise-archive",instance="10.0.0.7:9102"}': "1x10 stale",
            "clickwise_archive_complete_timestamp_seconds": "1+60x10 stale",
        },
        90,
        {"JobMissing": 1, "ArchiveBehind": 1},
    ),
    Story(
        "the addresses of all stream workers are gone",
        {
            'up{job="clickwise-stream",instance="10.0.0.8:9101"}': "1x10 stale",
            'up{job="clickwise-stream",instance="10.0.0.9:9101"}': "1x15 stale",
        },
        30,
        {"JobMissing": 1, "StreamDown": 1},
    ),
    Story(
        "all stream workers hang; producers write to Kafka, so that no event comes in over HTTP",
        {
            'up{job="clickwise-stream",instance="10.0.0.8:9101"}': "1x10 0x20",
            'up{job="clickwise-stream",instance="10.0.0.9:9101"}': "1x15 0x15",
            'clickwise_events_total{type="click",outcome="applied"}': "0+60x10 stale",
        },
        30,
        {"TargetDown": 2, "StreamDown": 1},
    ),
    Story(
        "one of two stream workers hangs, and the other one was away for a minute",
        {
            'up{job="clickwise-stream",instance="10.0.0.8:9101"}': "1x10 0x20",
            'up{job="clickwise-stream",instance="10.0.0.9:9101"}': "1x28 0 1x5",
        },
        30,
        {"TargetDown": 1},
    ),
    Story(
        "the only worker ends again and again on one batch; producers write to Kafka",
        {
            'up{job="clickwise-stream",instance="stream:9101"}': " ".join(["1 0 0"] * 14),
            'clickwise_lag_messages{topic="clickwise.events",partition="0"}': (
                " ".join(["9000 stale _"] * 14)
            ),
        },
        30,
        {"StreamDown": 1, "TargetDown": 1, "ConsumerLag": 1},
    ),
    Story(
        "neither workers nor an archiver were ever there",
        {
            'up{job="clickwise-stream"}': "_x10",
            'up{job="clickwise-archive"}': "_x10",
        },
        10,
        {"JobMissing": 2, "StreamDown": 1},
    ),
    Story(
        "one stream worker of two was taken away, and the archiver moved",
        {
            'up{job="clickwise-stream",instance="10.0.0.8:9101"}': "1x10 stale",
            'up{job="clickwise-stream",instance="10.0.0.9:9101"}': "1x90",
            'up{job="clickwise-archive",instance="10.0.0.7:9102"}': "1x10 stale",
            'up{job="clickwise-archive",instance="10.0.0.5:9102"}': "_x13 1x80",
            'clickwise_archive_complete_timestamp_seconds{instance="10.0.0.7:9102"}': (
                "1+60x10 stale"
            ),
            'clickwise_archive_complete_timestamp_seconds{instance="10.0.0.5:9102"}': (
                "_x14 841+60x80"
            ),
        },
        90,
        {},
    ),
    Story(
        "the address of the only server is gone",
        {'up{job="clickwise-serve",instance="10.0.0.6:8000"}': "1x10 stale"},
        20,
        {"ServingDown": 1},
    ),
    Story(
        "the database does not answer one of two processes",
        {
            'clickwise_dependency_up{dependency="database",instance="a"}': "1x5 0x20",
            'clickwise_dependency_up{dependency="database",instance="b"}': "1x25",
            'clickwise_dependency_up{dependency="kafka",instance="a"}': "1x25",
        },
        15,
        {"DependencyDown": 1},
    ),
    Story(
        "the database was away and is back",
        {'clickwise_dependency_up{dependency="database"}': "1x5 0x3 1x20"},
        15,
        {},
    ),
    Story(
        "one answer of ten falls back",
        {_TOTAL: "0+100x40", 'clickwise_degraded_total{cause="vectors"}': "0+10x40"},
        40,
        {"DegradedAnswers": 1},
    ),
    Story(
        "one answer of a hundred falls back, and one is empty",
        {
            _TOTAL: "0+100x40",
            'clickwise_degraded_total{cause="vectors"}': "0+1x40",
            'clickwise_empty_answers_total{cause="no_candidates"}': "0+1x40",
        },
        40,
        {},
    ),
    Story(
        "every second answer is empty",
        {_TOTAL: "0+100x40", 'clickwise_empty_answers_total{cause="no_items"}': "0+50x40"},
        40,
        {"EmptyAnswers": 1},
    ),
    Story(
        "readers page past the end",
        {_TOTAL: "0+100x40", 'clickwise_empty_answers_total{cause="past_the_end"}': "0+50x40"},
        40,
        {},
    ),
    Story(
        "one request of twenty is refused with 429",
        {
            f'clickwise_requests_total{{{LIST},status="200"}}': "0+950x40",
            f'clickwise_requests_total{{{LIST},status="429"}}': "0+50x40",
        },
        40,
        {"RequestsShed": 1},
    ),
    Story(
        "a tenth of the disk is left",
        {
            'clickwise_disk_free_bytes{part="serve"}': "10x40",
            'clickwise_disk_size_bytes{part="serve"}': "100x40",
        },
        40,
        {"DiskLow": 1},
    ),
    Story(
        "a hundredth of the disk is left",
        {
            'clickwise_disk_free_bytes{part="serve"}': "1x40",
            'clickwise_disk_size_bytes{part="serve"}': "100x40",
        },
        40,
        {"DiskLow": 1, "DiskFull": 1},
    ),
    Story(
        "half of the disk is left",
        {
            'clickwise_disk_free_bytes{part="serve"}': "50x40",
            'clickwise_disk_size_bytes{part="serve"}': "100x40",
        },
        40,
        {},
    ),
    Story(
        "events are accepted and nobody folds them",
        {
            'clickwise_events_total{type="click",outcome="accepted"}': "0+60x40",
            'clickwise_events_total{type="click",outcome="applied"}': "600x40",
        },
        40,
        {"StreamStopped": 1},
    ),
    Story(
        "events are accepted and folded",
        {
            'clickwise_events_total{type="click",outcome="accepted"}': "0+60x40",
            'clickwise_events_total{type="click",outcome="applied"}': "0+60x40",
        },
        40,
        {},
    ),
    Story(
        "the one event of a night is the first that a new worker folds",
        {
            'clickwise_events_total{type="click",outcome="accepted"}': "60x30 61x20",
            'clickwise_events_total{type="click",outcome="applied"}': "_x30 1x20",
        },
        34,
        {},
    ),
    Story(
        "no event comes at night",
        {
            'clickwise_events_total{type="click",outcome="accepted"}': "60x40",
            'clickwise_events_total{type="click",outcome="applied"}': "60x40",
        },
        40,
        {},
    ),
    Story(
        "two partitions fall behind together",
        {
            'clickwise_lag_messages{topic="clickwise.events",partition="0"}': "3000x40",
            'clickwise_lag_messages{topic="clickwise.events",partition="1"}': "3000x40",
        },
        40,
        {"ConsumerLag": 1},
    ),
    Story(
        "a burst is worked off",
        {'clickwise_lag_messages{topic="clickwise.events",partition="0"}': "9000x3 0x40"},
        40,
        {},
    ),
    Story(
        "a partition went to another worker, which works off what its old one had not",
        {
            'clickwise_lag_messages{topic="clickwise.events",partition="0",instance="a"}': (
                "9000x2 stale"
            ),
            'clickwise_lag_messages{topic="clickwise.events",partition="0",instance="b"}': (
                "_x3 6000 0x40"
            ),
        },
        6,
        {},
    ),
    Story(
        "two workers show the lag of one partition while it goes from one to the other",
        {
            'clickwise_lag_messages{topic="clickwise.events",partition="0",instance="a"}': "4000x9",
            'clickwise_lag_messages{topic="clickwise.events",partition="0",instance="b"}': "4000x9",
        },
        9,
        {},
    ),
    Story(
        "a broker of three is away",
        {"clickwise_under_replicated_partitions": "12x40"},
        40,
        {"UnderReplicated": 1},
    ),
    Story(
        "all copies are in step",
        {"clickwise_under_replicated_partitions": "0x40"},
        40,
        {},
    ),
    Story(
        "a full queue lets entries go",
        {'clickwise_dropped_total{queue="exposures"}': "0+5x40"},
        40,
        {"EntriesDropped": 1},
    ),
    Story(
        "two queues were full once, and had never been",
        {
            'clickwise_dropped_total{queue="exposures"}': "_x10 30x30",
            'clickwise_dropped_total{queue="shadow"}': "_x12 1x30",
        },
        15,
        {"EntriesDropped": 2},
    ),
    Story(
        "a queue was full once, half an hour ago",
        {'clickwise_dropped_total{queue="exposures"}': "_x10 30x40"},
        40,
        {},
    ),
    Story(
        "entries were dropped an hour ago",
        {'clickwise_dropped_total{queue="exposures"}': "0+5x5 30x80"},
        80,
        {},
    ),
    Story(
        "messages cannot be written",
        {'clickwise_published_total{topic="exposures",outcome="failed"}': "0+5x40"},
        40,
        {"PublishFails": 1},
    ),
    Story(
        "messages could not be written once, and always could before",
        {'clickwise_published_total{topic="exposures",outcome="failed"}': "_x10 5x40"},
        17,
        {"PublishFails": 1},
    ),
    Story(
        "messages could not be written once, half an hour ago",
        {'clickwise_published_total{topic="exposures",outcome="failed"}': "_x10 5x40"},
        40,
        {},
    ),
    Story(
        "messages are written",
        {'clickwise_published_total{topic="exposures",outcome="written"}': "0+5x40"},
        40,
        {},
    ),
    Story(
        "the archive stands still since the start",
        {"clickwise_archive_complete_timestamp_seconds": "1x90"},
        90,
        {"ArchiveBehind": 1},
    ),
    Story(
        "an archiver is there since an hour and a half, and was never done",
        {'clickwise_archive_complete_timestamp_seconds{job="clickwise-archive"}': "0x90"},
        90,
        {"ArchiveBehind": 1},
    ),
    Story(
        "an archiver that ends again and again was never done",
        {
            'clickwise_archive_complete_timestamp_seconds{job="clickwise-archive"}': (
                "0x5 stale _x9 0x15 stale _x9 0x15 stale _x9 0x15 stale _x9 0x10"
            ),
        },
        90,
        {"ArchiveBehind": 1},
    ),
    Story(
        "an archiver came half an hour ago, and is not done yet",
        {'clickwise_archive_complete_timestamp_seconds{job="clickwise-archive"}': "_x70 0x30"},
        100,
        {},
    ),
    Story(
        "an archiver's first run took an hour and a half",
        {
            'clickwise_archive_complete_timestamp_seconds{job="clickwise-archive"}': (
                "0x89 5400+60x10"
            ),
        },
        100,
        {},
    ),
    Story(
        "the archive is complete each minute, and servers have none",
        {
            'clickwise_archive_complete_timestamp_seconds{job="clickwise-archive"}': "1+60x90",
            'clickwise_archive_complete_timestamp_seconds{job="clickwise-serve"}': "0x90",
        },
        90,
        {},
    ),
    Story(
        "no archiver is looked for, and servers have no archive",
        {'clickwise_archive_complete_timestamp_seconds{job="clickwise-serve"}': "0x90"},
        90,
        {},
    ),
    Story(
        "the log forgot what was not archived, for the first time",
        {'clickwise_archive_lost_total{stream="events"}': "_x10 500x20"},
        20,
        {"ArchiveLost": 1},
    ),
    Story(
        "the log forgot more",
        {'clickwise_archive_lost_total{stream="events"}': "500x70 501x20"},
        80,
        {"ArchiveLost": 1},
    ),
    Story(
        "an archiver that had lost was away for two hours, and lost less this time",
        {
            'up{job="clickwise-archive"}': "1x70 0x120 1x40",
            START: "-86400x70 stale _x120 11460x40",
            'clickwise_archive_lost_total{stream="events"}': "500x70 stale _x120 300x40",
        },
        210,
        {"ArchiveLost": 1},
    ),
    Story(
        "an archiver that had lost was started anew at once, and lost less this time",
        {
            START: "-86400x70 stale _x5 4560x40",
            'clickwise_archive_lost_total{stream="events"}': "500x70 stale _x5 300x40",
        },
        90,
        {"ArchiveLost": 1},
    ),
    Story(
        "the first loss was two hours ago",
        {'clickwise_archive_lost_total{stream="events"}': "_x10 500x130"},
        130,
        {},
    ),
    Story(
        "nothing was lost today",
        {'clickwise_archive_lost_total{stream="events"}': "500x90"},
        90,
        {},
    ),
    Story(
        "the model is from eight days before the start",
        {"clickwise_model_created_timestamp_seconds": f"{-8 * 86_400}x90"},
        90,
        {"ModelOld": 1},
    ),
    Story(
        "a model from today is among the processes'",
        {
            'clickwise_model_created_timestamp_seconds{instance="a"}': f"{-8 * 86_400}x90",
            'clickwise_model_created_timestamp_seconds{instance="b"}': "60x90",
        },
        90,
        {},
    ),
    Story(
        "a process has not come along",
        {
            'clickwise_model_info{version="m-1",instance="a"}': "1x40",
            'clickwise_model_info{version="m-2",instance="b"}': "1x40",
        },
        40,
        {"ModelsDiffer": 1},
    ),
    Story(
        "all processes changed to the new model",
        {
            'clickwise_model_info{version="m-1",instance="a"}': "1x10 0x30",
            'clickwise_model_info{version="m-2",instance="a"}': "0x10 1x30",
        },
        40,
        {},
    ),
    Story(
        "the gate refused three models, each for a reason of its own, and let none through",
        {
            f'{_GATE}{{outcome="gain"}}': "_x10 1x80",
            f'{_GATE}{{outcome="slices"}}': "_x20 1x70",
            f'{_GATE}{{outcome="latency"}}': "_x30 1x60",
        },
        80,
        {"GateRefuses": 1},
    ),
    Story(
        "the gate refused two models",
        {f'{_GATE}{{outcome="gain"}}': "0x10 1x10 2x80"},
        80,
        {},
    ),
    Story(
        "the gate refused five models and let the first one through",
        {
            f'{_GATE}{{outcome="gain"}}': "0x10 1x10 2x10 3x10 4x10 5x60",
            f'{_GATE}{{outcome="passed"}}': "_x20 1x80",
        },
        80,
        {},
    ),
    Story(
        "answers of two models were refused",
        {"clickwise_mixed_vectors_total": "0x10 1x3"},
        12,
        {"MixedVectors": 1},
    ),
    Story(
        "a new process refused answers before it was looked at for the first time",
        {
            'clickwise_mixed_vectors_total{instance="a"}': "0x20",
            'clickwise_mixed_vectors_total{instance="b"}': "_x10 3x10",
            f'{START}{{instance="b"}}': "_x10 590x10",
        },
        12,
        {"MixedVectors": 1},
    ),
    Story(
        "an answer is refused by an old process, which had refused some before",
        {"clickwise_mixed_vectors_total": "3x40 4x3"},
        42,
        {"MixedVectors": 1},
    ),
    Story(
        "Prometheus was away for an hour, and nothing was counted meanwhile",
        {
            START: "-86400x20 _x60 -86400x30",
            "clickwise_mixed_vectors_total": "3x20 _x60 3x30",
            'clickwise_dropped_total{queue="exposures"}': "30x20 _x60 30x30",
            'clickwise_published_total{topic="exposures",outcome="failed"}': "5x20 _x60 5x30",
        },
        84,
        {},
    ),
    Story(
        "the same, some minutes later",
        {
            START: "-86400x20 _x60 -86400x30",
            "clickwise_mixed_vectors_total": "3x20 _x60 3x30",
            'clickwise_dropped_total{queue="exposures"}': "30x20 _x60 30x30",
            'clickwise_published_total{topic="exposures",outcome="failed"}': "5x20 _x60 5x30",
        },
        88,
        {},
    ),
    Story(
        "a process looks back on refused answers when Prometheus first looks at it",
        {START: "_x20 -86400x30", "clickwise_mixed_vectors_total": "_x20 3x30"},
        22,
        {},
    ),
    Story(
        "Prometheus was away for two hours, and nothing was lost meanwhile",
        {
            START: "-86400x20 _x120 -86400x90",
            'clickwise_archive_lost_total{stream="events"}': "500x20 _x120 500x90",
        },
        150,
        {},
    ),
    Story(
        "Prometheus was away for two hours, and soon after the first messages were lost",
        {
            START: "-86400x20 _x120 -86400x90",
            'clickwise_archive_lost_total{stream="events"}': "_x145 500x90",
        },
        150,
        {"ArchiveLost": 1},
    ),
    Story(
        "events are accepted and nobody folds them, as before Prometheus was away",
        {
            START: "-86400x20 _x60 -86400x30",
            'clickwise_events_total{type="click",outcome="accepted"}': "0+60x110",
            'clickwise_events_total{type="click",outcome="applied"}': "600x20 _x60 600x30",
        },
        84,
        {"StreamStopped": 1},
    ),
    Story(
        "no answer was of two models",
        {"clickwise_mixed_vectors_total": "0x20"},
        12,
        {},
    ),
    Story(
        "the language model fails for half an hour",
        {"clickwise_text_breaker_state": "2x40"},
        40,
        {"TextsBreakerOpen": 1},
    ),
    Story(
        "the language model hangs: each try lasts as long as its deadline",
        {"clickwise_text_breaker_state": " ".join([_HANGS] * 14)},
        30,
        {"TextsBreakerOpen": 1},
    ),
    Story(
        "the language model hangs, in the middle of a try",
        {"clickwise_text_breaker_state": " ".join([_HANGS] * 14)},
        32,
        {"TextsBreakerOpen": 1},
    ),
    Story(
        "the language model fails for some minutes, answers, and fails again",
        {"clickwise_text_breaker_state": " ".join([_HANGS, _HANGS, "0 0 0"] * 5)},
        40,
        {},
    ),
    Story(
        "the language model is tried again and answers",
        {"clickwise_text_breaker_state": "2x5 1 0x40"},
        40,
        {},
    ),
    Story(
        "nine drafts of ten are refused",
        {
            'clickwise_texts_total{field="title",outcome="unfound"}': "0+9x200",
            'clickwise_texts_total{field="title",outcome="written"}': "0+1x200",
        },
        200,
        {"TextsRefused": 1},
    ),
    Story(
        "the items of a day come within ten minutes, and all drafts of them are refused",
        {f'{_DRAFTS},outcome="unfound"}}': "_x30 0+4x10 40x200"},
        120,
        {"TextsRefused": 1},
    ),
    Story(
        "the first drafts of a site, all at once, are refused",
        {f'{_DRAFTS},outcome="unfound"}}': "_x30 40x200"},
        120,
        {"TextsRefused": 1},
    ),
    Story(
        "forty drafts were refused once; long after, Prometheus was away for two hours",
        {
            START: "-86400x60 _x120 -86400x400",
            f'{_DRAFTS},outcome="unfound"}}': "40x60 _x120 40x400",
        },
        530,
        {},
    ),
    Story(
        "of a few drafts none is accepted",
        {f'{_DRAFTS},outcome="unfound"}}': "_x30 5x200"},
        120,
        {},
    ),
    Story(
        "most drafts were refused in the morning, and later ones are good",
        {
            f'{_DRAFTS},outcome="unfound"}}': "0+4x10 40x400",
            f'{_DRAFTS},outcome="written"}}': "0x60 0+4x100 400x240",
        },
        120,
        {},
    ),
    Story(
        "half of the drafts are refused",
        {
            'clickwise_texts_total{field="title",outcome="unfound"}': "0+5x200",
            'clickwise_texts_total{field="title",outcome="written"}': "0+5x200",
        },
        200,
        {},
    ),
)


STORIES = (*OF_OBJECTIVES, *OF_CAUSES)


def stories_yaml(
    rule_file: str, stories: Sequence[Story], *, always: Mapping[str, int] = MappingProxyType({})
) -> str:
    """Stories as `promtool test rules` reads them. `always`: what fires in each of them."""
    lines = ["rule_files:", f"  - {rule_file}", "evaluation_interval: 1m", "tests:"]
    for story in stories:
        lines += [f"  # {story.told}", "  - interval: 1m", "    input_series:"]
        for name, values in story.whole.items():
            lines += [f"      - series: {quoted(name)}", f"        values: {quoted(values)}"]
        lines += [
            "    promql_expr_test:",
            '      - expr: count by (alertname) (ALERTS{alertstate="firing"})',
            f"        eval_time: {story.minutes}m",
        ]
        fires = {**always, **story.fires}
        if not fires:
            lines.append("        exp_samples: []")
            continue
        lines.append("        exp_samples:")
        for alert, number in sorted(fires.items()):
            labels = quoted(f'{{alertname="{alert}"}}')
            lines += [f"          - labels: {labels}", f"            value: {number}"]
    return "\n".join(lines) + "\n"
