"""Two sites on one broker and one database: nothing of the one can be seen through the other.

Both have a user and an item of the same ids, so that whatever forgets the site mixes them up.
"""

import asyncio
import json
import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import create_engine, inspect

from clickwise.settings import load
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from streams import topics_admin
from streams.kafka import connection_options

USER, ITEM = "ada", "n0"
SECONDS = 90.0
MARKS = {"red": "vermilion", "blue": "ultramarine"}  # only in the one site's texts and event ids


@dataclass(frozen=True)
class Tenant:
    """A site under test: its settings as variables, its server, and keys of it."""

    name: str
    environment: dict[str, str]
    server: RunningSite
    key: str
    request: str

    @property
    def mark(self):
        return MARKS[self.name]

    def ask(self, method, path, *, key=None, **more):
        headers = {"Authorization": f"Bearer {self.key if key is None else key}"}
        return httpx.request(
            method, f"{self.server.address}{path}", headers=headers, timeout=60, trust_env=False,
            **more,
        )  # fmt: skip


def run(environment, *arguments):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    done = subprocess.run(
        [*COMMAND, *arguments], env={**inherited, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def started(name, shared, folder, stack):
    environment = {**shared, "CLICKWISE_SITE": name, "CLICKWISE_HOME": str(folder / name)}
    topics_admin.create_topics(load(environment))
    run(environment, "migrate")
    key = run(environment, "keys", "create", "test", "--scope", "admin").strip()
    stream = stack.enter_context(
        Program([*COMMAND, "stream"], environment=environment, log=folder / f"{name}-stream.log")
    )
    server = stack.enter_context(
        RunningSite(folder / name, command="serve", environment=environment)
    )
    stream.wait_for("partitions assigned")
    site = Tenant(name, environment, server, key, "")
    mark = site.mark
    items = [
        {"id": ITEM if n == 0 else f"{name}-{n}", "kind": "news", "title": f"{mark} story {n}"}
        for n in range(12)
    ]
    assert site.ask("POST", "/v1/items", json={"items": items}).is_success
    return site


def lived(site, *, clicks):
    """The same site once its user has clicked and been shown a list."""
    own = f"/v1/users/{USER}/recommendations"
    wait_until(
        lambda: len(site.ask("GET", own).json()["items"]) == 10, seconds=SECONDS, what="indexed"
    )
    events = [
        {"id": f"{site.mark}-{n}", "user": USER, "item": ITEM if n == 0 else f"{site.name}-{n}",
         "type": "click", "session": f"{site.mark}-session"}
        for n in range(clicks)
    ]  # fmt: skip
    assert site.ask("POST", "/v1/events", json={"events": events}).is_success
    wait_until(
        lambda: site.ask("GET", own).json()["events_applied"] == clicks,
        seconds=SECONDS, what="applied",
    )  # fmt: skip
    request = site.ask("GET", own).json()["request_id"]
    why = f"/v1/recommendations/{request}/why"
    wait_until(lambda: site.ask("GET", why).is_success, seconds=SECONDS, what="exposure logged")
    run(site.environment, "archive", "--once")
    return Tenant(site.name, site.environment, site.server, site.key, request)


@pytest.fixture(scope="module")
def sites(tmp_path_factory, kafka, postgres):
    folder = tmp_path_factory.mktemp("sites")
    name = f"sites_{os.getpid()}"
    shared = {
        **HASHING,
        "CLICKWISE_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLICKWISE_KAFKA_TOPIC_PREFIX": name,
        "CLICKWISE_KAFKA_GROUP": name,
        "CLICKWISE_KAFKA_PARTITIONS": "1",
        "CLICKWISE_DATABASE_URL": postgres.create_database(name),
        "CLICKWISE_ARCHIVE_URL": str(folder / "archive"),
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
        "CLICKWISE_ACCESS": "keys",
    }
    with ExitStack() as stack:
        both = [started(one, shared, folder, stack) for one in MARKS]
        yield [lived(one, clicks=clicks) for one, clicks in zip(both, (3, 5), strict=True)]
    postgres.drop_database(name)


def paths_of(site, other):
    """Every operation of the server's own list, aimed at what `other` has."""
    ids = {"recommendations": other.request, "users": USER, "items": f"{other.name}-1"}
    for path, operations in site.ask("GET", "/openapi.json").json()["paths"].items():
        aimed = path
        for collection, value in ids.items():
            aimed = aimed.replace(f"/{collection}/{{id}}", f"/{collection}/{value}")
        assert "{" not in aimed, f"{path}: say what it is to be aimed at"
        for method in operations:
            yield method.upper(), aimed


@pytest.mark.case(20)
def test_no_endpoint_tells_the_others_words(sites):
    red, blue = sites

    asked = 0
    for method, path in paths_of(blue, red):
        if method == "GET" and not path.endswith("/stream"):
            answer = blue.ask("GET", path)
            assert red.mark not in answer.text, path
            asked += 1
    same = blue.ask("GET", f"/v1/items/{ITEM}").json()
    profile = blue.ask("GET", f"/v1/users/{USER}/profile").json()
    assert asked > 8
    assert same["title"] == f"{blue.mark} story 0"
    assert profile["events_applied"] == 5
    assert blue.ask("GET", f"/v1/recommendations/{red.request}/why").status_code == 404
    assert red.mark in red.ask("GET", "/v1/items/red-1").text  # it is there to be found


@pytest.mark.case(20)
def test_a_list_asked_for_in_a_body_knows_nothing_of_the_others_user_and_items(sites):
    red, blue = sites
    visit = [{"item": "red-1", "type": "click"}, {"item": "red-2", "type": "click"}]

    for body in (
        {"user": USER, "limit": 50},
        {"user": USER, "limit": 50, "exclude": ["red-1", "red-2"]},
        {"context": visit, "limit": 50},
    ):
        answer = blue.ask("POST", "/v1/recommendations", json=body)
        shown = {one["item"] for one in answer.json()["items"]}
        assert shown, answer.text
        assert shown <= {ITEM, *(f"blue-{n}" for n in range(12))}
        assert red.mark not in answer.text


@pytest.mark.case(20)
def test_a_key_of_one_site_opens_nothing_at_the_other_and_is_counted_and_on_record(sites):
    red, blue = sites
    open_to_all = {"/healthz", "/readyz", "/openapi.json", "/docs", "/"}
    before = refused(blue, reason="unknown_key")
    asked = [
        (method, path)
        for method, path in paths_of(blue, red)
        if path not in open_to_all and not path.startswith("/docs")
    ]

    for method, path in asked:
        assert blue.ask(method, path, key=red.key).status_code == 401, (method, path)

    assert {path.rsplit("/", 1)[-1] for _, path in asked} >= {"stream", "recommendations"}
    assert refused(blue, reason="unknown_key") - before == len(asked)
    log = blue.server.program.output
    lines = [json.loads(line) for line in log.splitlines() if '"stream": "audit"' in line]
    strangers = [line for line in lines if line.get("reason") == "unknown_key"]
    assert len({line["action"] for line in strangers}) == len(asked)
    assert {(line["key"], line["outcome"], line["status"]) for line in strangers} == {
        ("unknown", "refused", 401)
    }
    assert red.key.split("_")[2] not in log
    assert red.ask("GET", f"/v1/users/{USER}/profile").is_success


def refused(site, *, reason):
    """How many requests the site's figures have as refused for this reason."""
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in site.ask("GET", "/metrics").text.splitlines()
        if line.startswith("clickwise_refused_requests_total") and f'reason="{reason}"' in line
    )


@pytest.mark.case(20)
def test_topics_and_groups_are_one_sites_each_and_hold_its_words_alone(sites):
    told = {site.name: asyncio.run(everything_in_kafka(site)) for site in sites}

    for site, other in (sites, reversed(sites)):
        content, topics, groups = told[site.name]
        prefix = site.environment["CLICKWISE_KAFKA_TOPIC_PREFIX"]
        owners = {name.removeprefix(f"{prefix}.").split(".")[0] for name in topics}
        assert owners == {"red", "blue"}
        assert {one.split(".")[1].split("-")[0] for one in groups} <= {"red", "blue"}
        assert site.mark.encode() in content
        assert other.mark.encode() not in content


async def everything_in_kafka(site):
    """Keys and values of the site's topics; and all topics and groups of the test."""
    settings = load(site.environment)
    shared = site.environment["CLICKWISE_KAFKA_TOPIC_PREFIX"]
    admin = AIOKafkaAdminClient(**connection_options(settings))
    await admin.start()
    topics = [name for name in await admin.list_topics() if name.startswith(shared)]
    groups = [one[0] for one in await admin.list_consumer_groups() if one[0].startswith(shared)]
    await admin.close()
    own = [name for name in topics if name.startswith(f"{settings.kafka_topic_prefix}.")]
    client = AIOKafkaConsumer(*own, **connection_options(settings), auto_offset_reset="earliest")
    await client.start()
    content = b""
    try:
        while batches := await client.getmany(timeout_ms=3_000):
            for records in batches.values():
                content += b"".join((one.key or b"") + (one.value or b"") for one in records)
    finally:
        await client.stop()
    return content, topics, groups


@pytest.mark.case(20)
def test_tables_and_files_hold_one_sites_words_alone(sites):
    url = sites[0].environment["CLICKWISE_DATABASE_URL"]
    engine = create_engine(url)
    held = {}
    with engine.connect() as connection:
        look = inspect(connection)
        schemas = [name for name in look.get_schema_names() if name != "information_schema"]
        for schema in schemas:
            held[schema] = b"".join(
                _bytes(cell)
                for table in look.get_table_names(schema=schema)
                for row in connection.exec_driver_sql(f'SELECT * FROM "{schema}"."{table}"')  # noqa: S608
                for cell in row
            )
    engine.dispose()

    assert held["public"] == b""
    for site, other in (sites, reversed(sites)):
        assert site.mark.encode() in held[f"site_{site.name}"]
        assert other.mark.encode() not in held[f"site_{site.name}"]
        folder = Path(load(site.environment).archive_url)
        names = [path.name for path in folder.rglob("*.parquet")]
        assert names
        for path in [*site.server.home.rglob("*"), *folder.rglob("*")]:
            assert not path.is_file() or other.mark.encode() not in path.read_bytes(), path


def _bytes(cell):
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


@pytest.mark.case(20)
def test_metrics_count_one_sites_events_alone(sites):
    for site, other in (sites, reversed(sites)):
        text = site.ask("GET", "/metrics").text
        assert "clickwise_" in text
        assert other.mark not in text
        accepted = [
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith("clickwise_events_total") and 'outcome="accepted"' in line
        ]
        assert sum(accepted) == {"red": 3, "blue": 5}[site.name]


@pytest.mark.case(20)
def test_forgetting_somebody_at_one_site_leaves_their_namesake_at_the_other(sites):
    red, blue = sites

    assert red.ask("DELETE", f"/v1/users/{USER}").is_success

    assert red.ask("GET", f"/v1/users/{USER}/profile").status_code == 404
    assert blue.ask("GET", f"/v1/users/{USER}/profile").json()["events_applied"] == 5


@pytest.mark.case(20)
def test_a_stream_of_one_site_sends_nothing_when_a_namesake_does_something_at_the_other(sites):
    red, blue = sites
    headers = {"Authorization": f"Bearer {blue.key}"}
    url = f"{blue.server.address}/v1/users/eve/stream"
    click = {"user": "eve", "type": "click"}

    with httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as stream:
        lists = (line for line in stream.iter_lines() if line.startswith("data: {"))
        first = next(lists)
        red.ask("POST", "/v1/events", json={**click, "item": "red-3"})
        wait_until(
            lambda: red.ask("GET", "/v1/users/eve/profile").is_success,
            seconds=SECONDS, what="applied at the other",
        )  # fmt: skip
        blue.ask("POST", "/v1/events", json={**click, "item": "blue-3"})
        second = next(lists)

    assert [json.loads(one[6:])["events_applied"] for one in (first, second)] == [0, 1]
    assert red.mark not in first + second
