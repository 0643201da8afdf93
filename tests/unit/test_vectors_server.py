"""How faults of a Qdrant server show: translated, counted, not waited for twice."""

import httpx
import pytest
from prometheus_client import REGISTRY
from qdrant_client import QdrantClient

from clickwise.errors import ConfigurationError, UnavailableError
from clickwise.types import ModelVersion
from clickwise.vectors.breaker import Breaker
from clickwise.vectors.server import ServerIndex, live_model

MODEL = ModelVersion("m/1")


class HandClock:
    """Moves when told to."""

    def __init__(self):
        self.seconds = 0.0

    def now(self):
        raise NotImplementedError

    def monotonic(self):
        return self.seconds


class Qdrant:
    """Answers as a server does, until `fault` says otherwise."""

    def __init__(self):
        self.fault = None
        self.requests = []
        client = QdrantClient(
            url="http://qdrant", check_compatibility=False, transport=httpx.MockTransport(self)
        )
        self.client = client

    def __call__(self, request):
        self.requests.append((request.method, request.url.path))
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return httpx.Response(self.fault, headers={"Retry-After": "3"}, json={"status": {}})
        path = request.url.path
        if path.endswith("/exists"):
            result = {"exists": True}
        elif path.endswith("/count"):
            result = {"count": 5}
        elif path.endswith("/index"):
            result = {"operation_id": 1, "status": "completed"}
        elif path == "/aliases":
            result = {"aliases": []}
        else:
            params = {"vectors": {"size": 4, "distance": "Dot"}}
            result = {
                "status": "green", "optimizer_status": "ok", "segments_count": 1,
                "config": {
                    "params": params,
                    "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 1},
                    "optimizer_config": {
                        "deleted_threshold": 0.2, "vacuum_min_vector_number": 1,
                        "default_segment_number": 0, "flush_interval_sec": 5,
                    },
                },
                "payload_schema": {},
            }  # fmt: skip
        return httpx.Response(200, json={"time": 0.0, "status": "ok", "result": result})


@pytest.fixture
def qdrant():
    server = Qdrant()
    yield server
    server.client.close()


def test_every_filter_has_a_payload_index(qdrant):
    ServerIndex(qdrant.client, MODEL, 4)

    created = [path for method, path in qdrant.requests if path.endswith("/index")]
    assert created == ["/collections/clickwise@m%2F1/index"] * 6


@pytest.mark.case(18)
@pytest.mark.parametrize(
    "fault", [500, 502, httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), 429]
)
def test_a_server_that_fails_is_unavailable(qdrant, fault):
    index = ServerIndex(qdrant.client, MODEL, 4)
    qdrant.fault = fault

    with pytest.raises(UnavailableError):
        index.count()
    with pytest.raises(UnavailableError):
        live_model(qdrant.client)


@pytest.mark.parametrize("fault", [401, 403])
def test_a_refused_key_is_a_configuration_error(qdrant, fault):
    qdrant.fault = fault

    with pytest.raises(ConfigurationError, match="CLICKWISE_QDRANT_API_KEY"):
        ServerIndex(qdrant.client, MODEL, 4)


@pytest.mark.case(18)
def test_a_server_that_is_down_is_not_asked_at_each_call_and_recovers_by_itself(qdrant):
    clock = HandClock()
    index = ServerIndex(qdrant.client, MODEL, 4, clock=clock)
    qdrant.fault = httpx.ConnectError("refused")
    for _ in range(10):
        with pytest.raises(UnavailableError):
            index.count()
    asked = [path for _, path in qdrant.requests if path.endswith("/count")]

    assert len(asked) == 3

    qdrant.fault = None
    clock.seconds += 1.0
    assert index.count() == 5
    assert index.count() == 5


def test_an_open_breaker_lets_one_call_through_at_a_time():
    clock = HandClock()
    breaker = Breaker("it", clock=clock, faults=2, rest_seconds=1.0)
    breaker.check()
    breaker.failed()
    breaker.check()
    breaker.failed()

    with pytest.raises(UnavailableError, match="failed 2 times") as refused:
        breaker.check()
    assert refused.value.retry_after_seconds == 1.0

    clock.seconds = 1.0
    breaker.check()
    with pytest.raises(UnavailableError):
        breaker.check()
    breaker.succeeded()
    breaker.check()


def test_the_local_client_has_no_collection_before_the_index_makes_it():
    client = QdrantClient(":memory:")

    ServerIndex(client, MODEL, 4, prefix="site")

    assert [c.name for c in client.get_collections().collections] == ["site@m%2F1"]
    client.close()


def test_the_gauge_follows_the_server():
    def up():
        return REGISTRY.get_sample_value("clickwise_dependency_up", {"dependency": "qdrant"})

    breaker = Breaker("Qdrant", clock=HandClock(), faults=2)
    breaker.succeeded()
    assert up() == 1
    breaker.failed()
    assert up() == 1
    breaker.failed()
    assert up() == 0
    breaker.succeeded()
    assert up() == 1
