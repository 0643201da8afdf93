"""Each container's very command, started here on real services: it becomes healthy, and works.

No container engine is needed: a process is started with the words and the environment that the
Dockerfile and the compose file give it, on addresses of this machine. Where this user may (root,
as in CI), it sees a file system that is read-only but for its home and a folder in the place of
/tmp.
Qdrant's engine runs in process, since there is no server; the encoder is the one without a model.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from clickwise.testing.kafka import free_ports
from clickwise.testing.processes import Program, wait_until
from tests.deploy.files import DEPLOY, KEY, compose, dockerfile, environment_of, target_of

SERVICES = compose()["services"]
SECONDS = 300.0  # torch and MLflow take a minute each to load where others are at work
READ_ONLY = (
    "unshare", "--mount", "--propagation", "private", "sh", "-c",
    'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec "$@"',
)  # fmt: skip
# What an image sets for its own folders; this machine has others.
OF_THE_IMAGE = {"PATH", "LD_LIBRARY_PATH", "HOME", "NVIDIA_DRIVER_CAPABILITIES"}


def can_be_closed(folder):
    done = subprocess.run([*READ_ONLY, str(folder), "true"], capture_output=True, check=False)
    return done.returncode == 0


class Machine:
    """A machine on which the compose file's services run without containers."""

    def __init__(self, folder, stack, places):
        """`places` are the settings that say where services are, and how far this is a test."""
        self.folder = folder
        self.ports = dict(zip((8000, 9101, 9102, 9103, 5000), free_ports(5), strict=True))
        self._stack = stack
        self._places = places
        self._closed = (*READ_ONLY, str(folder)) if can_be_closed(folder) else ()
        (folder / "tmp").mkdir()
        (folder / "mlflow").mkdir()

    def here(self, text):
        """A word of the files with the ports and folders of this machine."""
        for port, own in self.ports.items():
            text = re.sub(rf"(?<=[:=]){port}\b", str(own), text)
        text = text.replace("/var/lib/clickwise", f"{self.folder}/mlflow")
        return text.replace("--host=0.0.0.0", "--host=127.0.0.1")

    def program(self, name):
        """The process of a service."""
        service = SERVICES[name]
        words = [*service.get("entrypoint", dockerfile().words(target_of(service), "ENTRYPOINT"))]
        words += [self.here(word) for word in service["command"]]
        beside = Path(sys.executable).with_name(words[0])
        return Program(
            [*self._closed, str(beside), *words[1:]],
            environment=self.environment(service),
            log=self.folder / f"{name}.log",
        )

    def environment(self, service):
        given = {
            variable: value.replace("/tmp", f"{self.folder}/tmp")
            for variable, value in environment_of(service).items()
            if variable not in OF_THE_IMAGE
        }
        for variable in (
            "PORT",
            "STREAM_METRICS_PORT",
            "ARCHIVE_METRICS_PORT",
            "TRAIN_METRICS_PORT",
        ):
            if f"CLICKWISE_{variable}" in given:
                own = self.ports[int(given[f"CLICKWISE_{variable}"])]
                given[f"CLICKWISE_{variable}"] = str(own)
        if "CLICKWISE_MLFLOW_URL" in given:
            given["CLICKWISE_MLFLOW_URL"] = f"http://127.0.0.1:{self.ports[5000]}"
        given.pop("CLICKWISE_QDRANT_URL", None)  # embedded: there is no server here
        return {
            **given,
            "CLICKWISE_HOME": str(self.folder / "home"),
            "CLICKWISE_API_KEYS": KEY,
            "TMPDIR": f"{self.folder}/tmp",
            "HOME": f"{self.folder}/tmp",
            **self._places,
        }

    def run(self, name):
        """The exit code of a service that ends by itself, and what it said."""
        with self.program(name) as program:
            return program.wait(seconds=SECONDS), program.output

    def start(self, name):
        """Start a service; it is killed at the end of the test."""
        return self._stack.enter_context(self.program(name))

    def is_healthy(self, name):
        """What its health check says, as the files word it."""
        service = SERVICES[name]
        if "healthcheck" in service:
            words = service["healthcheck"]["test"][1:]
        else:
            words = dockerfile().words(target_of(service), "HEALTHCHECK")
        assert words[0] == "healthy"
        command = [sys.executable, str(DEPLOY / "healthy.py"), self.here(words[1])]
        return subprocess.run(command, check=False).returncode == 0

    def wait_until_healthy(self, name, program):
        try:
            wait_until(
                lambda: self.is_healthy(name) or not program.running, seconds=SECONDS, what=name
            )
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{program.output[-3000:]}") from error
        assert program.running, program.output[-3000:]


@pytest.fixture
def machine(kafka, postgres_url, topic_prefix, tmp_path):
    places = {
        "CLICKWISE_KAFKA_BOOTSTRAP": kafka.bootstrap,
        "CLICKWISE_KAFKA_TOPIC_PREFIX": topic_prefix,
        "CLICKWISE_KAFKA_GROUP": topic_prefix,
        "CLICKWISE_DATABASE_URL": postgres_url,
        "CLICKWISE_ENCODER_MODEL": "hashing:64",
        "CLICKWISE_EXPLORATION": "0",
        "CLICKWISE_ARCHIVE_INTERVAL_SECONDS": "1",
    }
    with ExitStack() as stack:
        yield Machine(tmp_path, stack, places)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take the disk's rights away")
def test_the_read_only_view_is_read_only(tmp_path):
    if not can_be_closed(tmp_path):
        pytest.skip("this machine lets nobody make namespaces")
    outside = tmp_path.parent / "outside"

    for path, code in ((tmp_path / "inside", 0), (outside, 1)):
        command = [*READ_ONLY, str(tmp_path), "touch", str(path)]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == code

    assert not outside.exists()


def test_from_no_tables_to_a_click_that_changes_a_list(machine):
    for name in ("migrate", "topics"):
        code, said = machine.run(name)
        assert code == 0, said
    running = {name: machine.start(name) for name in ("stream", "archive", "serve")}

    for name, program in running.items():
        machine.wait_until_healthy(name, program)

    address = f"http://127.0.0.1:{machine.ports[8000]}"
    key = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=address, trust_env=False, timeout=30.0) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers=key).status_code == 200
        wait_until(lambda: client.get("/readyz").status_code == 200, seconds=SECONDS, what="ready")
        client.headers.update(key)
        items = [
            {"id": f"{word}-{n}", "kind": "news", "title": f"{word} story {n}"}
            for word in ("robot", "football")
            for n in range(6)
        ]
        assert client.post("/v1/items", json={"items": items}).is_success
        wait_until(lambda: len(shown(client)) == 10, seconds=SECONDS, what="items in the index")
        click = {"id": "e1", "user": "ada", "item": "robot-0", "type": "click"}
        assert client.post("/v1/events", json=click).is_success
        wait_until(
            lambda: "robot-0" not in shown(client) and shown(client)[0].startswith("robot-"),
            seconds=SECONDS,
            what="another list",
        )

    wait_until(
        lambda: any((machine.folder / "home" / "archive").glob("manifests/*")),
        seconds=SECONDS,
        what="an archive",
    )
    assert {name: program.terminate() for name, program in running.items()} == {
        "stream": 0, "archive": 0, "serve": 0,
    }  # fmt: skip


def shown(client):
    answer = client.get("/v1/users/ada/recommendations", params={"limit": 10})
    return [one["item"] for one in answer.raise_for_status().json()["items"]]


def test_a_server_whose_broker_is_away_goes_on_answering_lists(machine, kafka):
    for name in ("migrate", "topics"):
        assert machine.run(name)[0] == 0
    server = machine.start("serve")
    machine.wait_until_healthy("serve", server)
    address = f"http://127.0.0.1:{machine.ports[8000]}"
    with httpx.Client(base_url=address, trust_env=False, timeout=30.0) as client:
        client.headers["authorization"] = f"Bearer {KEY}"
        wait_until(lambda: client.get("/readyz").status_code == 200, seconds=SECONDS, what="ready")

        kafka.stop()
        try:
            wait_until(
                lambda: client.get("/readyz").status_code == 503, seconds=SECONDS, what="not ready"
            )
            assert client.get("/v1/users/ada/recommendations").status_code == 200
            assert machine.is_healthy("serve")
        finally:
            kafka.start()


def test_the_trainer_waits_for_something_to_learn_from_beside_its_registry(machine):
    for name in ("migrate", "topics"):
        assert machine.run(name)[0] == 0
    registry = machine.start("mlflow")
    trainer = machine.start("train")

    machine.wait_until_healthy("mlflow", registry)
    machine.wait_until_healthy("train", trainer)

    trainer.wait_for("training_put_off", seconds=SECONDS)
    assert machine.is_healthy("train")
    trainer.terminate()
    assert "Traceback" not in trainer.output


def test_a_health_check_tells_what_does_not_answer(machine):
    for name in ("serve", "stream", "archive", "train", "mlflow"):
        assert not machine.is_healthy(name)
