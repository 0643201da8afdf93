"""Real Prometheus and Alertmanager on a live deployment: expressions have data, alerts fire."""

import asyncio
import itertools
import math
import re
from contextlib import suppress

import httpx
import pytest

from clickwise.settings import load
from clickwise.testing.processes import wait_until
from deploy.grafana.dashboards import PAGES
from deploy.prometheus.alerts import cause_groups
from deploy.prometheus.objectives import objective_groups
from deploy.prometheus.rule import Alert
from streams.kafka import Message, Producer
from tests.observe.conftest import BODY, FAST, RUNBOOK_URL, SECONDS

GROUPS = (*objective_groups(FAST), *cause_groups(FAST))
RULES = [rule for group in GROUPS for rule in group.rules]
# Never seen on a deployment that is well: expressions of them say `or vector(0)`.
RARE = {
    "clickwise_archive_lost_total",
    "clickwise_conflicts_total",
    "clickwise_dropped_total",
}
# Nor are these, of figures that are there.
RARE_ALONE = (
    'clickwise_gate_outcomes_total{outcome="passed"}',
    'clickwise_published_total{outcome="failed"}',
    'clickwise_texts_total{outcome!="written"}',
)


def panel_expressions():
    return [
        query.expr.replace("$__rate_interval", "20s")
        for page in PAGES.values()
        for row in page.ROWS
        for panel in row.panels
        for query in panel.queries
    ]


def rule_expressions():
    return [rule.value if isinstance(rule, Alert) else rule.expr for rule in RULES]


def alone(expr):
    """Without the 0 that stands for what never came, unless that is rare."""
    rare = any(one in expr for one in (*RARE, *RARE_ALONE))
    return expr if rare else expr.replace(" or vector(0)", "")


def test_a_zero_that_stands_for_no_data_is_no_data():
    assert alone("sum(rate(a_total[5m])) or vector(0)") == "sum(rate(a_total[5m]))"
    assert alone("sum(clickwise_dropped_total) or vector(0)").endswith("or vector(0)")
    assert set(RARE_ALONE) <= {
        one for one in RARE_ALONE for expr in (*panel_expressions(), *rule_expressions())
        if one in expr
    }  # fmt: skip


def poison(live):
    settings = load(live.environment)

    async def write():
        producer = Producer(settings)
        await producer.start()
        topic = f"{settings.kafka_topic_prefix}.events"
        await producer.write([Message(topic, b"ada", b'{"user": "ada", "broken')])
        await producer.stop()

    asyncio.run(write())


def late(number):
    """One of twenty items that come, and change, when all is running."""
    return {
        "id": f"late-{number % 20}", "kind": "news", "title": f"late story {number}", "body": BODY,
        "language": "en", "topics": ["trams"],
    }  # fmt: skip


@pytest.fixture(scope="module")
def busy(live):
    """What does not happen by itself within a minute: faults, trials, a change of models."""
    poison(live)
    live.model.mode = "error"
    wait_until(
        lambda: live.prometheus.query("clickwise_text_failures_total"),
        seconds=SECONDS,
        what="a call of the language model that fails",
    )
    live.model.mode = "good"
    live.run("models", "promote", live.bundle("m-one"))
    live.run("models", "shadow", live.bundle("m-shadow"), "--share", "1")
    live.run("models", "canary", live.bundle("m-canary"), "--share", "0.5")
    live.postgres.pause()
    try:
        wait_until(
            lambda: live.prometheus.query("clickwise_degraded_total"),
            seconds=SECONDS,
            what="an answer that fell back",
        )
    finally:
        live.postgres.resume()
    return live


def test_every_expression_of_panels_and_rules_returns_data(busy):
    expressions = [*panel_expressions(), *rule_expressions()]
    left = {alone(expr) for expr in expressions}
    rounds = itertools.count()

    def all_answer():
        # What is made of new items alone: vectors, what is understood, texts.
        with suppress(httpx.HTTPError):  # the machine may be too busy for one of them
            busy.site.put([late(next(rounds))])
        for expr in list(left):
            if any(not math.isnan(one.value) for one in busy.prometheus.query(expr)):
                left.remove(expr)
        return not left

    try:
        wait_until(all_answer, seconds=SECONDS, what="data")
    except TimeoutError:
        pytest.fail("no data:\n" + "\n\n".join(sorted(left)))


def test_every_figure_that_is_asked_for_is_there(busy):
    text = "\n".join([*panel_expressions(), *rule_expressions()])
    names = set(re.findall(r"\bclickwise_[a-z_0-9]+", text)) - RARE

    without = {name for name in names if not busy.prometheus.query(name)}

    assert not without


def fires(live, name):
    wait_until(lambda: name in live.alertmanager.names(), seconds=SECONDS, what=f"{name} fires")
    return next(one for one in live.alertmanager.held() if one.name == name)


def clears(live, *names):
    wait_until(
        lambda: not live.alertmanager.names() & set(names), seconds=SECONDS, what=f"{names} clear"
    )


def burst(live):
    """Ten times as many events at once as may wait; Kafka takes them, whatever else is away."""
    number = 10 * FAST.lag_messages
    verdicts = live.site.send(
        *({"id": f"burst-{n}", "user": f"reader-{n % 24}", "item": f"item-{n % 60}",
           "type": "click"} for n in range(number))
    )  # fmt: skip
    assert verdicts == ["accepted"] * number


def test_a_killed_worker_is_told_and_its_return_too(live):
    clears(live, "StreamDown", "StreamStopped", "TargetDown")

    live.worker.kill()

    stopped = fires(live, "StreamStopped")
    assert stopped.labels["severity"] == "page"
    assert stopped.annotations["runbook_url"] == f"{RUNBOOK_URL}#streamstopped"
    assert "runbook" not in stopped.labels
    assert fires(live, "StreamDown").labels["severity"] == "page"
    assert fires(live, "TargetDown").labels["job"] == "clickwise-stream"
    live.worker.start()
    clears(live, "StreamDown", "StreamStopped", "TargetDown")


def test_a_database_that_is_away_is_told_and_the_lag_behind_it_kept_back(live):
    clears(live, "DependencyDown", "ConsumerLag")

    live.postgres.kill()
    burst(live)

    assert fires(live, "DependencyDown").labels["dependency"] == "database"
    fires(live, "ConsumerLag")
    wait_until(
        lambda: all(one.inhibited for one in live.alertmanager.held() if one.name == "ConsumerLag"),
        seconds=SECONDS,
        what="one message for one cause",
    )
    live.postgres.start()
    clears(live, "DependencyDown", "ConsumerLag")


def test_an_old_model_is_told_until_a_new_one_is_live(live):
    clears(live, "ModelOld")

    live.run("models", "promote", live.bundle("m-old", days_old=30))

    assert fires(live, "ModelOld").labels["severity"] == "ticket"
    live.run("models", "promote", live.bundle("m-new"))
    clears(live, "ModelOld")
