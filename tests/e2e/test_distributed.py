"""The commands on real Kafka and PostgreSQL: topics, stream, serve, and looking at them."""

import asyncio
import base64
import json
import os
import subprocess
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest

from clickwise.cli.wiring import state_of
from clickwise.limits import MAX_IMAGE_BYTES
from clickwise.settings import load
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from clickwise.types import ItemId
from streams.kafka import Message, Producer
from tests.pictures import NUMBERS, file_of, picture, trained_encoder

SECONDS = 60.0


@pytest.fixture
def environment(kafka, postgres_url, topic_prefix, tmp_path):
    return {
        **HASHING,
        "CLICKWISE_HOME": str(tmp_path / "home"),
        "CLICKWISE_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLICKWISE_KAFKA_TOPIC_PREFIX": topic_prefix,
        "CLICKWISE_KAFKA_GROUP": topic_prefix,
        "CLICKWISE_KAFKA_PARTITIONS": "2",
        "CLICKWISE_DATABASE_URL": postgres_url,
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
        "CLICKWISE_PORT": "0",  # somebody may have the usual one
    }


def command(environment, *arguments):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**inherited, **environment, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@contextmanager
def worker(environment, folder):
    with Program(
        [*COMMAND, "stream"], environment=environment, log=folder / "stream.log"
    ) as program:
        program.wait_for("partitions assigned")
        yield program


def poison(environment):
    settings = load(environment)

    async def write():
        producer = Producer(settings)
        await producer.start()
        topic = f"{settings.kafka_topic_prefix}.events"
        await producer.write([Message(topic, b"ada", b'{"user": "ada", "broken')])
        await producer.stop()

    asyncio.run(write())


def letters(environment):
    code, out, err = command(environment, "dead-letters", "list", "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.case(7)
@pytest.mark.case(9)
def test_a_click_goes_through_kafka_and_changes_the_list(environment, tmp_path):
    assert command(environment, "topics", "create")[0] == 0
    assert command(environment, "topics", "check")[0] == 0

    with (
        worker(environment, tmp_path) as stream,
        RunningSite(tmp_path / "home", command="serve", environment=environment) as site,
    ):
        items = [
            {"id": f"{word}-{n}", "kind": "news", "title": f"{word} story {n}"}
            for word in ("robot", "football")
            for n in range(6)
        ]
        assert set(site.put(items)) == {"accepted"}
        wait_until(lambda: len(site.shown_to("zoe")) == 10, seconds=SECONDS, what="items indexed")

        site.send({"id": "e1", "user": "ada", "item": "robot-0", "type": "click"})
        wait_until(
            lambda: site.list_of("ada")["events_applied"] == 1, seconds=SECONDS, what="applied"
        )
        shown = site.shown_to("ada")
        assert "robot-0" not in shown
        assert shown[0].startswith("robot-")

        poison(environment)
        wait_until(lambda: letters(environment), seconds=SECONDS, what="a dead letter")
        (letter,) = letters(environment)
        assert letter["topic"].endswith(".events")
        shown_letter = command(environment, "dead-letters", "show", str(letter["id"]))
        assert "broken" in shown_letter[1]

        assert command(environment, "dead-letters", "replay", "--all")[0] == 0
        wait_until(lambda: len(letters(environment)) == 2, seconds=SECONDS, what="refused again")

        code, tailed, _ = command(
            environment, "events", "tail", "--json", "--user", "ada", "-n", "9"
        )
        assert code == 0
        assert [json.loads(line)["id"] for line in tailed.splitlines()] == ["e1"]

        code, checked, _ = command(environment, "check", "--json", "--port", "0")
        levels = {one["name"]: one["level"] for one in json.loads(checked)["findings"]}
        assert code == 0
        assert levels["kafka"] == "ok"

        assert site.stop() == 0
        assert stream.terminate() == 0


def stored_item(environment, name):
    settings = load(environment)
    with ExitStack() as stack:
        row = state_of(settings, stack).item(ItemId(name))
    return None if row is None else json.loads(row.body)


@pytest.mark.case(9)
def test_pictures_go_through_kafka_and_a_broken_one_holds_up_nobody(environment, tmp_path):
    told = {
        **environment,
        "CLICKWISE_IMAGE_ENCODER": str(trained_encoder(tmp_path / "encoder")),
    }
    assert command(environment, "topics", "create")[0] == 0
    rng = np.random.default_rng(5)
    noise = file_of(rng.integers(0, 256, (290, 290, 3), dtype=np.uint8))
    assert 0.9 * MAX_IMAGE_BYTES < len(noise) <= MAX_IMAGE_BYTES
    files = {
        "lying": picture(rng, lying=True),
        "torn": noise[: len(noise) // 2],  # its header is whole: told only when it is decoded
        "large": noise,
    }

    with (
        worker(told, tmp_path) as stream,
        RunningSite(tmp_path / "home", command="serve", environment=told) as site,
    ):
        site.put(
            [
                {"id": name, "kind": "news", "title": name,
                 "image_data": base64.b64encode(data).decode()}
                for name, data in files.items()
            ]
        )  # fmt: skip
        wait_until(
            lambda: set(site.shown_to("zoe")) == {"lying", "large"},
            seconds=SECONDS, what="the others",
        )  # fmt: skip
        wait_until(lambda: letters(told), seconds=SECONDS, what="a dead letter")

        kept = {name: stored_item(told, name) for name in files}
        (letter,) = letters(told)
        assert site.stop() == 0
        assert stream.terminate() == 0

    assert kept["torn"] is None
    assert letter["topic"].endswith(".items")
    for name in ("lying", "large"):
        assert len(kept[name]["image_vector"]) == NUMBERS
        assert kept[name]["image_model"].startswith("stripes-")
        assert "image_data" not in kept[name]


def test_another_taxonomy_gives_items_of_a_stream_other_topics(environment, tmp_path):
    taxonomy = tmp_path / "taxonomy.toml"
    taxonomy.write_text('[[topic]]\nid = "machines"\n', encoding="utf-8")
    told = {**environment, "CLICKWISE_TAXONOMY": str(taxonomy)}
    assert command(environment, "topics", "create")[0] == 0

    with (
        worker(told, tmp_path) as stream,
        RunningSite(tmp_path / "home", command="serve", environment=told) as site,
    ):
        site.put([{"id": "a", "kind": "news", "title": "A robot factory opens"}])
        wait_until(
            lambda: site.shown_to("zoe", topic="machines") == ["a"],
            seconds=SECONDS,
            what="found by the topic that the worker gave",
        )
        assert site.stop() == 0

        taxonomy.write_text('[[topic]]\nid = "industry"\n', encoding="utf-8")
        site.start()
        wait_until(
            lambda: site.shown_to("zoe", topic="industry") == ["a"],
            seconds=SECONDS,
            what="found by its new topic",
        )

        assert site.shown_to("zoe", topic="machines") == []
        assert stream.terminate() == 0


def test_without_topics_both_say_which_command_makes_them(environment):
    for name in ("stream", "serve"):
        code, out, err = command(environment, name)

        assert code == 2, out + err
        assert "clickwise topics create" in out + err
        assert "Traceback" not in out + err


@pytest.mark.case(18)
def test_a_broker_that_is_away_is_waited_for_and_then_told(environment):
    away = {
        **environment,
        "CLICKWISE_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "1",
    }

    for name in ("stream", "serve"):
        code, out, err = command(away, name)

        assert code == 3, out + err
        assert "CLICKWISE_STARTUP_TIMEOUT_SECONDS" in out + err
        assert "Traceback" not in out + err
