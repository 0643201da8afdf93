"""What a real Alertmanager keeps back while another alert fires, and what it does not."""

from pathlib import Path

import pytest

from clickwise.testing.processes import wait_until
from clickwise.testing.prometheus import AlertmanagerServer, PrometheusMissingError
from clickwise.testing.services import missing
from deploy.prometheus.alerts import cause_groups
from deploy.prometheus.rule import Pace

CONFIG = Path(__file__).parents[2] / "deploy/alertmanager/alertmanager.yml"
SEVERITIES = {rule.name: rule.severity for group in cause_groups(Pace()) for rule in group.rules}
EVENTS, ITEMS = "clickwise.events", "clickwise.books.items"


def alert(alertname, **labels):
    return {"alertname": alertname, "severity": SEVERITIES.get(alertname, "page"), **labels}


FOLLOW_AN_OUTAGE = (
    alert("StreamDown"),
    alert("StreamStopped"),
    alert("ConsumerLag", topic=EVENTS),
    alert("FreshnessBurn", slo="freshness"),
    alert("DegradedAnswers"),
    alert("EmptyAnswers"),
    alert("ArchiveBehind"),
    alert("PublishFails"),
)


@pytest.fixture
def manager(tmp_path):
    try:
        with AlertmanagerServer(tmp_path, config=CONFIG.read_text()) as server:
            yield server
    except PrometheusMissingError as error:
        missing(str(error))


@pytest.mark.parametrize(
    ("cause", "kept_back", "told"),
    [
        (
            alert("ServingDown"),
            [
                alert("AvailabilityBurn", slo="availability"),
                alert("LatencyBurn", slo="latency"),
                alert("TargetDown", job="clickwise-serve"),
            ],
            [
                alert("TargetDown", job="clickwise-archive"),
                alert("TargetDown", job="alertmanager"),
                alert("JobMissing", job="clickwise-stream"),
            ],
        ),
        (
            alert("StreamDown"),
            [
                alert("TargetDown", job="clickwise-stream"),
                alert("JobMissing", job="clickwise-stream"),
                alert("StreamStopped"),
                alert("ConsumerLag", topic=EVENTS),
                alert("FreshnessBurn", slo="freshness"),
            ],
            [
                alert("TargetDown", job="clickwise-serve"),
                alert("JobMissing", job="clickwise-archive"),
                alert("DiskLow"),
            ],
        ),
        (alert("DependencyDown", dependency="database"), FOLLOW_AN_OUTAGE, [alert("DiskFull")]),
        (alert("DependencyDown", dependency="kafka"), FOLLOW_AN_OUTAGE, [alert("ServingDown")]),
        (
            alert("DependencyDown", dependency="qdrant"),
            [
                alert("DegradedAnswers"),
                alert("EmptyAnswers"),
                alert("ConsumerLag", topic=ITEMS),
            ],
            [
                alert("ConsumerLag", topic=EVENTS),
                alert("FreshnessBurn", slo="freshness"),
                alert("PublishFails"),
                alert("ArchiveBehind"),
            ],
        ),
        (
            alert("DependencyDown", dependency="qdrant"),
            [alert("DegradedAnswers")],
            [alert("StreamDown")],
        ),
        (
            alert("DependencyDown", dependency="qdrant"),
            [alert("EmptyAnswers")],
            [alert("StreamStopped")],
        ),
        (
            alert("StreamStopped"),
            [alert("ConsumerLag", topic=EVENTS), alert("FreshnessBurn", slo="freshness")],
            [alert("TargetDown", job="clickwise-stream")],
        ),
        (
            alert("DiskFull", part="serve", instance="a"),
            [alert("DiskLow", part="serve", instance="a")],
            [alert("DiskLow", part="stream", instance="a")],
        ),
        (
            alert("LatencyBurn", slo="latency", severity="page"),
            [alert("LatencyBurn", slo="latency", severity="ticket")],
            [alert("AvailabilityBurn", slo="availability", severity="ticket")],
        ),
    ],
    ids=lambda given: "-".join(given.values()) if isinstance(given, dict) else "",
)
def test_what_follows_from_a_cause_is_kept_back_and_nothing_else(manager, cause, kept_back, told):
    manager.tell(cause, *kept_back, *told)

    def silenced():
        return [one.labels for one in manager.held() if one.inhibited]

    wait_until(lambda: len(silenced()) >= len(kept_back), seconds=30.0, what="it is kept back")
    assert all(one in kept_back for one in silenced())
    assert len(manager.held()) == 1 + len(kept_back) + len(told)
