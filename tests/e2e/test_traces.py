"""One trace from the HTTP request over Kafka to the profile, as a collector receives it."""

from pathlib import Path

import httpx
import pytest

from clickwise.settings import load
from clickwise.testing.collector import running_collector
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from streams import topics_admin

TRACE = "0af7651916cd43dd8448eb211c80319c"
USER = "rosalind-ellery-7"


@pytest.fixture
def environment(
    kafka: KafkaServer, postgres_url: str, topic_prefix: str, tmp_path: Path
) -> dict[str, str]:
    return {
        **HASHING,
        "CLICKWISE_HOME": str(tmp_path / "home"),
        "CLICKWISE_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLICKWISE_KAFKA_TOPIC_PREFIX": topic_prefix,
        "CLICKWISE_KAFKA_GROUP": topic_prefix,
        "CLICKWISE_DATABASE_URL": postgres_url,
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
    }


def test_a_click_is_one_trace_from_the_request_to_the_profile(
    environment: dict[str, str], tmp_path: Path
) -> None:
    topics_admin.create_topics(load(environment))
    with running_collector() as collector:
        environment["CLICKWISE_TRACE_ENDPOINT"] = collector.address
        stream = Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "s.log")
        site = RunningSite(tmp_path / "home", command="serve", environment=environment)
        with stream, site:
            stream.wait_for("partitions assigned")
            site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
            click = {"id": "e1", "user": USER, "item": "n1", "type": "click"}
            httpx.post(
                f"{site.address}/v1/events",
                json=click,
                headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
            ).raise_for_status()
            wait_until(
                lambda: bool(collector.named("write profiles")), seconds=60, what="the profile"
            )
            site.shown_to(USER)
            wait_until(
                lambda: bool(collector.named("recommend.explain")), seconds=60, what="a list"
            )

        ours = {span.name: span for span in collector.spans if span.trace == TRACE}
        request, publish = ours["POST /v1/events"], ours["publish"]
        fold, write = ours["fold"], ours["write profiles"]
        assert (request.parent, request.service) == ("b7ad6b7169203331", "clickwise-serve")
        assert publish.parent == request.span
        assert (fold.parent, fold.service) == (publish.span, "clickwise-stream")
        assert write.parent == fold.span
        asked = collector.named("GET /v1/users/{id}/recommendations")[-1]
        steps = {span.name for span in collector.spans if span.parent == asked.span}
        assert steps >= {"recommend.candidates", "recommend.score", "recommend.rank"}
        assert all(USER not in f"{span.name} {span.attributes}" for span in collector.spans)
