"""`clickwise models` as an operator uses it, on a running server."""

import json
import os
import signal
import subprocess
import sys

import pytest

from clickwise.testing.bundles import random_bundle
from clickwise.testing.processes import wait_until
from clickwise.testing.running import COMMAND, HASHING, RunningSite

ITEMS = [
    {"id": f"{topic}{n}", "kind": "news", "title": f"{topic} story number {n}", "topics": [topic]}
    for topic in ("robots", "football")
    for n in range(20)
]

# A promotion that is killed, as `kill -9` does it, once a step is done.
DIES = """
import os, signal, sys
from clickwise.cli import releasing
from clickwise.settings import load

def told(step):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

releasing.promote(load(os.environ), sys.argv[1], told=told)
"""


@pytest.fixture
def site(tmp_path):
    with RunningSite(tmp_path / "home", workers=2) as running:
        running.put(ITEMS)
        yield running


def environment(site):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLICKWISE_")}
    return {**inherited, **HASHING, "CLICKWISE_HOME": str(site.home), "OMP_NUM_THREADS": "1"}


def models(site, *arguments):
    done = subprocess.run(
        [*COMMAND, "models", *map(str, arguments)], env=environment(site), capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def roles(site):
    status = json.loads(models(site, "status", "--json"))
    return {one["role"]: one["version"] for one in status["roles"]}


def bundle(site, version, dimension):
    return random_bundle(
        site.home.parent / "made", version, encoder="hashing-64", text_dimension=64,
        dimension=dimension,
    )  # fmt: skip


def answering(site):
    """Models of enough answers that both workers have given some."""
    return {site.list_of(f"reader-{n}")["model"] for n in range(24)}


@pytest.mark.case(16)
def test_a_model_is_promoted_and_taken_back_while_the_server_runs(site):
    site.send({"id": "e1", "user": "ada", "item": "robots1", "type": "click"})
    (first,) = answering(site)
    before = site.shown_to("ada")

    models(site, "promote", bundle(site, "m-one", 96))

    assert answering(site) == {"m-one"}
    assert "robots1" not in site.shown_to("ada")
    assert site.list_of("ada")["events_applied"] == 1
    assert roles(site) == {"live": "m-one", "previous": first}
    assert site.send({"id": "e2", "user": "ada", "item": "football1", "type": "dislike"})

    models(site, "rollback")

    assert answering(site) == {first}
    assert site.list_of("ada")["events_applied"] == 2
    assert before[0] in site.shown_to("ada", limit=40)
    assert "clickwise_mixed_vectors_total 0.0" in metrics_of(site)


def test_old_bundles_are_removed_while_the_server_answers(site):
    for version, dimension in (("m-one", 96), ("m-two", 48), ("m-three", 32)):
        models(site, "promote", bundle(site, version, dimension))

    pruned = json.loads(models(site, "prune", "--keep", "0", "--json"))

    assert [one["version"] for one in pruned["bundles"]] == ["m-one"]
    assert answering(site) == {"m-three"}
    models(site, "rollback")
    assert answering(site) == {"m-two"}


def metrics_of(site):
    with_text = site._client.get("/metrics")
    return with_text.text


@pytest.mark.parametrize("step", ["named", "indexed"])
def test_a_promotion_killed_before_the_flip_leaves_the_old_model_and_can_be_finished(site, step):
    (first,) = answering(site)
    folder = bundle(site, "m-one", 96)

    killed = subprocess.run(
        [sys.executable, "-c", DIES, folder, step], env=environment(site), timeout=180, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert answering(site) == {first}
    assert roles(site) == {"live": first, "candidate": "m-one"}

    models(site, "promote", "m-one")

    assert answering(site) == {"m-one"}


def test_a_promotion_killed_just_after_the_flip_is_done_by_the_processes_themselves(site):
    killed = subprocess.run(
        [sys.executable, "-c", DIES, bundle(site, "m-one", 96), "live"],
        env=environment(site), timeout=180, check=False,
    )  # fmt: skip

    assert killed.returncode == -signal.SIGKILL
    wait_until(lambda: answering(site) == {"m-one"}, seconds=60, what="the new model everywhere")


def test_a_restarted_server_goes_on_with_the_promoted_model(site):
    models(site, "promote", bundle(site, "m-one", 96))
    assert site.stop() == 0

    site.start()

    assert answering(site) == {"m-one"}


def test_a_canary_is_seen_by_its_share_and_withdrawn(site):
    models(site, "canary", bundle(site, "m-one", 96), "--share", "0.5")
    assert len(answering(site)) == 2

    models(site, "withdraw")

    wait_until(lambda: len(answering(site)) == 1, seconds=60, what="one model for everybody")


def test_without_a_server_a_model_is_promoted_for_the_next_start(site):
    assert site.stop() == 0

    models(site, "promote", bundle(site, "m-one", 96))
    site.start()

    assert answering(site) == {"m-one"}


def test_a_wrong_name_is_one_line_and_no_traceback(site):
    done = subprocess.run(
        [*COMMAND, "models", "promote", "nothing"], env=environment(site), capture_output=True,
        text=True, timeout=180, check=False,
    )  # fmt: skip

    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert "nothing is no folder" in done.stderr
