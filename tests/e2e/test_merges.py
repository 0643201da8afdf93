"""A guest logs in: one person from then on, on a site as a user runs it."""

import json
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from clickwise.profile import from_stored
from clickwise.settings import load
from clickwise.state.sql import open_state
from clickwise.testing.kafka import KafkaServer
from clickwise.testing.processes import Program, wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite
from clickwise.types import UserId
from streams import topics_admin

GUEST, USER = "guest-of-a-browser", "rosalind-ellery-7"
Kept = tuple[int, list[tuple[int, int, int, float]]]


def click(user: str, number: int) -> dict[str, object]:
    return {
        "id": f"event-{number}", "user": user, "item": f"n{number}", "type": "click",
        "time": 1_795_000_000 + number,
    }  # fmt: skip


def kept_of(url: str, user: str) -> Kept | None:
    """How many events a stored profile counts, and those that it keeps."""
    state = open_state(url, timeout_seconds=5.0, pool_size=2)
    try:
        stored, _ = state.profile(UserId(user))
    finally:
        state.close()
    if stored is None:
        return None
    profile, _ = from_stored(stored.body)
    return profile.events_applied, [tuple(row)[:4] for row in profile.history.tolist()]


def command(site_home: Path, environment: dict[str, str], *arguments: str) -> str:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    ran = subprocess.run(
        [*COMMAND, *arguments, "--home", str(site_home)],
        env=inherited | environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_guest_becomes_a_user_and_is_forgotten_with_the_user(tmp_path: Path) -> None:
    with RunningSite(tmp_path / "home") as site:
        site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(12))
        site.send(*(click(GUEST, i) for i in range(3)), click(USER, 3))
        path = f"/v1/recommendations/{site.list_of(GUEST)['request_id']}/why"
        address = f"{site.address}{path}"
        wait_until(
            lambda: httpx.get(address).status_code == 200, seconds=30, what="exposure logged"
        )
        before = explained(site, path)

        merged = httpx.post(f"{site.address}/v1/users/{USER}/merge", json={"guest": GUEST})
        site.send(click(GUEST, 4))
        told = json.loads(command(site.home, HASHING, "merge", GUEST, USER, "--json"))

        assert merged.json()["verdict"] == "applied"
        assert before[0] == 3
        assert before[1] == {"n0", "n1", "n2"}
        assert explained(site, path) == before
        assert (told["verdict"], told["id"]) == ("duplicate", merged.json()["id"])
        profile = site.get(f"/v1/users/{USER}/profile")
        assert [one["item"] for one in profile["history"]] == ["n4", "n3", "n2", "n1", "n0"]
        assert set(site.shown_to(USER)).isdisjoint({"n0", "n1", "n2", "n3", "n4"})
        assert httpx.get(f"{site.address}/v1/users/{GUEST}/profile").status_code == 404
        command(site.home, HASHING, "archive", "--once")
        exported = command(site.home, HASHING, "export", USER)
        assert {json.loads(line)["store"] for line in exported.splitlines()} >= {
            "profiles", "events", "archive", "merges",
        }  # fmt: skip

        command(site.home, HASHING, "forget", USER)

        left = [
            path
            for path in site.home.rglob("*")
            if path.is_file() and (GUEST.encode() in path.read_bytes())
        ]
        assert left == []
        assert site.send(click(GUEST, 9)) == ["duplicate"]  # older than the erasure


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
        "CLICKWISE_KAFKA_PARTITIONS": "4",
        "CLICKWISE_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
        "CLICKWISE_DATABASE_URL": postgres_url,
        "CLICKWISE_STARTUP_TIMEOUT_SECONDS": "30",
    }


def test_a_merge_outlives_a_killed_worker_and_the_log_read_again_gives_the_same_profile(
    environment: dict[str, str], tmp_path: Path
) -> None:
    topics_admin.create_topics(load(environment))
    first = Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "first.log")
    second = Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "second.log")
    url = environment["CLICKWISE_DATABASE_URL"]
    with RunningSite(tmp_path / "home", command="serve", environment=environment) as site:
        with first:
            first.wait_for("partitions assigned")
            site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(60))
            wait_until(lambda: len(site.shown_to("zoe")) == 10, seconds=60, what="items indexed")
            for i in range(0, 40, 2):
                site.send(click(GUEST, i), click(USER, i + 1))
            merged = httpx.post(f"{site.address}/v1/users/{USER}/merge", json={"guest": GUEST})
            assert merged.status_code == 202
            first.kill()
        for i in range(40, 60, 2):
            site.send(click(GUEST, i), click(USER, i + 1))
        again = httpx.post(f"{site.address}/v1/users/{USER}/merge", json={"guest": GUEST})
        assert again.json() == merged.json()
        with second:
            wait_until(lambda: (kept_of(url, USER) or (0,))[0] == 60, seconds=90, what="one person")
            assert kept_of(url, GUEST) is None
            live = kept_of(url, USER)

    # The log read into another database, which knows of no merge.
    anew = environment | {
        "CLICKWISE_DATABASE_URL": f"sqlite:///{tmp_path / 'anew.sqlite'}",
        "CLICKWISE_HOME": str(tmp_path / "other"),
        "CLICKWISE_KAFKA_GROUP": f"{environment['CLICKWISE_KAFKA_GROUP']}-anew",
    }
    with Program([*COMMAND, "stream"], environment=anew, log=tmp_path / "anew.log") as stream:
        stream.wait_for("partitions assigned")
        wait_until(
            lambda: (kept_of(anew["CLICKWISE_DATABASE_URL"], USER) or (0,))[0] == 60,
            seconds=90,
            what="the log read again",
        )
        assert kept_of(anew["CLICKWISE_DATABASE_URL"], USER) == live
        assert kept_of(anew["CLICKWISE_DATABASE_URL"], GUEST) is None


def test_with_kafka_guest_and_user_are_each_told_of_their_own_events_until_the_merge_is_applied(
    environment: dict[str, str], tmp_path: Path
) -> None:
    topics_admin.create_topics(load(environment))
    url = environment["CLICKWISE_DATABASE_URL"]
    worker = Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "worker.log")
    with RunningSite(tmp_path / "home", command="serve", environment=environment) as site, worker:
        worker.wait_for("partitions assigned")
        site.put({"id": f"n{i}", "kind": "news", "title": f"Title {i}"} for i in range(30))
        wait_until(lambda: len(site.shown_to("zoe")) == 10, seconds=60, what="items indexed")
        site.send(*(click(GUEST, i) for i in range(3)), *(click(USER, i) for i in range(3, 6)))
        wait_until(lambda: (kept_of(url, GUEST) or (0,))[0] == 3, seconds=60, what="events applied")
        wait_until(lambda: (kept_of(url, USER) or (0,))[0] == 3, seconds=60, what="events applied")
        path = f"/v1/recommendations/{site.list_of(GUEST)['request_id']}/why"
        address = f"{site.address}{path}"
        wait_until(
            lambda: httpx.get(address).status_code == 200, seconds=60, what="exposure logged"
        )
        before = explained(site, path)

        worker.terminate()
        merged = httpx.post(f"{site.address}/v1/users/{USER}/merge", json={"guest": GUEST})
        assert merged.status_code == 202
        # The user's list while the merge waits in the log.
        meanwhile = f"/v1/recommendations/{site.list_of(USER)['request_id']}/why"
        with Program([*COMMAND, "stream"], environment=environment, log=tmp_path / "next.log"):
            wait_until(lambda: kept_of(url, GUEST) is None, seconds=60, what="merged")
            wait_until(
                lambda: httpx.get(f"{site.address}{meanwhile}").status_code == 200,
                seconds=60,
                what="exposure logged",
            )

            assert before[0] == 3
            assert before[1]
            assert before[1] <= {"n0", "n1", "n2"}
            assert explained(site, path) == before
            assert explained(site, meanwhile)[0] == 3
            assert explained(site, meanwhile)[1] <= {"n3", "n4", "n5"}


def explained(site: RunningSite, path: str) -> tuple[int, set[str]]:
    """How many events a list rested on that are kept, and the items of those that moved it."""
    found = site.get(path)
    influences = [one for item in found["items"] for one in item.get("influences", ())]
    return found["events_kept"], {one["item"] for one in influences}
