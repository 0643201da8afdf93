"""A person is erased, told and looked for again, on a site as a user runs it."""

import asyncio
import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from aiokafka import AIOKafkaConsumer
from sqlalchemy import create_engine, inspect

from clickwise.settings import Settings, load
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from streams import topics_admin
from streams.kafka import Message, Producer, connection_options

USER = "rosalind-ellery-7"
SESSION = "session-of-rosalind"
OTHER = "somebody-else-77"


@pytest.fixture
def site(tmp_path: Path):
    with RunningSite(tmp_path / "home") as running:
        running.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
        for i in range(6):
            running.send(event(USER, i), event(OTHER, i))
        yield running


def event(user: str, number: int) -> dict[str, object]:
    return {
        "id": f"event-{number}-of-{user}",
        "user": user,
        "item": f"n{number}",
        "type": "click",
        "session": SESSION if user == USER else "another",
    }


def command(site: RunningSite, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    return subprocess.run(
        [*COMMAND, *arguments, "--home", str(site.home)],
        env=environment | HASHING,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def done(site: RunningSite, *arguments: str) -> str:
    ran = command(site, *arguments)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def show_a_list(site: RunningSite, user: str) -> None:
    """And wait until the log of exposures has it."""
    request = site.list_of(user)["request_id"]
    why = f"{site.address}/v1/recommendations/{request}/why"
    wait_until(lambda: httpx.get(why).is_success, seconds=30, what="the exposure is logged")


def traces(site: RunningSite) -> list[str]:
    """Files of the home, and the log, that hold the user's id or a text of their events."""
    texts = (USER.encode(), SESSION.encode())
    found = []
    for path in [*site.home.rglob("*"), site.home.parent / f"{site.home.name}.log"]:
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":  # compressed: what is in it, too
            content += json.dumps(pl.read_parquet(path).to_dicts(), default=str).encode()
        if any(text in content for text in texts):
            found.append(path.relative_to(site.home.parent).as_posix())
    return found


def test_nothing_of_a_forgotten_user_is_in_any_file(site: RunningSite) -> None:
    show_a_list(site, USER)
    show_a_list(site, OTHER)
    done(site, "archive", "--once")
    assert any("sqlite" in path for path in traces(site))
    assert any("archive/events" in path for path in traces(site))  # in the ids of the events
    assert not any("archive/exposures" in path for path in traces(site))  # it has names

    receipt = site.home.parent / "receipt.json"
    done(site, "forget", USER, "--receipt", str(receipt))

    assert traces(site) == []
    assert site.get(f"/v1/users/{OTHER}/profile")["events_applied"] == 6
    told = json.loads(receipt.read_text())
    assert USER not in receipt.read_text()
    assert {one["store"]: one["records"] for one in told["stores"]} == {
        "profiles": 1,
        "events": 6,
        "exposures": 1,
        "dead letters": 0,
        "archive": 7,
        "training's copies of the archive": 0,
        "merges": 0,
    }


def test_an_older_event_of_a_forgotten_user_has_no_effect_and_a_later_one_begins_anew(
    site: RunningSite,
) -> None:
    httpx.delete(f"{site.address}/v1/users/{USER}", timeout=60).raise_for_status()

    again = event(USER, 3) | {"time": "2026-11-20T00:00:00Z"}
    verdicts = site.send(again)
    site.send(event(USER, 9))

    profile = site.get(f"/v1/users/{USER}/profile")
    assert verdicts == ["duplicate"]
    assert [one["item"] for one in profile["history"]] == ["n9"]
    assert profile["profile_version"] == 1


def test_the_archive_goes_on_after_an_erasure(site: RunningSite) -> None:
    site.send(event(USER, 7))  # the last that is archived is the one that goes
    done(site, "archive", "--once")

    done(site, "forget", USER)
    site.send(event(OTHER, 8))

    summary = json.loads(done(site, "archive", "--once", "--json"))
    assert summary["added"]["events"] == 1
    assert summary["rows"]["events"] == 7
    assert summary["lost"] == 0


def test_a_receipt_is_verified_by_looking_again(site: RunningSite) -> None:
    receipt = site.home.parent / "receipt.json"
    done(site, "archive", "--once")
    before = {path: path.read_bytes() for path in (site.home / "archive").rglob("*.parquet")}
    done(site, "forget", USER, "--receipt", str(receipt))

    nothing = command(site, "forget", "--verify", str(receipt))
    for path, content in before.items():  # a backup was put back, say
        path.write_bytes(content)
    something = command(site, "forget", "--verify", str(receipt), "--json")
    receipt.write_text(receipt.read_text().replace('"profiles"', '"nothing"'))
    changed = command(site, "forget", "--verify", str(receipt))

    assert (nothing.returncode, "nothing found" in nothing.stdout) == (0, True), nothing.stderr
    assert something.returncode == 1
    assert json.loads(something.stdout)["found"] == {"archive": 6}
    assert changed.returncode != 0
    assert "was changed" in changed.stderr


def test_a_user_is_told_all_that_is_known_of_them_and_of_nobody_else(site: RunningSite) -> None:
    show_a_list(site, USER)
    done(site, "archive", "--once")
    by_http, lines = httpx.Response(500), list[dict[str, Any]]()

    def both_say_the_same() -> bool:
        nonlocal by_http, lines
        by_http = httpx.get(f"{site.address}/v1/users/{USER}/export", timeout=60)
        lines = [json.loads(line) for line in done(site, "export", USER).splitlines()]
        return [json.loads(line) for line in by_http.text.splitlines()] == lines

    # Items are understood meanwhile, and with them the words of a profile change.
    wait_until(both_say_the_same, seconds=60.0, what="both say the same")
    nobody = command(site, "export", "nobody-at-all")

    counted: dict[str, int] = {}
    for line in lines:
        counted[line["store"]] = counted.get(line["store"], 0) + 1
    assert counted == {"about": 1, "profiles": 1, "events": 6, "exposures": 1, "archive": 7}
    assert lines[0]["stores"].keys() >= counted.keys() - {"about"}
    assert by_http.headers["content-type"] == "application/x-ndjson"
    assert OTHER not in by_http.text
    assert nobody.returncode != 0
    assert "nothing is known" in nobody.stderr


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
        "CLICKWISE_KAFKA_PARTITIONS": "1",
        "CLICKWISE_DATABASE_URL": postgres_url,
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
    }


def rows_that_speak_of(url: str, user: str) -> dict[str, int]:
    """Rows of every table, as text, with the id in them."""
    engine = create_engine(url)
    found = {}
    with engine.connect() as connection:
        for table in inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()  # noqa: S608
            number = sum(user.encode() in cell for row in rows for cell in map(_bytes, row))
            if number:
                found[table] = number
    engine.dispose()
    return found


def _bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()


async def newest_list(settings: Settings, user: str) -> tuple[int, bytes | None]:
    """How many messages of the user the compacted topic has, and the last one's value."""
    topic = f"{settings.kafka_topic_prefix}.recommendations"
    client = AIOKafkaConsumer(topic, **connection_options(settings), auto_offset_reset="earliest")
    await client.start()
    try:
        batches = await client.getmany(timeout_ms=3_000)
    finally:
        await client.stop()
    own = [r.value for rs in batches.values() for r in rs if r.key == user.encode()]
    return len(own), own[-1] if own else None


async def send_broken(settings: Settings) -> None:
    producer = Producer(settings)
    await producer.start()
    topic = f"{settings.kafka_topic_prefix}.events"
    await producer.write([Message(topic, USER.encode(), b'{"user": "' + USER.encode())])
    await producer.stop()


def test_a_user_is_erased_from_postgresql_and_the_archive_and_kafka_gets_a_tombstone(
    environment: dict[str, str], tmp_path: Path
) -> None:
    settings = load(environment)
    url = environment["CLICKWISE_DATABASE_URL"]
    topics_admin.create_topics(settings)
    stream = Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "stream.log")
    site = RunningSite(tmp_path / "home", command="serve", environment=environment)
    receipt = tmp_path / "receipt.json"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
        return subprocess.run(
            [*COMMAND, *arguments],
            env=inherited | environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    with stream, site:
        stream.wait_for("partitions assigned")
        site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
        wait_until(lambda: len(site.shown_to("zoe")) == 10, seconds=60, what="items indexed")
        site.send(*(event(USER, i) for i in range(6)), *(event(OTHER, i) for i in range(6)))
        asyncio.run(send_broken(settings))
        wait_until(
            lambda: (
                asyncio.run(newest_list(settings, USER))[1] is not None
                and rows_that_speak_of(url, USER).keys() == {"profiles", "dead_letters"}
            ),
            seconds=60,
            what="profile, dead letter and list",
        )
        assert run("archive", "--once").returncode == 0
        assert any("archive/events" in path for path in traces(site))  # in the ids of the events

        erased = run("forget", USER, "--receipt", str(receipt), "--json")

        assert erased.returncode == 0, erased.stderr
        assert rows_that_speak_of(url, USER) == {}
        assert asyncio.run(newest_list(settings, USER))[1] is None
        assert traces(site) == []
        assert run("forget", "--verify", str(receipt)).returncode == 0
        stores = {one["store"]: one for one in json.loads(receipt.read_text())["stores"]}
        now = datetime.now(UTC)
        for topic, days in {"events": 8, "recommendations": 3}.items():
            left = stores[f"{settings.kafka_topic_prefix}.{topic}"]["left_until"]
            assert timedelta(days=days - 1) < datetime.fromisoformat(left) - now
            assert datetime.fromisoformat(left) - now < timedelta(days=days)
        for said in ((tmp_path / "stream.log").read_text(), erased.stderr):
            assert not any(text in said for text in (USER, SESSION))

        stream.terminate()
    # The log still has the events: a consumer that begins anew, and the next archive, leave
    # them out.
    again = environment | {
        "CLICKWISE_KAFKA_GROUP": f"{settings.kafka_group}-again",
        "CLICKWISE_ARCHIVE_URL": str(tmp_path / "home" / "second"),
    }
    environment.update(again)
    with (
        Program([*COMMAND, "stream"], environment=again, log=tmp_path / "again.log") as stream,
        RunningSite(tmp_path / "home", command="serve", environment=again) as site,
    ):
        stream.wait_for("partitions assigned")
        site.send(event("a-third-person", 1))
        wait_until(
            lambda: bool(rows_that_speak_of(url, "a-third-person")), seconds=60, what="read again"
        )
        archived = run("archive", "--once")

        assert archived.returncode == 0
        assert rows_that_speak_of(url, USER) == {}
        assert traces(site) == []
        for said in ((tmp_path / "again.log").read_text(), archived.stdout + archived.stderr):
            assert not any(text in said for text in (USER, SESSION))
